"""The state of a tranche, computed from its steps and from its payouts' outcomes; no column can contradict them. One
tranche is open at a time.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, false, func, insert, select, true

from bounty.audit.service import actor_of
from bounty.clock import shown
from bounty.db import Query, fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.labels import LabelledCode
from bounty.models import Payout, PayoutOutcome, Tranche, TrancheStep
from bounty.rules.sql_math import count_where, sum_or_zero


class TrancheState(LabelledCode):
    """Where a tranche stands; computed from its steps and its payouts."""

    PREPARED = "prepared", "待批准", "prepared"
    APPROVED = "approved", "已批准", "approved"
    EXPORTED = "exported", "已导出，待回单", "exported"
    PAID = "paid", "已付清", "paid"
    REPLACED = "replaced", "已被替换", "replaced"


@dataclass(frozen=True, slots=True)
class DraftedTranche:
    """What a tranche that is being prepared comes to: columns of its row."""

    tranche_id: int
    settled_before: int
    lines_rows: int
    lines_fen: int
    lines_sha256: str
    payouts_rows: int
    payable_fen: int
    payouts_sha256: str
    content_sha256: str


@dataclass(frozen=True, slots=True)
class TrancheRow(DraftedTranche):
    """A tranche with what its steps and its payouts come to."""

    prepared_at: int
    prepared_by_id: int | None
    replaced: int
    """1 or 0."""
    exported: int
    """1 or 0."""
    approvals: int
    """Of its content, by others than its preparer."""
    promoters_due: int
    due_fen: int
    held: int
    held_fen: int
    paid: int
    paid_fen: int
    failed: int
    waiting: int
    """Payouts that are due, and have no outcome yet."""
    carry_in_fen: int
    state: str
    """One of TrancheState."""

    @property
    def is_open(self) -> bool:
        """Whether it is prepared or approved, and not exported yet."""
        return self.state in ("prepared", TrancheState.APPROVED.value)


LEAST_BOUND_FEN = 100
"""No payer's least amount is above it: a payable amount below it may be carried on for being too little."""


def is_due() -> ColumnElement[bool]:
    """Whether a payout is to be paid: above 0, to somebody."""
    return and_(Payout.payable_fen > 0, Payout.proposal_id.is_not(None))


def is_held() -> ColumnElement[bool]:
    """Whether a payout waits for somebody to pay it to."""
    return and_(Payout.payable_fen > 0, Payout.proposal_id.is_(None))


def newest_outcomes() -> Query:
    """The newest outcome of each payout: the columns of ``payout_outcomes``."""
    newest = (
        select(
            PayoutOutcome.promoter_id,
            PayoutOutcome.tranche_id,
            func.max(PayoutOutcome.number).label("number"),
        )
        .group_by(PayoutOutcome.promoter_id, PayoutOutcome.tranche_id)
        .subquery("newest_number")
    )
    return select(PayoutOutcome.__table__).join(
        newest,
        and_(
            newest.c.promoter_id == PayoutOutcome.promoter_id,
            newest.c.tranche_id == PayoutOutcome.tranche_id,
            newest.c.number == PayoutOutcome.number,
        ),
    )


def of_payout(rows: FromClause) -> ColumnElement[bool]:
    """Whether rows, which have promoter_id and tranche_id, are of a payout."""
    return and_(rows.c.promoter_id == Payout.promoter_id, rows.c.tranche_id == Payout.tranche_id)


