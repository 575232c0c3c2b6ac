"""A tranche: prepared from what is due, approved by a second person, exported, and paid when the payer says so.

What one is now is read from its steps and from what came of its payouts; no column can contradict them. One tranche is
open at a time. Lines stay where they are for ever: what is not paid, or was taken back beyond what is due, is carried
into the promoter's next payout.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
)

from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import Query, WholeNumber, analyze, wait_for_turn
from bounty.errors import BountyError
from bounty.models import (
    Payout,
    PayoutOutcome,
    Tranche,
    TrancheLine,
    TrancheStep,
    User,
)
from bounty.money import shown_yuan
from bounty.payout.deserved import judged_periods, standing, tranche_lines_due
from bounty.payout.files import content_sha256, lines_file, payouts_file
from bounty.payout.payees import payees_in_force
from bounty.rules.whole import count_where, total

STATES = {
    "prepared": ("待批准", "prepared"),
    "approved": ("已批准", "approved"),
    "exported": ("已导出，待回单", "exported"),
    "paid": ("已付清", "paid"),
    "replaced": ("已被替换", "replaced"),
}
"""What a tranche can be -> its words in Chinese and English."""


class NothingDue(BountyError):
    """There is nothing to make a tranche of."""


# Preparing


def prepare(connection: Connection, settled_before: int, now: int) -> tuple[Any, bool]:
    """Gather what is due into a tranche; its row, and whether it is a new one.

    On the same facts it is the same tranche, and nothing changes. On others a new one replaces the one that was not
    exported yet.

    settled_before   orders whose commission settled before this instant

    Raises NothingDue, and BountyError where the instant is yet to come or an exported tranche still waits for what came
    of its payouts.
    """
    wait_for_turn(connection)
    if settled_before > now:
        raise BountyError(
            f"{shown(settled_before)} is yet to come: what settles until then is not known.",
            f"{shown(settled_before)} 还没有到：届时会结算哪些订单尚不可知。",
        )
    before = open_tranche(connection)
    attempt = connection.begin_nested()
    drafted = _draft(connection, settled_before, before)
    if before is not None and before.content_sha256 == drafted["content_sha256"]:
        attempt.rollback()
        return before, False
    if not _says_anything(connection, drafted):
        attempt.rollback()
        raise NothingDue(
            f"Nothing new is due of what settled before {shown(settled_before)}.",
            f"{shown(settled_before)} 之前结算的订单中没有新的应付款。",
        )
    actor = actor_of(connection)
    connection.execute(insert(Tranche).values(**drafted, prepared_at=now, prepared_by_id=actor.user_id))
    if before is not None:
        _step(connection, before, "REPLACED", now)
    attempt.commit()
    made = tranche_of(connection, drafted["tranche_id"])
    record(
        connection,
        "payout.prepare",
        f"tranche {made.tranche_id}",
        now,
        before=None if before is None else summary_of(before),
        after=summary_of(made),
    )
    return made, True


def _draft(connection: Connection, settled_before: int, replacing: Any | None) -> dict[str, Any]:
    """Write the lines and payouts of the next tranche; the columns of its row."""
    but = None if replacing is None else replacing.tranche_id
    number = select(func.coalesce(func.max(Tranche.tranche_id), 0) + 1)
    tranche_id: int = connection.execute(number).scalar_one()
    due = tranche_lines_due(judged_periods(connection, settled_before), but)
    names = [*due.selected_columns.keys(), "tranche_id"]
    connection.execute(insert(TrancheLine).from_select(names, due.add_columns(literal(tranche_id))))
    analyze(connection, TrancheLine)
    payouts = _payouts(tranche_id, but)
    connection.execute(insert(Payout).from_select(payouts.selected_columns.keys(), payouts))
    analyze(connection, Payout)
    lines, people = lines_file(connection, tranche_id), payouts_file(connection, tranche_id)
    for rendering in (lines, people):
        for _ in rendering:
            pass
    of_lines, of_payouts = lines.facts(), people.facts()
    return {
        "tranche_id": tranche_id,
        "settled_before": settled_before,
        "lines_rows": of_lines.rows,
        "lines_fen": of_lines.sum_fen,
        "lines_sha256": of_lines.sha256,
        "payouts_rows": of_payouts.rows,
        "payable_fen": of_payouts.sum_fen,
        "payouts_sha256": of_payouts.sha256,
        "content_sha256": content_sha256(settled_before, of_lines.sha256, of_payouts.sha256),
    }


def _says_anything(connection: Connection, drafted: dict[str, Any]) -> bool:
    """Whether a tranche has lines, or pays what an earlier one could not."""
    due = select(Payout.promoter_id).where(Payout.tranche_id == drafted["tranche_id"], is_due()).limit(1)
    return bool(drafted["lines_rows"]) or connection.execute(due).first() is not None


def positions(but: int | None, before: int) -> Query:
    """What earlier tranches leave of each promoter: promoter_id, carry_fen: above 0 what was not paid, below 0 a debt.

    All lines of standing tranches before one, less what was paid of their payouts.
    """
    lines = select(TrancheLine.promoter_id, TrancheLine.amount_fen.label("fen")).where(
        standing(but), TrancheLine.tranche_id < before
    )
    outcome = newest_outcomes().subquery("outcome")
    paid = (
        select(Payout.promoter_id, -Payout.payable_fen)
        .join(
            outcome,
            and_(outcome.c.promoter_id == Payout.promoter_id, outcome.c.tranche_id == Payout.tranche_id),
        )
        .where(outcome.c.paid.is_(true()), Payout.tranche_id < before)
    )
    side = union_all(lines, paid).subquery("sides").c
    return select(side.promoter_id, total(side.fen).label("carry_fen")).group_by(side.promoter_id)


def _payouts(tranche_id: int, but: int | None) -> Query:
    """What each promoter with lines in a tranche, or with money that was not paid yet, gets in it."""
    own = select(
        TrancheLine.promoter_id,
        literal(0, WholeNumber).label("carry_fen"),
        TrancheLine.amount_fen.label("fen"),
        literal(1, WholeNumber).label("rows"),
    ).where(TrancheLine.tranche_id == tranche_id)
    carried = positions(but, tranche_id).subquery("carried").c
    left = select(carried.promoter_id, carried.carry_fen, literal(0, WholeNumber), literal(0, WholeNumber))
    side = union_all(own, left).subquery("sides").c
    carry, fen, rows = total(side.carry_fen), total(side.fen), total(side.rows)
    each = (
        select(
            side.promoter_id,
            carry.label("carry_in_fen"),
            rows.label("lines_rows"),
            fen.label("lines_fen"),
            case((carry + fen > 0, carry + fen), else_=0).label("payable_fen"),
        )
        .group_by(side.promoter_id)
        .having(or_(rows > 0, carry > 0))
        .subquery("each_promoter")
    )
    payee = payees_in_force().subquery("payee")
    return select(
        each.c.promoter_id,
        literal(tranche_id).label("tranche_id"),
        each.c.carry_in_fen,
        each.c.lines_rows,
        each.c.lines_fen,
        each.c.payable_fen,
        payee.c.proposal_id,
    ).outerjoin_from(each, payee, payee.c.promoter_id == each.c.promoter_id)


# Where a tranche stands


def is_due() -> ColumnElement[bool]:
    """Whether a payout is to be paid: above 0, to somebody."""
    return and_(Payout.payable_fen > 0, Payout.proposal_id.is_not(None))


def newest_outcomes() -> Query:
    """What came of each payout, at last: promoter_id, tranche_id, number, paid, reason."""
    newest = (
        select(
            PayoutOutcome.promoter_id,
            PayoutOutcome.tranche_id,
            func.max(PayoutOutcome.number).label("number"),
        )
        .group_by(PayoutOutcome.promoter_id, PayoutOutcome.tranche_id)
        .subquery("newest")
    )
    return select(
        PayoutOutcome.promoter_id,
        PayoutOutcome.tranche_id,
        PayoutOutcome.number,
        PayoutOutcome.paid,
        PayoutOutcome.reason,
    ).join(
        newest,
        and_(
            newest.c.promoter_id == PayoutOutcome.promoter_id,
            newest.c.tranche_id == PayoutOutcome.tranche_id,
            newest.c.number == PayoutOutcome.number,
        ),
    )


def every_tranche() -> Query:
    """Each tranche with its columns and: replaced and exported (1 or 0), approvals (of its content, by others than its
    preparer), promoters_due, due_fen, held, held_fen, paid, paid_fen, failed, waiting (due payouts without an outcome),
    state (a key of STATES)."""
    outcome = newest_outcomes().subquery("outcome")
    due = is_due()
    held = and_(Payout.payable_fen > 0, Payout.proposal_id.is_(None))
    counts = (
        select(
            Payout.tranche_id,
            count_where(due).label("promoters_due"),
            total(case((due, Payout.payable_fen), else_=0)).label("due_fen"),
            count_where(held).label("held"),
            total(case((held, Payout.payable_fen), else_=0)).label("held_fen"),
            count_where(outcome.c.paid.is_(true())).label("paid"),
            total(case((outcome.c.paid.is_(true()), Payout.payable_fen), else_=0)).label("paid_fen"),
            count_where(outcome.c.paid.is_(false())).label("failed"),
            count_where(and_(due, outcome.c.paid.is_(None))).label("waiting"),
            total(Payout.__table__.c.carry_in_fen).label("carry_in_fen"),
        )
        .outerjoin(
            outcome,
            and_(outcome.c.promoter_id == Payout.promoter_id, outcome.c.tranche_id == Payout.tranche_id),
        )
        .group_by(Payout.tranche_id)
        .subquery("counts")
    )
    steps = (
        select(
            TrancheStep.tranche_id,
            count_where(TrancheStep.step == "REPLACED").label("replaced"),
            count_where(TrancheStep.step == "EXPORTED").label("exported"),
            count_where(
                and_(
                    TrancheStep.step == "APPROVED",
                    TrancheStep.content_sha256 == Tranche.content_sha256,
                    TrancheStep.user_id != func.coalesce(Tranche.prepared_by_id, 0),
                )
            ).label("approvals"),
        )
        .join(Tranche, Tranche.tranche_id == TrancheStep.tranche_id)
        .group_by(TrancheStep.tranche_id)
        .subquery("steps")
    )
    replaced, exported, approvals = (
        func.coalesce(steps.c[name], 0) for name in ("replaced", "exported", "approvals")
    )
    needed = case((Tranche.prepared_by_id.is_(None), 2), else_=1)
    return (
        select(
            Tranche.__table__,
            replaced.label("replaced"),
            exported.label("exported"),
            approvals.label("approvals"),
            *(column for column in counts.c if column.name != "tranche_id"),
            case(
                (replaced > 0, "replaced"),
                (and_(exported > 0, counts.c.waiting == 0), "paid"),
                (exported > 0, "exported"),
                (approvals >= needed, "approved"),
                else_="prepared",
            ).label("state"),
        )
        .join(counts, counts.c.tranche_id == Tranche.tranche_id)
        .outerjoin(steps, steps.c.tranche_id == Tranche.tranche_id)
    )


def tranche_of(connection: Connection, tranche_id: int) -> Any:
    """One tranche, as ``every_tranche`` has it.

    Raises BountyError if there is none.
    """
    found = connection.execute(every_tranche().where(Tranche.tranche_id == tranche_id)).first()
    if found is None:
        raise BountyError(
            f"There is no tranche {tranche_id}: `bounty payout list` shows them.", f"没有批次 {tranche_id}。"
        )
    return found


def open_tranche(connection: Connection) -> Any | None:
    """The tranche that is prepared or approved and not exported yet; null where there is none.

    Raises BountyError where an exported one still waits for what came of its payouts.
    """
    newest = connection.execute(every_tranche().order_by(Tranche.tranche_id.desc()).limit(1)).first()
    if newest is not None and newest.state == "exported":
        raise BountyError(
            f"Tranche {newest.tranche_id} is exported, and {newest.waiting} of its payouts wait for an answer: take in "
            "the payer's receipt, or mark them, before the next is prepared.",
            f"批次 {newest.tranche_id} 已导出，还有 {newest.waiting} 笔没有付款结果："
            "先导入回单或逐笔标记，再准备下一批。",
        )
    return newest if newest is not None and newest.state in ("prepared", "approved") else None


def summary_of(tranche: Any) -> dict[str, object]:
    """What the audit keeps of a tranche."""
    return {
        "tranche": tranche.tranche_id,
        "settled_before": shown(tranche.settled_before),
        "lines": tranche.lines_rows,
        "lines_fen": tranche.lines_fen,
        "payable_fen": tranche.payable_fen,
        "content_sha256": tranche.content_sha256,
    }


# The second person, and the file


def approvals_of(connection: Connection, tranche: Any) -> list[Any]:
    """Who approved a tranche as it is: user_id, name, email, taken_at; the earliest first."""
    return list(
        connection.execute(
            select(User.id.label("user_id"), User.name, User.email, TrancheStep.taken_at)
            .join(TrancheStep, TrancheStep.user_id == User.id)
            .where(
                TrancheStep.tranche_id == tranche.tranche_id,
                TrancheStep.step == "APPROVED",
                TrancheStep.content_sha256 == tranche.content_sha256,
                TrancheStep.user_id != func.coalesce(tranche.prepared_by_id, 0),
            )
            .order_by(TrancheStep.number)
        )
    )


def approvals_needed(tranche: Any) -> int:
    """How many accounts must approve: one beside its preparer's; two where nobody who is logged in prepared it."""
    return 1 if tranche.prepared_by_id is not None else 2


