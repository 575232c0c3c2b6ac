"""The two files of a tranche, to the byte: what is hashed, approved, exported and checked is the same.

Neither says the tranche's number: they are what an approval stands for, and a tranche prepared again on the same facts
is the same one.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, SQLColumnExpression, Text, and_, case, cast, literal, select

from bounty.clock import shown
from bounty.db import Query
from bounty.models import Notice, Payee, Payout, TrancheLine
from bounty.money import ShownYuan
from bounty.rules.sql_math import by_bytes
from bounty.settlement.files import Rendering, inert, parts_of
from bounty.tranches.state import is_held

_LineCells = tuple[int, str, str, int, str, int | None, int]
_PayoutCells = tuple[
    int, str, str | None, str | None, str | None, str | None, int | None, int, int, int, int, int
]
LINES = "tranche_lines.csv"
PAYOUTS = "payouts.csv"
LINES_HEADER = "promoter_id,order_sn,period,notice,cause,corrects_tranche,amount_yuan\r\n"
PAYOUTS_HEADER = (
    "promoter_id,state,reason,method,account,payee_name,payee_proposal,carry_in_yuan,lines,lines_yuan,"
    "carry_out_yuan,payable_yuan\r\n"
)
NO_PAYEE = "NO_PAYEE"
"""Why a payout is held."""
BELOW_LEAST = "BELOW_LEAST"
"""Why a payout above 0 is carried on: it is below the payer's least amount."""


def content_sha256(settled_before: int, lines_sha256: str, payouts_sha256: str) -> str:
    """The hash of a tranche's content, which anyone can make from its manifest."""
    text = f"{shown(settled_before)}\n{lines_sha256}\n{payouts_sha256}\n"
    return hashlib.sha256(text.encode()).hexdigest()


class TrancheLineRow(NamedTuple):
    """A row of tranche_lines.csv."""

    promoter_id: int
    order_sn: str
    period: str
    notice: int
    cause: str
    corrects_id: int | None
    amount_fen: int


class PayoutRow(NamedTuple):
    """A row of payouts.csv."""

    promoter_id: int
    state: str
    """DUE; HELD, with its reason; or CARRIED, with one where the amount is below the payer's least."""
    reason: str | None
    method: str | None
    """Null, as the next three, without a payee."""
    shown_account: str | None
    shown_name: str | None
    proposal_id: int | None
    carry_in_fen: int
    lines_rows: int
    lines_fen: int
    carry_out_fen: int
    payable_fen: int


def lines_of(tranche_id: int) -> Query:
    """The rows of tranche_lines.csv, as ``TrancheLineRow``, in its order."""
    return (
        select(
            TrancheLine.promoter_id,
            TrancheLine.order_sn,
            TrancheLine.period,
            Notice.notice,
            TrancheLine.cause,
            TrancheLine.corrects_id,
            TrancheLine.amount_fen,
        )
        .join(Notice, Notice.settlement_id == TrancheLine.settlement_id)
        .where(TrancheLine.tranche_id == tranche_id)
        .order_by(TrancheLine.promoter_id, TrancheLine.order_sn, TrancheLine.period)
    )


def payouts_of(tranche_id: int) -> Query:
    """The rows of payouts.csv, as ``PayoutRow``, in its order."""
    net = Payout.carry_in_fen + Payout.lines_fen
    held = is_held()
    return (
        select(
            Payout.promoter_id,
            case((held, "HELD"), (Payout.payable_fen > 0, "DUE"), else_="CARRIED").label("state"),
            case((held, NO_PAYEE), (and_(net > 0, Payout.payable_fen == 0), BELOW_LEAST)).label("reason"),
            Payee.method,
            Payee.shown_account,
            Payee.shown_name,
            Payout.proposal_id,
            Payout.carry_in_fen,
            Payout.lines_rows,
            Payout.lines_fen,
            (net - Payout.payable_fen).label("carry_out_fen"),
            Payout.payable_fen,
        )
        .outerjoin(
            Payee, and_(Payee.promoter_id == Payout.promoter_id, Payee.proposal_id == Payout.proposal_id)
        )
        .where(Payout.tranche_id == tranche_id)
        .order_by(Payout.promoter_id)
    )


def lines_file(connection: Connection, tranche_id: int) -> Rendering:
    """tranche_lines.csv: what each order gives or takes back. Its cells are words of ours, none needs quoting."""
    yuan = ShownYuan()

    def render(rows: Sequence[_LineCells]) -> str:
        return "".join(
            [
                f"{promoter_id},{order_sn},{period},{notice},{cause},{corrects or ''},{yuan[fen]}\r\n"
                for promoter_id, order_sn, period, notice, cause, corrects, fen in rows
            ]
        )

    parts = parts_of(connection, lines_of(tranche_id))
    return Rendering(LINES, LINES_HEADER, parts, render)


def payouts_file(connection: Connection, tranche_id: int) -> Rendering:
    """payouts.csv: what each promoter gets, and why where it is nothing."""
    yuan = ShownYuan()

    def cells(row: _PayoutCells) -> tuple[str | int | None, ...]:
        (
            promoter_id,
            state,
            reason,
            method,
            account,
            name,
            proposal,
            carry_in,
            rows,
            fen,
            carry_out,
            payable,
        ) = row
        whom = (method, inert(account or ""), inert(name or ""), proposal)
        return (
            promoter_id, state, reason, *whom, yuan[carry_in], rows, yuan[fen], yuan[carry_out], yuan[payable]
        )  # fmt: skip

    def render(rows: Sequence[_PayoutCells]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(map(cells, rows))
        return text.getvalue()

    parts = parts_of(connection, payouts_of(tranche_id))
    return Rendering(PAYOUTS, PAYOUTS_HEADER, parts, render)


def payout_id(tranche_id: int, promoter_id: int) -> str:
    """What people and payers know a payout by.

    >>> payout_id(3, 1000939)
    'P3-1000939'
    """
    return f"P{tranche_id}-{promoter_id}"


def payout_id_in_sql(
    tranche_id: SQLColumnExpression[int], promoter_id: SQLColumnExpression[int]
) -> ColumnElement[str]:
    """``payout_id`` of two columns."""
    number, promoter = cast(tranche_id, Text), cast(promoter_id, Text)
    # Cast, so that SQLite can search it: a concatenation has no type there.
    return by_bytes(cast(literal("P").concat(number).concat(literal("-")).concat(promoter), Text))
