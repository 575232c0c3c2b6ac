"""A violation found after the notice: two people take the pass back, and the next notice says why."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.checks.books import run_checks
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent
from bounty.notices import service as publication
from bounty.notices.differences import difference
from bounty.roster.terms import terms_in_force
from bounty.settlement.revocations import answer_void, ask_void
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter, rows_of
from tests.payout.people import PASSWORD, Person, typed, typed_as
from tests.payout.world import OTHER
from tests.web.clients import application, close, log_in, post, words_of

NOW = "2023-01-12T12:00:00+08:00"
REASON = "站内导流, found in January"


class Wrong:
    """A month whose notice 1 has two who pass, and three people."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.month = Month(engine, folder)
        self.month.begin(promoter(), promoter(OTHER), toml=plain_terms())
        self.month.orders(*(order_row(number=nth, amount_fen=2000_00) for nth in range(1, 31)))
        self.month.orders(*(order_row(number=nth, promoter_id=OTHER) for nth in range(31, 61)))
        self.month.settle()
        self.month.publish()
        self.zhou, self.xu = (Person(engine, name, "operator") for name in ("zhou", "xu"))

    def ask(self, person: Person, reason: str = REASON, promoter_id: int = PROMOTER) -> bool:
        with transaction(person.engine) as connection:
            return ask_void(connection, self.month.period, promoter_id, reason, self.month.now)

    def answer(self, person: Person, *, approve: bool = True) -> bool:
        with transaction(person.engine) as connection:
            return answer_void(connection, self.month.period, PROMOTER, self.month.now, approve=approve)

    def exported(self, notice: int) -> tuple[Any, dict[str, list[dict[str, Any]]]]:
        """The manifest, and each file's rows."""
        folder = self.folder / f"notice {notice}"
        with snapshot(self.engine) as connection:
            manifest = publication.export(connection, self.month.period, folder, draft=False, notice=notice)
        for file in manifest["files"]:
            assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"]
        return manifest, {
            file["name"]: rows_of((folder / file["name"]).read_bytes()) for file in manifest["files"]
        }


@pytest.fixture
def wrong(engine: Engine, tmp_path: Path) -> Wrong:
    return Wrong(engine, tmp_path)


def test_a_pass_that_two_take_back_is_none_in_the_next_notice_which_says_why(wrong: Wrong) -> None:
    first, files = wrong.exported(1)
    was = {row["promoter_id"]: row for row in files["results.csv"]}
    assert was[str(PROMOTER)]["passed"] == "yes"
    assert (wrong.ask(wrong.zhou), wrong.ask(wrong.zhou)) == (True, False)
    assert not wrong.month.settle().created  # what is only asked for changes nothing
    assert (wrong.answer(wrong.xu), wrong.answer(wrong.xu)) == (True, False)
    with pytest.raises(BountyError, match="is void already"):
        wrong.ask(wrong.zhou, "again")
    assert wrong.month.progress()["passed"] is False
    assert wrong.month.progress()["published"]["passed"] is True
    assert wrong.month.progress(OTHER)["passed"] is True

    settled = wrong.month.settle()
    assert settled.created
    assert wrong.month.publish().notice == 2
    _, files = wrong.exported(2)
    row = next(row for row in files["results.csv"] if row["promoter_id"] == str(PROMOTER))
    said = ("eligible", "passed", "rate_permille", "subsidy_orders", "subsidy_yuan")
    assert [row[name] for name in said] == ["yes", "no", "", "0", "0.00"]
    assert row["gmv_yuan"] == was[str(PROMOTER)]["gmv_yuan"]
    assert {row["promoter_id"] for row in files["subsidy_lines.csv"]} == {str(OTHER)}
    assert wrong.exported(1)[0] == first

    with snapshot(wrong.engine) as connection:
        told = publication.notices(connection, wrong.month.period)
        causes = publication.changes_by_cause(connection, told[0].settlement_id)
        moved = told[0].subsidy_fen - told[1].subsidy_fen
        assert [(row.cause, row.orders, row.subsidy_fen) for row in causes] == [("VIOLATION", 30, moved)]
        terms = terms_in_force(connection, wrong.month.period).terms
        found = difference(connection, wrong.month.period, terms, told[1], told[0])
        assert [(cause.code, cause.passed) for cause in found.causes] == [("VIOLATION", -1)]
        assert {
            finding.name: finding.violations for finding in run_checks(connection) if finding.violations
        } == {}
        acts = connection.execute(
            select(AuditEvent.act, AuditEvent.actor).where(AuditEvent.act.startswith("void."))
        ).all()
    assert acts == [("void.ask", wrong.zhou.email), ("void.approve", wrong.xu.email)]


