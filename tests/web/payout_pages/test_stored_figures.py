"""Of large books, pages show what was computed last, say as of when, and have it computed anew on request."""

import time
from pathlib import Path

import pytest
from flask import Flask

from bounty import figures
from bounty.accounting.stored_figures import refresh
from bounty.audit.service import record
from bounty.db import transaction
from bounty.uploads.processes import run_of
from bounty.web.shared.request_context import EXTENSION
from tests.factories import shanghai
from tests.web.clients import post
from tests.web.payout_pages.desk import NOW, Visitor, shown

PAGES = (
    "/finance/tranches",
    "/finance/tranches/2",
    "/finance/reconcile",
    "/finance/reconcile?tranche=1",
    "/finance/periods/2022-11",
)
NONE_YET = "这部分在后台计算，还没有结果"
OF_THE_PAST = "这部分截至 2022-12-15 15:00，此后账目有变化"


def test_a_page_says_as_of_when_a_figure_of_large_books_holds(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, finance, now = app.extensions[EXTENSION].engine, visitor("finance"), shanghai(NOW)
    small = {path: shown(finance, path) for path in PAGES}
    monkeypatch.setattr(figures, "FEW_ORDERS", 0)
    for path in PAGES:
        assert NONE_YET in shown(finance, path), path
    told: list[tuple[int, int]] = []
    computed = refresh(engine, now, lambda done, all_: told.append((done, all_)))
    assert told == [(done, len(computed)) for done in range(len(computed) + 1)]
    assert {path: shown(finance, path) for path in PAGES} == small  # the same as if the page computed them
    with transaction(engine) as connection:
        record(connection, "payout.hold", "a trial", now)
    for path in PAGES:
        assert OF_THE_PAST in shown(finance, path), path
    assert "项待计算" in shown(finance, "/figures/")
    refresh(engine, now)
    assert "都是现在的结果" in shown(finance, "/figures/")
    assert {path: shown(finance, path) for path in PAGES} == small


def test_a_person_has_figures_computed_in_the_background(
    app: Flask, visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of these books, which are small to the process, there is nothing to compute: it ends at once."""
    monkeypatch.setattr(figures, "FEW_ORDERS", 0)
    finance = visitor("finance")
    assert post(finance, "/figures/").status_code == 303
    path = tmp_path / "uploads" / "figures.progress"
    for _ in range(600):
        run = run_of(path)
        if run is not None and not run.alive:
            break
        assert "正在计算" in shown(finance, "/figures/progress")
        time.sleep(0.05)
    assert run is not None
    assert not run.alive
    assert finance.get("/figures/progress").headers["HX-Refresh"] == "true"
