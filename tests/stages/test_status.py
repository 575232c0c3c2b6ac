"""Where a period stands (contract, section 8): for the shell and the pages one function decides."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Batch, FetchWindow, Message
from bounty.orders.undo import undo_batch
from bounty.release.service import waive
from bounty.roster.programmes import add_programme
from bounty.rules.periods import Period
from bounty.settlement.revocations import answer_void, ask_void
from tests.factories import (
    PROMOTER,
    Month,
    command,
    half_month_terms,
    link,
    order_row,
    plain_terms,
    promoter,
    shanghai,
)

OPENED = "2022-11-25 09:00:00"
MID = "2022-12-15T12:00:00+08:00"
AFTER = "2023-01-12T12:00:00+08:00"
CUTOFF = "2023-01-11T00:00:00+08:00"
FRESH_AT = "2023-01-11 00:00:00"
"""The cutoff's own instant: what is updated then shows that everything before it is known."""


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December, frozen in time, with one promoter who passes with any order; orders come at their own clock."""
    month = Month(engine, tmp_path, now=OPENED)
    month.begin(promoter(), promoter(PROMOTER + 1), toml=plain_terms())
    month.now = shanghai("2023-01-12 12:00:00")
    return month


def status(database_url: str, *arguments: str, now: str = AFTER) -> Any:
    """What ``bounty status --json`` prints."""
    ran = command(database_url, now, "status", *arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def stands(database_url: str, now: str = AFTER) -> tuple[str, str, dict[str, str]]:
    """December's state, its next code, and its checklist by code."""
    found = status(database_url, "2022-12", now=now)
    return found["state"], found["next"]["code"], states(found)


def states(found: dict[str, Any]) -> dict[str, str]:
    return {line["code"]: line["state"] for line in found["checklist"]}


def says(database_url: str, *arguments: str, now: str = AFTER, code: int = 0) -> str:
    """The one line that a command says."""
    ran = command(database_url, now, *arguments)
    assert ran.exit_code == code, ran.output
    assert code == 0 or len(ran.stderr.splitlines()) == 1
    return str(ran.stdout if code == 0 else ran.stderr)


# Freshness


def test_a_file_of_another_periods_orders_makes_no_month_fresh(month: Month, database_url: str) -> None:
    month.orders(order_row(modified="2023-01-10 23:59:59"))
    assert stands(database_url)[1:] == (
        "IMPORT",
        {"FRESH": "FAILED", "CUTOFF": "PASSED", "QUARANTINE": "PASSED", "CHECKS": "FAILED"},
    )
    month.orders(order_row(number=2, paid="2023-01-05 12:00:00", received="2023-01-11 12:00:00"))
    assert stands(database_url)[2]["FRESH"] == "FAILED"
    month.orders(order_row(number=3, modified=FRESH_AT))
    state, following, checks = stands(database_url)
    assert (state, following, checks["FRESH"]) == ("READY", "SETTLE", "PASSED")


def test_before_the_cutoff_no_month_is_fresh_and_orders_are_to_be_imported(
    month: Month, database_url: str
) -> None:
    assert stands(database_url, "2022-11-26T00:00:00+08:00")[:2] == ("UPCOMING", "WAIT")
    assert stands(database_url, MID)[:2] == ("OPEN", "IMPORT")
    assert stands(database_url, "2022-12-21T00:00:00+08:00")[:2] == ("AWAITING_RECEIPTS", "IMPORT")
    assert states(status(database_url, "2022-12", now=MID))["CUTOFF"] == "FAILED"


def test_rows_that_were_undone_prove_nothing(month: Month, engine: Engine, database_url: str) -> None:
    month.orders(order_row(modified="2023-01-10 12:00:00"))
    month.orders(order_row(number=3, modified=FRESH_AT))
    with transaction(engine) as connection:
        for batch_id in connection.execute(
            select(Batch.batch_id).where(Batch.kind == "orders").order_by(Batch.batch_id.desc()).limit(2)
        ).scalars():
            undo_batch(connection, batch_id, month.now)
    assert stands(database_url)[2]["FRESH"] == "FAILED"


def a_slice(engine: Engine, from_at: str, until_at: str) -> None:
    span = {"from_at": shanghai(from_at), "until_at": shanghai(until_at)}
    empty = {"rows_told": 0, "rows_held": 0, "pages": 0, "known_at": 0, "read_at": 0}
    with transaction(engine) as connection:
        connection.execute(
            insert(FetchWindow).values(kind="UPDATED", whose="all", done=True, **span, **empty)
        )


