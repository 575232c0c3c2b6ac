"""A month with two notices, a draft after them, and one of everything that people decide, paid."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert

from bounty.accounting.period_closing import ACTS
from bounty.accounts.service import add_user
from bounty.audit.service import record
from bounty.clock import read_instant
from bounty.db import Base, transaction
from bounty.importer import import_file
from bounty.models import (
    Appeal,
    AppealAnswer,
    AppealAttachment,
    Approval,
    DataConfirmation,
    FetchWindow,
    KnownNotice,
    PassVoid,
    PassVoidAnswer,
    PayoutHold,
    PayoutHoldStep,
    PeriodClosing,
    RosterOverride,
    Waiver,
)
from bounty.notices.service import publish
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.payment_results.files import PaymentResultFile, PaymentResultRow
from bounty.payment_results.service import import_results
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from bounty.tranches.approval import export_begins
from bounty.tranches.preparation import prepare

DECEMBER = Period(2022, 12)
TERMS = """
name = "定向赏金"
effective_from = "2022-12"

[task]
first_day = 1
last_day = 20
receipt_cutoff_day = 10
order_cap_yuan = "200.00"
count_price_compare = true

[virtual]
types = [94]
category_ids = []

[levels.V0]
direct_only = true
gmv_yuan = "300.00"
orders = 2

[subsidy]
basis = "order_amount"
include_price_compare = false
links = "any"
order_cap_yuan = "4.00"
promoter_cap_yuan = "5.00"
tiers = [{ at = "1.00", rate_permille = 20 }]
"""
PROMOTERS = """promoter_id,name,level,level_from,registered_on
1001,甲,V0,2022-10-01,2022-10-01
1002,乙,V0,2022-10-01,2022-10-01
1003,丙,V2,2022-10-01,2022-10-01
1004,丁,V0,2022-12-01,2022-12-01
"""
TARGETS = """period,promoter_id,gmv_yuan,orders
2022-12,1002,999.00,
"""
AFTER_THE_CUTOFF = read_instant("2023-01-11")


def an_order(order_sn: str, promoter_id: int, amount: int, day: str, **changed: Any) -> dict[str, Any]:
    """A row of the platform's list, settled and in time."""
    paid_at = read_instant(f"2022-12-{day}T12:00:00")
    return {
        "order_sn": order_sn,
        "p_id": f"{promoter_id}_1",
        "order_status": 5,
        "order_amount": amount,
        "promotion_amount": amount // 10,
        "type": 0,
        "cat_ids": [239],
        "is_direct": 1,
        "price_compare_status": 0,
        "order_pay_time": paid_at,
        "order_receive_time": paid_at + 86_400,
        "order_settle_time": paid_at + 172_800,
        "order_modify_at": paid_at + 172_800,
    } | changed


# 1001 passes with 100 + 200 + 50 yuan of three orders. The first earns 2.00, the second 4.00 and not 5.00, by the order
# cap, of which 3.00 are left under the promoter cap; the third nothing.
FIRST = [
    an_order("221205-1", 1001, 10_000, "05"),
    an_order("221206-2", 1001, 25_000, "06"),
    an_order("221207-3", 1001, 5_000, "07"),
    an_order("221208-4", 1002, 7_000, "08"),
]
# Then the third fails, too late for the task; and one of 30 yuan comes to light, which earns 0.60 before the others.
SECOND = [
    an_order("221207-3", 1001, 5_000, "07", order_status=4, order_modify_at=AFTER_THE_CUTOFF),
    an_order("221204-5", 1001, 3_000, "04"),
]
THIRD = [an_order("221203-6", 1001, 1_000, "03")]


def publish_a_month(engine: Engine, folder: Path) -> None:
    """December with two notices, the second of which changes orders of the first, and a draft after them."""
    for kind, content in (("promoters", PROMOTERS), ("targets", TARGETS)):
        path = folder / f"{kind}.csv"
        path.write_text(content, encoding="utf-8")
        assert import_file(engine, kind, path, AFTER_THE_CUTOFF).counts.quarantined == 0
    with transaction(engine) as connection:
        add_terms(connection, TERMS, AFTER_THE_CUTOFF)
        open_roster(connection, DECEMBER, AFTER_THE_CUTOFF)
    for number, rows in enumerate((FIRST, SECOND, THIRD), start=1):
        path = folder / f"orders-{number}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        assert import_file(engine, "orders", path, AFTER_THE_CUTOFF).counts.quarantined == 0
        with transaction(engine) as connection:
            assert settle(connection, DECEMBER, AFTER_THE_CUTOFF).settlement_id == number
            if rows is not THIRD:
                publish(connection, DECEMBER, AFTER_THE_CUTOFF, approval_required=False)
    decide_the_month(engine)
    pay_the_month(engine)


