"""Where the table is in a file, one row a case: what stands around it, and the rows that are read."""

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt

from bounty.errors import RefusedFile
from bounty.platforms.pdd.order_files import open_orders
from bounty.promoters.reference_files import read_reference
from tests.files.build import HEADER, Cell, Content, SheetPart, order, write_workbook
from tests.intake.build import (
    CHINESE_ORDER,
    REFERENCES,
    csv_text,
    dispositions,
    lines,
    read_kind,
    read_orders,
)
from tests.intake.build import JSON_ORDER as OF_THE_API

WRAPPED: list[Content] = [
    Cell("<is><t>实付金额&#10;（元）</t></is>", ' t="inlineStr"') if name == "实付金额(元)" else name
    for name in HEADER
]
TOTAL = "E-TOTAL"


def test_an_archive_without_its_beginning_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("订单.csv", csv_text(CHINESE_ORDER))
    path = tmp_path / "订单.zip"
    path.write_bytes(b"PK\x03\x04" + whole.getvalue()[14:])
    with pytest.raises(RefusedFile, match="archive"):
        open_orders(path)


def sheet(*rows: Sequence[Content], **more: Any) -> SheetPart:
    return SheetPart(rows, **more)


def other(name: str = "说明", state: str = "visible") -> SheetPart:
    return SheetPart([["填写说明"], ["每行一个订单"]], name=name, state=state)


def footed(*footer: str) -> list[SheetPart]:
    return [sheet(HEADER, order(), list(footer))]