def test_what_was_fetched_up_to_the_cutoff_is_fresh_and_a_gap_is_not(
    month: Month, engine: Engine, database_url: str
) -> None:
    month.orders(order_row())
    a_slice(engine, "2022-12-01 00:00:00", "2023-01-10 00:00:00")
    found = states(status(database_url, "2022-12"))
    assert (found["FRESH"], found["COVERAGE"]) == ("FAILED", "FAILED")
    a_slice(engine, "2023-01-10 00:00:00", "2023-01-11 01:00:00")
    found = states(status(database_url, "2022-12"))
    assert (found["FRESH"], found["COVERAGE"]) == ("PASSED", "PASSED")


def test_an_operator_confirms_the_data_up_to_the_cutoff(
    month: Month, engine: Engine, database_url: str
) -> None:
    month.orders(order_row())
    before = "2023-01-10T23:59:59+08:00"
    confirm = ("confirm-data", "2022-12", "--reason", "后台导出时间 11 日 9 点", "--through")
    assert f"the receipt cutoff is {CUTOFF}" in says(database_url, *confirm, before)
    assert stands(database_url)[1:2] == ("IMPORT",)
    for _ in range(2):
        assert f"confirmed through {CUTOFF}" in says(database_url, *confirm, CUTOFF)
    assert stands(database_url)[1] == "SETTLE"
    told = says(database_url, "status", "2022-12")
    assert "complete up to 10 Jan 2023, end of day: 后台导出时间" in told
    with snapshot(engine) as connection:
        kept = connection.execute(
            select(AuditEvent.reason).where(AuditEvent.act == "period.confirm_data")
        ).all()
    assert kept == [("后台导出时间 11 日 9 点",)] * 2
    assert "is yet to come" in says(database_url, *confirm, "2023-01-12T12:00:01+08:00", code=1)
    assert "is not an instant" in says(database_url, *confirm, "the tenth", code=1)
    assert "Say how you know" in says(
        database_url, "confirm-data", "2022-12", "--through", CUTOFF, "--reason", " ", code=1
    )
    assert "is not open" in says(
        database_url, "confirm-data", "2022-11", "--through", CUTOFF, "--reason", "x", code=1
    )


# Publishing in the shell


def test_the_shell_publishes_nothing_that_the_page_would_not(month: Month, database_url: str) -> None:
    month.orders(order_row(), order_row(number=9999, order_status=99))
    says(database_url, "settle", "2022-12")
    refusal = says(database_url, "publish", "2022-12", code=1)
    assert "FRESH: no update of this period's orders" in refusal
    assert f"`bounty confirm-data 2022-12 --through {CUTOFF} --reason …`" in refusal
    assert "QUARANTINE: 1 row waits (`bounty quarantine list`, or `bounty waive 2022-12 QUARANTINE" in refusal
    assert "CHECKS" not in refusal  # the shell has run them
    assert stands(database_url) == (
        "DRAFT",
        "IMPORT",
        {"FRESH": "FAILED", "CUTOFF": "PASSED", "QUARANTINE": "FAILED", "CHECKS": "PASSED"},
    )
    for code in ("CUTOFF", "CHECKS"):
        assert "can't be waived" in says(database_url, "waive", "2022-12", code, "--reason", "x", code=1)
    assert "is no check" in says(database_url, "waive", "2022-12", "FRESHNESS", "--reason", "x", code=1)
    assert "Say why" in says(database_url, "waive", "2022-12", "FRESH", "--reason", " ", code=1)
    says(database_url, "waive", "2022-12", "FRESH", "--reason", "平台当日维护")
    assert stands(database_url)[1] == "IMPORT"
    says(database_url, "waive", "2022-12", "QUARANTINE", "--reason", "不属于本月")
    assert "nothing changed" in says(database_url, "waive", "2022-12", "QUARANTINE", "--reason", "x")
    state, following, checks = stands(database_url)
    assert (state, following) == ("DRAFT", "PUBLISH")
    assert (checks["FRESH"], checks["QUARANTINE"]) == ("WAIVED", "WAIVED")
    assert "waived by the command line" in says(database_url, "status", "2022-12")
    assert "notice 1 of 2022-12 published" in says(database_url, "publish", "2022-12")
    assert "stands already" in says(database_url, "publish", "2022-12")
    assert stands(database_url)[0] == "PUBLISHED"