def approve(connection: Connection, tranche_id: int, content_sha256: str, now: int) -> None:
    """Stand for the open tranche, as it was shown; again: nothing changes.

    tranche_id, content_sha256   what the person saw

    Raises BountyError for its preparer, for who has no account, and where it is no longer what was seen, or what is
    due.
    """
    wait_for_turn(connection)
    actor = actor_of(connection)
    if actor.user_id is None:
        raise BountyError("An approval needs an account: log in to approve.", "批准需要账号：请先登录。")
    tranche = open_tranche(connection)
    if tranche is None or (tranche.tranche_id, tranche.content_sha256) != (tranche_id, content_sha256):
        raise BountyError(
            f"Tranche {tranche_id} is no longer the open one as you saw it: look at it again before approving.",
            f"批次 {tranche_id} 已不是您看到的样子：请重新查看后再批准。",
        )
    if tranche.prepared_by_id == actor.user_id:
        raise BountyError(
            "Whoever prepared a tranche can't approve it: let a second person look at it.",
            "准备批次的人不能批准它：请由另一人复核。",
        )
    require_unchanged(connection, tranche)
    if any(one.user_id == actor.user_id for one in approvals_of(connection, tranche)):
        return
    _step(connection, tranche, "APPROVED", now)
    record(connection, "payout.approve", f"tranche {tranche_id}", now, after=summary_of(tranche))