def decide_the_month(engine: Engine) -> None:
    """One of everything that people decide."""
    now = AFTER_THE_CUTOFF
    with transaction(engine) as connection:
        user_id = add_user(
            connection, email="zhou@example.com", name="周", role="operator", password="x" * 12, now=now
        )
        by = {"user_id": user_id, "reason": "因为"}
        for table, values in (
            (KnownNotice, {"settlement_id": 3, "other_id": 1}),
            (Approval, {"settlement_id": 3, "user_id": user_id, "content_sha256": "", "approved_at": now}),
            (Waiver, {"settlement_id": 3, "line": "QUARANTINE", "waived_at": now, **by}),
            (
                DataConfirmation,
                {"period": "2022-12", "number": 1, "through_at": now, "confirmed_at": now, **by},
            ),
            (
                RosterOverride,
                {
                    "promoter_id": 1002,
                    "period": "2022-12",
                    "number": 1,
                    "was_target_gmv_fen": 30_000,
                    "now_target_gmv_fen": 99_900,
                    "overridden_at": now,
                    **by,
                },
            ),
            (
                Appeal,
                {
                    "promoter_id": 1001,
                    "appeal_id": 1,
                    "period": "2022-12",
                    "words": "为什么",
                    "as_stood": "{}",
                    "asked_at": now,
                    "due_at": now,
                },
            ),
            (
                AppealAnswer,
                {
                    "promoter_id": 1001,
                    "appeal_id": 1,
                    "number": 1,
                    "verdict": "DECLINED",
                    "words": "因为",
                    "user_id": user_id,
                    "answered_at": now,
                },
            ),
            (
                AppealAttachment,
                {
                    "promoter_id": 1001,
                    "appeal_id": 1,
                    "number": 1,
                    "file_name": "凭据.png",
                    "media_type": "image/png",
                    "sha256": "0" * 64,
                    "size_bytes": 1,
                    "added_at": now,
                },
            ),
            (
                FetchWindow,
                {
                    "slice_id": 1,
                    "kind": "UPDATED",
                    "whose": "all",
                    "from_at": now - 60,
                    "until_at": now,
                    "known_at": now,
                    "read_at": now,
                    "done": True,
                    "rows_told": 0,
                    "rows_held": 0,
                    "pages": 0,
                },
            ),
        ):
            connection.execute(insert(table).values(**values))


def pay_the_month(engine: Engine) -> None:
    """A tranche that was paid, and one row of everything else that has to do with paying, parts before wholes."""
    now = AFTER_THE_CUTOFF
    void = {"promoter_id": 1001, "period": "2022-12", "number": 1}
    with transaction(engine) as connection:
        given = [PayeeRow(2, 1001, PayeeDetails("alipay", "13812345678", "陈默", "", ""))]
        propose_payees(connection, given, PayeeCipher("a key"), now, reason=None, approval_required=False)
        tranche, _ = prepare(connection, now, now)
        export_begins(connection, tranche.tranche_id, now, approval_required=False)
        paid = PaymentResultRow(4, ("P1-1001",), None, None, tranche.payable_fen, paid=True)
        import_results(connection, PaymentResultFile("回单.csv", "", "", [paid]), PayeeCipher("a key"), now)
        for number, act in enumerate(ACTS, start=1):
            closing = {"period": "2022-12", "number": number, "act": act, "acted_at": now}
            connection.execute(insert(PeriodClosing).values(closing))
            record(connection, ACTS[act], "2022-12", now)
        insert_each(
            connection,
            (PayoutHold, void | {"reason": "因为", "due_at": now, "held_at": now}),
            (PayoutHoldStep, void | {"reason": "因为", "step": "RELEASED", "taken_at": now}),
            (PassVoid, void | {"reason": "因为", "asked_at": now}),
            (PassVoidAnswer, void | {"approved": False, "as_of_settlement_id": 1, "answered_at": now}),
        )


def insert_each(connection: Connection, *rows: tuple[type[Base], dict[str, Any]]) -> None:
    for table, values in rows:
        connection.execute(insert(table).values(**values))
