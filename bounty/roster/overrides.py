"""A frozen roster entry put right by hand: with its reason, until the task window closes and nothing is settled."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import OpenPeriod, RosterEntry, RosterOverride, Settlement, User
from bounty.roster.eligibility import Ineligibility
from bounty.roster.queries import RosterRow
from bounty.rules.periods import Period


@dataclass(frozen=True, slots=True)
class EntryState:
    """What a roster says of one promoter: eligible with a target, or not, and why."""

    ineligible: str | None
    """An Ineligibility; null for who is eligible."""
    target_gmv_fen: int | None
    """Whole fen; null where there is no such target, as always for who is not eligible."""
    target_orders: int | None

    def as_json(self) -> JsonObject:
        """For the record of what was done."""
        return {
            "ineligible": self.ineligible,
            "target_gmv_fen": self.target_gmv_fen,
            "target_orders": self.target_orders,
        }


def override(
    connection: Connection, period: Period, promoter_id: int, to: EntryState, reason: str, now: int
) -> bool:
    """Put a roster entry right, for good; False where it stands so already and nothing changed.

    The account that acts is on record with it; the command line is none. The promoter is shown the reason, and that
    operations did it.

    Raises BountyError if there is no such entry, the task window is over, the period is settled, the reason is blank,
    or nobody could be judged so.
    """
    entry = entry_of(connection, period, promoter_id)
    if entry is None:
        raise BountyError(
            f"Promoter {promoter_id} is not on the roster of {period}.",
            f"推手 {promoter_id} 不在 {period} 的名单上。",
        )
    refusal = refusal_of(connection, period, now)
    if refusal is not None:
        raise refusal
    _refuse_unfit(to, reason)
    was = EntryState(entry.reason, entry.target_gmv_fen, entry.target_orders)
    if was == to:
        return False
    user_id = _account(connection)
    number = connection.execute(
        select(func.coalesce(func.max(RosterOverride.number), 0) + 1).where(*_of(RosterOverride, entry))
    ).scalar_one()
    connection.execute(
        insert(RosterOverride).values(
            promoter_id=promoter_id,
            period=str(period),
            number=number,
            was_ineligible=was.ineligible,
            now_ineligible=to.ineligible,
            was_target_gmv_fen=was.target_gmv_fen,
            now_target_gmv_fen=to.target_gmv_fen,
            was_target_orders=was.target_orders,
            now_target_orders=to.target_orders,
            reason=reason.strip(),
            user_id=user_id,
            overridden_at=now,
        )
    )
    before = json.loads(entry.derivation)
    derivation = {
        "source": "override",
        # Who did it stands in the override: this is shown to the promoter.
        "why": reason.strip(),
        "at": shown(now),
        # However often it is overridden, the original is the result of the rules.
        "was": before.get("was", before),
    }
    connection.execute(
        update(RosterEntry)
        .where(*_of(RosterEntry, entry))
        .values(
            reason=to.ineligible,
            target_gmv_fen=to.target_gmv_fen,
            target_orders=to.target_orders,
            derivation=json.dumps(derivation, ensure_ascii=False, separators=(",", ":")),
        )
    )
    subject = f"{period} promoter {promoter_id}"
    record(
        connection,
        "roster.override",
        subject,
        now,
        before=was.as_json(),
        after=to.as_json(),
        reason=reason.strip(),
    )
    return True


def refusal_of(connection: Connection, period: Period, now: int) -> BountyError | None:
    """Why the roster of a period can't be overridden any more; null while it can."""
    bounds = connection.execute(
        select(OpenPeriod.task_until).where(OpenPeriod.period == str(period))
    ).scalar()
    if bounds is None:
        return BountyError(f"{period} is not open.", f"{period} 尚未开期。")
    if now >= bounds:
        return BountyError(
            f"The task window of {period} closed at {shown(bounds)}: its roster stays as it is.",
            f"{period} 的任务期已于 {shown(bounds)} 截止：名单不再改动。",
        )
    settled = select(Settlement.settlement_id).where(Settlement.period == str(period)).limit(1)
    if connection.execute(settled).first() is not None:
        return BountyError(
            f"{period} is settled: its roster stays as it is.", f"{period} 已核算：名单不再改动。"
        )
    return None


def entry_of(connection: Connection, period: Period, promoter_id: int) -> RosterRow | None:
    """A promoter's roster entry of a period; null where there is none."""
    entry = select(RosterEntry.__table__).where(
        RosterEntry.period == str(period), RosterEntry.promoter_id == promoter_id
    )
    return fetch_first(connection, entry, RosterRow)


class OverrideRow(NamedTuple):
    """How a roster entry was put right."""

    promoter_id: int
    period: str
    number: int
    was_ineligible: str | None
    now_ineligible: str | None
    was_target_gmv_fen: int | None
    now_target_gmv_fen: int | None
    was_target_orders: int | None
    now_target_orders: int | None
    reason: str
    user_id: int
    overridden_at: int
    by: str
    """The name of who did it."""


def overrides_of(connection: Connection, period: Period, promoter_id: int) -> list[OverrideRow]:
    """How a roster entry was put right, the newest first."""
    query = (
        select(RosterOverride.__table__, User.name.label("by"))
        .join(User, User.id == RosterOverride.user_id)
        .where(RosterOverride.period == str(period), RosterOverride.promoter_id == promoter_id)
        .order_by(RosterOverride.number.desc())
    )
    return fetch_all(connection, query, OverrideRow)


def _of(
    table: type[RosterEntry] | type[RosterOverride], entry: RosterRow
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.promoter_id == entry.promoter_id, table.period == entry.period


def _refuse_unfit(to: EntryState, reason: str) -> None:
    if not reason.strip():
        raise BountyError(
            "An override needs a reason: it is shown to the promoter.", "请填写理由：推手会看到它。"
        )
    targets = (to.target_gmv_fen, to.target_orders)
    if to.ineligible is not None:
        if to.ineligible not in Ineligibility.labels() or targets != (None, None):
            raise BountyError(
                f"Who is not eligible has one of {', '.join(Ineligibility)} and no target.",
                "没有资格的推手须选一个原因，且没有目标。",
            )
    elif not any(targets) or any(target is not None and target <= 0 for target in targets):
        raise BountyError(
            "Who is eligible has a target above 0: of GMV, of orders, or both.",
            "有资格的推手须有大于 0 的目标：GMV、单数或两者。",
        )


def _account(connection: Connection) -> int:
    user_id = actor_of(connection).user_id
    if user_id is None:
        raise BountyError(
            "Only an account can override: log in on the page.", "人工调整须由账号操作：请在页面登录后办理。"
        )
    return user_id
