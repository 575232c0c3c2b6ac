"""A notice as a workbook: a summary with control totals, then the rows of both files, typed."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import xlsxwriter
from sqlalchemy import Connection
from xlsxwriter.worksheet import Worksheet

from bounty.clock import shown
from bounty.publication.service import chosen_settlement
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import lines_of, results_of

SHEET_ROWS = 1_000_000
"""Rows of a sheet beside its header, of the 1,048,576 that a spreadsheet holds. More go on in the next sheet."""
RESULTS = (
    "period", "promoter_id", "name", "level", "eligible", "reason", "gmv_yuan", "orders", "target_gmv_yuan",
    "target_orders", "passed", "rate_permille", "subsidy_orders", "subsidy_yuan",
)  # fmt: skip
LINES = ("period", "promoter_id", "order_sn", "paid_at", "basis_yuan", "rate_permille", "subsidy_yuan")
Cell = str | int | Decimal | None
"""Text stays text, so that ids keep every digit and nothing becomes a formula; a Decimal is yuan."""


def write_workbook(connection: Connection, period: Period, notice: int, path: Path) -> None:
    """Write results and lines of a notice, with the same content as ``bounty export``.

    Raises BountyError if there is no such notice.
    """
    chosen = chosen_settlement(connection, period, draft=False, notice=notice)
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(path, options) as book:
        yuan, bold = book.add_format({"num_format": "0.00"}), book.add_format({"bold": True})
        summary = book.add_worksheet("汇总 summary")
        streamed = {"yield_per": 1000}
        settlement_id = chosen.settlement_id
        results = connection.execute(results_of(settlement_id, period), execution_options=streamed)
        told_results = _write(book, "结果 results", RESULTS, _results(str(period), results), yuan, bold)
        lines = connection.execute(lines_of(settlement_id), execution_options=streamed)
        told_lines = _write(book, "补贴 lines", LINES, _lines(str(period), lines), yuan, bold)
        facts: list[tuple[str, Cell]] = [
            ("period 期次", str(period)),
            ("notice 公示号", chosen.notice),
            ("settlement 核算号", settlement_id),
            ("published_at 公示时间", shown(chosen.published_at)),
            ("terms_sha256", terms_in_force(connection, period).sha256),
            ("content_sha256", chosen.content_sha256),
            ("results rows 结果行数", told_results[0]),
            ("results subsidy_yuan 结果补贴合计", told_results[1]),
            ("lines rows 补贴行数", told_lines[0]),
            ("lines subsidy_yuan 补贴行合计", told_lines[1]),
        ]
        summary.set_column(0, 0, 36)
        summary.set_column(1, 1, 70)
        for place, (name, cell) in enumerate(facts):
            summary.write_string(place, 0, name, bold)
            _put(summary, place, 1, cell, yuan)


def _results(period: str, rows: Any) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        who = (period, str(row.promoter_id), row.name, row.level or "")
        if row.reason is not None:
            yield (*who, "no", row.reason, None, None, None, None, "no", None, None, None)
            continue
        yield (
            *who,
            "yes",
            "",
            _yuan(row.gmv_fen),
            row.orders,
            _yuan(row.target_gmv_fen),
            row.target_orders,
            "yes" if row.passed else "no",
            row.rate_permille,
            row.subsidy_orders,
            _yuan(row.subsidy_fen),
        )


def _lines(period: str, rows: Any) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        yield (
            period,
            str(row.promoter_id),
            row.order_sn,
            shown(row.paid_at),
            _yuan(row.basis_fen),
            row.rate_permille,
            _yuan(row.subsidy_fen),
        )


def _yuan(fen: int | None) -> Decimal | None:
    return None if fen is None else Decimal(fen).scaleb(-2)


def _write(
    book: Any, name: str, header: tuple[str, ...], rows: Iterator[tuple[Cell, ...]], yuan: Any, bold: Any
) -> tuple[int, Decimal]:
    """Rows written, and the sum of their last column."""
    count, total = 0, Decimal("0.00")
    sheet: Worksheet | None = None
    for row in rows:
        if sheet is None or count % SHEET_ROWS == 0:
            sheet = _sheet(book, name, count // SHEET_ROWS, header, bold)
        count += 1
        for column, cell in enumerate(row):
            _put(sheet, (count - 1) % SHEET_ROWS + 1, column, cell, yuan)
        total += row[-1] if isinstance(row[-1], Decimal) else 0
    if sheet is None:
        _sheet(book, name, 0, header, bold)
    return count, total


def _sheet(book: Any, name: str, number: int, header: tuple[str, ...], bold: Any) -> Worksheet:
    sheet: Worksheet = book.add_worksheet(name if number == 0 else f"{name} {number + 1}")
    sheet.set_column(0, len(header) - 1, 18)
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(header):
        sheet.write_string(0, column, title, bold)
    return sheet


def _put(sheet: Worksheet, row: int, column: int, cell: Cell, yuan: Any) -> None:
    if isinstance(cell, Decimal):
        sheet.write_number(row, column, cast("float", cell), yuan)  # it writes a Decimal's own digits
    elif isinstance(cell, int):
        sheet.write_number(row, column, cell)
    elif cell:
        sheet.write_string(row, column, cell)
