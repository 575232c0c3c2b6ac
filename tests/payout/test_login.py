"""A month that is settled, approved and published at the command line by accounts that log in there."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.models import AuditEvent, Notice, Settlement, Tries
from tests.factories import Month, command, order_row, plain_terms, promoter
from tests.payout.people import PASSWORD, Person, typed, typed_as

NOW = "2023-01-12T12:00:00+08:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    month.orders(order_row(modified="2023-01-12 09:00:00"))
    return month


@pytest.fixture
def zhou(month: Month) -> Person:
    return Person(month.engine, "zhou", "operator")


@pytest.fixture
def xu(month: Month) -> Person:
    return Person(month.engine, "xu", "operator")


def acts(engine: Engine) -> list[tuple[str, str, str | None]]:
    event = select(AuditEvent.act, AuditEvent.actor, AuditEvent.address).order_by(AuditEvent.event_id)
    with snapshot(engine) as connection:
        return [
            (row.act, row.actor, row.address)
            for row in connection.execute(event.where(AuditEvent.act.not_in(("user.add", "file.import"))))
        ]


def notices(engine: Engine) -> int:
    with snapshot(engine) as connection:
        return len(connection.execute(select(Notice.notice)).all())


def test_two_people_close_a_month_at_the_command_line(
    month: Month, database_url: str, zhou: Person, xu: Person
) -> None:
    def says(person: Person, *arguments: str) -> tuple[int, str]:
        said = typed_as(person, database_url, NOW, *arguments)
        return said.exit_code, said.stderr or said.stdout

    assert says(zhou, "settle", "2022-12")[0] == 0
    with snapshot(month.engine) as connection:
        assert connection.execute(select(Settlement.prepared_by_id)).scalar() == zhou.user_id
    assert says(zhou, "approve", "2022-12") == (
        1,
        "Error: Whoever made a draft can't approve it: let a second person look at it.\n",
    )
    status, told = says(zhou, "publish", "2022-12")
    assert (status, "needs the approval of a second account" in told) == (1, True)
    assert says(xu, "approve", "2022-12")[1].startswith("settlement 1 of 2022-12 approved\ncontent sha256:")
    status, told = says(zhou, "publish", "2022-12")
    assert (status, told.splitlines()[0]) == (0, "notice 1 of 2022-12 published (settlement 1)")
    by_hand = [each for each in acts(month.engine) if each[2] == "command line"]
    assert [act for act, *_ in by_hand if act not in ("user.login", "books.check")] == [
        "settlement.make",
        "settlement.approve",
        "notice.publish",
    ]
    assert ("notice.publish", zhou.email, "command line") in by_hand


def test_a_bare_name_publishes_nothing_where_approval_is_required(
    month: Month, database_url: str, zhou: Person, xu: Person
) -> None:
    typed_as(zhou, database_url, NOW, "settle", "2022-12")
    told = typed(database_url, NOW, "publish", "2022-12")
    assert (told.exit_code, "needs the approval of a second account" in told.stderr) == (1, True)
    told = typed(database_url, NOW, "approve", "2022-12")
    assert (told.exit_code, "log in with --as EMAIL" in told.stderr) == (1, True)
    typed_as(xu, database_url, NOW, "approve", "2022-12")
    told = typed(database_url, NOW, "publish", "2022-12")
    assert (told.exit_code, told.stderr.count("\n"), "log in with --as EMAIL" in told.stderr) == (1, 1, True)
    assert notices(month.engine) == 0
    assert command(database_url, NOW, "publish", "2022-12").exit_code == 0  # in development


def test_who_may_not_who_has_no_second_factor_and_who_is_nobody_get_in_nowhere(
    month: Month, database_url: str, zhou: Person
) -> None:
    finance = Person(month.engine, "shen", "finance")
    bare = Person(month.engine, "bare", "operator", second_factor=False)
    month.settle()
    before = acts(month.engine)

    def refused(email: str, *lines: str, **variables: str) -> str:
        said = typed(database_url, NOW, "publish", "2022-12", "--as", email, lines=lines, **variables)
        assert (said.exit_code, said.stdout, said.stderr.count("\n")) == (1, "", 1)
        return said.stderr

    assert "shen@example.com is finance, and this takes an account that is operator" in refused(
        finance.email, PASSWORD, finance.code()
    )
    assert "/tf-setup and set one up" in refused(bare.email, PASSWORD)
    assert refused(zhou.email, "wrong") == refused("nobody@example.com", PASSWORD)
    assert "Password is missing" in refused(zhou.email)
    assert "One-time code is missing" in refused(zhou.email, PASSWORD)
    assert "doesn't hold" in refused(zhou.email, PASSWORD, "no code")
    real = {"BOUNTY_ENV": "production", "BOUNTY_NOW": "", "BOUNTY_TOTP_KEY": ""}
    assert "BOUNTY_TOTP_KEY is not set here" in refused(zhou.email, PASSWORD, zhou.code(), **real)
    assert acts(month.engine) == before


def test_a_code_serves_once_and_neither_it_nor_a_password_is_to_be_guessed(
    month: Month, database_url: str, zhou: Person
) -> None:
    def settles(*lines: str) -> str:
        said = typed(database_url, NOW, "settle", "2022-12", "--as", zhou.email, lines=lines)
        return "" if said.exit_code == 0 else said.stderr

    code = zhou.code()
    assert settles(PASSWORD, code) == ""
    assert "has served" in settles(PASSWORD, code)
    assert "no account" in settles("wrong")
    for _ in range(3):
        assert "doesn't hold" in settles(PASSWORD, "000000")
    assert "Try again in 1 minute," in settles(PASSWORD, zhou.code())
    with snapshot(month.engine) as connection:
        counted = connection.execute(select(Tries.subject, Tries.tries)).all()
    assert counted == [(f"guess {zhou.email} on command line", 5)]


def test_logging_in_is_free_where_approval_is_not_required(month: Month, database_url: str) -> None:
    bare = Person(month.engine, "bare", "operator", second_factor=False)
    said = typed(
        database_url,
        NOW,
        "settle",
        "2022-12",
        "--as",
        bare.email,
        lines=(PASSWORD,),
        BOUNTY_REQUIRE_APPROVAL="0",
    )
    assert said.exit_code == 0
    with snapshot(month.engine) as connection:
        assert connection.execute(select(Settlement.prepared_by_id)).scalar() == bare.user_id
        (made,) = connection.execute(
            select(AuditEvent.after).where(AuditEvent.act == "settlement.make")
        ).scalars()
    assert json.loads(made or "{}")["settlement"] == 1
