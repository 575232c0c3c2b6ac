"""The soak itself: a month is judged on both databases, a difference is told, other sections of its page stay."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.agreement import soak, third
from tests.agreement.soak import HEADING, Record, Soak


def test_a_month_is_judged_by_all_four_and_a_difference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Soak("a commit")
    try:
        agreed = judge.judge(seed=1003, orders=None)
        with monkeypatch.context() as patch:
            patch.setattr(third, "opinion", lambda *_: ([], []))
            differs = judge.judge(seed=1003, orders=None)
    finally:
        judge.close()
    assert (list(agreed.seconds), agreed.failures) == (["oracle", "duckdb", "sqlite", "postgresql"], [])
    assert (list(differs.seconds), differs.failures) == (
        ["oracle", "sqlite", "postgresql"],
        ["duckdb: AssertionError: DuckDB says otherwise"],
    )
    assert replace(agreed, seconds={}) == replace(differs, seconds={}, failures=[])


def test_a_month_of_many_orders_is_judged_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "LARGE_PROMOTERS", 8)
    judge = Soak("a commit")
    try:
        record = judge.judge(seed=1000, orders=1500)
    finally:
        judge.close()
    assert (record.orders, record.failures, len(record.seconds)) == (1500, [], 4)
    assert record.lines > 100


def test_the_page_is_written_in_its_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "SOAK.md"
    page.write_text(f"# Soak\n\n{HEADING}\n\nof old\n\n## Large files\n\nstay\n", encoding="utf-8")
    monkeypatch.setattr(soak, "SAID", page)
    seconds = {"oracle": 1.0, "sqlite": 2.0, "postgresql": 3.0}
    records = [
        Record("0" * 40, seed, 7, 70, 700, 9, 5, seconds, ["duckdb: otherwise"]) for seed in (1000, 1001)
    ]
    soak.write_section(soak.said(records, "0" * 40, months=5, orders=1_000_000))
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# Soak\n\n{HEADING}\n\n`make soak`, commit 000000000000, on ")
    assert "| 2 | 1000-1001 | 14 | 140 | 1,400 | 18 | 10 | 2 of 2 | 2 of 2 | 0 of 2 |" in text
    assert "3 of the 5 months have not been run." in text
    assert "The month of 1,000,000 orders has not been run." in text
    assert "- seed 1001: duckdb: otherwise\n\n## Large files\n\nstay\n" in text
    assert "of old" not in text
