"""Small files that would unpack to much: what comes out, how long it takes and what it needs stay bounded."""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import xlwt
from sqlalchemy import Engine

from bounty import importer
from bounty.errors import RefusedFile
from bounty.files.problems import BadRow
from bounty.platforms.pdd.order_files import open_orders
from tests.factories import bounty
from tests.files.build import HEADER, Cell, Content, SheetPart, order, write_workbook
from tests.intake.build import CHINESE_ORDER, csv_text, lines
from tests.intake.build import JSON_ORDER as OF_THE_API

SECONDS = 5
MEMORY = 300 << 20
SMALL = 1 << 20
KEPT = 60 << 20
SHARED = Cell("<v>0</v>", ' t="s"')


def shared(text: str, times: int = 1) -> dict[str, str | bytes]:
    return {"xl/sharedStrings.xml": f"<sst>{f'<si><t>{text}</t></si>' * times}</sst>"}


def of_shared_cells(path: Path) -> Path:
    """1,000 rows of 15 cells that share one text of 60,000 characters."""
    rows: list[list[Content]] = [[*HEADER, *"abcdefgh"], *([[*order(商品名称=SHARED), *[SHARED] * 8]] * 1000)]
    return write_workbook(path, [SheetPart(rows)], shared("长" * 60_000))


def of_one_shared_name(path: Path) -> Path:
    """20,000 good rows that share one goods name of 60,000 characters."""
    rows: list[list[Content]] = [[*HEADER], *([order(商品名称=SHARED)] * 20_000)]
    return write_workbook(path, [SheetPart(rows)], shared("长" * 60_000))


def of_a_far_cell(path: Path) -> Path:
    return write_workbook(
        path, [SheetPart({1: HEADER, 2: order(), 1_048_576: ["", *[Cell("<v>1</v>")] * 20]})]
    )


def of_vast_merges(path: Path) -> Path:
    merges = [f"A{row}:XFD1048576" for row in range(3, 5000)]
    return write_workbook(path, [SheetPart([HEADER, order()], merges=merges)])


def of_many_sheets(path: Path) -> Path:
    return write_workbook(path, [SheetPart([["x"] * 26] * 25, name=f"s{number}") for number in range(500)])


def of_blank_rows(path: Path) -> Path:
    rows = "".join(f'<row r="{number}"><c r="A{number}"/></row>' for number in range(3, 200_000))
    sheet = SheetPart([HEADER, order()])
    write_workbook(path, [sheet])
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    return write_workbook(
        path, [sheet], {"xl/worksheets/sheet1.xml": xml.replace("</sheetData>", f"{rows}</sheetData>")}
    )


def of_entities(path: Path) -> Path:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    return write_workbook(
        path, [SheetPart([HEADER, order()])], {"xl/sharedStrings.xml": f"{bomb}<sst>&b;</sst>"}
    )


