"""Accounts for the sample history: one of each kind, and a second operator to approve."""

from dataclasses import dataclass

from sqlalchemy import Connection, distinct, func, select

from bounty.accounts.service import add_user
from bounty.models import Line, OpenPeriod, Order, RosterEntry
from bounty.rules.periods import Period

DEMO_PASSWORD = "sample-data-only"  # noqa: S105 - printed with the sample, whose data is made up
STAFF = (
    ("operator", "operator@example.com", "示例·周衡"),
    ("operator", "second@example.com", "示例·许念"),
    ("finance", "finance@example.com", "示例·沈知远"),
    ("admin", "admin@example.com", "示例·管理员"),
)


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Someone to log in as."""

    role: str
    email: str


def add_demo_people(connection: Connection, period: Period, now: int) -> list[DemoPerson]:
    """The accounts; the promoter's is that of an eligible V0 who has some way to go yet, as most have, and has earned
    in the most months before."""
    earned = (
        select(func.count(distinct(Line.settlement_id)))
        .where(Line.promoter_id == RosterEntry.promoter_id)
        .scalar_subquery()
    )
    on_the_way = connection.execute(
        select(RosterEntry.promoter_id, RosterEntry.name)
        .join(OpenPeriod, OpenPeriod.period == RosterEntry.period)
        .join(Order, Order.promoter_id == RosterEntry.promoter_id)
        .where(
            RosterEntry.period == str(period),
            RosterEntry.reason.is_(None),
            RosterEntry.level == "V0",
            Order.paid_at >= OpenPeriod.task_from,
            Order.paid_at < OpenPeriod.task_until,
            Order.is_direct == 1,
            Order.received_at.is_not(None),
        )
        .group_by(RosterEntry.promoter_id, RosterEntry.name, RosterEntry.target_orders)
        .having(func.count() < RosterEntry.target_orders)
        .order_by(earned.desc(), func.count().desc(), RosterEntry.promoter_id)
        .limit(1)
    ).first()
    people = [(role, email, name, None) for role, email, name in STAFF]
    if on_the_way is not None:
        people.insert(0, ("promoter", "promoter@example.com", on_the_way.name, on_the_way.promoter_id))
    for role, email, name, promoter_id in people:
        add_user(
            connection,
            email=email,
            name=name,
            role=role,
            promoter_id=promoter_id,
            password=DEMO_PASSWORD,
            now=now,
        )
    return [DemoPerson(role, email) for role, email, *_ in people]
