"""The sample's payments: payees for most promoters, a tranche that is paid except for one payment, and a prepared
tranche that takes back a refunded order.
"""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, exists, select

from bounty import importer
from bounty.audit.service import Actor, acting
from bounty.clock import midnight, shanghai_date
from bounty.db import QueryRow, snapshot, transaction
from bounty.json_types import JsonObject
from bounty.models import Order, Payout, TrancheLine, User
from bounty.money import shown_yuan
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import approve_payees, promoters_without_payee, propose_payees
from bounty.payment_results.files import read_payment_results
from bounty.payment_results.service import import_results
from bounty.sample.context import DAY, HOUR
from bounty.tranches import approval, preparation, state
from bounty.tranches.files import payout_id
from bounty.tranches.state import TrancheRow

WITHOUT = 12
"""Promoters whose id is divisible by this number have no payee."""
FINANCE, ADMIN = "finance@example.com", "admin@example.com"


@dataclass(frozen=True, slots=True)
class PaidSample:
    """The tranche that was paid."""

    tranche_id: int
    due_fen: int
    failed_promoter: int | None
    """Whose payment failed."""


def pay_sample(engine: Engine, folder: Path, seal: PayeeCipher, before: int, now: int) -> PaidSample:
    """Pay the orders that settled before an instant; the payer's result comes two days later.

    folder   receives the file of results
    """
    _add_payees(engine, seal, now - 2 * DAY)
    finance, admin = (_as(engine, email) for email in (FINANCE, ADMIN))
    with transaction(finance) as connection:
        first, _ = preparation.prepare(connection, before, now)
    with transaction(admin) as connection:
        approval.approve(connection, first.tranche_id, first.content_sha256, now + HOUR)
    with transaction(finance) as connection:
        approval.export_begins(connection, first.tranche_id, now + 2 * HOUR, approval_required=True)
    with snapshot(engine) as connection:
        result_file, failed = _payment_results(connection, first.tranche_id, folder / "receipt.csv")
    with transaction(finance) as connection:
        import_results(connection, read_payment_results(result_file), seal, now + 2 * DAY)
    return PaidSample(first.tranche_id, first.due_fen, failed)


def prepare_next(
    engine: Engine, folder: Path, seal: PayeeCipher, paid: PaidSample, promoter_id: int | None, now: int
) -> TrancheRow:
    """Refund one order that was paid, preferably of a promoter, and prepare a tranche of what settled since; the
    tranche."""
    _add_payees(engine, seal, now)
    with snapshot(engine) as connection:
        refund = _refund(connection, paid.tranche_id, promoter_id, now, folder / "orders-refunded.jsonl")
    importer.import_file(engine, "orders", refund, now)
    with transaction(_as(engine, FINANCE)) as connection:
        tranche, _ = preparation.prepare(connection, midnight(shanghai_date(now)), now)
    return tranche


def _add_payees(engine: Engine, seal: PayeeCipher, now: int) -> None:
    """Payees for most promoters with a published subsidy, proposed by one person and approved by another."""
    finance, admin = (_as(engine, email) for email in (FINANCE, ADMIN))
    with transaction(finance) as connection:
        payees = _payees(connection)
        if not payees:
            return
        made = propose_payees(connection, payees, seal, now, reason=None, approval_required=True)
    assert made is not None
    with transaction(admin) as connection:
        approve_payees(connection, made.proposal_id, made.payees_sha256, now)


def _as(engine: Engine, email: str) -> Engine:
    """The engine with an account as actor."""
    with snapshot(engine) as connection:
        row = connection.execute(select(User.id.label("user_id"), User.role).where(User.email == email)).one()
    return acting(engine, Actor(email, row.user_id, row.role))


def _payees(connection: Connection) -> list[PayeeRow]:
    """Generated accounts for most promoters with a published subsidy."""
    payees = []
    for place, row in enumerate(connection.execute(promoters_without_payee()), 2):
        if row.promoter_id % WITHOUT == 0:
            continue
        if row.promoter_id % 3 == 0:
            account = f"62220000{row.promoter_id:08d}"[:19]
            details = PayeeDetails("bank", account, "示例收款人", "示例银行示例支行", "102100099996")
        else:
            details = PayeeDetails("alipay", f"sample{row.promoter_id}@example.com", "示例收款人", "", "")
        payees.append(PayeeRow(place, row.promoter_id, details))
    return payees


def _payment_results(connection: Connection, tranche_id: int, path: Path) -> tuple[Path, int | None]:
    """Write the payer's result file of a tranche, in which the largest payment failed; the file and whose it was."""
    due = connection.execute(
        select(Payout.promoter_id, Payout.payable_fen)
        .where(Payout.tranche_id == tranche_id, state.is_due())
        .order_by(Payout.payable_fen.desc(), Payout.promoter_id)
    ).all()
    failing: int | None = next((row.promoter_id for row in due), None)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("payout_id", "amount_yuan", "status", "reason"))
        for row in due:
            failed = row.promoter_id == failing
            result = ("failed", "收款方账户名与姓名不符") if failed else ("paid", "")
            rows.writerow((payout_id(tranche_id, row.promoter_id), shown_yuan(row.payable_fen), *result))
    return path, failing


def _refund(connection: Connection, tranche_id: int, promoter_id: int | None, now: int, path: Path) -> Path:
    """Write an order file with one order that the tranche paid and that was refunded since."""
    paid = exists().where(
        TrancheLine.promoter_id == Order.promoter_id,
        TrancheLine.order_sn == Order.order_sn,
        TrancheLine.tranche_id == tranche_id,
    )
    theirs_first = (Order.promoter_id == (promoter_id or 0)).desc()
    order = connection.execute(
        select(*Order.__table__.c)
        .where(paid, Order.is_direct == 1)
        .order_by(theirs_first, Order.paid_at.desc(), Order.order_sn)
        .limit(1)
    ).one()
    path.write_text(json.dumps(_row(order, now), ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _row(order: QueryRow, now: int) -> JsonObject:
    """A row of the list API for the same order with a failed audit."""
    return {
        "order_sn": order.order_sn,
        "p_id": order.p_id,
        "goods_name": order.goods_name,
        "order_status": 4,
        "order_amount": order.order_amount_fen,
        "promotion_amount": order.promotion_amount_fen,
        "type": order.type,
        "cat_ids": [int(each) for each in re.findall("[0-9]+", order.cat_ids or "")],
        "is_direct": order.is_direct,
        "price_compare_status": order.price_compare_status or 0,
        "order_create_time": order.created_at,
        "order_pay_time": order.paid_at,
        "order_receive_time": order.received_at,
        "order_verify_time": now - 3600,
        "order_modify_at": now - 3600,
    }
