"""Payouts that were exported to a payer, with what is known of each: a receipt or a person may report their results."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select
from sqlalchemy.orm import aliased

from bounty.db import Query, fetch_all
from bounty.errors import BountyError
from bounty.models import Payee, Payout, ReceiptRow, TrancheStep
from bounty.models.payment_results import MATCHED
from bounty.payees.encryption import PayeeCipher, masked_account, masked_name
from bounty.payment_results.files import PaymentResultRow
from bounty.payment_results.matching import (
    KnownPayouts,
    ReportedPayment,
    RequestedPayout,
    account_alike,
    alike,
    masked,
)
from bounty.tranches.files import payout_id
from bounty.tranches.state import is_due, newest_outcomes, of_payout

Opened = tuple[str | None, str | None]
"""Account and name in plain; nulls where they were not requested."""
_ID = re.compile(r"P([1-9][0-9]{0,8})-([1-9][0-9]{0,14})")


class PayoutFacts(NamedTuple):
    """A payout with its payee, and what is known of its payment."""

    promoter_id: int
    tranche_id: int
    payable_fen: int
    proposal_id: int | None
    """Null, as the next three, without a payee."""
    shown_account: str | None
    shown_name: str | None
    secret: bytes | None
    step: str | None
    """Null if it was not exported."""
    paid: bool | None
    """Of the newest outcome, as the next two."""
    number: int | None
    serial: str | None
    carried_into: int | None
    """The exported tranche into which it was carried if it was not paid."""


def ids_of(payout: str) -> tuple[int, int]:
    """The tranche and the promoter of a payout's id.

    Raises BountyError for what is none.

    >>> ids_of("P3-1000939")
    (3, 1000939)
    """
    if not (found := _ID.fullmatch(payout)):
        raise BountyError(
            f"{payout!r} is not a payout: write its id as P3-1000939.",
            f"{payout!r} 不是付款编号：应写成 P3-1000939。",
        )
    return int(found[1]), int(found[2])


def known_to(
    connection: Connection, rows: Sequence[PaymentResultRow], seal: PayeeCipher, held: dict[int, str]
) -> KnownPayouts:
    """The payouts that rows of a receipt are compared with: those that they name, and those of the amount of a row that
    names none, to an account of the same mask or to a name with the same beginning.

    held   place -> payout, where the same was taken in before and the row was matched
    """
    accounts = {
        alike(masked_account(account_alike(row.account)))
        for row in rows
        if row.account and not masked(row.account)
    }
    beginnings = {
        masked_name(alike(row.name))[:1]
        for row in rows
        if row.name and masked(row.account) and not masked(row.name)
    }
    reported = _reported_so_far(connection, {row.amount_fen for row in rows})

    def is_like(row: PayoutFacts) -> bool:
        return alike(row.shown_account) in accounts or alike(row.shown_name)[:1] in beginnings

    def opened(row: PayoutFacts) -> Opened:
        if not is_like(row):
            return None, None
        assert row.proposal_id is not None, "a payout without a payee is like none"
        assert row.secret is not None
        details = seal.open(row.promoter_id, row.proposal_id, row.secret)
        return details.account, details.payee_name

    ids = {payout for row in rows for payout in row.payouts} | {*held.values()}
    found = named(connection, [ids_of(each) for each in ids], opened, reported)
    amounts = {row.amount_fen for row in rows if not row.payouts}
    same_amount = _payout_facts(Payout.payable_fen.in_(amounts), is_due(), TrancheStep.step.is_not(None))
    alike_in_sum = fetch_all(connection, same_amount, PayoutFacts)
    by_amount = (_as_requested(row, opened(row), reported) for row in alike_in_sum if is_like(row))
    return KnownPayouts(
        {each.payout: each for each in by_amount} | dict(found.requested), found.not_requested, held
    )


def _reported_so_far(connection: Connection, amounts: Iterable[int]) -> dict[str, set[ReportedPayment]]:
    """Payout -> the results in matched rows of receipts, of payouts of these amounts."""
    reported: dict[str, set[ReportedPayment]] = {}
    for row in connection.execute(
        select(ReceiptRow.payout, ReceiptRow.serial, ReceiptRow.paid).where(
            ReceiptRow.verdict == MATCHED, ReceiptRow.amount_fen.in_(amounts)
        )
    ):
        reported.setdefault(row.payout, set()).add((row.serial, row.paid))
    return reported


def _not_opened(_row: PayoutFacts) -> Opened:
    return None, None


def named(
    connection: Connection,
    ids: Sequence[tuple[int, int]],
    opened: Callable[[PayoutFacts], Opened] = _not_opened,
    reported: Mapping[str, set[ReportedPayment]] = MappingProxyType({}),
) -> KnownPayouts:
    """Payouts by tranche and promoter: those that the payer was asked to pay, and why the others were not."""
    tranches, promoters = {each[0] for each in ids}, {each[1] for each in ids}
    rows = {
        (row.tranche_id, row.promoter_id): row
        for row in fetch_all(
            connection,
            _payout_facts(Payout.tranche_id.in_(tranches), Payout.promoter_id.in_(promoters)),
            PayoutFacts,
        )
    }
    requested, not_requested = {}, {}
    for each in ids:
        payout, row = payout_id(*each), rows.get(each)
        if row is None:
            not_requested[payout] = (f"没有付款 {payout}", f"there is no payout {payout}")
        elif not row.payable_fen:
            not_requested[payout] = (f"{payout} 没有应付金额", f"{payout} pays nothing")
        elif row.proposal_id is None:
            not_requested[payout] = (
                f"{payout} 没有收款信息，已暂缓，并未导出",
                f"{payout} is held for want of a payee",
            )
        elif row.step is None:
            not_requested[payout] = (
                f"{payout} 所在批次还没有导出",
                f"the tranche of {payout} was not exported",
            )
        else:
            requested[payout] = _as_requested(row, opened(row), reported)
    return KnownPayouts(requested, not_requested)


def _payout_facts(*conditions: ColumnElement[bool]) -> Query:
    """Payouts, as ``PayoutFacts``."""
    outcome, row = newest_outcomes().subquery("outcome"), aliased(ReceiptRow)
    newest = outcome.c
    later, exported = aliased(Payout), aliased(TrancheStep)
    into = (
        select(func.min(later.tranche_id))
        .join(exported, and_(exported.tranche_id == later.tranche_id, exported.step == "EXPORTED"))
        # What bounced only after a later one had left is not in that one.
        .where(
            later.promoter_id == Payout.promoter_id,
            later.tranche_id > Payout.tranche_id,
            exported.taken_at >= newest.told_at,
        )
        .correlate(Payout, outcome)
        .scalar_subquery()
    )
    return (
        select(
            Payout.promoter_id,
            Payout.tranche_id,
            Payout.payable_fen,
            Payout.proposal_id,
            Payee.shown_account,
            Payee.shown_name,
            Payee.secret,
            TrancheStep.step,
            newest.paid,
            newest.number,
            row.serial,
            into.label("carried_into"),
        )
        .outerjoin(
            Payee, and_(Payee.promoter_id == Payout.promoter_id, Payee.proposal_id == Payout.proposal_id)
        )
        .outerjoin(
            TrancheStep, and_(TrancheStep.tranche_id == Payout.tranche_id, TrancheStep.step == "EXPORTED")
        )
        .outerjoin(outcome, of_payout(outcome))
        .outerjoin(row, and_(row.receipt_id == newest.receipt_id, row.place == newest.place))
        .where(*conditions)
    )


def _as_requested(
    row: PayoutFacts, plain: Opened, reported: Mapping[str, set[ReportedPayment]]
) -> RequestedPayout:
    assert row.shown_account is not None, "nobody is asked to pay a payout without a payee"
    assert row.shown_name is not None
    payout = payout_id(row.tranche_id, row.promoter_id)
    return RequestedPayout(
        payout,
        row.payable_fen,
        row.shown_account,
        row.shown_name,
        *plain,
        paid=row.paid,
        serial=row.serial,
        carried_into=row.carried_into,
        outcomes=row.number or 0,
        reported=frozenset(reported.get(payout, ())),
    )