def require_unchanged(connection: Connection, tranche: Any) -> None:
    """Raises BountyError where preparing the open tranche again would not give the same: an order has failed since, a
    payee or a notice has changed."""
    attempt = connection.begin_nested()
    drafted = _draft(connection, tranche.settled_before, tranche)
    attempt.rollback()
    if drafted["content_sha256"] != tranche.content_sha256:
        then, now = shown_yuan(tranche.payable_fen), shown_yuan(drafted["payable_fen"])
        raise BountyError(
            f"What is due is no longer what tranche {tranche.tranche_id} holds (¥{then} then, ¥{now} now): "
            "prepare it again.",
            f"应付款已与批次 {tranche.tranche_id} 不同（当时 ¥{then}，现在 ¥{now}）：请重新准备。",
        )


def export_begins(connection: Connection, tranche_id: int, now: int, *, approval_required: bool) -> Any:
    """Let a tranche leave for the payer, and remember that it did; its row. Again: nothing changes.

    Raises BountyError if it was replaced, lacks an approval it needs, or is no longer what is due.
    """
    wait_for_turn(connection)
    tranche = tranche_of(connection, tranche_id)
    if tranche.state == "replaced":
        raise BountyError(
            f"Tranche {tranche_id} was replaced by a later one: export that.",
            f"批次 {tranche_id} 已被后来的批次替换。",
        )
    if tranche.exported:
        return tranche
    missing = approvals_needed(tranche) - len(approvals_of(connection, tranche))
    if approval_required and missing > 0:
        accounts = "a second account" if missing == 1 else f"{missing} accounts"
        raise BountyError(
            f"Tranche {tranche_id} needs the approval of {accounts} that did not prepare it "
            "(setting require_approval).",
            f"批次 {tranche_id} 还差 {missing} 个账号批准，准备的人本人不算。",
        )
    require_unchanged(connection, tranche)
    _step(connection, tranche, "EXPORTED", now)
    record(connection, "payout.export", f"tranche {tranche_id}", now, after=summary_of(tranche))
    return tranche_of(connection, tranche_id)


def _step(connection: Connection, tranche: Any, step: str, now: int) -> None:
    number = select(func.coalesce(func.max(TrancheStep.number), 0) + 1).where(
        TrancheStep.tranche_id == tranche.tranche_id
    )
    connection.execute(
        insert(TrancheStep).values(
            tranche_id=tranche.tranche_id,
            number=connection.execute(number).scalar_one(),
            step=step,
            user_id=actor_of(connection).user_id,
            content_sha256=tranche.content_sha256,
            taken_at=now,
        )
    )
