"""Months as the workbooks of three programs, through the commands: what is exported is what the oracle says."""

import csv
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from bounty.clock import shown
from tests.agreement import months
from tests.agreement.verdict import TABLES, Verdict, written
from tests.factories import command as in_process

TIMES = {"生成时间", "支付时间", "确认收货时间", "审核时间", "结算时间", "更新时间"}
MONEY = {"实付金额(元)", "佣金(元)"}
FOOTERS = [["合计：{rows}笔"], ["导出时间:2023-02-01 10:00:00"]]
Rows = Sequence[Sequence[str]]
Save = Callable[[Sequence[Path]], list[Path]]


def rows_of(path: Path) -> list[list[str]]:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030")
    return list(csv.reader(text.splitlines()))


def number_of(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


def moment_of(cell: str) -> Any:
    try:
        return datetime.strptime(cell, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - a cell has no zone
    except ValueError:
        return cell


def exported(path: Path, rows: Rows) -> Path:
    """As a back office exports it: a merged title, a styled and filtered header, numbers, dates, a hidden sheet."""
    book = openpyxl.Workbook()
    hidden = book.active
    assert isinstance(hidden, Worksheet)
    hidden.title, hidden.sheet_state = "字典", "hidden"
    for row in rows[:2]:
        hidden.append(list(row))
    sheet = book.create_sheet("订单明细")
    book.active = sheet
    sheet.append(["推广订单明细（2022-12）"])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(rows[0]))
    header = [name.replace("（", "(").replace("）", ")").strip() for name in rows[0]]
    sheet.append(list(rows[0]))
    for cell in sheet[2]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="FFDDEBF7")
    for row in rows[1:]:
        sheet.append(
            [
                number_of(cell) if name in MONEY else moment_of(cell) if name in TIMES else cell
                for name, cell in zip(header, row, strict=True)
            ]
        )
        for name, cell in zip(header, sheet[sheet.max_row], strict=True):
            if name in TIMES:
                cell.number_format = 'yyyy"年"m"月"d"日" h:mm:ss'
            elif name in MONEY:
                cell.number_format = "#,##0.00"
            elif isinstance(cell.value, str):
                cell.data_type = "s"  # a name that begins with = is no formula
    sheet.auto_filter.ref = f"A2:{sheet.cell(2, len(header)).coordinate}"
    sheet.freeze_panes = "A3"
    sheet.column_dimensions["C"].hidden = True
    for (footer,) in FOOTERS:
        sheet.append([footer.format(rows=len(rows) - 1)])
    path = path.with_suffix(".xlsx")
    book.save(path)
    return path


def saved_again(ending: str) -> Save:
    """The same, opened and saved by LibreOffice."""

    def save(paths: Sequence[Path]) -> list[Path]:
        program = shutil.which("soffice")
        assert program, "LibreOffice is missing: install libreoffice-calc-nogui"
        first = [exported(path, rows_of(path)) for path in paths]
        folder = paths[0].parent / "again"
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        command = [
            program,
            profile,
            "--headless",
            "--convert-to",
            ending,
            "--outdir",
            str(folder),
            *map(str, first),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
        return [folder / f"{path.stem}.{ending}" for path in paths]

    return save


def _as_text(name: str, cell: str) -> str:
    moment = moment_of(cell)
    if isinstance(moment, datetime):
        return f"{moment.year}/{moment.month}/{moment.day} {moment.hour}:{moment:%M:%S}"
    if name in ("订单编号", "推广位ID", "order_sn", "p_id"):
        return f"`{cell.strip()}"
    return "--" if name in TIMES and not cell.strip() else cell


def of_wps(path: Path, rows: Rows) -> Path:
    """An old workbook: shared texts, a merged title, blank rows, dates as text with slashes, wrapped ids, footers."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    sheet.write_merge(0, 1, 0, len(rows[0]) - 1, "多多进宝订单")
    for column, name in enumerate(rows[0]):
        sheet.write(3, column, name)
    for at, row in enumerate(rows[1:], 4):
        for column, (name, cell) in enumerate(zip(rows[0], row, strict=True)):
            sheet.write(at, column, _as_text(name.strip(), cell))
    for number, (footer,) in enumerate(FOOTERS):
        sheet.write(len(rows) + 4 + number, 0, footer.format(rows=len(rows) - 1))
    path = path.with_suffix(".xls")
    book.save(str(path))
    return path


PROGRAMS: dict[str, Save] = {
    "a back office": lambda paths: [exported(path, rows_of(path)) for path in paths],
    "LibreOffice": saved_again("xlsx"),
    "LibreOffice, old": saved_again("xls"),
    "WPS, old": lambda paths: [of_wps(path, rows_of(path)) for path in paths],
}
"""Program -> CSV files written by it as workbooks."""


def does(database_url: str, now: str, *arguments: str | Path) -> str:
    result = in_process(database_url, now, *map(str, arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def take_in(database_url: str, now: str, verdict: Verdict, save: Save) -> None:
    """Everything through the commands, the tables of orders as workbooks; each tells the oracle's counts."""
    for kind in TABLES:
        assert "quarantined=0" in does(database_url, now, "import", kind, verdict.folder / f"{kind}.csv")
    tables = [file.path for file in verdict.files if file.path.suffix == ".csv"]
    workbooks = dict(zip(tables, save(tables), strict=True))
    for file, expected in zip(verdict.files, verdict.counts, strict=True):
        path = workbooks.get(file.path, file.path)
        told = does(database_url, now, "import", "orders", "--strict", path)
        counts = [f"{name}={expected[name]}" for name in ("new", "changed", "unchanged", "stale")]
        footers = len(FOOTERS) if file.path in workbooks else 0
        assert f"{' '.join(counts)} quarantined={footers}" in told, (path.name, told)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, marks=pytest.mark.soak) if program == "LibreOffice, old" else program
        for program in PROGRAMS
    ],
)
@pytest.mark.parametrize("seed", [3, pytest.param(17, marks=pytest.mark.soak)])
def test_a_month_of_workbooks_is_read_as_the_oracle_says(
    database_url: str, tmp_path: Path, program: str, seed: int
) -> None:
    case = months.generate(seed, promoters=10)
    verdict = written(case, tmp_path / "files", random.Random(seed), asked=0)
    now = shown(case.now)
    take_in(database_url, now, verdict, PROGRAMS[program])
    does(database_url, now, "terms", "add", verdict.folder / "terms.toml")
    does(database_url, now, "open", case.period)
    does(database_url, now, "settle", case.period)
    does(database_url, now, "export", case.period, "--draft", "--out", tmp_path / "out")
    assert (tmp_path / "out" / "results.csv").read_bytes() == verdict.results
    assert (tmp_path / "out" / "subsidy_lines.csv").read_bytes() == verdict.lines
