"""A roster entry can be put right by hand, with its reason, until the task window closes; and by nothing else."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent
from bounty.progress.history import month_of
from bounty.progress.task import task_of
from bounty.roster.eligibility import in_words
from bounty.roster.overrides import EntryState, entry_of, override, overrides_of
from bounty.roster.queries import violations_of
from tests.factories import PROMOTER, Month, order_row, promoter, shanghai, violation

VIOLATOR = PROMOTER + 1


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December on the 20th: one promoter who is eligible with a target of 0.01, one who is not."""
    month = Month(engine, tmp_path, now="2022-12-20 23:59:59")
    month.table("promoters", promoter(), promoter(VIOLATOR))
    month.table("violations", violation(VIOLATOR))
    month.begin(promoter(), promoter(VIOLATOR))
    month.orders(
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, promoter_id=VIOLATOR),
    )
    with transaction(engine) as connection:
        user_id = add_user(
            connection,
            email="operator@example.com",
            name="示例·周衡",
            role="operator",
            password="sample-data-only",
            now=month.now,
        )
    month.engine = acting(engine, Actor("operator@example.com", user_id, "operator"))
    return month


def test_the_task_of_who_is_out_over_a_violation_names_it(month: Month, engine: Engine) -> None:
    with snapshot(engine) as connection:
        mine = month_of(connection, VIOLATOR, month.period)
        assert mine is not None
        found = task_of(connection, VIOLATOR, mine, month.now).violation
        assert found is not None
        assert [found] == violations_of(connection, VIOLATOR)


def put_right(month: Month, promoter_id: int, to: EntryState, reason: str = "平台已撤销违规") -> bool:
    with transaction(month.engine) as connection:
        return override(connection, month.period, promoter_id, to, reason, month.now)


def test_an_override_changes_progress_and_settlement_and_keeps_who_and_why(month: Month) -> None:
    assert month.progress(VIOLATOR)["reason"] == "VIOLATION"
    assert put_right(month, VIOLATOR, EntryState(None, 2, None))
    assert not put_right(month, VIOLATOR, EntryState(None, 2, None))  # it stands so already
    found = month.progress(VIOLATOR)
    assert (found["eligible"], found["targets"], found["passed"]) == (
        True,
        {"gmv_fen": 2, "orders": None},
        True,
    )
    assert put_right(month, PROMOTER, EntryState(None, 1, 2), "目标加单数")
    with snapshot(month.engine) as connection:
        entry = entry_of(connection, month.period, VIOLATOR)
        assert entry is not None
        derivation = json.loads(entry.derivation)
        assert in_words(derivation, chinese=True).startswith(
            "运营于 2022-12-20 23:59 人工调整：平台已撤销违规"
        )
        assert in_words(derivation, chinese=False).startswith("changed by operations on 2022-12-20 23:59")
        assert "周衡" not in entry.derivation  # which the promoter's page shows
        (done,) = overrides_of(connection, month.period, VIOLATOR)
        assert (done.was_ineligible, done.now_ineligible, done.now_target_gmv_fen) == ("VIOLATION", None, 2)
        assert (done.reason, done.by) == ("平台已撤销违规", "示例·周衡")
        events = connection.execute(
            select(AuditEvent.subject, AuditEvent.actor, AuditEvent.reason).where(
                AuditEvent.act == "roster.override"
            )
        ).all()
    assert [tuple(event) for event in events] == [
        (f"2022-12 promoter {VIOLATOR}", "operator@example.com", "平台已撤销违规"),
        (f"2022-12 promoter {PROMOTER}", "operator@example.com", "目标加单数"),
    ]
    month.now = shanghai("2023-01-15 12:00:00")
    results = {row["promoter_id"]: row for row in month.results(month.settle())}
    assert (results[str(VIOLATOR)]["passed"], results[str(VIOLATOR)]["subsidy_yuan"]) == ("yes", "0.02")
    assert (results[str(PROMOTER)]["passed"], results[str(PROMOTER)]["target_orders"]) == ("no", "2")


def test_a_second_override_keeps_what_the_rules_said(month: Month) -> None:
    put_right(month, PROMOTER, EntryState(None, 500, None), "先调高")
    put_right(month, PROMOTER, EntryState("VIOLATION", None, None), "发现违规")
    found = month.progress()
    assert (found["eligible"], found["reason"]) == (False, "VIOLATION")
    with snapshot(month.engine) as connection:
        entry = entry_of(connection, month.period, PROMOTER)
        assert entry is not None
        assert json.loads(entry.derivation)["was"] == {"source": "terms"}
        assert [each.number for each in overrides_of(connection, month.period, PROMOTER)] == [2, 1]


def test_after_the_window_or_a_settlement_the_roster_stays(month: Month) -> None:
    month.now += 1  # the 21st, 00:00
    with pytest.raises(BountyError, match="closed at 2022-12-21T00:00:00"):
        put_right(month, VIOLATOR, EntryState(None, 2, None))
    month.now = shanghai("2023-01-15 12:00:00")
    month.settle()
    month.now = shanghai("2022-12-20 12:00:00")
    with pytest.raises(BountyError, match="is settled"):
        put_right(month, VIOLATOR, EntryState(None, 2, None))


def test_what_cannot_be_is_refused_with_a_sentence(month: Month) -> None:
    for to, reason, sentence in (
        (EntryState(None, 2, None), " ", "needs a reason"),
        (EntryState(None, None, None), "x", "a target above 0"),
        (EntryState(None, 0, 1), "x", "a target above 0"),
        (EntryState("VIOLATION", 2, None), "x", "no target"),
        (EntryState("WHIM", None, None), "x", "is not eligible has one of"),
    ):
        with pytest.raises(BountyError, match=sentence):
            put_right(month, PROMOTER, to, reason)
    with pytest.raises(BountyError, match="not on the roster"):
        put_right(month, 1, EntryState(None, 2, None))
    month.engine = acting(month.engine, Actor("command line: somebody"))
    with pytest.raises(BountyError, match="Only an account"):
        put_right(month, PROMOTER, EntryState(None, 2, None))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE roster SET target_gmv_fen = 3 WHERE promoter_id = :promoter_id",
        "UPDATE roster SET reason = NULL, target_orders = 1 WHERE promoter_id = :promoter_id",
        "UPDATE roster SET name = '戊' WHERE promoter_id = :promoter_id",
        "DELETE FROM roster WHERE promoter_id = :promoter_id",
        "UPDATE roster_overrides SET now_target_gmv_fen = 3 WHERE promoter_id = :promoter_id",
        "DELETE FROM roster_overrides WHERE promoter_id = :promoter_id",
    ],
)
def test_the_database_lets_nothing_else_change_it(month: Month, statement: str) -> None:
    put_right(month, VIOLATOR, EntryState(None, 2, None))
    with pytest.raises(DBAPIError, match="written once"), transaction(month.engine) as connection:
        connection.execute(text(statement), {"promoter_id": VIOLATOR})
