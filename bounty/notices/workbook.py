"""A notice as a workbook: a summary with control totals, then the rows of both files, typed."""

from collections.abc import Iterable, Iterator
from itertools import starmap
from pathlib import Path

from sqlalchemy import Connection

from bounty.clock import shown
from bounty.exports.workbooks import Cell, new_workbook, yuan_cell
from bounty.notices.service import chosen_notice
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import ResultRow, SubsidyLineRow, lines_of, results_of

RESULTS = (
    "period", "promoter_id", "name", "level", "eligible", "reason", "gmv_yuan", "orders", "target_gmv_yuan",
    "target_orders", "passed", "rate_permille", "subsidy_orders", "subsidy_yuan",
)  # fmt: skip
LINES = ("period", "promoter_id", "order_sn", "paid_at", "basis_yuan", "rate_permille", "subsidy_yuan")


def write_workbook(connection: Connection, period: Period, notice: int, path: Path) -> None:
    """Write results and lines of a notice, with the same content as ``bounty export``.

    Raises BountyError if there is no such notice.
    """
    chosen = chosen_notice(connection, period, notice)
    streamed = {"yield_per": 1000}
    settlement_id = chosen.settlement_id
    with new_workbook(path, chosen.published_at) as book:
        results = connection.execute(results_of(settlement_id, period), execution_options=streamed)
        results_total = book.write(
            "结果 results", RESULTS, _results(str(period), starmap(ResultRow, results))
        )
        lines = connection.execute(lines_of(settlement_id), execution_options=streamed)
        lines_total = book.write("补贴 lines", LINES, _lines(str(period), starmap(SubsidyLineRow, lines)))
        book.summarise(
            [
                ("period 期次", str(period)),
                ("notice 公示号", chosen.notice),
                ("settlement 核算号", settlement_id),
                ("published_at 公示时间", shown(chosen.published_at)),
                ("terms_sha256", terms_in_force(connection, period).sha256),
                ("content_sha256", chosen.content_sha256),
                ("results rows 结果行数", results_total[0]),
                ("results subsidy_yuan 结果补贴合计", results_total[1]),
                ("lines rows 补贴行数", lines_total[0]),
                ("lines subsidy_yuan 补贴行合计", lines_total[1]),
            ]
        )


def _results(period: str, rows: Iterable[ResultRow]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        who = (period, str(row.promoter_id), row.name, row.level or "")
        if row.reason is not None:
            yield (*who, "no", row.reason, None, None, None, None, "no", None, None, None)
            continue
        yield (
            *who,
            "yes",
            "",
            yuan_cell(row.gmv_fen),
            row.orders,
            yuan_cell(row.target_gmv_fen),
            row.target_orders,
            "yes" if row.passed else "no",
            row.rate_permille,
            row.subsidy_orders,
            yuan_cell(row.subsidy_fen),
        )


def _lines(period: str, rows: Iterable[SubsidyLineRow]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        yield (
            period,
            str(row.promoter_id),
            row.order_sn,
            shown(row.paid_at),
            yuan_cell(row.basis_fen),
            row.rate_permille,
            yuan_cell(row.subsidy_fen),
        )
