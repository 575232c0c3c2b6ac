"""The sample as `bounty demo` loads it: each step at its own date, and somebody in every situation to log in as."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.accounting.stored_figures import refresh
from bounty.accounts.demo_accounts import DEMO_ACCOUNTS, demo_accounts_in
from bounty.appeals.queries import appeals
from bounty.audit.service import verify
from bounty.checks.books import run_checks
from bounty.clock import shown
from bounty.db import snapshot
from bounty.models import Batch, Notice, OpenPeriod, RosterEntry, TrancheStep
from bounty.payees.encryption import PayeeCipher
from bounty.progress.pace import days_of
from bounty.progress.service import progress_of
from bounty.roster.terms import open_period
from bounty.rules.periods import Period
from bounty.sample import write_sample
from bounty.sample.loading import LoadedSample, load_sample
from tests.factories import shanghai

MOMENTS = {
    "late in a month": "2022-12-24 15:00:00",
    "the first instant of a month": "2026-03-01 00:00:00",
    "before the receipt cutoff": "2025-01-05 12:00:00",
}


@pytest.fixture(params=MOMENTS)
def loaded(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> tuple[LoadedSample, int]:
    now = shanghai(MOMENTS[request.param])
    size = (
        {"promoters": 160, "orders": 9_000} if "late" in request.param else {"promoters": 80, "orders": 3_000}
    )
    sample = write_sample(tmp_path, now, **size)
    return load_sample(
        engine, sample, PayeeCipher("a key of the tests alone, 32 long"), now, lambda _: None
    ), now


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_sample_is_loaded_at_honest_dates(
    loaded: tuple[LoadedSample, int], engine: Engine, request: pytest.FixtureRequest
) -> None:
    sample, now = loaded
    with snapshot(engine) as connection:
        notices = connection.execute(select(Notice.period, Notice.notice, Notice.published_at)).all()
        frozen = connection.execute(select(OpenPeriod.period, OpenPeriod.opened_at)).all()
        times = [*connection.execute(select(Batch.imported_at)).scalars()]
        times += connection.execute(select(TrancheStep.taken_at)).scalars()
        asked = connection.execute(appeals(now)).all()
        violations = sum(finding.violations for finding in run_checks(connection))
        chain = verify(connection)
        held = demo_accounts_in(connection)
    assert violations == 0
    assert refresh(engine, now) == []  # every page shows figures of now
    assert chain.broken == ()
    assert max(times) <= now
    assert len(set(times)) >= 10
    first = {row.period: shown(row.published_at)[:10] for row in notices if row.notice == 1}
    assert all(at == f"{Period.parse(period).plus(1)}-12" for period, at in first.items())
    for row in frozen:
        period = Period.parse(row.period)
        assert shown(row.opened_at)[:10] in {f"{period.plus(-1)}-25", shown(now)[:10]}, row
    assert held == list(DEMO_ACCOUNTS)
    (appeal,) = asked
    assert (appeal.state, appeal.appeal_id) == ("OPEN", sample.appeal)
    if "late" in request.node.name:
        assert sorted(first) == ["2022-09", "2022-10", "2022-11"]
        assert [row.period for row in frozen][-1] == "2023-01"
        situations(engine, sample, Period.parse("2022-12"), now)


def situations(engine: Engine, sample: LoadedSample, period: Period, now: int) -> None:
    whose = {person.email.partition("@")[0]: person.promoter_id for person in sample.people}
    with snapshot(engine) as connection:
        bounds = open_period(connection, period)
        found: dict[str, Any] = {
            name: progress_of(connection, period, whose[name], now)  # type: ignore[arg-type]
            for name in ("promoter", "behind", "passed", "ineligible")
        }
        reason = connection.execute(
            select(RosterEntry.reason).where(
                RosterEntry.period == str(period), RosterEntry.promoter_id == whose["ineligible"]
            )
        ).scalar_one()
    assert reason is not None
    assert found["passed"].passed
    assert not found["promoter"].passed
    assert not found["behind"].passed
    gone = days_of(bounds, now)
    assert gone.all >= gone.gone > 0
    reach = {
        name: min(
            (each.counted.capped_fen + each.pending.capped_fen) * 100 // (each.target_gmv_fen or 1),
            (each.counted.orders + each.pending.orders) * 100 // (each.target_orders or 1),
        )
        for name, each in found.items()
        if name in ("promoter", "behind")
    }
    assert reach["promoter"] >= 100 > reach["behind"]
