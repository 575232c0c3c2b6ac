"""The dry run of an import: the real import in a transaction that is rolled back, and a report of its changes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import NamedTuple, NotRequired, TypedDict, TypeVar

from sqlalchemy import Connection, Engine, and_, func, select, union

from bounty import importer
from bounty.clock import shanghai_date
from bounty.db import CompoundQuery, Query, transaction
from bounty.files.problems import BadRow
from bounty.ingest.quarantine import errors_of
from bounty.ingest.queries import count_of_batch
from bounty.models import Link, Notice, OpenPeriod, Order, OrderVersion, Promoter, Quarantined
from bounty.orders.service import orders_with_news
from bounty.orders.warnings import FLAG_TEXTS, flagged_rows
from bounty.platforms.pdd.order_row import OrderRow
from bounty.promoters.reference_files import TargetRow
from bounty.rules.newest_notice import is_newest

_Row = TypeVar("_Row")
BAD_SHOWN = 20
"""Most bad rows in the report: the first of the file."""


class MonthReport(TypedDict):
    """The good rows of a month."""

    month: str
    """As ``2022-12``; blank: not paid."""
    rows: int
    amount_fen: int | None


class ChangedPeriod(TypedDict):
    """An open period with orders that would change."""

    period: str
    notice: int | None
    orders: int


class Remark(TypedDict):
    """What a person should know of the file."""

    zh: str
    en: str


class BadRowReport(TypedDict):
    """What is wrong with a row."""

    place: int
    column: str | None
    value: str | None
    code: str
    zh: str
    en: str


class DryRunReport(TypedDict):
    """The changes that importing a file would make; stored as JSON."""

    encoding: str
    """As detected, like the shape."""
    shape: str
    columns: list[list[str | None]]
    """[header, name of the fact or null if unused], ..."""
    counts: dict[str, int]
    """read, new, changed, unchanged, stale, quarantined."""
    footers: int
    """Number of quarantined rows that are totals or remarks at the end of the file."""
    known: NotRequired[int]
    """Number of quarantined rows that it had before, as they stand, and keeps under their batch."""
    amount_fen: int | None
    """Sum of all good rows of orders, whole fen; null for other kinds."""
    months: list[MonthReport]
    periods: list[ChangedPeriod]
    released: list[list[str]]
    """[kind, counts], ...: rows that would be released from quarantine."""
    bad: list[BadRowReport]
    """Every error of the first rows that are new to the quarantine."""
    put_back: bool
    """Whether an older promoters file would restore values that a later one has changed."""
    flags: list[Remark]
    """Counts of imported rows that are unknown or unusual."""


class _BadRow(NamedTuple):
    place: int
    column_name: str | None
    value: str | None
    code: str
    sentence_zh: str
    sentence_en: str
    others: str | None


@dataclass(slots=True)
class _RowStatistics:
    """Counts and sums of the good rows of a file, collected while the rows are imported."""

    promoters: frozenset[int]
    """The known promoters. Rows of other promoters go into quarantine."""
    amount_fen: int = 0
    """Sum over all orders, whole fen."""
    months: Counter[str] = field(default_factory=Counter)
    """Month, as ``2022-12`` (blank for unpaid orders) -> number of rows."""
    amounts: Counter[str] = field(default_factory=Counter)
    """Month -> sum of the orders, whole fen."""

    def observe(self, rows: Iterable[_Row]) -> Iterator[_Row]:
        """Yield the rows unchanged, and count the good ones."""
        for row in rows:
            if not isinstance(row, BadRow):
                self._add(row)
            yield row

    def _add(self, row: object) -> None:
        if isinstance(row, OrderRow):
            if row.promoter_id not in self.promoters:
                return
            month = "" if row.paid_at is None else str(shanghai_date(row.paid_at))[:7]
            self.amount_fen += row.order_amount_fen
            self.amounts[month] += row.order_amount_fen
            self.months[month] += 1
        elif isinstance(row, TargetRow):
            self.months[row.period] += 1


def dry_run(
    engine: Engine, opened: importer.Opened, now: int, on_progress: Callable[[int], None] = lambda _: None
) -> DryRunReport:
    """Report the changes that importing a file would make; nothing is changed.

    on_progress   called with the number of rows read so far

    Raises RefusedFile for a file that is refused as a whole, and BountyError if it cannot be read.
    """
    source = opened.source
    with transaction(engine) as connection:
        statistics = _RowStatistics(frozenset(connection.execute(select(Promoter.promoter_id)).scalars()))
        observed = replace(opened, rows=statistics.observe(opened.rows))
        imported = importer.import_opened(connection, observed, now, on_progress, force=True)
        counts = imported.counts
        found: DryRunReport = {
            "encoding": source.encoding,
            "shape": source.shape,
            "columns": [list(pair) for pair in importer.columns_of(source)],
            "counts": {
                name: getattr(counts, name)
                for name in ("read", "new", "changed", "unchanged", "stale", "quarantined")
            },
            "footers": imported.footers,
            "amount_fen": statistics.amount_fen if source.kind == "orders" else None,
            "months": [
                {"month": month, "rows": rows, "amount_fen": statistics.amounts.get(month)}
                for month, rows in sorted(statistics.months.items())
            ],
            "periods": _periods(connection, source.kind, imported),
            "released": [[kind, str(counts)] for kind, counts in imported.released],
            "bad": _bad(connection, imported.batch_id),
            "known": imported.counts.quarantined - count_of_batch(connection, imported.batch_id),
            "put_back": imported.put_back,
            "flags": _flags(connection, source.kind, imported, now),
        }
        connection.rollback()
    return found


def _periods(connection: Connection, kind: str, imported: importer.Imported) -> list[ChangedPeriod]:
    """The open periods with orders that the import changed: every month in which a row of such an order was paid."""
    paid: Query | CompoundQuery
    row = OrderVersion
    if kind == "orders" or any(released == "orders" for released, _ in imported.released):
        paid = select(row.order_sn, row.paid_at).where(row.order_sn.in_(orders_with_news()))
    elif kind == "links":
        links = select(Link.p_id).where(Link.batch_id == imported.batch_id)
        touched = select(Order.order_sn).where(Order.p_id.in_(links))
        paid = union(
            select(row.order_sn, row.paid_at).where(row.order_sn.in_(touched)),
            # An order whose rows are archived was paid in no other month by any of them.
            select(Order.order_sn, Order.paid_at).where(Order.p_id.in_(links)),
        )
    else:
        return []
    order = paid.subquery("paid").c
    notice = (
        select(Notice.notice).where(Notice.period == OpenPeriod.period, is_newest(Notice)).scalar_subquery()
    )
    rows = connection.execute(
        select(
            OpenPeriod.period,
            notice.label("notice"),
            func.count(order.order_sn.distinct()).label("orders"),
        )
        .join(
            order.order_sn.table,
            and_(order.paid_at >= OpenPeriod.month_from, order.paid_at < OpenPeriod.month_until),
        )
        .group_by(OpenPeriod.period)
        .order_by(OpenPeriod.period)
    )
    return [{"period": row.period, "notice": row.notice, "orders": row.orders} for row in rows]


def _flags(connection: Connection, kind: str, imported: importer.Imported, now: int) -> list[Remark]:
    """Remarks about the whole file, and the number of imported orders with each warning."""
    flags: list[Remark] = [{"zh": zh, "en": en} for zh, en in imported.notes]
    if kind != "orders":
        return flags
    odd = Counter(flag for row in flagged_rows(connection, imported.batch_id, now) for flag in row.flags)
    for code, (zh, en) in FLAG_TEXTS.items():
        if odd[code]:
            flags.append({"zh": zh.format(rows=odd[code]), "en": en.format(rows=odd[code])})
    return flags


def _bad(connection: Connection, batch_id: int) -> list[BadRowReport]:
    entry = Quarantined
    rows = connection.execute(
        select(
            entry.place,
            entry.column_name,
            entry.value,
            entry.code,
            entry.sentence_zh,
            entry.sentence_en,
            entry.others,
        )
        .where(entry.batch_id == batch_id)
        .order_by(entry.place)
        .limit(BAD_SHOWN)
    )
    return [
        {
            "place": row.place,
            "column": error.column,
            "value": error.value,
            "code": error.code,
            "zh": error.zh,
            "en": error.en,
        }
        for row in starmap(_BadRow, rows)
        for error in errors_of(row)
    ]