def every_tranche() -> Query:
    """Each tranche, as ``TrancheRow``."""
    outcome = newest_outcomes().subquery("outcome")
    due, held = is_due(), is_held()
    counts = (
        select(
            Payout.tranche_id,
            count_where(due).label("promoters_due"),
            sum_or_zero(case((due, Payout.payable_fen), else_=0)).label("due_fen"),
            count_where(held).label("held"),
            sum_or_zero(case((held, Payout.payable_fen), else_=0)).label("held_fen"),
            count_where(outcome.c.paid.is_(true())).label("paid"),
            sum_or_zero(case((outcome.c.paid.is_(true()), Payout.payable_fen), else_=0)).label("paid_fen"),
            count_where(outcome.c.paid.is_(false())).label("failed"),
            count_where(and_(due, outcome.c.paid.is_(None))).label("waiting"),
            sum_or_zero(Payout.__table__.c.carry_in_fen).label("carry_in_fen"),
        )
        .outerjoin(outcome, of_payout(outcome))
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
                (replaced > 0, TrancheState.REPLACED.value),
                (and_(exported > 0, counts.c.waiting == 0), TrancheState.PAID.value),
                (exported > 0, TrancheState.EXPORTED.value),
                (approvals >= needed, TrancheState.APPROVED.value),
                else_=TrancheState.PREPARED.value,
            ).label("state"),
        )
        .join(counts, counts.c.tranche_id == Tranche.tranche_id)
        .outerjoin(steps, steps.c.tranche_id == Tranche.tranche_id)
    )


def tranches(connection: Connection) -> list[TrancheRow]:
    """Every tranche, the newest first."""
    return fetch_all(connection, every_tranche().order_by(Tranche.tranche_id.desc()), TrancheRow)


def newest_tranche(connection: Connection) -> TrancheRow | None:
    """The newest tranche; null where there is none."""
    newest = every_tranche().order_by(Tranche.tranche_id.desc()).limit(1)
    return fetch_first(connection, newest, TrancheRow)


def newest_tranches(connection: Connection, many: int) -> list[int]:
    """The numbers of so many of the newest tranches, the newest first."""
    newest = select(Tranche.tranche_id).order_by(Tranche.tranche_id.desc()).limit(many)
    return list(connection.execute(newest).scalars())


def tranche_of(connection: Connection, tranche_id: int) -> TrancheRow:
    """One tranche.

    Raises BountyError if there is none.
    """
    found = fetch_first(connection, every_tranche().where(Tranche.tranche_id == tranche_id), TrancheRow)
    if found is None:
        raise BountyError(
            f"There is no tranche {tranche_id}: `bounty payout list` shows them.", f"没有批次 {tranche_id}。"
        )
    return found


def is_tranche(connection: Connection, tranche_id: int) -> bool:
    """Whether there is a tranche of this number."""
    tranche = select(Tranche.tranche_id).where(Tranche.tranche_id == tranche_id)
    return connection.execute(tranche).first() is not None


def has_payout(connection: Connection, tranche_id: int, promoter_id: int) -> bool:
    """Whether a tranche pays a promoter, or is to."""
    payout = select(Payout.promoter_id).where(
        Payout.promoter_id == promoter_id, Payout.tranche_id == tranche_id
    )
    return connection.execute(payout).first() is not None


def open_tranche(connection: Connection) -> TrancheRow | None:
    """The tranche that is prepared or approved and not exported yet; null where there is none.

    Raises BountyError where an exported one still waits for outcomes of its payouts.
    """
    newest = newest_tranche(connection)
    if newest is not None and newest.state == TrancheState.EXPORTED:
        raise BountyError(
            f"Tranche {newest.tranche_id} is exported, and {newest.waiting} of its payouts wait for an answer: take in "
            "the payer's receipt, or mark them, before the next is prepared.",
            f"批次 {newest.tranche_id} 已导出，还有 {newest.waiting} 笔没有付款结果："
            "先导入回单或逐笔标记，再准备下一批。",
        )
    return newest if newest is not None and newest.is_open else None


def summary_of(tranche: TrancheRow) -> dict[str, object]:
    """What the audit keeps of a tranche."""
    return {
        "tranche": tranche.tranche_id,
        "settled_before": shown(tranche.settled_before),
        "lines": tranche.lines_rows,
        "lines_fen": tranche.lines_fen,
        "payable_fen": tranche.payable_fen,
        "content_sha256": tranche.content_sha256,
    }


def record_step(connection: Connection, tranche: TrancheRow, step: str, now: int) -> None:
    """Keep what was done with a tranche, by whoever acts."""
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
