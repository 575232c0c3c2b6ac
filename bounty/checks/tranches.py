"""What must hold of tranches: queries whose rows break it, for ``bounty check``."""

import json
from collections import Counter
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, true, union_all

from bounty.db import Query, QueryRow, count_of
from bounty.models import AuditEvent, Notice, Payout, Settlement, Tranche, TrancheLine, TrancheStep
from bounty.rules.periods import programme_in_sql
from bounty.rules.sql_math import count_where, sum_or_zero
from bounty.tranches.entitlement import not_replaced
from bounty.tranches.files import content_sha256, lines_file, payouts_file
from bounty.tranches.state import LEAST_BOUND_FEN, is_due, newest_outcomes, of_payout

_ACTS = ("settlement.make", "notice.publish", "payout.prepare", "payout.approve", "payout.export")


def lines_make_payouts(connection: Connection) -> int:
    """Payouts whose lines are not theirs, that don't pay what is carried in and earned, or of no tranche; lines of no
    payout."""
    sums = (
        select(
            TrancheLine.promoter_id,
            TrancheLine.tranche_id,
            func.count().label("rows"),
            sum_or_zero(TrancheLine.__table__.c.amount_fen).label("fen"),
        )
        .group_by(TrancheLine.promoter_id, TrancheLine.tranche_id)
        .subquery("sums")
    )
    same = and_(sums.c.promoter_id == Payout.promoter_id, sums.c.tranche_id == Payout.tranche_id)
    net = Payout.carry_in_fen + Payout.lines_fen
    too_little = and_(Payout.payable_fen == 0, net < LEAST_BOUND_FEN, Payout.proposal_id.is_not(None))
    off = (
        select(Payout.promoter_id)
        .outerjoin(sums, same)
        .outerjoin(Tranche, Tranche.tranche_id == Payout.tranche_id)
        .where(
            or_(
                func.coalesce(sums.c.rows, 0) != Payout.lines_rows,
                func.coalesce(sums.c.fen, 0) != Payout.lines_fen,
                and_(Payout.payable_fen != case((net > 0, net), else_=0), ~too_little),
                Tranche.tranche_id.is_(None),
            )
        )
    )
    orphans = select(sums.c.promoter_id).outerjoin(Payout, same).where(Payout.promoter_id.is_(None))
    return count_of(connection, off) + count_of(connection, orphans)


def orders_paid_once(connection: Connection) -> int:
    """Orders whose lines in tranches in force take back more than they gave, were earned more than once, or cite
    another line than the first."""
    line = TrancheLine
    earned = line.cause == "EARNED"
    programme = programme_in_sql(line.period.expression)
    first = func.min(line.tranche_id).over(partition_by=(line.promoter_id, line.order_sn, programme))
    each = (
        select(
            line.promoter_id,
            line.order_sn,
            programme.label("programme"),
            line.amount_fen,
            earned.label("earned"),
            line.corrects_id,
            first.label("first_id"),
            line.tranche_id,
        )
        .where(not_replaced())
        .subquery("each_line")
        .c
    )
    cites = case(
        (
            each.tranche_id == each.first_id,
            and_(each.earned, each.corrects_id.is_(None), each.amount_fen > 0),
        ),
        else_=and_(~each.earned, each.corrects_id == each.first_id),
    )
    return count_of(
        connection,
        select(each.promoter_id, each.order_sn)
        .group_by(each.promoter_id, each.order_sn, each.programme)
        .having(or_(sum_or_zero(each.amount_fen) < 0, count_where(~func.coalesce(cites, False)) > 0)),
    )


def nothing_paid_twice(connection: Connection) -> int:
    """Promoters to whom more was paid than all their lines come to, and outcomes of what was not due.

    A promoter may owe us: what was paid, and then taken back.
    """
    outcome = newest_outcomes().subquery("outcome")
    same = of_payout(outcome)
    replaced = select(TrancheStep.tranche_id).where(TrancheStep.step == "REPLACED")
    stray = (
        select(Payout.promoter_id).join(outcome, same).where(or_(~is_due(), Payout.tranche_id.in_(replaced)))
    )
    given = select(TrancheLine.promoter_id, TrancheLine.amount_fen.label("fen")).where(
        not_replaced(), TrancheLine.amount_fen > 0
    )
    paid = (
        select(Payout.promoter_id, -Payout.payable_fen).join(outcome, same).where(outcome.c.paid.is_(true()))
    )
    side = union_all(given, paid).subquery("sides").c
    over = select(side.promoter_id).group_by(side.promoter_id).having(sum_or_zero(side.fen) < 0)
    return count_of(connection, stray) + count_of(connection, over)


