"""Three months of a programme that nobody runs but the worker, and the verdict on how its calendar was kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from bounty.audit.service import Actor, acting
from bounty.calendar.jobs import JobContext
from bounty.calendar.schedule import Calendar, scheduled_slots
from bounty.checks.books import CALENDAR_DONE
from bounty.db import make_engine, snapshot, transaction
from bounty.models import AuditEvent, Settlement
from bounty.notifications.delivery import DeliveryChannels
from bounty.notifications.mail import Mail
from bounty.platforms.pdd.account import GATEWAY, PlatformAccount
from bounty.roster.programmes import add_programme
from bounty.roster.terms import add_terms
from bounty.worker import WorkerContext, once
from tests.factories import (
    PROMOTER,
    Month,
    Row,
    half_month_terms,
    order_row,
    promoter,
    shanghai,
    terms_toml,
)

BEGINS, ENDS = shanghai("2022-11-20 00:00:00"), shanghai("2023-03-01 12:00:00")
CALENDAR = Calendar(backups=False)
FROM_FILES = PlatformAccount(GATEWAY, "", "")
"""No account on the platform."""
LEVELS = {
    "V0": 'direct_only = true\ngmv_yuan = "700.00"\norders = 6',
    "V1": "direct_only = false\nmin_tenure_months = 2\ngmv_yuan = { history_periods = 3, "
    'factor = "1.10", floor = "300.00", ceiling = "500000.00", step = "100.00" }',
}
"""The contract's, with targets that a handful of orders reach."""
ORDERS = {
    "2022-11-20": ("2022-09", "2022-10"),
    "2022-12-10": ("2022-11",),
    "2023-01-10": ("2022-12",),
    "2023-02-10": ("2023-01",),
}
"""Day -> the months whose orders come in then; by the receipt cutoff all that matters is in."""


def month_orders(month: str, first: int) -> list[Row]:
    """Orders of four promoters: more or less than their targets, some received late or not at all."""
    return [
        order_row(
            number=first + n,
            promoter_id=PROMOTER + n % 4,
            amount_fen=9_000 + 700 * (n % 11),
            paid=f"{month}-{1 + n % 27:02d} 12:00:00",
            received=None if n % 9 == 0 else f"{month}-28 12:00:00",
        )
        for n in range(48)
    ]


def begin(engine: Engine, folder: Path, *, sprint: bool = False) -> None:
    """Promoters and terms, on 20 November; with another programme, of half-months, if asked."""
    month = Month(engine, folder / "begin", now="2022-11-20 00:00:00")
    level = {"level": "V1"}
    month.table("promoters", *(promoter(PROMOTER + n, **(level if n % 2 else {})) for n in range(4)))
    month.terms(terms_toml(levels=LEVELS))
    if sprint:
        with transaction(engine) as connection:
            add_programme(connection, "sprint", "半月冲刺", month.now)
            add_terms(connection, half_month_terms(terms_toml(levels=LEVELS)), month.now, "sprint")


@dataclass
class Feed:
    """Order files, which come in on their days whether a worker wakes or not."""

    engine: Engine
    folder: Path
    taken: int = 0

    def until(self, now: int) -> None:
        """Take in what has come by an instant."""
        for day, months in list(ORDERS.items())[self.taken :]:
            if shanghai(f"{day} 00:00:00") > now:
                return
            month = Month(self.engine, self.folder / day, now=f"{day} 00:00:00")
            for place, name in enumerate(months):
                month.orders(*month_orders(name, 1000 * (self.taken + 1) + 100 * place))
            self.taken += 1


def wake(database_url: str, now: int) -> list[str]:
    """What ``bounty worker --once`` does at an instant, in whatever process this is."""
    engine = make_engine(database_url)
    try:
        return once(desk(engine, now))
    finally:
        engine.dispose()


def desk(
    engine: Engine,
    now: int,
    folder: Path | None = None,
    platform: PlatformAccount = FROM_FILES,
    **settings: Any,
) -> WorkerContext:
    """A worker's.

    folder    of its backups and mails
    settings  of the calendar
    """
    folder = folder or Path("/dev/null")
    post = DeliveryChannels(Mail("", "bounty@example.com", folder / "mails", "http://127.0.0.1:5000"), None)
    calendar = replace(CALENDAR, **settings)
    means = JobContext(acting(engine, Actor("worker")), lambda: now, calendar, platform, folder / "backups")
    return WorkerContext(means, 60, 600, post, 30)


@dataclass(frozen=True)
class Verdict:
    """How the calendar was kept."""

    asked: int
    done: int
    doubled: int
    missed: int

    def __str__(self) -> str:
        return f"slots {self.done} of {self.asked}, doubled {self.doubled}, missed {self.missed}"


def verdict(engine: Engine, now: int) -> Verdict:
    """By the slots and, for how often each was done, by the audit."""
    with snapshot(engine) as connection:
        asked = scheduled_slots(connection, CALENDAR, now)
        acts = connection.execute(
            select(AuditEvent.subject, func.count())
            .where(AuditEvent.act == CALENDAR_DONE)
            .group_by(AuditEvent.subject)
        )
        times: dict[str, int] = dict(acts.all())
    done = [each for each in asked if times.get(f"{each.job} {each.slot}")]
    return Verdict(
        len(asked),
        len(done),
        sum(count - 1 for count in times.values()),
        sum(each.done_at is None for each in asked),
    )


def drafts(engine: Engine) -> Sequence[Any]:
    """Every settlement: its month and its content."""
    with snapshot(engine) as connection:
        query = select(Settlement.period, Settlement.content_sha256, Settlement.subsidy_fen)
        return [tuple(row) for row in connection.execute(query.order_by(Settlement.settlement_id))]
