"""Cells of a workbook, one row a case: how the cell is written, and what is read of it."""

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from bounty.files.problems import BadRow
from tests.files.build import HEADER, Cell, SheetPart, order, write_workbook
from tests.intake.build import read_orders
from tests.intake.test_bad_cells import FACT_OF

DAY = 44915.5  # 2022-12-20 12:00:00
NOON = 1671508800
AMOUNT, COMPARED, KIND, CATEGORY, DIRECT = "实付金额(元)", "比价状态", "订单类型", "类目ID", "是否直推"
PAID, RECEIVED, NUMBER, NAME = "支付时间", "确认收货时间", "订单编号", "商品名称"


def text(inner: str) -> Cell:
    return Cell(inner, ' t="str"')


def inline(inner: str) -> Cell:
    return Cell(f"<is>{inner}</is>", ' t="inlineStr"')


def number(value: float | str, style: str | int | None = None) -> Cell:
    return Cell(f"<v>{value}</v>", style=style)


# fmt: off
DATE_FORMATS: tuple[str | int, ...] = (
    14, 15, 16, 17, 18, 19, 20, 21, 22, 27, 30, 31, 36, 50, 57, 58,
    "yyyy-mm-dd hh:mm:ss", "yyyy/m/d h:mm;@", "[$-804]aaaa;@", "aaa", "[$-409]dddd",
    "[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", "[$-F400]h:mm:ss\\ AM/PM", "[$-F800]",
    'yyyy"年"m"月"d"日"', "e-m-d", "[$-411]ggge", "[DBNum1][$-804]yyyy", "mmm-yy",
    'yyyy"年"m"月"d"日" h"时"mm"分"', "[Red]yyyy-mm-dd", "YYYY-MM-DD",
)
# fmt: on
# Case, column, cell, and the fact or the code.
CELLS: list[tuple[str, str, Cell, Any]] = [
    # Formulas
    ("no value", COMPARED, Cell('<f>IF(1=1,"比价","正常")</f>'), "E-FORMULA"),
    ("an empty value", COMPARED, Cell("<f>A1</f><v/>"), "E-FORMULA"),
    ("an empty value with its end", KIND, Cell("<f>90+4</f><v></v>"), "E-FORMULA"),
    ("a text without a value", CATEGORY, text('<f>"8729"</f>'), "E-FORMULA"),
    ("a formula without text", KIND, Cell("<f/>"), "E-FORMULA"),
    ("shared with another cell", KIND, Cell('<f t="shared" si="0"/>'), "E-FORMULA"),
    ("an array", KIND, Cell('<f t="array" ref="I2:I2">A1</f>'), "E-FORMULA"),
    ("a time", RECEIVED, Cell("<f>L2+5</f>", style="yyyy-mm-dd"), "E-FORMULA"),
    ("a direct flag", DIRECT, Cell('<f>IF(1,"是","否")</f><v/>'), "E-FORMULA"),
    ("an amount", AMOUNT, Cell("<f>9.9*2</f>"), "E-FORMULA"),
    ("an order number", NUMBER, Cell('<f>"221219-1"</f>'), "E-FORMULA"),
    ("a goods name", NAME, Cell("<f>A1</f>"), "E-FORMULA"),
    ("a boolean without a value", DIRECT, Cell("<f>A1=1</f>", ' t="b"'), "E-FORMULA"),
    ("POI's stand-in", COMPARED, Cell("<f>A1</f><v>0.0</v>"), "E-FORMULA"),
    ("a stored empty text", COMPARED, text('<f>""</f><v></v>'), None),
    ("a stored empty text, short", CATEGORY, text('<f>""</f><v/>'), None),
    ("a stored text", COMPARED, text('<f>IF(1,"比价")</f><v>比价</v>'), 1),
    ("a stored number", KIND, Cell("<f>90+4</f><v>94</v>"), 94),
    ("a stored zero", KIND, Cell("<f>1-1</f><v>0</v>"), 0),
    ("a stored error", RECEIVED, Cell("<f>1/0</f><v>#DIV/0!</v>", ' t="e"'), "E-TIME"),
    ("an error without a formula", CATEGORY, Cell("<v>#N/A</v>", ' t="e"'), "E-ID"),
    # XML that programs read differently
    ("CDATA in a text", COMPARED, text("<v><![CDATA[比价]]></v>"), "E-XML"),
    ("CDATA in a number", CATEGORY, Cell("<v><![CDATA[8729]]></v>"), "E-XML"),
    ("empty CDATA", COMPARED, text("<v><![CDATA[]]></v>"), "E-XML"),
    ("CDATA behind", AMOUNT, Cell("<v>19<![CDATA[9.90]]></v>"), "E-XML"),
    ("CDATA in front", AMOUNT, Cell("<v><![CDATA[19]]>9.90</v>"), "E-XML"),
    ("a comment within", AMOUNT, Cell("<v>19<!-- x -->9.90</v>"), "E-XML"),
    ("a comment behind", AMOUNT, Cell("<v>199.90<!-- x --></v>"), "E-XML"),
    ("a comment alone", COMPARED, text("<v><!--比价--></v>"), "E-XML"),
    ("an instruction", AMOUNT, Cell("<v>19<?x?>9.90</v>"), "E-XML"),
    ("a reference", AMOUNT, Cell("<v>1&#57;9.90</v>"), "E-XML"),
    ("a reference in hex", AMOUNT, Cell("<v>1&#x39;9.90</v>"), "E-XML"),
    ("references alone", COMPARED, text("<v>&#27604;&#20215;</v>"), "E-XML"),
    ("an element within", AMOUNT, Cell("<v>19<x/>9.90</v>"), "E-XML"),
    ("two values", AMOUNT, Cell("<v>19.90</v><v>199.90</v>"), "E-XML"),
    ("an inline text of a number", AMOUNT, Cell("<is><t>19.90</t></is>"), "E-XML"),
    ("a time in CDATA", RECEIVED, text("<v><![CDATA[2022-12-20 12:00:00]]></v>"), "E-XML"),
    ("CDATA in an index", NAME, Cell("<v><![CDATA[0]]></v>", ' t="s"'), "E-XML"),
    ("no such shared string", NAME, Cell("<v>99</v>", ' t="s"'), "E-XML"),
    ("a negative index", NAME, Cell("<v>-1</v>", ' t="s"'), "E-XML"),
    ("no number", AMOUNT, Cell("<v>19,90</v>"), "E-XML"),
    ("not a number", AMOUNT, Cell("<v>NaN</v>"), "E-XML"),
    ("Python's number", AMOUNT, Cell("<v>1_9.90</v>"), "E-XML"),
    ("no such style", AMOUNT, Cell("<v>19.90</v>", ' s="77"'), "E-XML"),
    ("a kind that there is not", AMOUNT, Cell("<v>19.90</v>", ' t="x"'), "E-XML"),
    # What XML may look like and says one thing
    ("space preserved", AMOUNT, Cell('<v xml:space="preserve">19.90</v>'), 1990),
    ("blanks around", AMOUNT, Cell("<v> 19.90 </v>"), 1990),
    ("named references", NAME, text("<v>A&amp;B &lt;C&gt;</v>"), "A&B <C>"),
    ("CDATA in an inline text", COMPARED, inline("<t><![CDATA[比价]]></t>"), 1),
    ("a comment in an inline text", CATEGORY, inline("<t>87<!-- x -->29</t>"), "8729"),
    ("a reference in an inline text", CATEGORY, inline("<t>872&#57;</t>"), "8729"),
    ("rich text", NAME, inline("<r><rPr/><t>咖</t></r><r><t>啡</t></r>"), "咖啡"),
    ("a reading aid", NAME, inline('<t>咖啡</t><rPh sb="0" eb="1"><t>ka</t></rPh>'), "咖啡"),
    ("an escaped line end", NAME, inline("<t>a_x000A_b</t>"), "a\nb"),
    ("an escaped control", NAME, inline("<t>a_x0007_b</t>"), "E-CTRL"),
    ("nothing", COMPARED, Cell(""), None),
    ("an empty number", COMPARED, Cell("<v/>"), None),
    ("an empty inline text", COMPARED, Cell("", ' t="inlineStr"'), None),
    ("true", DIRECT, Cell("<v>1</v>", ' t="b"'), "E-FLAG"),
    # Numbers
    ("noise below", AMOUNT, number("89.69999999999999"), 8970),
    ("noise above", AMOUNT, number("19.900000000000002"), 1990),
    ("a sum's noise", AMOUNT, number("0.30000000000000004"), 30),
    ("an exponent", AMOUNT, number("1.99E1"), 1990),
    ("a small exponent", AMOUNT, number("1E-2"), 1),
    ("three decimals", AMOUNT, number("19.999"), "E-MONEY"),
    ("three decimals behind noise", AMOUNT, number("19.9950000000001"), "E-MONEY"),
    ("a tiny amount", AMOUNT, number("1E-7"), "E-MONEY"),
    ("fifteen digits", AMOUNT, number("9999999999999.99"), "E-RANGE"),
    ("a thousands format", AMOUNT, number("1234.5", "#,##0.00"), 123450),
    ("a currency format", AMOUNT, number("1234.5", '"¥"#,##0.00;[Red]"¥"-#,##0.00'), 123450),
    ("scientific format", AMOUNT, number("19.9", "0.00E+00"), 1990),
    ("General by name", AMOUNT, number("19.9", "General"), 1990),
    ("a unit with letters in quotes", AMOUNT, number("19.9", '0.00"yuan/day"'), 1990),
    ("an amount as a duration", AMOUNT, number("19.9", "[h]:mm:ss"), "E-MONEY"),
    ("an amount as a built-in duration", AMOUNT, number("19.9", 46), "E-MONEY"),
    ("an amount as a date", AMOUNT, number("19.9", 14), "E-MONEY"),
    ("a whole number of a type", KIND, number("94"), 94),
    ("a type with noise", KIND, number("94.00000000000001"), 94),
    ("a long number", NUMBER, number("221219123456789012"), "E-ID-MANGLED"),
    # Dates
    *((f"format {style}", PAID, number(DAY, style), NOON) for style in DATE_FORMATS),
    ("a serial number", PAID, number(DAY), "E-TIME"),
    ("a serial number with decimals", PAID, number(DAY, "0.00"), "E-TIME"),
    ("a duration", PAID, number(DAY, "[h]:mm:ss"), "E-TIME"),
    ("minutes that count on", PAID, number(DAY, "[mm]:ss"), "E-TIME"),
    ("a time of day", PAID, number("0.5", "h:mm:ss"), "E-TIME"),
    ("before all dates", PAID, number("-1", 22), "E-TIME"),
    ("beyond all dates", PAID, number("2958466", 22), "E-TIME"),
    ("a second before midnight", PAID, number("44915.99998842593", 22), 1671551999),
    ("midnight but for noise", PAID, number("44915.999999999996", 22), 1671552000),
    ("half a second", PAID, number("44915.50000578704", 22), "E-TIME"),
    ("an ISO date", PAID, Cell("<v>2022-12-20T12:00:00</v>", ' t="d"'), NOON),
    ("a date that can't be", PAID, Cell("<v>2022-12-32T12:00:00</v>", ' t="d"'), "E-XML"),
]


