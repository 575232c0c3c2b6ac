"""The latest reconciliation of large books: its sums and differences, stored for pages with the moment they are of."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, case, func, insert, select

from bounty import figures
from bounty.accounting.reconciliation import (
    NO_RECEIPT,
    DifferenceKind,
    KindSum,
    answered_tranches,
    differences,
    every_exported_tranche,
    listed_differences,
)
from bounty.db import Query
from bounty.figures import Figure
from bounty.models import ReceiptRow, StoredDifference, Tranche
from bounty.rules.sql_math import sum_or_zero


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The sums of a reconciliation."""

    sums: list[KindSum]
    """The differences by kind, payouts without an answer last; kinds without any are left out."""
    waiting: int
    """Payouts of tranches of which nothing is answered yet: they only wait."""
    waiting_fen: int
    lines: int
    """Lines of exported tranches that were compared."""
    payouts: int
    """Payouts of these that were compared."""
    rows: int
    """Rows of receipts that were compared."""


LISTED = 2_000
"""Differences of one kind that are stored for a page of large books; the file has all."""


def reconciliation_subject(tranche_id: int | None) -> str:
    """The stored figure of a reconciliation."""
    return "reconcile" if tranche_id is None else f"reconcile {tranche_id}"


def reconciled_shown(
    connection: Connection, tranche_id: int | None, now: int
) -> tuple[Reconciled | None, Figure]:
    """The sums of a reconciliation for a page, which does not compare large books; null before they were first
    computed."""
    found = figures.figure(
        connection,
        reconciliation_subject(tranche_id),
        figures.state_of_books(connection, now),
        now,
        lambda: reconciled_content(connection, tranche_id),
    )
    if found.content is None:
        return None, found
    sums = [KindSum(**each) for each in found.content.pop("sums")]
    return Reconciled(sums=sums, **found.content), found


def reconciled_content(connection: Connection, tranche_id: int | None) -> dict[str, object]:
    """The fields of ``Reconciled``. One query for all sums, since each comparison of the sides takes long."""
    row = differences(connection, tranche_id).subquery("row").c
    waits = case((and_(row.kind == NO_RECEIPT, row.tranche_id.not_in(answered_tranches())), 1), else_=0)
    each = select(waits.label("waits"), row.kind, row.ours_fen, row.theirs_fen).subquery("each").c
    found = connection.execute(
        select(
            each.waits, each.kind, func.count(), sum_or_zero(each.ours_fen), sum_or_zero(each.theirs_fen)
        ).group_by(each.waits, each.kind)
    ).all()
    by_kind = {kind: KindSum(kind, *sums) for waiting, kind, *sums in found if not waiting}
    order = [*(kind for kind in DifferenceKind if kind != NO_RECEIPT), NO_RECEIPT]
    waiting, waiting_fen = next(((sums[2], sums[3]) for sums in found if sums[0]), (0, 0))
    compared = Reconciled(
        [by_kind[kind] for kind in order if kind in by_kind],
        waiting,
        waiting_fen,
        **_compared(connection, tranche_id),
    )
    return asdict(compared)


def _compared(connection: Connection, tranche_id: int | None) -> dict[str, int]:
    """How many lines, payouts and rows of receipts are compared."""
    exported = every_exported_tranche()
    if tranche_id is not None:
        exported = exported.where(Tranche.tranche_id == tranche_id)
    tranche = Tranche.__table__.c
    sums = select(sum_or_zero(tranche.lines_rows), sum_or_zero(tranche.payouts_rows))
    lines, payouts = connection.execute(sums.where(tranche.tranche_id.in_(exported))).one()
    rows = connection.execute(select(func.count()).select_from(ReceiptRow)).scalar_one()
    return {"lines": lines, "payouts": payouts, "rows": rows}


def stored_differences(tranche_id: int | None) -> Query:
    """The differences of large books as of the last comparison, at most LISTED of a kind: the columns of
    ``listed_differences`` but for ``at``."""
    row = StoredDifference.__table__.c
    own = {"subject", "row_place", "place"}
    return select(
        *(column for column in row if column.name not in own),
        row.row_place.label("place"),
        row.place.label("number"),
    ).where(row.subject == reconciliation_subject(tranche_id))


def differences_to_store(connection: Connection, tranche_id: int | None) -> list[dict[str, object]]:
    """At most LISTED differences of a kind, as values of the table ``stored_differences`` without their subject."""
    row = listed_differences(connection, tranche_id).subquery("row").c
    of_kind = func.row_number().over(partition_by=row.kind, order_by=row.number)
    every = select(*row, of_kind.label("of_kind")).subquery("every")
    stored = select(every).where(every.c.of_kind <= LISTED).order_by(every.c.number)
    names = {"number": "place", "place": "row_place"}
    return [
        {names.get(name, name): value for name, value in each.items() if name != "of_kind"}
        for each in connection.execute(stored).mappings()
    ]


def stored_rows(connection: Connection, subject: str) -> list[dict[str, object]]:
    """The stored differences of a figure, as ``differences_to_store`` gives them."""
    row = StoredDifference.__table__.c
    stored = select(*(column for column in row if column.name != "subject")).where(row.subject == subject)
    return [dict(each) for each in connection.execute(stored.order_by(row.place)).mappings()]


def store_rows(connection: Connection, subject: str, rows: list[dict[str, object]]) -> None:
    """Store the differences of a figure that was just stored."""
    if rows:
        connection.execute(insert(StoredDifference), [each | {"subject": subject} for each in rows])
