"""Preparing a tranche: what is due, gathered into lines and payouts.

Lines stay where they are for ever: what is not paid, or was taken back beyond what is due, is carried into the
promoter's next payout.
"""

from dataclasses import asdict

from sqlalchemy import Connection, and_, case, func, insert, literal, or_, select, true, union_all

from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import Query, WholeNumber, analyze, wait_for_turn
from bounty.errors import BountyError
from bounty.models import Payout, Tranche, TrancheLine
from bounty.payees.service import payees_in_force
from bounty.rules.sql_math import sum_or_zero
from bounty.tranches.departures import require_number_free
from bounty.tranches.entitlement import not_replaced, published_periods, tranche_lines_due
from bounty.tranches.files import content_sha256, lines_file, payouts_file
from bounty.tranches.state import (
    DraftedTranche,
    TrancheRow,
    is_due,
    newest_outcomes,
    of_payout,
    open_tranche,
    record_step,
    summary_of,
    tranche_of,
)


class NothingDue(BountyError):
    """There is nothing to make a tranche of."""


def prepare(
    connection: Connection, settled_before: int, now: int, alipay_least_fen: int = 0
) -> tuple[TrancheRow, bool]:
    """Gather what is due into a tranche; its row, and whether it is a new one.

    On the same facts it is the same tranche, and nothing changes. On others a new one replaces the one that was not
    exported yet.

    settled_before     orders whose commission settled before this instant
    alipay_least_fen   the least that Alipay transfers: less is carried on

    Raises NothingDue, and BountyError where the instant is yet to come or an exported tranche still waits for
    outcomes of its payouts.
    """
    wait_for_turn(connection)
    if settled_before > now:
        raise BountyError(
            f"{shown(settled_before)} is yet to come: what settles until then is not known.",
            f"{shown(settled_before)} 还没有到：届时会结算哪些订单尚不可知。",
        )
    before = open_tranche(connection)
    attempt = connection.begin_nested()
    drafted = prepare_draft(connection, settled_before, before, alipay_least_fen)
    if before is not None and before.content_sha256 == drafted.content_sha256:
        attempt.rollback()
        return before, False
    if not _has_content(connection, drafted):
        attempt.rollback()
        raise NothingDue(
            f"No newly settled orders before {shown(settled_before)}.",
            f"{shown(settled_before)} 之前结算的订单中没有新的应付款。",
        )
    require_number_free(connection, drafted)
    actor = actor_of(connection)
    connection.execute(
        insert(Tranche).values(**asdict(drafted), prepared_at=now, prepared_by_id=actor.user_id)
    )
    if before is not None:
        record_step(connection, before, "REPLACED", now)
    attempt.commit()
    made = tranche_of(connection, drafted.tranche_id)
    record(
        connection,
        "payout.prepare",
        f"tranche {made.tranche_id}",
        now,
        before=None if before is None else summary_of(before),
        after=summary_of(made),
    )
    return made, True


def prepare_draft(
    connection: Connection, settled_before: int, replacing: TrancheRow | None, alipay_least_fen: int = 0
) -> DraftedTranche:
    """Write the lines and payouts of the next tranche."""
    but = None if replacing is None else replacing.tranche_id
    number = select(func.coalesce(func.max(Tranche.tranche_id), 0) + 1)
    tranche_id: int = connection.execute(number).scalar_one()
    due = tranche_lines_due(published_periods(connection, settled_before), but)
    names = [*due.selected_columns.keys(), "tranche_id"]
    connection.execute(insert(TrancheLine).from_select(names, due.add_columns(literal(tranche_id))))
    analyze(connection, TrancheLine)
    payouts = _payouts(tranche_id, but, alipay_least_fen)
    connection.execute(insert(Payout).from_select(payouts.selected_columns.keys(), payouts))
    analyze(connection, Payout)
    lines, people = lines_file(connection, tranche_id), payouts_file(connection, tranche_id)
    for rendering in (lines, people):
        for _ in rendering:
            pass
    of_lines, of_payouts = lines.facts(), people.facts()
    return DraftedTranche(
        tranche_id=tranche_id,
        settled_before=settled_before,
        lines_rows=of_lines.rows,
        lines_fen=of_lines.sum_fen,
        lines_sha256=of_lines.sha256,
        payouts_rows=of_payouts.rows,
        payable_fen=of_payouts.sum_fen,
        payouts_sha256=of_payouts.sha256,
        content_sha256=content_sha256(settled_before, of_lines.sha256, of_payouts.sha256),
    )


def _has_content(connection: Connection, drafted: DraftedTranche) -> bool:
    """Whether a tranche has lines, or pays what an earlier one could not."""
    due = select(Payout.promoter_id).where(Payout.tranche_id == drafted.tranche_id, is_due()).limit(1)
    return bool(drafted.lines_rows) or connection.execute(due).first() is not None


def carried_balances(but: int | None, before: int) -> Query:
    """What earlier tranches leave of each promoter: promoter_id, carry_fen: above 0 what was not paid, below 0 a debt.

    All lines of tranches in force before one, less what was paid of their payouts.
    """
    lines = select(TrancheLine.promoter_id, TrancheLine.amount_fen.label("fen")).where(
        not_replaced(but), TrancheLine.tranche_id < before
    )
    outcome = newest_outcomes().subquery("outcome")
    paid = (
        select(Payout.promoter_id, -Payout.payable_fen)
        .join(outcome, of_payout(outcome))
        .where(outcome.c.paid.is_(true()), Payout.tranche_id < before)
    )
    side = union_all(lines, paid).subquery("sides").c
    return select(side.promoter_id, sum_or_zero(side.fen).label("carry_fen")).group_by(side.promoter_id)


def _payouts(tranche_id: int, but: int | None, alipay_least_fen: int) -> Query:
    """What each promoter with lines in a tranche, or with money that was not paid yet, gets in it; nothing where the
    payer would not transfer so little, and then it is carried on."""
    own = select(
        TrancheLine.promoter_id,
        literal(0, WholeNumber).label("carry_fen"),
        TrancheLine.amount_fen.label("fen"),
        literal(1, WholeNumber).label("rows"),
    ).where(TrancheLine.tranche_id == tranche_id)
    carried = carried_balances(but, tranche_id).subquery("carried").c
    left = select(carried.promoter_id, carried.carry_fen, literal(0, WholeNumber), literal(0, WholeNumber))
    side = union_all(own, left).subquery("sides").c
    carry, fen, rows = sum_or_zero(side.carry_fen), sum_or_zero(side.fen), sum_or_zero(side.rows)
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
    too_little = and_(payee.c.method == "alipay", each.c.payable_fen < alipay_least_fen)
    return select(
        each.c.promoter_id,
        literal(tranche_id).label("tranche_id"),
        each.c.carry_in_fen,
        each.c.lines_rows,
        each.c.lines_fen,
        case((too_little, 0), else_=each.c.payable_fen).label("payable_fen"),
        payee.c.proposal_id,
    ).outerjoin_from(each, payee, payee.c.promoter_id == each.c.promoter_id)
