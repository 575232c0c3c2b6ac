"""Accounts for the sample history: the staff, and four promoters in different situations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, distinct, func, select

from bounty.accounts.demo_accounts import DEMO_PASSWORD, PROMOTERS, STAFF
from bounty.accounts.service import add_user
from bounty.db import transaction
from bounty.models import Line, OpenPeriod, Order, RosterEntry
from bounty.progress.pace import TargetProgress, days_of
from bounty.progress.service import Progress, progress_of
from bounty.roster.terms import open_period
from bounty.rules.periods import Bounds, Period
from bounty.sample.payouts import PaidSample

_LOOKED_AT: Final = 80
"""Promoters among whom the four are looked for."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Someone to log in as."""

    role: str
    email: str
    promoter_id: int | None = None


def add_staff(engine: Engine, now: int) -> list[DemoPerson]:
    """The accounts of the staff."""
    with transaction(engine) as connection:
        for role, email, name in STAFF:
            add_user(connection, email=email, name=name, role=role, password=DEMO_PASSWORD, now=now)
    return [DemoPerson(role, email) for role, email, _ in STAFF]


def add_promoters(engine: Engine, period: Period, paid: PaidSample | None, now: int) -> list[DemoPerson]:
    """The accounts of promoters: on track, behind, passed, and not eligible in the open period.

    Early in a month nobody has passed; whoever is nearest to a situation stands for it.
    """
    failed = None if paid is None else paid.failed_promoter
    people = []
    with transaction(engine) as connection:
        chosen = _chosen(connection, period, failed, now)
        for email, promoter_id in chosen.items():
            name = connection.execute(
                select(RosterEntry.name).where(
                    RosterEntry.period == str(period), RosterEntry.promoter_id == promoter_id
                )
            ).scalar_one()
            add_user(
                connection,
                email=email,
                name=name,
                role="promoter",
                promoter_id=promoter_id,
                password=DEMO_PASSWORD,
                now=now,
            )
            people.append(DemoPerson("promoter", email, promoter_id))
    return people


def _chosen(connection: Connection, period: Period, failed: int | None, now: int) -> dict[str, int]:
    """E-mail -> promoter. Those who earned in the most months before come first: their pages show the most."""
    on_track, behind, passed, ineligible = (email for email, *_ in PROMOTERS)
    bounds = open_period(connection, period)
    found: dict[str, int] = {}
    candidates = [each for each in _active(connection, period, eligible=True) if each != failed]
    progress = {each: progress_of(connection, period, each, now) for each in candidates}
    situations: tuple[tuple[str, Callable[[int], bool]], ...] = (
        (on_track, lambda each: not progress[each].passed and _on_pace(progress[each], bounds, now)),
        (behind, lambda each: not progress[each].passed and not _on_pace(progress[each], bounds, now)),
        (passed, lambda each: progress[each].passed),
    )
    for email, fits in situations:
        left = [each for each in candidates if each not in found.values()]
        fitting = [each for each in left if fits(each)] or left
        if fitting:
            found[email] = fitting[0]
    for each in _active(connection, period, eligible=False)[:1]:
        found[ineligible] = each
    return found


def _on_pace(progress: Progress, bounds: Bounds, now: int) -> bool:
    days = days_of(bounds, now)
    measures = (
        (progress.target_gmv_fen, progress.counted.capped_fen, progress.pending.capped_fen),
        (progress.target_orders, progress.counted.orders, progress.pending.orders),
    )
    return all(
        TargetProgress(target, counted, pending, days).ahead >= 0
        for target, counted, pending in measures
        if target
    )


def _active(connection: Connection, period: Period, *, eligible: bool) -> list[int]:
    """Promoters with orders in the period's month, or else on its roster; who earned in most months first."""
    earned = (
        select(func.count(distinct(Line.settlement_id)))
        .where(Line.promoter_id == RosterEntry.promoter_id)
        .scalar_subquery()
    )
    orders = func.count(Order.order_sn)
    reason = RosterEntry.reason
    query = (
        select(RosterEntry.promoter_id)
        .join(OpenPeriod, OpenPeriod.period == RosterEntry.period)
        .outerjoin(
            Order,
            (Order.promoter_id == RosterEntry.promoter_id)
            & (Order.paid_at >= OpenPeriod.month_from)
            & (Order.paid_at < OpenPeriod.month_until),
        )
        .where(RosterEntry.period == str(period), reason.is_(None) if eligible else reason.is_not(None))
        .where((RosterEntry.target_orders > 0) if eligible else RosterEntry.level.is_not(None))
        .group_by(RosterEntry.promoter_id)
        .order_by((orders > 0).desc(), earned.desc(), orders.desc(), RosterEntry.promoter_id)
        .limit(_LOOKED_AT)
    )
    return list(connection.execute(query).scalars())
