"""The dry run of an import: the real import in a transaction that is rolled back, and a report of its changes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Engine, and_, func, select

from bounty import importer
from bounty.clock import shanghai_date
from bounty.db import transaction
from bounty.files.problems import BadRow
from bounty.ingest.quarantine import errors_of
from bounty.models import Link, Notice, OpenPeriod, Order, OrderVersion, Promoter, Quarantined
from bounty.orders.service import orders_with_news
from bounty.orders.warnings import ODDITIES, flagged_rows
from bounty.rules.newest_notice import is_newest

BAD_SHOWN = 20
"""Most bad rows in the report: the first of the file."""


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

    def observe(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Yield the rows unchanged, and count the good ones."""
        for row in rows:
            if not isinstance(row, BadRow):
                self._add(row)
            yield row

    def _add(self, row: Any) -> None:
        amount_fen = getattr(row, "order_amount_fen", None)
        if amount_fen is not None:
            if row.promoter_id not in self.promoters:
                return
            month = "" if row.paid_at is None else str(shanghai_date(row.paid_at))[:7]
            self.amount_fen += amount_fen
            self.amounts[month] += amount_fen
            self.months[month] += 1
        elif hasattr(row, "period"):
            self.months[row.period] += 1


def dry_run(
    engine: Engine, opened: importer.Opened, now: int, on_progress: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """Report the changes that importing a file would make; nothing is changed. The report can be stored as JSON:

        encoding, shape  as detected
        columns          [[header, name of the fact or null if unused], ...]
        counts           {read, new, changed, unchanged, stale, quarantined}
        footers          number of quarantined rows that are totals or remarks at the end of the file
        amount_fen       sum of all good rows of orders, whole fen; null for other kinds
        months           [{month (blank: not paid), rows, amount_fen}, ...] of the good rows
        periods          [{period, notice or null, orders}, ...]: open periods with orders that would change
        released         [[kind, counts], ...]: rows that would be released from quarantine
        put_back         whether an older promoters file would restore values that a later one has changed
        flags            [{zh, en}, ...]: counts of imported rows that are unknown or unusual
        bad              [{place, column, value, code, zh, en}, ...]: every error of the first rows that are new to the
                         quarantine

    on_progress   called with the number of rows read so far

    Raises RefusedFile for a file that is refused as a whole, and BountyError if it cannot be read.
    """
    source = opened.source
    with transaction(engine) as connection:
        statistics = _RowStatistics(frozenset(connection.execute(select(Promoter.promoter_id)).scalars()))
        observed = replace(opened, rows=statistics.observe(opened.rows))
        imported = importer.import_opened(connection, observed, now, on_progress, force=True)
        counts = imported.counts
        found = {
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
            "put_back": imported.put_back,
            "flags": _flags(connection, source.kind, imported, now),
        }
        connection.rollback()
    return found


def _periods(connection: Connection, kind: str, imported: importer.Imported) -> list[dict[str, Any]]:
    """The open periods with orders that the import changed: every month in which a row of such an order was paid."""
    if kind == "orders" or any(released == "orders" for released, _ in imported.released):
        changed = OrderVersion.order_sn.in_(orders_with_news())
    elif kind == "links":
        links = select(Link.p_id).where(Link.batch_id == imported.batch_id)
        changed = OrderVersion.order_sn.in_(select(Order.order_sn).where(Order.p_id.in_(links)))
    else:
        return []
    of_month = and_(
        OrderVersion.paid_at >= OpenPeriod.month_from, OrderVersion.paid_at < OpenPeriod.month_until
    )
    notice = (
        select(Notice.notice).where(Notice.period == OpenPeriod.period, is_newest(Notice)).scalar_subquery()
    )
    rows = connection.execute(
        select(
            OpenPeriod.period,
            notice.label("notice"),
            func.count(OrderVersion.order_sn.distinct()).label("orders"),
        )
        .join(OrderVersion, of_month)
        .where(changed)
        .group_by(OpenPeriod.period)
        .order_by(OpenPeriod.period)
    )
    return [dict(row) for row in rows.mappings()]


def _flags(connection: Connection, kind: str, imported: importer.Imported, now: int) -> list[dict[str, str]]:
    """Remarks about the whole file, and the number of imported orders with each warning."""
    flags = [{"zh": zh, "en": en} for zh, en in imported.notes]
    if kind != "orders":
        return flags
    odd = Counter(flag for row in flagged_rows(connection, imported.batch_id, now) for flag in row.flags)
    for code, (zh, en) in ODDITIES.items():
        if odd[code]:
            flags.append({"zh": zh.format(rows=odd[code]), "en": en.format(rows=odd[code])})
    return flags


def _bad(connection: Connection, batch_id: int) -> list[dict[str, Any]]:
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
    return [{"place": row.place, **error._asdict()} for row in rows for error in errors_of(row)]
