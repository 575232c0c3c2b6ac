"""Workbooks: what their cells become, and what is refused before or while they are unpacked."""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bounty.files import workbook as limits
from bounty.files.problems import BadRow
from bounty.files.tables import open_table
from bounty.platforms.pdd.order_files import OrderRow, open_orders
from tests.intake.build import CHINESE_ORDER, csv_text, dispositions, read_orders, refusal, workbook, write


def test_a_workbook_says_what_the_csv_says(tmp_path: Path) -> None:
    cells: list[Any] = list(CHINESE_ORDER.values())
    cells[3], cells[4], cells[8] = 19.9, 0.2, 0
    for column in (10, 11, 15):
        cells[column] = dt.datetime.fromisoformat(cells[column])
    path = workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER), [], cells])
    (row,) = read_orders(path)
    (same,) = read_orders(write(tmp_path, "o.csv", csv_text(CHINESE_ORDER)))
    assert isinstance(row, OrderRow)
    assert isinstance(same, OrderRow)
    assert row.place == 3
    assert row._replace(place=2, raw="") == same._replace(raw="")


WORKBOOK_CELLS: list[tuple[str, Any, str]] = [
    ("订单编号", 2.2121912345678902e17, "E-ID-MANGLED"),
    ("订单编号", 1000000000000001.0, "E-ID-MANGLED"),
    ("实付金额(元)", 19.999, "E-MONEY"),
    ("实付金额(元)", "=1/0", "E-MONEY"),
    ("支付时间", 44915.5, "E-TIME"),
    ("是否直推", True, "E-FLAG"),
    ("商品名称", "a\x07b", "E-CTRL"),
]


@pytest.mark.parametrize(("column", "cell", "code"), WORKBOOK_CELLS, ids=ascii)
def test_a_cell_of_a_workbook(tmp_path: Path, column: str, cell: Any, code: str) -> None:
    path = workbook(
        tmp_path / "o.xlsx", [list(CHINESE_ORDER), list((CHINESE_ORDER | {column: cell}).values())]
    )
    (row,) = read_orders(path)
    assert isinstance(row, BadRow), row
    assert (row.code, row.column, row.place) == (code, column, 2)


def a_row(**changes: Any) -> list[Any]:
    return list((CHINESE_ORDER | changes).values())


def test_rows_keep_their_numbers_wherever_the_sheet_begins(tmp_path: Path) -> None:
    rows = [[], [], ["", *CHINESE_ORDER], [], ["", *a_row()], ["", *[" "] * 16], ["", *a_row(订单编号="x")]]
    rows[-1].append("beyond the header")
    fates = list(dispositions(read_orders(workbook(tmp_path / "o.xlsx", rows))))
    assert fates == [(5, "good"), (7, "E-ID")]


def test_a_date_cell_of_midnight_has_its_time(tmp_path: Path) -> None:
    moments = map(dt.datetime.fromisoformat, ("2022-12-21", "2022-12-20 23:59:59", "2022-12-20 12:00:00.500"))
    path = workbook(
        tmp_path / "o.xlsx", [list(CHINESE_ORDER), *(a_row(支付时间=moment) for moment in moments)]
    )
    first, second, third = read_orders(path)
    assert isinstance(first, OrderRow)
    assert isinstance(second, OrderRow)
    assert (first.paid_at, second.paid_at) == (1671552000, 1671551999)
    assert isinstance(third, BadRow)
    assert third.value == "2022-12-20 12:00:00.500000"


def test_every_second_of_a_day_comes_through_a_date_cell(tmp_path: Path) -> None:
    start = dt.datetime.fromisoformat("2022-12-20")
    moments = [start + dt.timedelta(seconds=second) for second in range(0, 86400, 7)]
    table = open_table(workbook(tmp_path / "t.xlsx", [["t"], *([moment] for moment in moments)]))
    assert [row.cells for row in table.rows() if not isinstance(row, BadRow)] == [
        [str(moment)] for moment in moments
    ]


def test_the_first_sheet_alone_is_read(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "o.xlsx")
    for name, cells in (("订单", CHINESE_ORDER), ("说明", ["x"])):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, list(cells))
    book.close()
    assert read_orders(tmp_path / "o.xlsx") == []


def test_an_error_in_a_cell_is_never_a_blank(tmp_path: Path) -> None:
    path = workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER), a_row(确认收货时间="=NOW()"), a_row()])
    bad, good = read_orders(path)
    assert isinstance(bad, BadRow)
    assert (bad.code, bad.column, bad.value) == ("E-TIME", "确认收货时间", "#DIV/0!")
    assert isinstance(good, OrderRow)


def test_an_empty_sheet_is_refused(tmp_path: Path) -> None:
    refused = refusal(workbook(tmp_path / "o.xlsx", []))
    assert refused is not None
    assert refused.code == "E-EMPTY"


