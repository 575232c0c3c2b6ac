"""Queries over promoters, whatever period they take part in."""

from sqlalchemy import Connection, func, select

from bounty.db import Query
from bounty.models import Level, OpenPeriod, Promoter, RosterEntry


def is_promoter(connection: Connection, promoter_id: int) -> bool:
    """Whether a promoter is known by this id."""
    promoter = select(Promoter.promoter_id).where(Promoter.promoter_id == promoter_id)
    return connection.execute(promoter).first() is not None


def ranked_names() -> Query:
    """Every name a promoter had: promoter_id, name, registered_on, and ``rank``, 1 for the newest level's."""
    newest_first = func.row_number().over(partition_by=Level.promoter_id, order_by=Level.level_from.desc())
    return select(Level.promoter_id, Level.name, Level.registered_on, newest_first.label("rank"))


def promoters_named(text: str, most: int) -> Query:
    """Promoters with this id, or with this in the newest of their names: promoter_id, name, and the newest period that
    has them on its roster, null if none has.

    most  rows at most
    """
    ranked = ranked_names()
    if text.isascii() and text.isdigit() and len(text) <= 15:
        ranked = ranked.where(Level.promoter_id == int(text))
    newest = ranked.subquery("newest")
    period = (
        select(RosterEntry.period)
        .join(OpenPeriod, OpenPeriod.period == RosterEntry.period)
        .where(RosterEntry.promoter_id == newest.c.promoter_id)
        .order_by(OpenPeriod.month_from.desc(), RosterEntry.period)
        .limit(1)
        .correlate(newest)
        .scalar_subquery()
    )
    found = select(newest.c.promoter_id, newest.c.name, period.label("period")).where(newest.c.rank == 1)
    if not text.isdigit():
        found = found.where(newest.c.name.contains(text, autoescape=True))
    return found.order_by(newest.c.name, newest.c.promoter_id).limit(most)
