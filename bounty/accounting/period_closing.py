"""Closing a period once nothing of it is open, and reopening it, which takes two people and a reason.

    (none) -> CLOSED -> REOPENING: one person asks -> REOPENED: another agrees -> CLOSED ...

Late refunds are not of this: they come back as lines of later tranches, whether their period is closed or not.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, func, insert, literal, null, or_, select, true, union_all
from sqlalchemy.orm import aliased

from bounty import figures
from bounty.audit.service import actor_of, record
from bounty.db import Query, fetch_all, fetch_first, wait_for_turn
from bounty.errors import BountyError
from bounty.figures import Figure
from bounty.labels import LabelledCode
from bounty.models import (
    Line,
    Payout,
    PeriodClosing,
    TrancheLine,
    TrancheStep,
    User,
)
from bounty.models.accounting import ClosingStep
from bounty.money import grouped_yuan
from bounty.notices.service import newest_notice
from bounty.orders.archived import require_in_tables
from bounty.roster.terms import open_period
from bounty.rules.periods import Period
from bounty.rules.sql_math import sum_or_zero
from bounty.settlement.revocations import voids_of
from bounty.tranches.entitlement import not_replaced, orders_due, published_periods
from bounty.tranches.state import newest_outcomes, of_payout

CLOSED, REOPENING, REOPENED = map(str, ClosingStep)
ACTS = {CLOSED: "period.close", REOPENING: "period.ask_reopening", REOPENED: "period.reopen"}
"""What is done with a period -> the act in the audit."""


class OpenKind(LabelledCode):
    """Why a line is open."""

    VOID_PENDING = (
        "VOID_PENDING",
        "所属达标正在取消，尚无新公示",
        "of a pass that is to be void, without a notice that says so",
    )
    UNSETTLED = "UNSETTLED", "佣金未结算", "whose commission has not settled"
    DUE = "DUE", "已结算，等待下一批次", "settled, for the next tranche to take up"
    TAKE_BACK = "TAKE_BACK", "待下一批次追回", "for the next tranche to take back"
    NOT_EXPORTED = "NOT_EXPORTED", "所在批次尚未导出", "in a tranche that was not exported"
    NOT_TOLD = "NOT_TOLD", "已导出，没有付款结果", "exported, and nothing told of its payout"
    NOT_PAID = "NOT_PAID", "暂缓或付款失败，尚未结转", "held or failed, and not carried on yet"


@dataclass(frozen=True, slots=True)
class OpenItems:
    """Lines that keep a period from closing, of one kind."""

    kind: OpenKind
    lines: int
    fen: int
    """What they add up to, whole fen."""


def closing_refusal(connection: Connection, period: Period, now: int) -> list[OpenItems]:
    """What is still open of a period's newest notice, kind by kind; empty where it can be closed.

    A line is done once it is paid, or was set against a debt; void, and no tranche holds anything of it; or held or
    failed, and carried into a later payout that was exported.

    Raises BountyError if it is not open, or has no notice.
    """
    open_period(connection, period)
    notice = newest_notice(connection, period)
    if notice is None:
        raise BountyError(
            f"{period} has no notice: it is closed once what it promised is paid.",
            f"{period} 期还没有公示：公示的补贴付清之后才能关账。",
        )
    row = (
        union_all(
            _pending_voids(notice.settlement_id, period),
            _unallocated(published_periods(connection, now), period),
            _unpaid(period),
        )
        .subquery("open")
        .c
    )
    rows = connection.execute(
        select(row.kind, func.count().label("lines"), sum_or_zero(row.fen).label("fen")).group_by(row.kind)
    )
    found = {kind: OpenItems(OpenKind[kind], lines, fen) for kind, lines, fen in rows}
    return [found[kind] for kind in OpenKind if kind in found]


def closing_shown(connection: Connection, period: Period, now: int) -> tuple[list[OpenItems], Figure]:
    """The same for a page, which does not add up large books; with as of when it holds."""
    found = figures.figure(
        connection,
        f"closing {period}",
        figures.state_of_books(connection, now),
        now,
        lambda: closing_content(connection, period, now),
    )
    return [OpenItems(**each) for each in found.content or []], found


def closing_content(connection: Connection, period: Period, now: int) -> list[dict[str, object]]:
    """The open items as they are stored."""
    return [asdict(each) for each in closing_refusal(connection, period, now)]


def _pending_voids(settlement_id: int, period: Period) -> Query:
    """Lines of passes that somebody asks to take back, or that were taken back since the notice."""
    void = voids_of(period).subquery("void").c
    return (
        select(literal("VOID_PENDING").label("kind"), Line.subsidy_fen.label("fen"))
        .join(void.promoter_id.table, void.promoter_id == Line.promoter_id)
        .where(Line.settlement_id == settlement_id, or_(void.approved.is_(None), void.approved.is_(true())))
    )


def _unallocated(judged: Query, period: Period) -> Query:
    """Orders whose lines in tranches differ from their entitlement."""
    each = orders_due(judged).subquery("due").c
    left = each.entitled_fen - each.held_fen
    kind = case((left < 0, "TAKE_BACK"), (each.due_fen > 0, "DUE"), else_="UNSETTLED")
    return select(kind.label("kind"), left.label("fen")).where(each.period == str(period), left != 0)


def _unpaid(period: Period) -> Query:
    """Lines of tranches whose payout is neither paid nor carried on."""
    outcome = newest_outcomes().subquery("outcome")
    exported, later, later_exported = TrancheStep, aliased(Payout), aliased(TrancheStep)
    carried = (
        select(literal(1))
        .select_from(later)
        .join(
            later_exported,
            and_(later_exported.tranche_id == later.tranche_id, later_exported.step == "EXPORTED"),
        )
        .where(later.promoter_id == Payout.promoter_id, later.tranche_id > Payout.tranche_id)
        .exists()
    )
    held = Payout.proposal_id.is_(None)
    kind = case(
        (exported.step.is_(None), "NOT_EXPORTED"),
        (or_(Payout.payable_fen == 0, outcome.c.paid.is_(true())), null()),
        (and_(~held, outcome.c.paid.is_(None)), "NOT_TOLD"),
        (~carried, "NOT_PAID"),
        else_=null(),
    )
    return (
        select(kind.label("kind"), TrancheLine.amount_fen)
        .join(
            Payout,
            and_(Payout.promoter_id == TrancheLine.promoter_id, Payout.tranche_id == TrancheLine.tranche_id),
        )
        .outerjoin(exported, and_(exported.tranche_id == TrancheLine.tranche_id, exported.step == "EXPORTED"))
        .outerjoin(outcome, of_payout(outcome))
        .where(TrancheLine.period == str(period), not_replaced(), kind.is_not(None))
    )


class ClosingAct(NamedTuple):
    """A row of ``period_closings``."""

    period: str
    number: int
    act: str
    reason: str | None
    user_id: int | None
    acted_at: int


class ClosingActBy(NamedTuple):
    """Something that was done with a period, with who did it."""

    act: str
    reason: str | None
    user_id: int | None
    acted_at: int
    name: str | None
    """The account's; null for the command line."""


