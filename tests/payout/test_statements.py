"""What anyone can check: notices state themselves in a chain, and a script without us finds what was tampered with."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.checks.books import run_checks
from bounty.db import snapshot, transaction
from bounty.models import NoticeStatement
from bounty.notices import service as publication
from bounty.notices.service import publish
from bounty.roster.service import open_roster
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from bounty.tranches.export import export_tranche
from bounty.tranches.payer_files import Payer
from tests.conftest import SQLITE_AND_IN_SOAK_BOTH
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter, shanghai
from tests.payout.world import JANUARY_20, OTHER, SEAL, Paying, earning
from tests.web.clients import application, close

SCRIPT = Path(__file__).parents[2] / "bounty" / "web" / "static" / "verify_export.py"
DECEMBER = Period(2022, 12)


def verify(*folders: Path) -> tuple[int, str]:
    """How the script ends, and what it says, by a Python that knows nothing of ours."""
    said = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, *folders], capture_output=True, encoding="utf-8", check=False
    )
    assert said.stderr == ""
    return said.returncode, said.stdout


class Told:
    """A month with two notices and a draft, and each exported."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        month = self.month = Month(engine, folder)
        month.begin(promoter(), promoter(OTHER, name="=示例 =1+1"), toml=plain_terms())
        month.orders(*(order_row(number=nth, amount_fen=1990_01) for nth in range(1, 31)))
        month.orders(*(order_row(number=nth, promoter_id=OTHER) for nth in range(31, 34)))
        month.settle()
        month.publish()
        month.orders(*(order_row(number=nth, promoter_id=OTHER) for nth in range(34, 61)))
        month.settle()
        month.publish()
        month.orders(order_row(number=61, promoter_id=OTHER))
        month.settle()
        self.first, self.second = self.export(1), self.export(2)
        self.draft = self.export(None)

    def export(self, notice: int | None) -> Path:
        folder = self.folder / f"export {notice}"
        with snapshot(self.engine) as connection:
            publication.export(
                connection, DECEMBER, folder, draft=notice is None, notice=notice, statements=True
            )
        return folder


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Told:
    return Told(engine, tmp_path)


def manifest_of(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_bytes())


