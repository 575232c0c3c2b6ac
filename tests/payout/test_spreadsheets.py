"""LibreOffice opens everything that is handed to people: sums read back equal, and no cell becomes a formula."""

import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot
from bounty.files.cells import FORMULA_STARTS
from bounty.notices.service import export
from bounty.notices.workbook import write_workbook
from bounty.tranches.export import export_tranche
from bounty.tranches.payer_files import Payer
from tests.factories import promoter, write_text
from tests.payout.test_export import BY_ALIPAY, BY_BANK, propose
from tests.payout.world import JANUARY_20, SEAL, Paying, earning

PAYLOADS = [f'{start}1+1,"A1"' for start in FORMULA_STARTS if start.strip()] + [
    '=HYPERLINK("http://x","y")',
    "@SUM(1)",
]
"""Names of promoters that a spreadsheet would carry out."""
UTF_8, GBK = "CSV:44,34,76", "CSV:44,34,56"
"""How LibreOffice is told of commas, quotes and a code page."""
_NAMES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
}
_TABLE, _OFFICE = (f"{{{_NAMES[name]}}}" for name in ("table", "office"))


def opened(
    files: list[Path], folder: Path, read_as: str | None = None
) -> dict[str, list[ElementTree.Element]]:
    """The sheets of each file, as LibreOffice reads them."""
    program = shutil.which("soffice")
    assert program, "LibreOffice is missing: install libreoffice-calc-nogui"
    command = [program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"]
    command += [f"--infilter={read_as}"] if read_as else []
    command += ["--convert-to", "fods", "--outdir", str(folder), *map(str, files)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    sheets = {}
    for file in files:
        document = ElementTree.parse(folder / f"{file.stem}.fods").getroot()
        sheets[file.name] = document.findall(".//table:table", _NAMES)
    return sheets


def formulas(sheets: list[ElementTree.Element]) -> int:
    return sum(f"{_TABLE}formula" in cell.attrib for sheet in sheets for cell in sheet.iter())


def total(sheet: ElementTree.Element, column: int = -1) -> Decimal:
    """The sum of a column's numbers."""
    amounts = Decimal(0)
    for row in sheet.iter(f"{_TABLE}table-row"):
        cells = [
            cell
            for cell in row.iter(f"{_TABLE}table-cell")
            for _ in range(int(cell.get(f"{_TABLE}number-columns-repeated", "1")))
            if f"{_OFFICE}value-type" in cell.attrib or column >= 0
        ]
        value = cells[column].get(f"{_OFFICE}value") if len(cells) > max(column, 0) else None
        amounts += Decimal(value or 0)
    return amounts


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_libreoffice_opens_all_of_it(engine: Engine, tmp_path: Path) -> None:
    people = [promoter(1000 + at, name=name) for at, name in enumerate(PAYLOADS)]
    paying = Paying(engine, tmp_path, promoters=people)
    amounts = [1_01 * 2**at for at in range(len(people))]
    paying.publish(*(earning(at + 1, fen, promoter_id=1000 + at) for at, fen in enumerate(amounts)))
    held, by_bank, *by_alipay = range(1000, 1000 + len(people))
    propose(paying, dict.fromkeys(by_alipay, BY_ALIPAY) | {by_bank: BY_BANK})
    paying.prepare()
    notice, tranche, read = tmp_path / "notice", tmp_path / "tranche", tmp_path / "read"
    with snapshot(engine) as connection:
        export(connection, paying.month.period, notice, draft=False, notice=None)
        write_workbook(connection, paying.month.period, 1, notice / "notice.xlsx")
    export_tranche(engine, 1, tranche, SEAL, Payer("推广", 1000), JANUARY_20, approval_required=False)

    books = opened([notice / "notice.xlsx", tranche / "tranche-1.xlsx"], read)
    tables = opened(
        [notice / name for name in ("results.csv", "subsidy_lines.csv")]
        + [tranche / name for name in ("payouts.csv", "tranche_lines.csv")],
        read,
        UTF_8,
    )
    payers = opened([tranche / "alipay-1-1.csv", tranche / "bank-1-1.csv"], read, GBK)
    for sheets in (books | tables | payers).values():
        assert formulas(sheets) == 0

    whole, paid = Decimal(sum(amounts)) / 100, Decimal(sum(amounts[2:])) / 100
    for name in ("notice.xlsx", "tranche-1.xlsx"):
        assert len(books[name]) == 3
        assert [total(sheet) for sheet in books[name][1:]] == [whole, whole], name
    assert {name: total(sheets[0]) for name, sheets in tables.items()} == dict.fromkeys(tables, whole)
    assert total(payers["alipay-1-1.csv"][0], column=3) == paid
    assert total(payers["bank-1-1.csv"][0], column=4) == Decimal(amounts[1]) / 100
    assert held not in by_alipay


def test_it_would_find_a_formula(tmp_path: Path) -> None:
    file = write_text(tmp_path / "planted.csv", "name,amount\r\n=1+1,2.00\r\n'=1+1,3.00\r\n")
    (sheet,) = opened([file], tmp_path / "read", UTF_8)[file.name]
    assert (formulas([sheet]), total(sheet)) == (1, Decimal("5.00"))