@pytest.mark.parametrize(
    ("column", "cell", "expected"), [case[1:] for case in CELLS], ids=[case[0] for case in CELLS]
)
def test_a_cell(tmp_path: Path, column: str, cell: Cell, expected: Any) -> None:
    sheet = SheetPart([HEADER, order(**{column: cell}), order()])
    row, good = read_orders(write_workbook(tmp_path / "o.xlsx", [sheet]))
    assert not isinstance(good, BadRow)
    if isinstance(expected, str) and expected.startswith("E-"):
        assert isinstance(row, BadRow), row
        assert (row.code, row.column, row.place) == (expected, column, 2)
        assert "\ufdd0" not in (row.value or "")
    else:
        assert not isinstance(row, BadRow), row
        assert getattr(row, FACT_OF[column]) == expected


def test_a_zero_is_no_result_where_the_file_asks_to_be_computed(tmp_path: Path) -> None:
    """As xlsxwriter writes a formula whose value it was not told."""
    book = xlsxwriter.Workbook(tmp_path / "o.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    for row in (1, 2):
        sheet.write_row(row, 0, [str(cell) for cell in order()])
    sheet.write_formula(1, HEADER.index(COMPARED), '=IF(1=1,"比价","正常")')
    sheet.write_formula(2, HEADER.index(COMPARED), '=IF(1=1,"比价","正常")', None, "比价")
    book.close()
    bad, told = read_orders(tmp_path / "o.xlsx")
    assert isinstance(bad, BadRow)
    assert (bad.code, bad.column) == ("E-FORMULA", COMPARED)
    assert not isinstance(told, BadRow)
    assert told.price_compare_status == 1


def test_what_stands_in_a_column_that_is_not_read_harms_nothing(tmp_path: Path) -> None:
    sheet = SheetPart(
        [
            [*HEADER, "备注"],
            [*order(), Cell("<f>A1</f>")],
            [*order(), Cell("<v><![CDATA[x]]></v>")],
            [*order(), "x"],
            order(),
        ],
        merges=["Q4:Q5"],
    )
    rows = read_orders(write_workbook(tmp_path / "o.xlsx", [sheet]))
    assert [isinstance(row, BadRow) for row in rows] == [False] * 4