GOOD = [(2, "good")]
# Case, sheets, and the rows by number, or the code and words of the refusal.
WORKBOOKS: list[tuple[str, list[SheetPart], Any]] = [
    ("a plain table", [sheet(HEADER, order())], GOOD),
    ("a title above", [sheet(["订单明细"], HEADER, order())], [(3, "good")]),
    ("a merged title", [sheet(["订单明细"], HEADER, order(), merges=["A1:P1"])], [(3, "good")]),
    (
        "a merged title of three rows",
        [SheetPart({1: ["x"], 4: HEADER, 5: order()}, merges=["A1:P3"])],
        [(5, "good")],
    ),
    ("blank rows above", [SheetPart({7: HEADER, 9: order()})], [(9, "good")]),
    ("a header in row 20", [SheetPart({1: ["x"], 20: HEADER, 21: order()})], [(21, "good")]),
    ("a header in row 21", [SheetPart({1: ["x"], 21: HEADER, 22: order()})], ("E-HEAD", "order_sn")),
    ("wrapped headers", [sheet(WRAPPED, order())], GOOD),
    ("a header's row of notes below", [sheet(HEADER, ["必填"] * 16, order())], [(2, "E-ID"), (3, "good")]),
    ("the header again", [sheet(HEADER, order(), HEADER, order())], [(2, "good"), (3, TOTAL), (4, "good")]),
    ("a hidden sheet in front", [other(state="hidden"), sheet(HEADER, order())], GOOD),
    (
        "a hidden sheet with the header",
        [SheetPart([HEADER, order(), order()], "旧", "hidden"), sheet(HEADER, order())],
        GOOD,
    ),
    (
        "a very hidden sheet with the header",
        [sheet(HEADER, order()), SheetPart([HEADER], "旧", "veryHidden")],
        GOOD,
    ),
    ("another sheet in front", [other(), sheet(HEADER, order())], GOOD),
    ("another sheet behind", [sheet(HEADER, order()), other()], GOOD),
    ("an empty sheet in front", [SheetPart([], "空"), sheet(HEADER, order())], GOOD),
    (
        "two sheets with the header",
        [sheet(HEADER, order(), name="11月"), sheet(HEADER, order(), name="12月")],
        ("E-HEAD", "11月, 12月"),
    ),
    (
        "a second sheet with the header alone",
        [sheet(HEADER, order(), name="甲"), sheet(HEADER, name="乙")],
        ("E-HEAD", "甲, 乙"),
    ),
    (
        "no sheet with the header",
        [other(), sheet(HEADER[:-1], order(), name="缺列")],
        ("E-HEAD", "说明, 缺列"),
    ),
    ("hidden sheets alone", [SheetPart([HEADER, order()], "x", "hidden")], ("E-HEAD", "可见")),
    ("no rows at all", [SheetPart([])], ("E-EMPTY", "空")),
    ("a column too few", [sheet(HEADER[:-1], order()[:-1])], ("E-HEAD", "更新时间")),
    (
        "a near miss",
        [sheet([name.replace("(元)", "") for name in HEADER], order())],
        ("E-HEAD", "“实付金额”是否就是“实付金额(元)”"),
    ),
    ("a doubled header", [sheet([*HEADER, "更新时间"], order())], ("E-HEAD", "更新时间")),
    ("a total", footed("合计"), [(2, "good"), (3, TOTAL)]),
    ("a total with its count", footed("合计：1笔"), [(2, "good"), (3, TOTAL)]),
    ("a total with an amount", footed("合计 1 单，金额 19.90 元"), [(2, "good"), (3, TOTAL)]),
    ("when it was exported", footed("导出时间:2022-12-31 10:00:00"), [(2, "good"), (3, TOTAL)]),
    ("a count", footed("共 3 条"), [(2, "good"), (3, TOTAL)]),
    ("a total in English", footed("Grand total: 1"), [(2, "good"), (3, TOTAL)]),
    ("an exporter's name", footed("", "", "导出人：张三"), [(2, "good"), (3, TOTAL)]),
    (
        "a merged total",
        [sheet(HEADER, order(), ["合计：1笔"], merges=["A3:C3"])],
        [(2, "good"), (3, TOTAL)],
    ),
    (
        "a merge over an amount",
        [sheet(HEADER, order(), order(), merges=["D2:D3"])],
        [(2, "good"), (3, "E-MERGED")],
    ),
    (
        "a merge to the right",
        [sheet(HEADER, order(), order(), merges=["H2:I2"])],
        [(2, "E-MERGED"), (3, "good")],
    ),
    (
        "a merge of a block",
        [sheet(HEADER, order(), order(), order(), merges=["H2:J4"])],
        [(2, "E-MERGED"), (3, "E-MERGED"), (4, "E-MERGED")],
    ),
    ("a merge of one cell", [sheet(HEADER, order(), merges=["H2"])], GOOD),
    (
        "a merge with dollars",
        [sheet(HEADER, order(), order(), merges=["$M$2:$M$3"])],
        [(2, "good"), (3, "E-MERGED")],
    ),
    ("a merge below the table", [sheet(HEADER, order(), merges=["A9:P12"])], GOOD),
    ("a merge over blank rows", [sheet(HEADER, order(), merges=["A2:A5"])], GOOD),
    ("a merge that is no range", [sheet(HEADER, order(), merges=["x"])], ("E-KIND", "merge")),
    ("a ghost in the last row", [SheetPart({1: HEADER, 2: order(), 1_048_576: [" "]})], GOOD),
    (
        "a note in the last row",
        [SheetPart({1: HEADER, 2: order(), 1_048_576: ["#"]})],
        [(2, "good"), (1_048_576, TOTAL)],
    ),
    ("rows that go back", [SheetPart({1: HEADER, 3: order(), 2: order()})], ("E-KIND", "row 2")),
    ("a document type", [sheet(HEADER, order(), head="<!DOCTYPE x>")], ("E-KIND", "读不出来")),
]


@pytest.mark.parametrize(
    ("sheets", "expected"), [case[1:] for case in WORKBOOKS], ids=[case[0] for case in WORKBOOKS]
)
def test_a_workbook(tmp_path: Path, sheets: list[SheetPart], expected: Any) -> None:
    judge(write_workbook(tmp_path / "o.xlsx", sheets), expected)