def test_a_sheet_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    refused = refusal(workbook(tmp_path / "o.xlsx", [["x"] * 201]))
    assert refused is not None
    assert (refused.code, "201" in refused.zh) == ("E-LIMIT", True)


def changed(path: Path, more: dict[str, bytes], without: str = "") -> Path:
    """The workbook with other parts put in."""
    copy = path.with_name("changed.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in more and name != without:
                new.writestr(name, old.read(name))
        for name, content in more.items():
            new.writestr(name, content)
    return copy


PARTS: list[tuple[str, dict[str, bytes], str, str]] = [
    ("macros", {"xl/vbaProject.bin": b"x"}, "E-KIND", "宏"),
    ("other workbooks", {"xl/externalLinks/externalLink1.xml": b"x"}, "E-KIND", "外部链接"),
    ("embedded files", {"xl/embeddings/oleObject1.bin": b"x"}, "E-KIND", "嵌入"),
    ("many parts", {f"xl/media/{number}.png": b"x" for number in range(10_001)}, "E-LIMIT", "部件"),
    ("a bomb", {"xl/worksheets/sheet1.xml": b" " * 20_000_000}, "E-LIMIT", "压缩比"),
    (
        "a sheet that is no XML",
        {"xl/worksheets/sheet1.xml": b"<worksheet><sheetData><row r='x'"},
        "E-KIND",
        "读不出来",
    ),
    ("no sheets", {"xl/workbook.xml": b"<workbook/>"}, "E-KIND", "读不出来"),
]


@pytest.mark.parametrize(
    ("more", "code", "says"), [case[1:] for case in PARTS], ids=[case[0] for case in PARTS]
)
def test_a_workbook_with_other_parts_is_refused(
    tmp_path: Path, more: dict[str, bytes], code: str, says: str
) -> None:
    refused = refusal(changed(workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER), a_row()]), more))
    assert refused is not None
    assert (refused.code, says in refused.zh) == (code, True), refused


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER)])
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # the first entry of the directory
    content[entry + 8] |= 1
    refused = refusal(write(tmp_path, "encrypted.xlsx", bytes(content)))
    assert refused is not None
    assert (refused.code, "加密" in refused.zh) == ("E-KIND", True)


def test_a_sheet_that_claims_a_vast_range_costs_nothing(tmp_path: Path) -> None:
    sheet = (
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )
    path = changed(workbook(tmp_path / "o.xlsx", [["x"]]), {"xl/worksheets/sheet1.xml": sheet})
    table = open_table(path)
    assert (table.header, [row.place for row in table.rows()]) == (["1"], [])


def test_a_text_of_any_length_costs_no_more_than_shows_that_it_is_too_long(tmp_path: Path) -> None:
    sheet = (
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c></row>'
        b'<row r="2"><c r="A2" t="inlineStr"><is><t>'
        + b"ab" * 450_000
        + b"</t></is></c></row></sheetData></worksheet>"
    )
    path = changed(workbook(tmp_path / "o.xlsx", [["x"]]), {"xl/worksheets/sheet1.xml": sheet})
    (row,) = open_table(path).rows()
    assert isinstance(row, BadRow)
    assert (row.code, row.column, row.place) == ("E-LIMIT", "name", 2)
    assert len(row.raw) < 70_000


def test_a_child_out_of_memory_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (str(number) * 100 for number in range(10_000, 15_000))
    path = workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER), *(a_row(商品名称=name) for name in names)])
    monkeypatch.setattr(limits, "CHILD_MEMORY", 40 << 20)
    refused = refusal(path)
    assert refused is not None
    assert (refused.code, "CSV UTF-8" in refused.zh) == ("E-LIMIT", True)


@pytest.mark.parametrize("signal", ["SIGXCPU", "SIGABRT", "SIGSEGV", "SIGKILL"])
def test_a_child_that_dies_within_a_row_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    dies = (
        "import os, signal, sys",
        """sys.stdout.write('["p_id",')""",
        "sys.stdout.flush()",
        f"os.kill(os.getpid(), signal.{signal})",
    )
    monkeypatch.setattr(limits, "_CHILD", write(tmp_path, "child.py", "\n".join(dies)))
    refused = refusal(workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER)]))
    assert refused is not None
    assert (refused.code, "CSV UTF-8" in refused.zh) == ("E-LIMIT", True)


def test_a_file_left_half_read_leaves_no_child(tmp_path: Path) -> None:
    file = open_orders(
        workbook(tmp_path / "o.xlsx", [list(CHINESE_ORDER), *(a_row() for _ in range(20_000))])
    )
    assert isinstance(next(file.rows()), OrderRow)
    del file  # a child or a pipe left behind would be a ResourceWarning, which is an error here
