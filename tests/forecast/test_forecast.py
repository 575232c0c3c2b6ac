"""Forecasts: what is sure is said to be, the same facts give the same, and what is kept is what pages show."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bounty.accounts.service import add_user
from bounty.checks.books import run_checks
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.forecast.anomalies import WATCHED_SECONDS, flags_of, keep_flags, watched_periods
from bounty.forecast.backtest import backtest
from bounty.forecast.period_forecast import MadeForecast, keep_forecast, make_forecast
from bounty.forecast.stored import newest_forecast, promoter_forecast, score_published
from bounty.models import Message, PeriodForecast
from bounty.rules.periods import Period
from bounty.rules.terms import read_terms
from bounty.tranches.holds import hold_payout, release_payout
from tests.factories import PROMOTER, Month, command, order_row, plain_terms, promoter, shanghai, terms_toml
from tests.payout.people import PASSWORD, Person, typed, typed_as
from tests.payout.world import JANUARY_20, OTHER, Paying, earning

DECEMBER = Period(2022, 12)
LEVELS = {"V0": 'direct_only = true\ngmv_yuan = "300.00"\norders = 3'}
NOW = "2022-12-25 12:00:00"


def made(engine: Engine, now: int) -> MadeForecast:
    with snapshot(engine) as connection:
        return make_forecast(connection, DECEMBER, now)


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """After the window: one has all received, one waits for one of three orders, one has nothing."""
    month = Month(engine, tmp_path, now=NOW)
    toml = terms_toml(levels=LEVELS).replace(
        "[[subsidy.tiers]]", 'budget_yuan = "1.00"\n\n[[subsidy.tiers]]', 1
    )
    month.begin(promoter(1), promoter(2), promoter(3), toml=toml)
    month.orders(
        *(order_row(number=number, promoter_id=1, amount_fen=150_00) for number in (1, 2, 3)),
        *(order_row(number=number, promoter_id=2, amount_fen=150_00) for number in (4, 5)),
        *(
            order_row(number=number, promoter_id=2, amount_fen=fen, received=None)
            for number, fen in ((6, 10_00), (7, 20_00), (8, 30_00))
        ),
    )
    return month


def test_what_is_sure_is_said_and_the_fewest_receipts_are_named(month: Month, engine: Engine) -> None:
    first, again = made(engine, month.now), made(engine, month.now)
    assert first == again
    sure, waiting, nothing = first.promoters
    assert (sure["probability_permille"] > 900, sure["counted_gmv_fen"], sure["counted_orders"]) == (
        True,
        450_00,
        3,
    )
    assert nothing["probability_permille"] < 5
    assert (waiting["pending_orders"], waiting["needed_orders"], waiting["nudge_orders"]) == (3, 1, 1)
    assert waiting["nudge_permille"] > waiting["probability_permille"]
    with pytest.raises(BountyError, match="until its receipt cutoff"):
        made(engine, shanghai("2023-01-11 00:00:00"))


def test_kept_forecasts_are_shown_warn_of_the_budget_and_are_scored(
    month: Month, engine: Engine, database_url: str
) -> None:
    with transaction(engine) as connection:
        add_user(
            connection, email="o@example.com", name="o", role="operator", password="a long password 1", now=1
        )
    for text in ("2022-12-20 05:00:00", "2022-12-24 05:00:00", NOW):
        forecast = made(engine, shanghai(text))
        with transaction(engine) as connection:
            keep_forecast(connection, forecast)
    with snapshot(engine) as connection:
        kept = list(connection.execute(select(PeriodForecast.as_of).order_by(PeriodForecast.as_of)).scalars())
        assert kept == [shanghai("2022-12-20 05:00:00"), month.now]  # the 20th is kept, the 24th is not
        newest = newest_forecast(connection, DECEMBER)
        assert newest is not None
        assert newest.as_of == month.now
        own = promoter_forecast(connection, DECEMBER, 2)
        assert own is not None
        assert own.needed_orders == 1
        # Promoter 1 has earned 2 % of 3 x 150.00, which is more than the budget.
        assert newest.committed_fen == 3 * 3_00
        told = select(func.count()).where(Message.kind == "budget")
        assert connection.execute(told).scalar_one() == 1
    shown = command(database_url, "2022-12-25T12:00:00", "forecast", "2022-12").stdout
    assert "the upper end passes it" in shown
    listed = json.loads(command(database_url, "2022-12-25T12:00:00", "forecast", "2022-12", "--json").stdout)
    assert [row["promoter_id"] for row in listed["forecasts"]] == [1, 2, 3]
    month.now = shanghai("2023-01-15 12:00:00")
    month.settle()
    month.publish()
    with transaction(engine) as connection:
        assert score_published(connection) == 2
        assert score_published(connection) == 0
        assert run_checks_clean(connection)
    with snapshot(engine) as connection:
        scores = list(backtest(connection, [DECEMBER], 1))
    assert [score.day for score in scores] == [5, 10, 15, 20, 35]
    assert all(0 <= score.brier <= 1 for score in scores)


def run_checks_clean(connection: Any) -> bool:
    return [finding.name for finding in run_checks(connection) if finding.violations] == []


def test_terms_without_a_budget_hash_as_before() -> None:
    toml = plain_terms()
    budget = toml.replace("[[subsidy.tiers]]", 'budget_yuan = "100.00"\n\n[[subsidy.tiers]]', 1)
    assert read_terms(budget).sha256 != read_terms(toml).sha256
    assert read_terms(budget).subsidy.budget_fen == 100_00


def test_flags_have_their_evidence_and_the_norm(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now=NOW)
    month.begin(promoter(1), promoter(2), toml=plain_terms())
    month.orders(
        *(order_row(number=n, promoter_id=1, received="2022-12-20 13:00:00") for n in range(1, 61)),
        *(
            order_row(number=n, promoter_id=2, paid="2022-12-20 23:00:00", received="2022-12-20 23:05:00")
            for n in range(61, 71)
        ),
    )
    with snapshot(engine) as connection:
        flags = flags_of(connection, DECEMBER)
    found = {
        (flag.promoter_id, flag.code): (flag.orders, flag.of_orders, flag.norm_permille) for flag in flags
    }
    assert found == {(2, "LAST_HOURS"): (10, 10, 142), (2, "INSTANT_RECEIPT"): (10, 10, 142)}
    for _ in range(2):
        with transaction(engine) as connection:
            keep_flags(connection, DECEMBER, flags, month.now)


def test_refunds_after_the_cutoff_and_amounts_near_the_cap_of_one_category_are_flagged(
    engine: Engine, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path, now="2023-02-01 12:00:00")
    month.begin(promoter(1), promoter(2), promoter(3), toml=plain_terms())
    received: dict[str, Any] = {"received": "2022-12-20 13:00:00"}
    near: dict[str, Any] = {"amount_fen": 199_00, **received}
    month.orders(
        *(order_row(number=n, promoter_id=1, amount_fen=50_00, **received) for n in range(1, 91)),
        *(order_row(number=n, promoter_id=2, cat_ids=[2001], **near) for n in range(91, 101)),
        *(order_row(number=n, promoter_id=3, cat_ids=[n], **near) for n in range(101, 111)),
    )
    refunded: dict[str, Any] = {
        "status": 4,
        "verified": "2023-01-20 12:00:00",
        "modified": "2023-01-20 12:00:00",
    }
    month.orders(
        *(order_row(number=n, promoter_id=2, cat_ids=[2001], **near, **refunded) for n in range(91, 101))
    )
    with snapshot(engine) as connection:
        assert watched_periods(connection, month.now) == [DECEMBER]
        assert watched_periods(connection, month.now + WATCHED_SECONDS) == []
        found = {(flag.promoter_id, flag.code): flag.orders for flag in flags_of(connection, DECEMBER)}
    assert found == {(2, "NEAR_CAP"): 10, (2, "REFUNDS_AFTER_CUTOFF"): 10}


def test_a_held_payout_stays_out_of_tranches_until_two_release_it(engine: Engine, tmp_path: Path) -> None:
    paying = Paying(engine, tmp_path)
    paying.payee(PROMOTER, OTHER)
    paying.publish(earning(1), earning(2, 50_00, promoter_id=OTHER))
    due = shanghai("2023-02-01 00:00:00")
    with transaction(engine) as connection:
        with pytest.raises(BountyError, match="reason"):
            hold_payout(connection, DECEMBER, PROMOTER, " ", due, JANUARY_20)
        hold_payout(connection, DECEMBER, PROMOTER, "bursts", due, JANUARY_20)
        with pytest.raises(BountyError, match="held already"):
            hold_payout(connection, DECEMBER, PROMOTER, "bursts", due, JANUARY_20)
    first = paying.prepare()
    assert {line[0] for line in paying.lines(first.tranche_id)} == {OTHER}
    with transaction(engine) as connection:
        assert run_checks_clean(connection)
        assert not release_payout(connection, DECEMBER, PROMOTER, "fine", JANUARY_20, approval_required=True)
        with pytest.raises(BountyError, match="second person"):
            release_payout(connection, DECEMBER, PROMOTER, "fine", JANUARY_20, approval_required=True)
        assert release_payout(connection, DECEMBER, PROMOTER, "fine", JANUARY_20, approval_required=False)
    again = paying.prepare()
    assert {line[0] for line in paying.lines(again.tranche_id)} == {PROMOTER, OTHER}
    with snapshot(engine) as connection:
        assert run_checks_clean(connection)


def test_the_shell_holds_and_two_accounts_release(engine: Engine, tmp_path: Path, database_url: str) -> None:
    paying = Paying(engine, tmp_path)
    paying.payee(PROMOTER)
    paying.publish(earning(1))
    ada, ben = (Person(engine, name, "operator") for name in ("ada", "ben"))
    finance, weak = Person(engine, "fin", "finance"), Person(engine, "weak", "operator", second_factor=False)
    now, who = "2023-01-20T12:00:00+08:00", ("2022-12", str(PROMOTER), "--reason", "bursts")
    held = ("payout", "hold", *who, "--due", "2023-01-31")
    assert "takes an account" in typed(database_url, now, *held).stderr
    assert "is finance" in typed_as(finance, database_url, now, *held).stderr
    done = typed_as(ada, database_url, now, *held)
    assert (done.exit_code, done.stdout) == (
        0,
        f"payout of promoter {PROMOTER} for 2022-12 held for a review until 2023-02-01T00:00:00+08:00\n",
    )
    assert "held already" in typed_as(ada, database_url, now, *held).stderr
    assert "not a date" in typed(database_url, now, *held[:-1], "soon").stderr
    released = ("payout", "release", *who)
    assert "takes an account" in typed(database_url, now, *released).stderr
    lines = ("--as", weak.email)
    assert "no second factor" in typed(database_url, now, *released, *lines, lines=(PASSWORD,)).stderr
    assert "a second account must agree" in typed_as(ada, database_url, now, *released).stdout
    assert "second person" in typed_as(ada, database_url, now, *released).stderr
    assert "the next tranche pays it" in typed_as(ben, database_url, now, *released).stdout
    assert "No payout" in typed_as(ben, database_url, now, *released).stderr
    assert {line[0] for line in paying.lines(paying.prepare().tranche_id)} == {PROMOTER}