def judge(path: Path, expected: Any) -> None:
    """The rows of a file by place and fate, or the code and words of its refusal."""
    if isinstance(expected, list):
        assert list(dispositions(read_orders(path))) == expected
        return
    code, words = expected
    with pytest.raises(RefusedFile) as refused:
        list(open_orders(path).rows())
    assert (refused.value.code, words in str(refused.value)) == (code, True), refused.value


PLAIN = csv_text(HEADER, [str(cell) for cell in order()])


def tabbed(*rows: Sequence[Any]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter="\t", lineterminator="\r\n").writerows(rows)
    return out.getvalue()


TABBED = tabbed(HEADER, order(), order(商品名称='引"号\t制表'))
QUOTED = tabbed(HEADER, order(商品名称='"未完'))
TEXTS: list[tuple[str, str, str | bytes, Any]] = [
    ("sep=", "o.csv", "sep=,\r\n" + PLAIN, [(3, "good")]),
    ("a title", "o.csv", "订单明细,,\r\n\r\n" + PLAIN, [(4, "good")]),
    ("a title with an odd quote", "o.csv", '"a"b\r\n' + PLAIN, [(3, "good")]),
    ("nineteen lines above", "o.csv", "x\r\n" * 19 + PLAIN, [(21, "good")]),
    ("twenty lines above", "o.csv", "x\r\n" * 20 + PLAIN, ("E-HEAD", "order_sn")),
    ("commas too many", "o.csv", PLAIN.rstrip() + ",,\r\n", GOOD),
    ("a cell too many", "o.csv", PLAIN.rstrip() + ",x\r\n", [(2, "E-COLS")]),
    ("footers", "o.csv", PLAIN + "合计：1笔\r\n导出时间:2022-12-31 10:00:00\r\n共 3 条\r\n#---\r\n",
     [(2, "good"), (3, TOTAL), (4, TOTAL), (5, TOTAL), (6, TOTAL)]),
    ("tabs", "o.csv", TABBED, [(2, "good"), (3, "good")]),
    ("tabs in a text file", "o.txt", TABBED, [(2, "good"), (3, "good")]),
    ("tabs in GBK", "o.txt", TABBED.encode("gbk"), [(2, "good"), (3, "good")]),
    ("tabs below a title", "o.txt", "订单明细\r\n" + TABBED, [(3, "good"), (4, "good")]),
    ("commas in a text file", "o.txt", PLAIN, GOOD),
    ("tabs with a cell too few", "o.txt", TABBED.rstrip() + "\r\nx\ty\r\n", [(2, "good"), (3, "good"), (4, "E-COLS")]),
    ("a wrapped header", "o.csv", PLAIN.replace("实付金额(元)", '"实付金额\n（元）"'), [(3, "good")]),
    ("an unseen character in a header", "o.csv", PLAIN.replace("支付时间", "\u200b支付时间"), GOOD),
    ("JSON in a text file", "o.txt", lines(OF_THE_API), ("E-KIND", "JSON")),
    ("a near miss in capitals", "o.csv", PLAIN.replace("推广位ID", "推广位id"),
     ("E-HEAD", "“推广位id”是否就是“推广位ID”")),
    ("what was found", "o.csv", PLAIN.replace("更新时间", "店铺"), ("E-HEAD", "店铺")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "expected"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS]
)
def test_a_text(tmp_path: Path, name: str, content: str | bytes, expected: Any) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    judge(path, expected)


