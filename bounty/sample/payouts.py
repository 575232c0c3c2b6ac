"""The sample's payments: payees for most promoters, a tranche that is paid except for one payment, and a prepared
tranche that takes back a refunded order.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from bounty import importer
from bounty.audit.service import Actor, acting
from bounty.clock import midnight, shanghai_date
from bounty.db import snapshot, transaction
from bounty.models import Order, Payout, TrancheLine, User
from bounty.money import shown_yuan
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import approve_payees, promoters_without_payee, propose_payees
from bounty.payment_results.files import read_payment_results
from bounty.payment_results.service import import_results
from bounty.rules.periods import PAID_FROM_DAY, Period
from bounty.tranches import approval, preparation, state
from bounty.tranches.files import payout_id

WITHOUT = 12
"""Promoters whose id is divisible by this number have no payee."""
FINANCE, ADMIN = "finance@example.com", "admin@example.com"


def pay_sample(engine: Engine, folder: Path, seal: PayeeCipher, now: int) -> str:
    """Pay the orders that settled before last month's payout day, and prepare a tranche of those that settled since.

    folder   receives the files that are imported

    Returns one line about both tranches.
    """
    finance, admin = (_as(engine, email) for email in (FINANCE, ADMIN))
    with transaction(finance) as connection:
        made = propose_payees(connection, _payees(connection), seal, now, reason=None, approval_required=True)
    assert made is not None
    with transaction(admin) as connection:
        approve_payees(connection, made.proposal_id, made.payees_sha256, now)
    last_month = Period.of(shanghai_date(now)).plus(-1)
    with transaction(finance) as connection:
        first, _ = preparation.prepare(connection, midnight(last_month.day(PAID_FROM_DAY)), now)
    with transaction(admin) as connection:
        approval.approve(connection, first.tranche_id, first.content_sha256, now)
    with transaction(finance) as connection:
        approval.export_begins(connection, first.tranche_id, now, approval_required=True)
    with snapshot(engine) as connection:
        result_file = _payment_results(connection, first.tranche_id, folder / "receipt.csv")
        refund = _refund(connection, first.tranche_id, now, folder / "orders-refunded.jsonl")
    with transaction(finance) as connection:
        import_results(connection, read_payment_results(result_file), seal, now)
    importer.import_file(engine, "orders", refund, now)
    with transaction(finance) as connection:
        second, _ = preparation.prepare(connection, midnight(shanghai_date(now)), now)
    return (
        f"tranche {first.tranche_id} paid but for one payment, ¥{shown_yuan(first.due_fen)}; "
        f"tranche {second.tranche_id} prepared, ¥{shown_yuan(second.payable_fen)}"
    )


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


def _demo_promoter(connection: Connection) -> int | None:
    """The promoter with a demo account. Their pages get an example of everything."""
    query = select(User.promoter_id).where(User.promoter_id.is_not(None)).limit(1)
    return connection.execute(query).scalar()


def _payment_results(connection: Connection, tranche_id: int, path: Path) -> Path:
    """Write the payer's result file of a tranche, in which one payment failed, but not the demo promoter's."""
    due = connection.execute(
        select(Payout.promoter_id, Payout.payable_fen)
        .where(Payout.tranche_id == tranche_id, state.is_due())
        .order_by(Payout.payable_fen.desc())
    ).all()
    failing = next((row.promoter_id for row in due if row.promoter_id != _demo_promoter(connection)), None)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("payout_id", "amount_yuan", "status", "reason"))
        for row in due:
            failed = row.promoter_id == failing
            result = ("failed", "收款方账户名与姓名不符") if failed else ("paid", "")
            rows.writerow((payout_id(tranche_id, row.promoter_id), shown_yuan(row.payable_fen), *result))
    return path


def _refund(connection: Connection, tranche_id: int, now: int, path: Path) -> Path:
    """Write an order file with one order that the tranche paid and that was refunded since."""
    paid = (
        select(Order)
        .join(
            TrancheLine,
            (TrancheLine.promoter_id == Order.promoter_id) & (TrancheLine.order_sn == Order.order_sn),
        )
        .where(TrancheLine.tranche_id == tranche_id, Order.is_direct == 1)
    )
    demo_promoter_first = (Order.promoter_id == (_demo_promoter(connection) or 0)).desc()
    order = connection.execute(
        select(*Order.__table__.c)
        .where(Order.order_sn.in_(select(paid.subquery().c.order_sn)))
        .order_by(demo_promoter_first, Order.paid_at.desc(), Order.order_sn)
        .limit(1)
    ).one()
    path.write_text(json.dumps(_row(order, now), ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _row(order: Row[Any], now: int) -> dict[str, Any]:
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
