"""The promoter's own pages of payments: where each order's money is, and nothing of anybody else's."""

from decimal import Decimal

from flask import Flask

from tests.factories import PROMOTER, sn
from tests.web.clients import post
from tests.web.payout_pages.desk import Visitor, fen, foot, rows_of, shown, total
from tests.web.world import CANARY, CANARY_ORDERS


def test_a_promoter_reads_where_each_orders_money_is(visitor: Visitor) -> None:
    client = visitor("promoter")
    rows = {row["order_sn"]: row for row in rows_of(client, "/months/2022-11/subsidy.csv")}
    state = {number: (row["state"], row["why"], row["tranche_id"]) for number, row in rows.items()}
    assert state[sn(100)] == ("TAKEN_BACK", "FAILED", "2")
    assert state[sn(102)] == ("PAID", "", "1")
    assert state[sn(103)] == ("PREPARED", "", "2")
    assert state[sn(101)] == ("EXPECTED", "", "")
    every = list(rows.values())
    (history,) = (row for row in rows_of(client, "/history.csv") if row["period"] == "2022-11")
    assert total(every, "subsidy_yuan") == Decimal(history["subsidy_yuan"])
    # What stands of the notice is in tranches, or still to come.
    stands = [row for row in every if row["state"] not in ("VOID", "TAKEN_BACK")]
    assert total(every, "held_yuan") + total(every, "open_yuan") == total(stands, "subsidy_yuan")
    page = shown(client, "/months/2022-11/subsidy")
    assert f"已入批次 {fen(total(every, 'held_yuan'))}，待入批次 {fen(total(every, 'open_yuan'))}" in page
    assert "订单已退款、审核失败或处罚" in page
    assert "在第 2 批，还没有交付款方" in page
    order = shown(client, f"/orders/{sn(100)}")
    assert "第 1 批" in order
    assert "第 2 批" in order
    assert "paid once its commission settles, about 20 Dec 2022" in shown(client, f"/orders/{sn(101)}", "en")


def test_a_payment_is_the_sum_of_its_lines_and_of_what_was_carried(visitor: Visitor) -> None:
    for role, fates in (
        ("promoter", ["PREPARED", "PAID"]),
        ("neighbour@example.com", ["PREPARED", "FAILED"]),
    ):
        client = visitor(role)
        payments = rows_of(client, "/payments.csv")
        assert [row["fate"] for row in payments] == fates
        for row in payments:
            lines = rows_of(client, f"/payments/{row['tranche_id']}/lines.csv")
            of_lines = Decimal(row["given_yuan"]) + Decimal(row["adjusted_yuan"])
            assert total(lines, "amount_yuan") == of_lines
            carried = Decimal(row["carry_in_yuan"]), Decimal(row["carry_out_yuan"])
            assert of_lines + carried[0] - carried[1] == Decimal(row["payable_yuan"])
            if lines:
                assert fen(total(lines, "amount_yuan")) in foot(client, f"/payments/{row['tranche_id']}")
        assert fen(total(payments, "paid_yuan")) in shown(client, "/payments")
    assert "付款方：账户名与姓名不符" in shown(client, "/payments")
    # What failed is in the next payment, and the line says so.
    (line, *_) = rows_of(client, "/months/2022-11/subsidy.csv?state=prepared")
    assert line["tranche_id"] == "2"


def test_a_promoter_finds_nothing_of_anothers_payments(visitor: Visitor) -> None:
    client = visitor("promoter")
    for path in ("/subsidy", "/months/2022-11/subsidy", "/payments", "/payments/1", "/payments/2"):
        text = client.get(path).text
        assert not any(each in text for each in (CANARY, *(sn(number) for number in CANARY_ORDERS))), path
    assert client.get("/payments/3").status_code == 404
    third = visitor("promoter")
    post(third, "/logout")
    assert third.get("/payments").status_code == 302


def test_a_held_payment_says_what_to_do(app: Flask, visitor: Visitor) -> None:
    operator = visitor("operator")
    post(operator, "/view-as", promoter_id=str(PROMOTER + 2))
    assert "没有您的收款信息：请联系运营登记" in shown(operator, "/payments")
    assert "暂扣" in shown(operator, "/months/2022-11/subsidy")
