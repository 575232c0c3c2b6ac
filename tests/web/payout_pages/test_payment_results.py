"""Bank returns, marking by hand, and what they are held against."""

import re
from decimal import Decimal
from pathlib import Path

from flask import Flask
from sqlalchemy import insert

from bounty.db import transaction
from bounty.models import PeriodClosing
from tests.factories import PROMOTER, shanghai
from tests.web.clients import post, words_of
from tests.web.payout_pages.desk import NOW, Visitor, engine_of, fen, foot, rows_of, shown, total, upload
from tests.web.world import NEIGHBOUR


def test_a_receipt_is_looked_at_before_it_is_taken_in_and_lies_sealed_until_then(
    app: Flask, visitor: Visitor, tmp_path: Path
) -> None:
    finance = visitor("finance")
    post(finance, "/finance/tranches/2/export")
    due = rows_of(finance, "/finance/tranches/2/payouts.csv?fate=DUE")
    rows = "".join(f"P2-{row['promoter_id']},{row['payable_yuan']},paid,\r\n" for row in due)
    text = "payout_id,amount_yuan,status,reason\r\n" + rows + f"P2-{PROMOTER + 2},1.00,paid,\r\n"
    seen = upload(finance, "/finance/receipts/", "回单.csv", text)
    assert seen.status_code == 200
    words = words_of(seen.text)
    assert "尚未写入" in words
    assert f"新标记已付 {fen(total(due, 'payable_yuan'))} {len(due)} 笔" in words
    assert "还有 2 笔没有付款结果" in shown(finance, "/finance/tranches")
    (kept,) = (tmp_path / "uploads" / "receipts").iterdir()
    assert str(PROMOTER).encode() not in kept.read_bytes()
    (waiting,) = re.findall(r'name="waiting" value="([0-9a-f]{64})"', seen.text)
    said = post(finance, "/finance/receipts/take", waiting=waiting, name="回单.csv")
    assert (said.status_code, said.location) == (303, "/finance/receipts/2")
    assert not kept.exists()
    listed = rows_of(finance, "/finance/receipts/2/rows.csv")
    assert [row["verdict"] for row in listed] == ["UNMATCHED", "MATCHED", "MATCHED"]
    (receipt,) = (
        row for row in rows_of(finance, "/finance/receipts/receipts.csv") if row["receipt_id"] == "2"
    )
    assert Decimal(receipt["paid_yuan"]) == total(listed, "amount_yuan")
    assert fen(total(listed, "amount_yuan")) in foot(finance, "/finance/receipts/2")
    desk = {row["tranche_id"]: row for row in rows_of(finance, "/finance/tranches.csv")}
    assert desk["2"]["state"] == "paid"
    assert Decimal(desk["2"]["paid_yuan"]) == total(due, "payable_yuan")
    again = post(finance, "/finance/receipts/take", waiting=waiting, name="回单.csv")
    assert again.status_code == 409
    for hostile in ("../../books", "0" * 64):
        assert post(finance, "/finance/receipts/take", waiting=hostile).status_code == 409
    assert upload(finance, "/finance/receipts/", "x.csv", "nothing\r\n").status_code == 422


def test_a_payout_is_marked_by_hand_with_a_reason_and_reconciling_says_so(visitor: Visitor) -> None:
    finance = visitor("finance")
    before = rows_of(finance, "/finance/reconcile.csv")
    assert {row["kind"] for row in before} == {"NOT_SETTLED", "ROW_UNMATCHED"} or before
    post(finance, "/finance/tranches/2/export")
    payout = f"P2-{PROMOTER}"
    for fields in ({"payouts": payout, "reason": ""}, {"payouts": "P2-1", "reason": "x"}, {"payouts": ""}):
        assert post(finance, "/finance/tranches/2/mark", paid="yes", **fields).status_code == 409
    assert (
        post(finance, "/finance/tranches/2/mark", payouts=payout, paid="yes", reason="网银").status_code
        == 303
    )
    rows = rows_of(finance, "/finance/reconcile.csv")
    assert [row["promoter_id"] for row in rows if row["kind"] == "BY_HAND"] == [str(PROMOTER)]
    assert {row["promoter_id"] for row in rows if row["kind"] == "NO_RECEIPT"} == {str(NEIGHBOUR)}
    page = shown(finance, "/finance/reconcile")
    assert f"P2-{PROMOTER}" in page
    kinds = {row["kind"] for row in rows}
    for kind in kinds:
        of_kind = rows_of(finance, f"/finance/reconcile.csv?kind={kind}")
        assert of_kind == [row for row in rows if row["kind"] == kind]
        assert fen(total(of_kind, "ours_yuan")) in foot(finance, f"/finance/reconcile?kind={kind}")
    assert shown(finance, "/finance/reconcile?tranche=1")
    assert finance.get("/finance/reconcile?tranche=77").status_code == 409


def test_a_period_says_what_is_open_and_two_people_reopen_it(app: Flask, visitor: Visitor) -> None:
    finance, admin = visitor("finance"), visitor("admin")
    page = shown(finance, "/finance/periods/2022-11")
    assert "佣金未结算" in page
    assert "所在批次尚未导出" in page
    refused = post(finance, "/finance/periods/2022-11/close")
    assert refused.status_code == 409
    assert "还不能关账" in words_of(refused.text)
    assert "还没有公示" in shown(finance, "/finance/periods/2022-12")
    with transaction(engine_of(app)) as connection:
        connection.execute(
            insert(PeriodClosing).values(period="2022-11", number=1, act="CLOSED", acted_at=shanghai(NOW))
        )
    assert "已关账" in shown(finance, "/finance/")
    assert post(finance, "/finance/periods/2022-11/ask", reason="").status_code == 409
    assert post(finance, "/finance/periods/2022-11/ask", reason="更正").status_code == 303
    assert "由您申请" in shown(finance, "/finance/periods/2022-11")
    assert post(finance, "/finance/periods/2022-11/reopen").status_code == 409
    assert post(admin, "/finance/periods/2022-11/reopen").status_code == 303
    assert "未关账" in shown(finance, "/finance/periods/2022-11")
