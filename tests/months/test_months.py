"""Golden months: a folder of small files through the commands, and the export byte for byte as worked out by hand.

The reasoning stands in each folder's README.md. A file under ``expected/`` changes only in a commit that says why.
"""

from pathlib import Path

import pytest

from tests.factories import bounty

HERE = Path(__file__).resolve().parent
MONTHS = {
    # folder: period, orders known before the opening, the opening, orders that follow, the first instant of judging
    "december_2022": (
        "2022-12",
        [],
        "2022-11-25T09:00:00+08:00",
        ["orders-1000939.csv", "orders-1000940.json", "orders-others.jsonl"],
        "2023-01-11T00:00:00+08:00",
    ),
    "february_2024": (
        "2024-02",
        ["orders-history.json"],
        "2024-01-25T09:00:00+08:00",
        ["orders-7.csv", "orders-1.jsonl", "orders-2.json"],
        "2024-03-06T00:00:00+08:00",
    ),
}


def run(database_url: str, now: str, *arguments: str | Path) -> str:
    """What a command that does its work prints."""
    ran = bounty(database_url, *arguments, now=now)
    assert ran.returncode == 0, (arguments, ran.stderr)
    if arguments[0] not in ("import", "check"):  # which note there what is unknown, and what is not looked at
        assert ran.stderr == "", arguments
    return ran.stdout


@pytest.mark.parametrize("name", MONTHS)
def test_a_month_through_the_commands_exports_what_was_worked_out_by_hand(
    database_url: str, tmp_path: Path, name: str
) -> None:
    period, history, opening, orders, judging = MONTHS[name]
    folder = HERE / name
    for kind in ("promoters", "violations", "links", "targets"):
        run(database_url, opening, "import", kind, folder / f"{kind}.csv")
    run(database_url, opening, "terms", "add", folder / "terms.toml")
    if history:
        run(database_url, opening, "import", "orders", *(folder / file for file in history))
    run(database_url, opening, "open", period)
    run(database_url, judging, "import", "orders", *(folder / file for file in orders))
    files = ("results.csv", "subsidy_lines.csv", "manifest.json")
    for folder_of_files in ("once", "again"):
        run(database_url, judging, "settle", period)
        if (name, folder_of_files) == ("february_2024", "once"):  # one row of the month waits, on purpose
            run(database_url, judging, "waive", period, "QUARANTINE", "--reason", "amount unknown")
        run(database_url, judging, "publish", period)
        run(database_url, judging, "export", period, "--out", tmp_path / folder_of_files)
        for file in files:
            exported = (tmp_path / folder_of_files / file).read_bytes()
            assert exported.decode() == (folder / "expected" / file).read_bytes().decode(), file
        assert len(list((tmp_path / folder_of_files).iterdir())) == len(files)
    run(database_url, judging, "check")
