"""Finance's pages and files say what `bounty export` writes."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.app import create_app
from bounty.db import snapshot, transaction
from bounty.notices.service import export
from bounty.rules.periods import Period
from config import Settings
from tests.factories import Month, order_row, plain_terms, promoter, shanghai

LEVELS = {"V0": 'direct_only = true\ngmv_yuan = "300.00"'}
PASSWORD = "a long and good one"
PEOPLE = range(1001, 1101)
"""A hundred promoters: more than a page."""


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """Half of the people pass; one of them is a formula, and one has a name that needs quoting."""
    month = Month(engine, tmp_path)
    names = {1002: "=1+1", 1003: '甲, "乙"'}
    people = [promoter(number, name=names.get(number, f"示例{number}")) for number in PEOPLE]
    month.begin(*people, promoter(2001, level="V9"), toml=plain_terms(levels=LEVELS))
    month.orders(
        *(
            order_row(number=10 * number + nth, promoter_id=number, amount_fen=17_301 + number)
            for number in PEOPLE
            for nth in range(3 if number % 2 else 1)
        )
    )
    month.settle()
    month.publish()
    with transaction(engine) as connection:
        add_user(connection, email="f@example.com", name="沈", role="finance", password=PASSWORD, now=1)
    return month


@pytest.fixture
def finance(month: Month, database_url: str) -> Iterator[FlaskClient]:
    app = create_app(Settings(database_url=database_url, now=shanghai("2023-01-15 12:00:00")))
    with app.test_client() as client:
        page = client.get("/login").text
        (token,) = re.findall(r'name="csrf_token" value="([^"]+)"><?', page)[-1:]
        said = client.post(
            "/login", data={"csrf_token": token, "email": "f@example.com", "password": PASSWORD}
        )
        assert said.status_code == 302
        yield client
    app.extensions["bounty.books"].engine.dispose()


@pytest.fixture
def exported(month: Month, tmp_path: Path) -> dict[str, bytes]:
    with snapshot(month.engine) as connection:
        export(connection, Period(2022, 12), tmp_path / "out", draft=False, notice=None, statements=True)
    return {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_archive_is_what_export_writes(finance: FlaskClient, exported: dict[str, bytes]) -> None:
    said = finance.get("/finance/2022-12/1/export.zip")
    assert said.headers["Content-Disposition"] == 'attachment; filename="bounty-2022-12-1.zip"'
    with zipfile.ZipFile(io.BytesIO(said.data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == exported


def test_every_cell_of_the_workbook_is_that_of_the_files(
    finance: FlaskClient, exported: dict[str, bytes]
) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(finance.get("/finance/2022-12/1/workbook.xlsx").data))
    for sheet, file in (("结果 results", "results.csv"), ("补贴 lines", "subsidy_lines.csv")):
        header, *rows = book.get_sheet_by_name(sheet).to_python()
        expected_header, *expected = rows_of(exported[file])
        assert header == expected_header
        assert len(rows) == len(expected)
        for row, line in zip(rows, expected, strict=True):
            cells = [*row, *[""] * (len(line) - len(row))]
            for title, cell, text in zip(header, cells, line, strict=True):
                assert said(cell, str(title)) == text.removeprefix("'"), (title, line)
    summary = {row[0]: row[1] for row in book.get_sheet_by_name("汇总 summary").to_python()}
    total = sum(Decimal(line[-1]) for line in rows_of(exported["subsidy_lines.csv"])[1:])
    assert total > 0
    for name in ("results subsidy_yuan 结果补贴合计", "lines subsidy_yuan 补贴行合计"):
        assert said(summary[name], "subsidy_yuan") == str(total)


def said(cell: object, title: str) -> str:
    """A cell as the file has it: ids and names are text there, amounts and counts numbers."""
    if cell == "":
        return ""
    if title.endswith("_yuan"):
        assert isinstance(cell, float)
        return f"{cell:.2f}"
    if title in ("orders", "target_orders", "rate_permille", "subsidy_orders"):
        assert isinstance(cell, float)
        return str(int(cell))
    assert isinstance(cell, str), (title, cell)
    return cell


CHOICES: dict[str, Callable[[dict[str, str]], bool]] = {
    "": lambda row: True,
    "verdict=passed": lambda row: row["passed"] == "yes",
    "verdict=not": lambda row: row["eligible"] == "yes" and row["passed"] == "no",
    "verdict=ineligible": lambda row: row["eligible"] == "no",
    "level=V0&q=示例105": lambda row: row["name"].startswith("示例105"),
    "q=1002": lambda row: row["promoter_id"] == "1002",
}


def test_what_is_filtered_is_counted_summed_and_filed(
    finance: FlaskClient, exported: dict[str, bytes]
) -> None:
    header, *lines = rows_of(exported["results.csv"])
    for asked, chosen in CHOICES.items():
        wanted = [row for row in (dict(zip(header, line, strict=True)) for line in lines) if chosen(row)]
        total = sum(Decimal(row["subsidy_yuan"] or 0) for row in wanted)
        filed = rows_of(finance.get(f"/finance/2022-12/1/results.csv?{asked}").data)
        assert [line[0] for line in filed[1:]] == [row["promoter_id"] for row in wanted]
        assert wanted, asked
        page = finance.get(f"/finance/2022-12/1/results?{asked}").text
        foot = re.search(r"<tfoot>(.*)</tfoot>", page, re.DOTALL)
        assert foot is not None
        assert f"全部 {len(wanted)} 行" in foot[1]
        assert f"¥{total:,.2f}" in foot[1]


def test_lines_page_through_to_the_last_and_sum_to_the_whole(
    finance: FlaskClient, exported: dict[str, bytes]
) -> None:
    numbers, link = [], "/finance/2022-12/1/lines"
    while link:
        page = finance.get(link).text
        numbers += re.findall(r"<td[^>]*>(221205-\d{15})</td>", page)
        following = re.search(r'<a class="button" href="([^"]+)">下一页', page)
        link = following[1].replace("&amp;", "&") if following else ""
    assert numbers == [line[2] for line in rows_of(exported["subsidy_lines.csv"])[1:]]


def test_the_notices_add_up_to_what_stands_and_keep_what_is_corrected(
    finance: FlaskClient, month: Month
) -> None:
    before = rows_of(finance.get("/finance/notices.csv").data)
    month.orders(order_row(number=99_999, promoter_id=1001, amount_fen=5_000))
    month.settle()
    month.publish()
    header, *lines = rows_of(finance.get("/finance/notices.csv").data)
    second, first = (dict(zip(header, line, strict=True)) for line in lines)
    assert (second["notice"], second["newest"], first["notice"], first["newest"]) == ("2", "yes", "1", "no")
    assert (second["stands_yuan"], first["stands_yuan"]) == (second["subsidy_yuan"], "")
    assert before[1][header.index("subsidy_yuan")] == first["subsidy_yuan"]
    foot = re.search(r"<tfoot>(.*)</tfoot>", finance.get("/finance/").text, re.DOTALL)
    assert foot is not None
    assert foot[1].count(f"¥{Decimal(second['subsidy_yuan']):,.2f}") == 2  # of the page and of all
    corrected = rows_of(finance.get("/finance/notices.csv?state=corrected&q=2022").data)
    assert [line[header.index("notice")] for line in corrected[1:]] == ["1"]
    assert len(rows_of(finance.get("/finance/notices.csv?state=newest&q=2023").data)) == 1
    assert "没有符合条件的公示" in finance.get("/finance/?q=2023").text


def test_what_is_not_there_is_not_found(finance: FlaskClient) -> None:
    for path in ("/finance/2022-12/2/results", "/finance/2022-11/1/lines", "/finance/x/1/export.zip"):
        assert finance.get(path).status_code == 404


def test_a_filter_that_is_not_there_is_a_sentence_and_no_half_file(finance: FlaskClient) -> None:
    said = finance.get("/finance/2022-12/1/results.csv?verdict=perhaps")
    assert said.status_code == 400
    assert "perhaps" in said.text