def test_nobody_takes_a_pass_back_alone_and_only_a_published_one_can_be(wrong: Wrong) -> None:
    with pytest.raises(BountyError, match="Nobody asked"):
        wrong.answer(wrong.xu)
    with pytest.raises(BountyError, match="Say which violation"):
        wrong.ask(wrong.zhou, " ")
    with pytest.raises(BountyError, match="nothing to take back"):
        wrong.ask(wrong.zhou, promoter_id=1)
    wrong.ask(wrong.zhou)
    with pytest.raises(BountyError, match="waits already"):
        wrong.ask(wrong.xu)
    with pytest.raises(BountyError, match="can't answer"):
        wrong.answer(wrong.zhou)
    with transaction(wrong.engine) as connection, pytest.raises(BountyError, match="log in"):
        answer_void(connection, wrong.month.period, PROMOTER, wrong.month.now, approve=True)
    assert wrong.answer(wrong.xu, approve=False)
    with pytest.raises(BountyError, match="declined already"):
        wrong.answer(wrong.xu)
    assert wrong.month.progress()["passed"] is True
    assert wrong.ask(wrong.xu, "a better reason")  # what was declined can be asked for again
    assert wrong.answer(wrong.zhou)
    assert wrong.month.progress()["passed"] is False


def test_a_draft_from_before_a_pass_was_taken_back_is_not_published(wrong: Wrong) -> None:
    wrong.month.orders(order_row(number=61, promoter_id=OTHER))
    wrong.month.settle()
    wrong.ask(wrong.zhou)
    wrong.answer(wrong.xu)
    with pytest.raises(BountyError, match="settle again"):
        wrong.month.publish()
    wrong.month.settle()
    wrong.month.publish()


def test_the_command_line_takes_a_pass_back_with_two_log_ins(wrong: Wrong, database_url: str) -> None:
    asked = ("void", "ask", "2022-12", str(PROMOTER), "--reason", REASON)
    answered = ("void", "answer", "2022-12", str(PROMOTER), "approve")
    assert "log in with --as" in typed(database_url, NOW, *asked).stderr
    assert typed_as(wrong.zhou, database_url, NOW, *asked).exit_code == 0
    assert "can't answer" in typed_as(wrong.zhou, database_url, NOW, *answered).stderr
    assert "is void: settle" in typed_as(wrong.xu, database_url, NOW, *answered).stdout
    said = typed(database_url, NOW, "progress", "2022-12", str(PROMOTER)).stdout
    assert f"the pass was taken back: {REASON}" in said


def test_operations_ask_and_answer_on_the_page_of_the_results(
    wrong: Wrong, database_url: str, tmp_path: Path
) -> None:
    app = application(database_url, "2023-01-15 12:00:00", tmp_path)
    try:
        zhou, xu = app.test_client(), app.test_client()
        log_in(zhou, wrong.zhou.email, PASSWORD)
        log_in(xu, wrong.xu.email, PASSWORD)
        path = "/operations/periods/2022-12/voids"
        assert post(zhou, path, promoter_id=str(PROMOTER), reason=REASON).status_code == 303
        page = words_of(xu.get("/operations/periods/2022-12/results").text)
        assert f"待答复 {REASON}" in page
        assert "批准取消" in page
        assert "批准取消" not in words_of(zhou.get("/operations/periods/2022-12/results").text)
        said = post(xu, f"{path}/{PROMOTER}", verdict="approve", code="000000")
        assert (said.status_code, "验证码不对" in said.text) == (409, True)
    finally:
        close(app)
