"""A promoter's task, and why one order counts, as they were known at a past moment: ``?as_of=``."""

from flask import abort, render_template, request
from sqlalchemy import Connection

from bounty.progress.as_of import AsOf, read_as_of
from bounty.progress.history import PromoterMonth
from bounty.progress.service import explain, first_failing, progress_of
from bounty.web.promoter import tables
from bounty.web.shared.request_context import now


def requested_as_of(connection: Connection) -> AsOf | None:
    """The moment that the address names, ``2023-01-11T12:00:00`` or the number of a batch; null where it names none.

    Raises BountyError for anything else.
    """
    text = request.args.get("as_of", "").strip()
    return read_as_of(connection, text, now()) if text else None


def task_as_of(connection: Connection, month: PromoterMonth, promoter_id: int, as_of: AsOf) -> str:
    """What counted then."""
    progress = progress_of(connection, month.period, promoter_id, now(), as_of)
    return render_template(
        "promoter/task_as_of.html", progress=progress, as_of=as_of, month=month, reasons=tables.REASONS
    )


def order_as_of(connection: Connection, promoter_id: int, order_sn: str, as_of: AsOf) -> str:
    """Every clause of an order, as its facts were then; another's order is not there."""
    why = explain(connection, order_sn, now(), as_of=as_of)
    if why.promoter_id != promoter_id:
        abort(404)
    return render_template("promoter/order_as_of.html", why=why, as_of=as_of, first_failing=first_failing)