def acts_of(connection: Connection, period: Period) -> list[ClosingActBy]:
    """Everything that was done with a period, the newest first."""
    act = PeriodClosing
    acts = (
        select(act.act, act.reason, act.user_id, act.acted_at, User.name)
        .outerjoin(User, User.id == act.user_id)
        .where(act.period == str(period))
        .order_by(act.number.desc())
    )
    return fetch_all(connection, acts, ClosingActBy)


def newest_act(connection: Connection, period: Period) -> ClosingAct | None:
    """What was done with a period last; null where nothing was."""
    of_period = select(PeriodClosing.__table__).where(PeriodClosing.period == str(period))
    return fetch_first(connection, of_period.order_by(PeriodClosing.number.desc()).limit(1), ClosingAct)


def close(connection: Connection, period: Period, now: int) -> bool:
    """Close a period; False where it is closed already, and nothing changes.

    Raises BountyError where anything of it is still open, with how much of what.
    """
    wait_for_turn(connection)
    last = newest_act(connection, period)
    if last is not None and last.act != REOPENED:
        return False
    still = closing_refusal(connection, period, now)
    if still:
        zh = "；".join(f"{each.lines:,} 行 {grouped_yuan(each.fen)} {each.kind.zh}" for each in still)
        en = "; ".join(
            f"{each.lines:,} {'line' if each.lines == 1 else 'lines'} {grouped_yuan(each.fen)} {each.kind.en}"
            for each in still
        )
        raise BountyError(f"{period} can't be closed yet: {en}.", f"{period} 期还不能关账：{zh}。")
    notice = newest_notice(connection, period)
    assert notice is not None
    after = {"notice": notice.notice, "lines": notice.lines_rows, "subsidy_fen": notice.subsidy_fen}
    _write(connection, period, CLOSED, None, now, after)
    return True