def archive(*entries: tuple[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries:
            packed.writestr(name, content)
    return out.getvalue()


def book_bytes(folder: Path) -> bytes:
    return write_workbook(folder / "inner.xlsx", [sheet(HEADER, order())]).read_bytes()


ARCHIVES: list[tuple[str, Callable[[Path], bytes], Any]] = [
    ("a CSV", lambda _: archive(("订单.csv", PLAIN)), GOOD),
    ("a CSV in a folder", lambda _: archive(("a/", ""), ("a/o.CSV", PLAIN)), GOOD),
    ("tabs", lambda _: archive(("o.txt", TABBED)), [(2, "good"), (3, "good")]),
    ("a workbook", lambda folder: archive(("o.xlsx", book_bytes(folder))), GOOD),
    ("JSON lines", lambda _: archive(("o.jsonl", lines(OF_THE_API))), [(1, "good")]),
    ("with a picture", lambda _: archive(("o.csv", PLAIN), ("logo.png", b"x")), GOOD),
    ("from a Mac", lambda _: archive(("o.csv", PLAIN), ("__MACOSX/._o.csv", b"x"), (".DS_Store", b"x")), GOOD),
    ("two files", lambda _: archive(("a.csv", PLAIN), ("b.xlsx", b"x")), ("E-KIND", "a.csv, b.xlsx")),
    ("no file", lambda _: archive(("a.pdf", b"x")), ("E-KIND", "a.pdf")),
    ("nothing", lambda _: archive(), ("E-KIND", "—")),
    ("an archive within", lambda _: archive(("a.zip", archive(("o.csv", PLAIN)))), ("E-KIND", "a.zip")),
    ("cut off", lambda _: archive(("o.csv", PLAIN))[:-30], ("E-KIND", "ZIP")),
    ("a bomb", lambda _: archive(("o.csv", b" " * 20_000_000)), ("E-LIMIT", "o.csv")),
    ("another kind within", lambda _: archive(("o.csv", b"%PDF-1.4")), ("E-KIND", "PDF")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "expected"), [case[1:] for case in ARCHIVES], ids=[case[0] for case in ARCHIVES]
)
def test_an_archive(tmp_path: Path, build: Callable[[Path], bytes], expected: Any) -> None:
    path = tmp_path / "o.zip"
    path.write_bytes(build(tmp_path))
    judge(path, expected)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(archive(("o.csv", PLAIN)))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "o.zip"
    path.write_bytes(content)
    judge(path, ("E-KIND", "encrypted"))


def test_an_archive_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = tmp_path / "o.zip"
    path.write_bytes(archive(("o.csv", PLAIN)))
    read_orders(path)
    half_read = open_orders(path)
    del half_read
    assert list(tmp_path.iterdir()) == [path]


# --- Workbooks of other kinds ---


def test_a_workbook_with_macros_gives_its_values(tmp_path: Path) -> None:
    parts = {"xl/vbaProject.bin": b"x"}
    judge(write_workbook(tmp_path / "o.xlsm", [sheet(HEADER, order())], parts), GOOD)
    judge(write_workbook(tmp_path / "o.xlsx", [sheet(HEADER, order())], parts), ("E-KIND", "macros"))


def test_a_workbook_of_openpyxl(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(HEADER)
    for _ in range(3):
        page.append([str(cell) for cell in order()])
    page["H3"] = '=IF(1=1,"比价","正常")'
    page.merge_cells("M3:M4")
    book.save(tmp_path / "o.xlsx")
    judge(tmp_path / "o.xlsx", [(2, "good"), (3, "E-FORMULA"), (4, "E-MERGED")])


def old_book(path: Path, change: Callable[[Any, Any], None], rows: int = 2) -> Path:
    """A workbook of Excel 97 with the header and some orders."""
    book = xlwt.Workbook()
    page = book.add_sheet("订单", cell_overwrite_ok=True)
    table: list[list[Any]] = [[*HEADER], *([[*order()]] * rows)]
    for number, row in enumerate(table):
        for column, cell in enumerate(row):
            page.write(number, column, str(cell))
    change(book, page)
    book.save(str(path))
    return path


def date_style(code: str) -> Any:
    return xlwt.easyxf(num_format_str=code)


AMOUNT, KIND, PAID = HEADER.index("实付金额(元)"), HEADER.index("订单类型"), HEADER.index("支付时间")
OLD: list[tuple[str, Callable[[Any, Any], Any], Any]] = [
    ("plain", lambda _book, _page: None, [(2, "good"), (3, "good")]),
    ("a number", lambda _, page: page.write(1, AMOUNT, 89.69999999999999), [(2, "good"), (3, "good")]),
    ("three decimals", lambda _, page: page.write(1, AMOUNT, 19.999), [(2, "E-MONEY"), (3, "good")]),
    ("a date", lambda _, page: page.write(1, PAID, 44915.5, date_style("[$-804]aaaa;@")), [(2, "good"), (3, "good")]),
    ("a duration", lambda _, page: page.write(1, PAID, 44915.5, date_style("[h]:mm:ss")), [(2, "E-TIME"), (3, "good")]),
    ("a serial number", lambda _, page: page.write(1, PAID, 44915.5), [(2, "E-TIME"), (3, "good")]),
    ("a formula", lambda _, page: page.write(1, KIND, xlwt.Formula("90+4")), [(2, "E-FORMULA"), (3, "good")]),
    ("a merge", lambda _, page: page.merge(1, 2, KIND, KIND), [(2, "good"), (3, "E-MERGED")]),
    ("a boolean", lambda _, page: page.write(1, 6, True), [(2, "E-FLAG"), (3, "good")]),
    ("a footer", lambda _, page: page.write(3, 0, "合计：2笔"), [(2, "good"), (3, "good"), (4, TOTAL)]),
    ("a ghost far away", lambda _, page: page.write(65535, 255, " "), [(2, "good"), (3, "good")]),
    ("a second sheet", lambda book, _: book.add_sheet("说明").write(0, 0, "x"), [(2, "good"), (3, "good")]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in OLD], ids=[case[0] for case in OLD])
def test_an_old_workbook(tmp_path: Path, change: Callable[[Any, Any], None], expected: Any) -> None:
    judge(old_book(tmp_path / "o.xls", change), expected)


def test_a_hidden_sheet_of_an_old_workbook_is_let_be(tmp_path: Path) -> None:
    def hide(book: Any, page: Any) -> None:
        page.visibility = 1
        shown = book.add_sheet("新")
        table: list[list[Any]] = [[*HEADER], [*order()], [*order()], [*order()]]
        for number, row in enumerate(table):
            for column, cell in enumerate(row):
                shown.write(number, column, str(cell))
        book.active_sheet = 1

    judge(old_book(tmp_path / "o.xls", hide), [(2, "good"), (3, "good"), (4, "good")])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("o.xls", b"<html><table></table></html>", "HTML"),
        ("o.xls", TABBED.encode(), "文本"),
        ("o.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "读不出来"),
        ("o.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "Excel"),
    ],
)
def test_what_is_no_old_workbook_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    judge(path, ("E-KIND", words))


# --- Reference files ---


@pytest.mark.parametrize("kind", REFERENCES)
def test_a_reference_file_comes_in_every_kind_of_table(tmp_path: Path, kind: str) -> None:
    header, row = list(REFERENCES[kind]), list(REFERENCES[kind].values())
    (tmp_path / "r.csv").write_text(csv_text(["导出"], header, row))
    (tmp_path / "r.txt").write_text(tabbed(header, row))
    write_workbook(tmp_path / "r.xlsx", [other(), sheet(header, row)])
    (tmp_path / "r.zip").write_bytes(archive(("r.csv", csv_text(header, row))))
    read = [read_kind(tmp_path / f"r.{ending}", kind) for ending in ("csv", "txt", "xlsx", "zip")]
    plain = [[row.__class__ for row in rows] for rows in read]
    assert plain == [plain[0]] * 4
    assert read_reference(tmp_path / "r.txt", kind).shape == "tsv"