def test_a_waiver_where_approval_is_required_takes_a_second_account(
    month: Month, engine: Engine, database_url: str
) -> None:
    month.orders(order_row())
    with transaction(engine) as connection:
        ids = {
            name: add_user(
                connection, email=f"{name}@example.com", name=name, role="operator", password="p" * 12, now=1
            )
            for name in ("zhou", "xu")
        }
    month.engine = acting(engine, Actor("zhou", ids["zhou"]))
    settled = month.settle()

    def waived_by(name: str | None) -> bool:
        actor = Actor("ops") if name is None else Actor(name, ids[name])
        with transaction(acting(engine, actor)) as connection:
            return waive(
                connection,
                month.period,
                settled.settlement_id,
                "FRESH",
                "x",
                month.now,
                approval_required=True,
            )

    with pytest.raises(BountyError, match="needs an account"):
        waived_by(None)
    with pytest.raises(BountyError, match="second person"):
        waived_by("zhou")
    assert waived_by("xu")
    assert not waived_by("xu")
    assert stands(database_url)[2]["FRESH"] == "WAIVED"


# Late facts


def published(month: Month) -> None:
    month.orders(order_row(modified=FRESH_AT), order_row(number=2, received=None, modified=FRESH_AT))
    month.settle()
    month.publish()


def test_late_facts_are_what_settling_again_changes(month: Month, database_url: str) -> None:
    published(month)
    found = status(database_url, "2022-12")
    assert (found["state"], found["notice"], found["late"], found["next"]["code"]) == (
        "PUBLISHED",
        1,
        None,
        "NONE",
    )
    month.orders(
        order_row(number=5, amount_fen=1, modified="2023-01-13 10:00:00"),  # counts: +1
        order_row(number=6, amount_fen=2, paid="2023-01-05 12:00:00", received="2023-01-09 12:00:00"),
        order_row(number=7, promoter_id=PROMOTER + 1, amount_fen=4, modified="2023-01-13 10:00:00"),  # passes
    )
    found = status(database_url, "2022-12")
    assert found["late"] == {"orders": 2, "results": 2, "subsidy_fen": 1 + 4}
    assert (found["state"], found["next"]) == ("PUBLISHED", {"code": "SETTLE_AGAIN", "at": None})
    assert "2 orders and 2 results, subsidy +¥0.05" in says(database_url, "status", "2022-12")
    again = month.settle()
    assert again.lines.sum_fen == 100_00 * 2 + 1 + 4  # order 2 is in: a subsidy asks for no receipt
    assert stands(database_url)[:2] == ("DRAFT", "PUBLISH")
    month.publish()
    found = status(database_url, "2022-12")
    assert (found["state"], found["notice"], found["late"]) == ("PUBLISHED", 2, None)


def test_orders_of_another_month_links_of_nobody_and_equal_rows_are_not_late(
    month: Month, database_url: str
) -> None:
    published(month)
    month.orders(order_row(number=6, paid="2023-01-05 12:00:00", received="2023-01-09 12:00:00"))
    month.table("links", link("7_7", "other"))
    assert status(database_url, "2022-12")["late"] is None


def test_a_failure_a_link_and_a_void_after_the_notice_are_late(
    month: Month, engine: Engine, database_url: str
) -> None:
    published(month)
    month.table("links", link(f"{PROMOTER}_107021838", "other"))
    assert status(database_url, "2022-12")["late"] == {"orders": 2, "results": 1, "subsidy_fen": -200_00}
    month.orders(order_row(status=4, verified="2023-01-09 12:00:00", modified="2023-01-13 10:00:00"))
    assert status(database_url, "2022-12")["late"] == {"orders": 2, "results": 1, "subsidy_fen": -200_00}