def ask_reopening(connection: Connection, period: Period, reason: str, now: int) -> bool:
    """Ask that a closed period be opened again, for a second person to agree; False where that was requested already.

    Raises BountyError without a reason, and where it is not closed.
    """
    wait_for_turn(connection)
    last = newest_act(connection, period)
    # Where a request has no account, an account may ask again, for another to agree.
    may_ask_again = last is not None and last.user_id is None and actor_of(connection).user_id is not None
    if last is not None and last.act == REOPENING and not may_ask_again:
        return False
    if last is None or last.act == REOPENED:
        raise BountyError(
            f"{period} is not closed: there is nothing to reopen.", f"{period} 期没有关账，不必重新打开。"
        )
    if not reason.strip():
        raise BountyError("Reopening needs a reason.", "重新打开须写明理由。")
    _write(connection, period, REOPENING, reason.strip(), now)
    return True


def reopen(connection: Connection, period: Period, now: int, *, approval_required: bool) -> bool:
    """Open a closed period again, as another person requested; False where it is open, and nothing changes.

    Nobody's account stands for the command line without log-in: where approval is required that may not agree, and
    where it is not, it may both ask and agree.

    Raises BountyError where nobody has requested it, for whoever did, and where received rows of its month are
    archived.
    """
    wait_for_turn(connection)
    bounds = open_period(connection, period)
    last = newest_act(connection, period)
    if last is None or last.act == REOPENED:
        return False
    require_in_tables(connection, bounds.month_from, bounds.month_until)
    if last.act == CLOSED:
        raise BountyError(
            f"Nobody has asked to reopen {period}: ask with a reason, and let a second person agree.",
            f"还没有人申请重新打开 {period} 期：先写明理由申请，再由另一人同意。",
        )
    user_id = actor_of(connection).user_id
    if approval_required and (user_id is None or last.user_id is None):
        raise BountyError(
            "Reopening takes two accounts: log in to ask, and to agree.",
            "重新打开须由两个账号办理：请先登录。",
        )
    if user_id is not None and user_id == last.user_id:
        raise BountyError(
            "Whoever asked can't agree: let a second person reopen it.",
            "申请人不能自己同意：请由另一人打开。",
        )
    _write(connection, period, REOPENED, last.reason, now)
    return True


def _write(
    connection: Connection, period: Period, act: str, reason: str | None, now: int, after: object = None
) -> None:
    last = newest_act(connection, period)
    connection.execute(
        insert(PeriodClosing).values(
            period=str(period),
            number=1 if last is None else last.number + 1,
            act=act,
            reason=reason,
            user_id=actor_of(connection).user_id,
            acted_at=now,
        )
    )
    before = None if last is None else {"act": last.act}
    record(connection, ACTS[act], str(period), now, before=before, after=after, reason=reason)