def tranches_unchanged(connection: Connection) -> int:
    """Tranches whose files, made again from the rows, are not what was hashed when they were prepared; numbers that
    are missing, steps of no tranche, and more than one tranche that is open."""
    violations = 0
    for row in connection.execute(select(Tranche.__table__).order_by(Tranche.tranche_id)).all():
        lines, payouts = lines_file(connection, row.tranche_id), payouts_file(connection, row.tranche_id)
        for file in (lines, payouts):
            for _ in file:
                pass
        of_lines, of_payouts = lines.facts(), payouts.facts()
        content = content_sha256(row.settled_before, of_lines.sha256, of_payouts.sha256)
        violations += (
            (of_lines.rows, of_lines.sum_fen, of_lines.sha256),
            (of_payouts.rows, of_payouts.sum_fen, of_payouts.sha256),
            content,
        ) != (
            (row.lines_rows, row.lines_fen, row.lines_sha256),
            (row.payouts_rows, row.payable_fen, row.payouts_sha256),
            row.content_sha256,
        )
    gaps = (
        select(func.count())
        .having(or_(func.min(Tranche.tranche_id) != 1, func.max(Tranche.tranche_id) != func.count()))
        .select_from(Tranche)
    )
    strays = select(TrancheStep.tranche_id).where(TrancheStep.tranche_id.not_in(select(Tranche.tranche_id)))
    left = select(TrancheStep.tranche_id).where(TrancheStep.step.in_(("REPLACED", "EXPORTED")))
    still_open = select(Tranche.tranche_id).where(Tranche.tranche_id.not_in(left))
    return (
        violations
        + count_of(connection, gaps)
        + count_of(connection, strays)
        + max(0, count_of(connection, still_open) - 1)
    )


def made_as_recorded(connection: Connection) -> int:
    """Settlements, notices, tranches and their steps that the audit doesn't record as they are, and the other way
    round; steps of a tranche that are not numbered in turn."""
    recorded = Counter(_recorded(row) for row in connection.execute(_events()))
    less_recorded = {
        event[4] for event in recorded if event[0] == "settlement.make" and event[6:] == _NOT_RECORDED
    }
    made = Counter(each for rows in (_notices, _tranches, _steps) for each in rows(connection))
    made.update(_settlements(connection, less_recorded))
    out_of_turn = (
        select(TrancheStep.tranche_id)
        .group_by(TrancheStep.tranche_id)
        .having(or_(func.min(TrancheStep.number) != 1, func.max(TrancheStep.number) != func.count()))
    )
    unlike = sum((made - recorded).values()) + sum((recorded - made).values())
    return unlike + count_of(connection, out_of_turn)


_Made = Iterator[tuple[object, ...]]
"""Act, subject, when, by whom, and the facts that distinguish it."""


_NOT_RECORDED = ("not recorded", "not recorded")
"""Of an event of before 0.1, which did not record as of which batch a settlement was made and what waited then. An
event that records it must agree; that no event was changed since is proved by the chain."""


def _settlements(connection: Connection, less_recorded: set[object]) -> _Made:
    """less_recorded   settlements whose events are of before 0.1"""
    for row in connection.execute(select(Settlement.__table__)):
        as_of = _NOT_RECORDED if row.settlement_id in less_recorded else (row.as_of_batch_id, row.quarantined)
        what = (row.settlement_id, row.content_sha256, *as_of)
        yield "settlement.make", row.period, row.settled_at, row.prepared_by_id, *what


def _notices(connection: Connection) -> _Made:
    content = select(Notice.__table__, Settlement.content_sha256).outerjoin(
        Settlement, Settlement.settlement_id == Notice.settlement_id
    )
    for row in connection.execute(content):
        what = (row.settlement_id, row.content_sha256, row.notice)
        yield "notice.publish", row.period, row.published_at, *what


def _tranches(connection: Connection) -> _Made:
    for row in connection.execute(select(Tranche.__table__)):
        subject = f"tranche {row.tranche_id}"
        yield "payout.prepare", subject, row.prepared_at, row.prepared_by_id, row.content_sha256


def _steps(connection: Connection) -> _Made:
    acts = {"APPROVED": "payout.approve", "EXPORTED": "payout.export"}
    for row in connection.execute(select(TrancheStep.__table__).where(TrancheStep.step.in_(acts))):
        yield acts[row.step], f"tranche {row.tranche_id}", row.taken_at, row.user_id, row.content_sha256


def _events() -> Query:
    event = AuditEvent
    acts: ColumnElement[bool] = event.act.in_(_ACTS)
    return select(event.act, event.subject, event.happened_at, event.user_id, event.after).where(acts)


def _recorded(event: QueryRow) -> tuple[object, ...]:
    after = json.loads(event.after)
    key = (event.act, event.subject, event.happened_at)
    if event.act == "settlement.make":
        names = ("as_of_batch", "quarantined")
        as_of = tuple(after[name] for name in names) if set(names) <= after.keys() else _NOT_RECORDED
        return *key, event.user_id, after.get("settlement"), after.get("content_sha256"), *as_of
    if event.act == "notice.publish":
        return *key, after["settlement"], after["content_sha256"], after["notice"]
    return *key, event.user_id, after["content_sha256"]


INVARIANTS = {
    "lines-make-payouts": ("the lines of a tranche make its payouts, none below 0", lines_make_payouts),
    "orders-paid-once": ("no order earns twice, or gives back more than it got", orders_paid_once),
    "nothing-paid-twice": ("nobody was paid more than was given, nor what was not due", nothing_paid_twice),
    "tranches-unchanged": ("tranches still read as when they were prepared", tranches_unchanged),
    "made-as-recorded": (
        "the audit records every settlement, notice and tranche as it is",
        made_as_recorded,
    ),
}