def of_long_rows_in_an_archive(path: Path) -> Path:
    text = csv_text(HEADER, *([[str(cell) for cell in order(商品名称="x" * 60_000)]] * 1000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("o.csv", text)
    return path


def of_an_old_far_cell(path: Path) -> Path:
    book = xlwt.Workbook()
    page = book.add_sheet("x")
    for column, name in enumerate(HEADER):
        page.write(0, column, name)
    page.write(65_535, 255, "x")
    book.save(str(path))
    return path


def of_one_line(path: Path) -> Path:
    path.write_text(csv_text(HEADER) + "x" * 900_000)
    return path


def of_commas(path: Path) -> Path:
    path.write_text(csv_text(HEADER) + "," * 900_000)
    return path


def of_depth(path: Path) -> Path:
    path.write_text('{"order_list_get_response":{"order_list":[' + "[" * 900_000)
    return path


def of_many_lines(path: Path) -> Path:
    path.write_text(lines(OF_THE_API) + "\n" + "{\n" * 400_000)
    return path


# Case, name, file, and the code of its refusal; None where its rows are read, each good or bad.
FILES: list[tuple[str, str, Callable[[Path], Path], str | None]] = [
    ("cells that share a long text", "o.xlsx", of_shared_cells, None),
    ("a long name in every row", "o.xlsx", of_one_shared_name, "E-LIMIT"),
    ("a far cell", "o.xlsx", of_a_far_cell, None),
    ("vast merges", "o.xlsx", of_vast_merges, None),
    ("many sheets", "o.xlsx", of_many_sheets, "E-HEAD"),
    ("blank rows", "o.xlsx", of_blank_rows, None),
    ("entities", "o.xlsx", of_entities, "E-KIND"),
    ("long rows in an archive", "o.zip", of_long_rows_in_an_archive, "E-LIMIT"),
    ("a far cell of Excel 97", "o.xls", of_an_old_far_cell, None),
    ("one line", "o.csv", of_one_line, None),
    ("commas", "o.csv", of_commas, None),
    ("depth", "o.json", of_depth, "E-JSON"),
    ("many lines", "o.jsonl", of_many_lines, None),
]


READ: Final = """
import json, os, resource, sys
from pathlib import Path
from bounty.errors import RefusedFile
from bounty.platforms.pdd.order_files import open_orders

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

ready, kept, refused = peak(), 0, None
before = os.times()
try:
    for row in open_orders(Path(sys.argv[1])).rows():
        kept += len(row.raw.encode())
except RefusedFile as refusal:
    refused = refusal.code
spent = sum(os.times()[:4]) - sum(before[:4])
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([kept, refused, spent, (max(peak(), child)) << 10]))
"""
"""What a process of its own keeps of a file, why it refuses it, and the seconds and bytes it and its child need."""


@pytest.mark.parametrize(
    ("name", "build", "code"), [case[1:] for case in FILES], ids=[case[0] for case in FILES]
)
def test_a_small_file_needs_little(
    tmp_path: Path, name: str, build: Callable[[Path], Path], code: str | None
) -> None:
    path = build(tmp_path / name)
    assert path.stat().st_size < SMALL
    ran = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    kept, refused, seconds, peak = json.loads(ran.stdout)
    assert refused == code
    assert seconds < SECONDS
    assert peak < MEMORY
    assert kept < KEPT


def test_a_row_that_is_too_long_is_kept_by_its_beginning(tmp_path: Path) -> None:
    rows = list(open_orders(of_shared_cells(tmp_path / "o.xlsx")).rows())
    assert len(rows) == 1000
    for row in rows:
        assert isinstance(row, BadRow)
        assert (row.code, len(row.raw) < 1000) == ("E-LIMIT", True)


@pytest.mark.parametrize("name", ["o.csv", "o.xlsx", "o.json", "o.zip"])
def test_what_is_no_file_is_refused_at_once(engine: Engine, tmp_path: Path, name: str) -> None:
    (tmp_path / "zero").mkdir()
    places = [tmp_path / "zero" / name, tmp_path / f"pipe-{name}", tmp_path / f"folder-{name}"]
    places[0].symlink_to("/dev/zero")
    os.mkfifo(places[1])
    places[2].mkdir()
    started = time.monotonic()
    for kind in ("orders", "promoters"):
        for place in places:
            with pytest.raises(RefusedFile) as refused:
                importer.import_file(engine, kind, place, 1)
            assert refused.value.code == "E-FILE"
    assert time.monotonic() - started < SECONDS


def test_the_shell_refuses_devices(database_url: str, tmp_path: Path) -> None:
    for arguments in (("import", "orders", "/dev/zero"), ("terms", "add", "/dev/zero")):
        ran = bounty(database_url, *arguments)
        assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1), ran
        assert "E-FILE" in ran.stderr


def test_footers_are_no_bad_rows(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text(csv_text(CHINESE_ORDER) + "合计：1笔\r\n导出时间:2022-12-31 10:00:00\r\n")
    (tmp_path / "p.csv").write_text(
        "promoter_id,name,level,level_from,registered_on\n1817118,甲,V0,2022-01-01,2022-01-01\n"
    )
    bounty(database_url, "import", "promoters", tmp_path / "p.csv")
    ran = bounty(database_url, "import", "orders", "--strict", path)
    assert ran.returncode == 0, ran
    assert ran.stdout == f"{path} read=3 new=1 changed=0 unchanged=0 stale=0 quarantined=2\n"
    assert "footers=2" in ran.stderr
    path.write_text(csv_text(CHINESE_ORDER) + "合计：1笔\r\nx\r\n")
    ran = bounty(database_url, "import", "orders", "--strict", path)
    assert (ran.returncode, "footers=" in ran.stderr) == (1, False), ran