def test_a_pass_taken_back_is_late_and_outdates_a_draft(
    month: Month, engine: Engine, database_url: str
) -> None:
    published(month)
    with transaction(engine) as connection:
        user_id = add_user(
            connection, email="xu@example.com", name="xu", role="operator", password="p" * 12, now=1
        )
        ask_void(connection, Period(2022, 12), PROMOTER, "刷单", month.now)
    assert status(database_url, "2022-12")["late"] is None
    month.orders(order_row(number=5, amount_fen=1, modified="2023-01-13 10:00:00"))
    month.settle()
    assert stands(database_url)[1] == "PUBLISH"
    with transaction(acting(engine, Actor("xu", user_id))) as connection:
        answer_void(connection, Period(2022, 12), PROMOTER, month.now, approve=True)
    found = status(database_url, "2022-12")
    # Order 5 earns nothing before or after; it counts now and did not.
    assert found["late"] == {"orders": 3, "results": 1, "subsidy_fen": -200_00}
    assert (found["state"], found["next"]["code"]) == ("DRAFT", "SETTLE_AGAIN")
    assert "was taken back since" in says(database_url, "publish", "2022-12", code=1)


def test_a_draft_that_says_what_the_notice_says_is_none(month: Month, database_url: str) -> None:
    published(month)
    month.orders(order_row(status=4, verified="2023-01-09 12:00:00", modified="2023-01-13 10:00:00"))
    month.settle()
    assert stands(database_url)[0] == "DRAFT"
    month.orders(order_row(modified="2023-01-14 10:00:00"))
    month.settle()
    found = status(database_url, "2022-12")
    assert (found["state"], found["late"], found["next"]["code"]) == ("PUBLISHED", None, "NONE")


def test_a_commission_that_settled_is_to_be_paid(month: Month, database_url: str) -> None:
    published(month)
    month.orders(
        order_row(status=5, settled="2023-01-12 10:00:00", verified="2023-01-12 09:00:00"),
    )
    found = status(database_url, "2022-12")
    assert (found["late"], found["next"]["code"]) == (None, "PREPARE_PAYOUT")
    says(database_url, "payout", "prepare", now="2023-01-13T12:00:00+08:00")
    assert status(database_url, "2022-12")["next"]["code"] == "NONE"


# Periods that are not open


def test_a_month_that_nobody_froze_is_overdue_from_its_freeze_day(month: Month, database_url: str) -> None:
    def coming(now: str) -> list[tuple[str, str, str, str | None]]:
        return [
            (each["period"], each["state"], each["next"]["code"], each["next"]["at"])
            for each in status(database_url, now=now)
        ]

    december = ("2022-12", "OPEN", "IMPORT", None)
    assert coming("2022-12-25T08:59:59+08:00") == [
        ("2023-01", "UPCOMING", "WAIT", "2022-12-25T09:00:00+08:00"),
        ("2022-12", "AWAITING_RECEIPTS", "IMPORT", None),
    ]
    assert coming("2022-12-25T09:00:00+08:00")[0] == ("2023-01", "OVERDUE", "OPEN", None)
    assert coming(MID)[1] == december
    assert says(database_url, "open", "2023-01", now="2022-12-29T09:00:00+08:00")
    assert [each[:2] for each in coming("2022-12-29T09:00:00+08:00")] == [
        ("2023-01", "UPCOMING"),
        ("2022-12", "AWAITING_RECEIPTS"),
    ]
    far = status(database_url, "2024-05", now=MID)
    assert (far["state"], far["checklist"], far["late"], far["notice"]) == ("UPCOMING", [], None, None)


def test_without_terms_there_is_nothing_to_tell(engine: Engine, database_url: str) -> None:
    assert status(database_url) == []
    assert "add terms" in says(database_url, "status")
    assert "terms" in says(database_url, "status", "2022-12", code=1)
    assert "is not a period" in says(database_url, "status", "December", code=1)


def test_the_nightly_check_tells_operators_of_late_facts_once(
    month: Month, engine: Engine, database_url: str
) -> None:
    published(month)
    with transaction(engine) as connection:
        add_user(connection, email="xu@example.com", name="xu", role="operator", password="p" * 12, now=1)
    month.orders(order_row(number=5, amount_fen=1, modified="2023-01-13 10:00:00"))
    for day in (14, 15):
        command(database_url, f"2023-01-{day}T06:00:00+08:00", "worker", "--once")
    with snapshot(engine) as connection:
        told = connection.execute(select(Message.subject, Message.body).where(Message.kind == "late")).all()
    mails = [(subject, body) for subject, body in told if "2022-12 期公示之后有新数据" in subject]
    assert len(mails) == 1
    assert "1 单的判定或补贴会变，1 人的结果会变，补贴 +¥0.01" in mails[0][1]