def write_manifest(folder: Path, manifest: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")


def mended(folder: Path) -> Any:
    """The manifest, its hashes, counts and sums of the first two files made to fit again, as who tampers would."""
    manifest = manifest_of(folder)
    for told in manifest["files"][:2]:
        data = (folder / told["name"]).read_bytes()
        rows = data.decode("utf-8-sig").split("\r\n")[1:-1]
        told["sha256"], told["rows"] = hashlib.sha256(data).hexdigest(), len(rows)
        told["sum_fen"] = sum(int(row.rpartition(",")[2].replace(".", "") or 0) for row in rows)
    return manifest


def mend(folder: Path) -> None:
    """The same in the folder, and the content hash too."""
    manifest = mended(folder)
    hashes = [manifest["terms_sha256"], *(told["sha256"] for told in manifest["files"])]
    manifest["content_sha256"] = hashlib.sha256("".join(f"{each}\n" for each in hashes).encode()).hexdigest()
    write_manifest(folder, manifest)


def replace(folder: Path, name: str, old: bytes, new: bytes) -> None:
    data = (folder / name).read_bytes()
    assert old in data
    (folder / name).write_bytes(data.replace(old, new, 1))


def drop_line(folder: Path, name: str, place: int, end: bytes) -> None:
    lines = (folder / name).read_bytes().split(end)
    del lines[place]
    (folder / name).write_bytes(end.join(lines))


def tampered(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        manifest = manifest_of(folder)
        change(manifest)
        write_manifest(folder, manifest)

    return tamper


def _swap_files(folder: Path) -> None:
    (folder / "results.csv").rename(folder / "kept")
    (folder / "subsidy_lines.csv").rename(folder / "results.csv")
    (folder / "kept").rename(folder / "subsidy_lines.csv")


def _edit_and_mend(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        replace(folder, name, old, new)
        mend(folder)

    return tamper


def _drop_and_mend(folder: Path) -> None:
    drop_line(folder, "subsidy_lines.csv", 1, b"\r\n")
    mend(folder)


def _rewrite_the_last(folder: Path) -> None:
    """A whole new chain end that fits a tampered export, but not what came before."""
    replace(folder, "results.csv", b"yes,,", b"yes,,1")
    mend(folder)
    lines = (folder / "notices.jsonl").read_text("utf-8").splitlines()
    statement = json.loads(lines[-1]) | {"content_sha256": manifest_of(folder)["content_sha256"]}
    lines[-1] = json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (folder / "notices.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")


TAMPERINGS: dict[str, Callable[[Path], None]] = {
    "a byte of the results": lambda folder: replace(folder, "results.csv", b"yes", b"yeS"),
    "a byte of the lines": lambda folder: replace(folder, "subsidy_lines.csv", b"2022-12,", b"2022-11,"),
    "a row is gone": lambda folder: drop_line(folder, "subsidy_lines.csv", 2, b"\r\n"),
    "a row is gone, the manifest mended": _drop_and_mend,
    "a subsidy, the manifest mended": _edit_and_mend("subsidy_lines.csv", b",1000,100.00", b",1000,1100.00"),
    "who passed, the manifest mended": _edit_and_mend("results.csv", b",yes,1000", b",no,1000"),
    "a name, the manifest mended": _edit_and_mend("results.csv", "示例".encode(), "真的".encode()),
    "files swapped": _swap_files,
    "a file is gone": lambda folder: (folder / "results.csv").unlink(),
    "the manifest is gone": lambda folder: (folder / "manifest.json").unlink(),
    "a sum in the manifest": tampered(lambda told: told["files"][0].update(sum_fen=1)),
    "a count in the manifest": tampered(lambda told: told["files"][1].update(rows=1)),
    "a hash in the manifest": tampered(lambda told: told.update(content_sha256="0" * 64)),
    "the terms in the manifest": tampered(lambda told: told.update(terms_sha256="0" * 64)),
    "the number in the manifest": tampered(lambda told: told.update(notice=1)),
    "the settlement in the manifest": tampered(lambda told: told.update(settlement=7)),
    "a file left out of the manifest": tampered(lambda told: told["files"].pop()),
    "a path in the manifest": tampered(lambda told: told["files"][0].update(name="../results.csv")),
    "a statement": lambda folder: replace(folder, "notices.jsonl", b'"results":2', b'"results":3'),
    "the first statement is gone": lambda folder: drop_line(folder, "notices.jsonl", 0, b"\n"),
    "the last statement is gone": lambda folder: drop_line(folder, "notices.jsonl", 1, b"\n"),
    "the chain is gone": lambda folder: (folder / "notices.jsonl").unlink(),
    "the chain is cut": lambda folder: replace(folder, "notices.jsonl", b"}\n{", b"}\n{}\n{"),
    "a blank in a statement": lambda folder: replace(folder, "notices.jsonl", b'"passed":', b'"passed": '),
    "the last statement fits what was forged": _rewrite_the_last,
}


@pytest.mark.parametrize("database_url", SQLITE_AND_IN_SOAK_BOTH, indirect=True)
def test_an_export_holds_and_no_tampering_with_it_does(told: Told, tmp_path: Path) -> None:
    for folder, words in (
        (told.first, "the chain of 1 holds"),
        (told.second, "the chain of 2 holds"),
        (told.draft, "a draft: it is in no chain yet"),
    ):
        status, said = verify(folder)
        assert (status, words in said, "everything holds" in said) == (0, True, True), said
    assert verify(told.second, told.first, told.draft)[0] == 0
    assert verify()[0] == 1
    found = []
    for name, tamper in TAMPERINGS.items():
        folder = tmp_path / "tampered"
        shutil.copytree(told.second, folder)
        tamper(folder)
        status, said = verify(folder)
        if status == 1 and said.splitlines()[-1].startswith("DOES NOT HOLD: "):
            found.append(name)
        shutil.rmtree(folder)
    assert found == list(TAMPERINGS)
    print(f"{len(found)} of {len(TAMPERINGS)} tamperings found")


def test_chains_that_differ_do_not_agree(told: Told, tmp_path: Path) -> None:
    """Somebody makes another first notice, whose chain holds by itself."""
    folder = tmp_path / "forged"
    shutil.copytree(told.first, folder)
    line = (folder / "notices.jsonl").read_text("utf-8").strip()
    statement = json.loads(line) | {"published_at": "2023-01-11T00:00:01+08:00"}
    text = json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (folder / "notices.jsonl").write_text(f"{text}\n", "utf-8")
    assert verify(folder)[0] == 0
    status, said = verify(folder, told.second)
    assert (status, "is not that of the other folders" in said) == (1, True)


def test_statements_are_one_chain_over_all_periods_and_the_books_check_it(told: Told) -> None:
    with transaction(told.engine) as connection:
        open_roster(connection, Period(2023, 1), shanghai("2022-12-25 00:00:00"))
        settle(connection, Period(2023, 1), shanghai("2023-02-11 00:00:00"))
        publish(connection, Period(2023, 1), shanghai("2023-02-11 00:00:00"), approval_required=False)
    with snapshot(told.engine) as connection:
        rows = connection.execute(select(NoticeStatement.__table__).order_by(NoticeStatement.number)).all()
        off = {finding.name: finding.violations for finding in run_checks(connection) if finding.violations}
    assert off == {}
    statements = [json.loads(row.statement) for row in rows]
    assert [(each["number"], each["period"], each["notice"]) for each in statements] == [
        (1, "2022-12", 1),
        (2, "2022-12", 2),
        (3, "2023-01", 1),
    ]
    assert [each["previous_sha256"] for each in statements] == ["0" * 64, rows[0].sha256, rows[1].sha256]
    assert [hashlib.sha256(row.statement.encode()).hexdigest() for row in rows] == [
        row.sha256 for row in rows
    ]
    assert statements[1]["counts"] == {"results": 2, "passed": 2, "lines": 60}
    assert (told.second / "notices.jsonl").read_text("utf-8") == "".join(
        f"{row.statement}\n" for row in rows[:2]
    )


def test_a_folder_that_had_a_notice_keeps_no_chain_beside_a_draft(told: Told) -> None:
    with snapshot(told.engine) as connection:
        publication.export(connection, DECEMBER, told.second, draft=True, notice=None, statements=True)
    assert sorted(path.name for path in told.second.iterdir()) == [
        "manifest.json",
        "results.csv",
        "subsidy_lines.csv",
    ]


@pytest.mark.parametrize("database_url", SQLITE_AND_IN_SOAK_BOTH, indirect=True)
def test_a_tranche_holds_too_and_no_tampering_with_it_does(engine: Engine, tmp_path: Path) -> None:
    paying, folder = Paying(engine, tmp_path), tmp_path / "tranche"
    paying.payee(PROMOTER)
    paying.publish(earning(1), earning(2, 7_01), earning(3, promoter_id=OTHER))
    paying.prepare()

    payer = Payer("推广服务费", 1000)
    export_tranche(engine, 1, folder, SEAL, payer, JANUARY_20, approval_required=False)
    status, said = verify(folder)
    assert (status, "what was carried add up to the payout" in said) == (0, True), said
    for name in (told["name"] for told in manifest_of(folder)["files"]):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
        assert verify(folder)[0] == 1, name
        (folder / name).write_bytes(data)
    replace(folder, "tranche_lines.csv", b"7.01", b"8.01")
    write_manifest(folder, mended(folder))
    status, said = verify(folder)
    assert (status, f"the payout of promoter {PROMOTER} doesn't add up" in said) == (1, True), said


def test_the_public_page_shows_and_hands_out_what_is_hashed(
    told: Told, database_url: str, tmp_path: Path
) -> None:
    app = application(database_url, "2023-01-15 12:00:00", tmp_path)
    try:
        client = app.test_client()
        page = client.get("/notices/2022-12/2").text
        statement = client.get("/notices/2022-12/2/statement.json")
        assert statement.mimetype == "application/json"
        assert hashlib.sha256(statement.data).hexdigest() in page
        assert json.loads(statement.data)["previous_sha256"] in page
        assert "/static/verify_export.py" in page
        with client.get("/static/verify_export.py") as script:
            assert script.data == SCRIPT.read_bytes()
        assert client.get("/notices/2022-12/3/statement.json").status_code == 404
    finally:
        close(app)


def test_the_script_is_one_short_file_that_needs_nothing() -> None:
    text = SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names
