"""Which notice of a period is in force: the newest; every later one takes the place of those before it."""

from sqlalchemy import ColumnElement, select

from bounty.db import Columns
from bounty.models import Notice


def is_newest(notice: type[Notice] | Columns) -> ColumnElement[bool]:
    """Whether a row of ``notices`` is the newest of its period.

    notice   the table, an alias of it, or its columns; the caller selects from it
    """
    other = Notice.__table__.alias("later_notice")
    later = select(other.c.notice).where(other.c.period == notice.period, other.c.notice > notice.notice)
    return ~later.correlate_except(other).exists()