# Several programmes


def test_every_programme_stands_in_the_list_and_each_is_asked_for_by_itself(
    engine: Engine, month: Month, tmp_path: Path, database_url: str
) -> None:
    month.orders(order_row(modified="2022-12-26 00:00:00"))
    with transaction(engine) as connection:
        add_programme(connection, "sprint", "冲刺", month.now)
    sprint = Month(engine, tmp_path / "sprint", period="sprint:2022-12a", now=AFTER[:19].replace("T", " "))
    sprint.folder.mkdir()
    sprint.terms(half_month_terms())
    sprint.open()
    of_sprint = ("--programme", "sprint")
    found = status(database_url, "2022-12a", *of_sprint)
    assert (found["programme"], found["period"], found["state"]) == ("sprint", "2022-12a", "READY")
    # The update is at the half-month's cutoff, and before the month's.
    assert (states(found)["FRESH"], stands(database_url)[2]["FRESH"]) == ("PASSED", "FAILED")
    listed = [(each["programme"], each["period"], each["state"]) for each in status(database_url)]
    assert ("sprint", "2022-12a", "READY") in listed
    assert ("main", "2022-12", "READY") in listed
    # Its terms came in January: the calendar begins with that half.
    assert [each for each in listed if each[2] in ("UPCOMING", "OVERDUE") and each[0] == "sprint"] == [
        ("sprint", "2023-01b", "OVERDUE"),
        ("sprint", "2023-01a", "OVERDUE"),
    ]
    assert {each["programme"] for each in status(database_url, *of_sprint)} == {"sprint"}
    says(database_url, "confirm-data", "2022-12", "--through", CUTOFF, "--reason", "ok")
    assert stands(database_url)[2]["FRESH"] == "PASSED"
    assert "no programme 'x'" in says(database_url, "status", "--programme", "x", code=1)
    assert "add --programme sprint" in says(database_url, "status", "2022-12a", code=1)
    says(database_url, "programme", "retire", "sprint")
    assert [each["period"] for each in status(database_url, *of_sprint)] == ["2022-12a"]
    assert "is retired" in says(database_url, "status", "2023-01b", *of_sprint, code=1)


def test_a_notice_of_another_programme_is_a_late_fact_of_exclusive_terms(
    engine: Engine, month: Month, tmp_path: Path, database_url: str
) -> None:
    month.orders(order_row(number=1, amount_fen=1_00), order_row(number=2, amount_fen=2_00, type=94))
    with transaction(engine) as connection:
        add_programme(connection, "mega", "618", month.now)
    mega = Month(engine, tmp_path / "mega", period="mega:2022-12", now="2023-01-12 12:00:00")
    mega.folder.mkdir()
    toml = plain_terms().replace("types = [94]", "types = []")
    mega.terms(toml.replace("[subsidy]\n", "[subsidy]\nexclusive = true\n"))
    mega.open()
    mega.settle()
    mega.publish()
    of_mega = ("2022-12", "--programme", "mega")
    assert status(database_url, *of_mega)["late"] is None
    month.settle()
    month.publish()
    found = status(database_url, *of_mega)
    assert found["late"] == {"orders": 1, "results": 1, "subsidy_fen": -1_00}
    assert found["next"]["code"] == "SETTLE_AGAIN"
    # Computed again it goes by what its settlement knew, and simulated by what is known now.
    again = json.loads(says(database_url, "recompute", *of_mega, "--json"))
    assert (again["programme"], again["period"], again["equal"], again["subsidy_fen"]) == (
        "mega",
        "2022-12",
        True,
        3_00,
    )
    path = tmp_path / "terms.toml"
    path.write_text(toml.replace("[subsidy]\n", "[subsidy]\nexclusive = true\n"), encoding="utf-8")
    asked = ("simulate", str(path), "--periods", "2022-12", "--programme", "mega", "--json")
    (tried,) = json.loads(says(database_url, *asked))
    assert (tried["programme"], tried["lines"], tried["subsidy_fen"]) == ("mega", 1, 2_00)
    mega.settle()
    mega.publish()
    assert status(database_url, *of_mega)["late"] is None
    (tried,) = json.loads(says(database_url, *asked))
    assert {name: tried[name] for name in tried["against"]} == tried["against"]
    assert status(database_url, "2022-12")["late"] is None
