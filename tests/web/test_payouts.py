"""Finance's pages of payouts and the promoter's own: their sums are those of the tranche and of its files."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, insert

from bounty.db import snapshot, transaction
from bounty.models import PeriodClosing
from bounty.tranches.files import lines_file
from bounty.web.finance import adjustments, payees, payment_results, reconciliation, tables
from bounty.web.shared.formats import money
from bounty.web.shared.request_context import EXTENSION
from bounty.web.shared.tables import Table, header_of
from tests.factories import PROMOTER, shanghai, sn
from tests.payout.people import Codes
from tests.web.clients import KEYS, application, close, log_in, post, token_of, words_of
from tests.web.world import CANARY, CANARY_ORDERS, EMAILS, NEIGHBOUR, copied

NOW = "2022-12-15 15:00:00"
Visitor = Callable[..., FlaskClient]
Row = dict[str, str]


@pytest.fixture
def app(paid_url: str, tmp_path: Path) -> Iterator[Flask]:
    app = application(paid_url, NOW, tmp_path)
    yield app
    close(app)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    def visit(role: str) -> FlaskClient:
        client = app.test_client()
        log_in(client, EMAILS.get(role, role))
        return client

    return visit


def rows_of(client: FlaskClient, path: str) -> list[Row]:
    """The rows of a CSV by the columns' codes; the files of finance name them, and some values, in Chinese."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    header, *lines = csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""))
    table = next((each for each in LABELLED if names_of(each, chinese=True) == header), None)
    if table is None:
        return [dict(zip(header, line, strict=True)) for line in lines]
    codes = [column.header for column in table.columns]
    values = [
        {"是": "yes", "否": "no"} if column.kind == "flag" else named_values(table, column.name)
        for column in table.columns
    ]
    return [
        {code: named.get(cell, cell) for code, named, cell in zip(codes, values, line, strict=True)}
        for line in lines
    ]


def names_of(table: Table, *, chinese: bool) -> list[str]:
    return [header_of(table, column, chinese=chinese) for column in table.columns]


def named_values(table: Table, column: str) -> dict[str, str]:
    options = next((each.options for each in table.filters if each.name == column), ())
    return {option.zh: option.value for option in options}


LABELLED = [
    adjustments.ADJUSTMENTS, adjustments.DEBTS, payees.PAYEES, payees.MISSING, payees.PROPOSED,
    payment_results.RECEIPTS, payment_results.ROWS, reconciliation.DIFFERENCES, tables.TRANCHES, tables.PAYOUTS,
]  # fmt: skip


def test_files_for_people_are_in_the_readers_language(paid_books: Path, tmp_path: Path) -> None:
    assert all(table.labelled for table in LABELLED)
    app = application(copied(paid_books, tmp_path / "books"), NOW, tmp_path)
    finance = app.test_client()
    log_in(finance, EMAILS["finance"])
    for language, header, value in (("zh", "应付（元）", "支付宝"), ("en", "Payable (yuan)", "Alipay")):
        finance.set_cookie("language", language)
        text = finance.get("/finance/tranches/1/payouts.csv").data.decode("utf-8-sig")
        head, *lines = csv.reader(io.StringIO(text, newline=""))
        assert header in head
        assert {line[head.index("方式" if language == "zh" else "Method")] for line in lines} <= {value, ""}
        assert not re.search(r"\b(promoter_id|payable_yuan|alipay|PAID|FAILED)\b", text)
    close(app)


def total(rows: list[Row], column: str) -> Decimal:
    return sum((Decimal(row[column] or 0) for row in rows), Decimal(0))


def fen(amount: Decimal) -> str:
    """As a page shows it."""
    return money(int(amount * 100))


def shown(client: FlaskClient, path: str, language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    return words_of(answer.text)


def foot(client: FlaskClient, path: str) -> str:
    """The last footer of a page."""
    return words_of(re.findall(r"<tfoot>(.*?)</tfoot>", client.get(path).text, re.DOTALL)[-1])


def test_a_tranche_adds_up_from_its_lines_to_the_desk(app: Flask, visitor: Visitor) -> None:
    finance = visitor("finance")
    desk = {row["tranche_id"]: row for row in rows_of(finance, "/finance/tranches.csv")}
    assert [(row["tranche_id"], row["state"]) for row in desk.values()] == [("2", "prepared"), ("1", "paid")]
    for number, row in desk.items():
        lines = rows_of(finance, f"/finance/tranches/{number}/lines.csv")
        payouts = rows_of(finance, f"/finance/tranches/{number}/payouts.csv")
        earned = [line for line in lines if line["cause"] == "EARNED"]
        later = [line for line in lines if line["cause"] != "EARNED"]
        assert total(earned, "amount_yuan") == Decimal(row["gross_yuan"])
        assert total(later, "amount_yuan") == Decimal(row["adjustments_yuan"])
        assert total(lines, "amount_yuan") == total(payouts, "lines_yuan")
        assert len(lines) == int(row["lines_rows"])
        carried, net = Decimal(row["carry_in_yuan"]), Decimal(row["payable_yuan"])
        assert total(lines, "amount_yuan") + carried == net + Decimal(row["carry_out_yuan"])
        assert net == Decimal(row["due_yuan"]) + Decimal(row["held_yuan"]) == total(payouts, "payable_yuan")
        assert Decimal(row["paid_yuan"]) == total(payouts, "paid_yuan")
        page = shown(finance, f"/finance/tranches/{number}")
        for amount in ("gross_yuan", "adjustments_yuan", "carry_in_yuan", "payable_yuan", "held_yuan"):
            assert fen(Decimal(row[amount])) in page, amount
        assert fen(total(lines, "amount_yuan")) in foot(finance, f"/finance/tranches/{number}/lines")
        assert fen(total(payouts, "payable_yuan")) in foot(finance, f"/finance/tranches/{number}")
        with snapshot(app.extensions[EXTENSION].engine) as connection:
            whole = b"".join(lines_file(connection, int(number)))
        assert finance.get(f"/finance/tranches/{number}/lines.csv").data == whole
    assert fen(total(list(desk.values()), "gross_yuan")) in foot(finance, "/finance/tranches")


def test_exceptions_come_first_with_the_payers_words(visitor: Visitor) -> None:
    finance = visitor("finance")
    fates = [(row["promoter_id"], row["fate"]) for row in rows_of(finance, "/finance/tranches/1/payouts.csv")]
    assert fates == [
        (str(PROMOTER + 2), "HELD"),
        (str(NEIGHBOUR), "FAILED"),
        (str(PROMOTER), "PAID"),
    ]
    page = shown(finance, "/finance/tranches/1")
    assert "账户名与姓名不符" in page
    assert page.index("暂扣") < page.index("控制合计")
    (held,) = rows_of(finance, "/finance/tranches/1/payouts.csv?fate=HELD")
    assert held["promoter_id"] == str(PROMOTER + 2)
    assert "准备下一批" not in shown(finance, "/finance/tranches")  # one is open


def test_an_adjustment_names_its_order_its_cause_and_what_it_corrects(visitor: Visitor) -> None:
    finance = visitor("finance")
    (line,) = rows_of(finance, "/finance/adjustments.csv")
    assert (line["tranche_id"], line["order_sn"], line["cause"], line["corrects_tranche"]) == (
        "2",
        sn(100),
        "FAILED",
        "1",
    )
    assert Decimal(line["amount_yuan"]) == -Decimal(line["given_yuan"]) < 0
    assert fen(Decimal(line["amount_yuan"])) in foot(finance, "/finance/adjustments")
    assert rows_of(finance, "/finance/adjustments.csv?way=more") == []
    assert rows_of(finance, "/finance/debts.csv") == []
    trail = shown(finance, f"/finance/promoters/{PROMOTER}/orders/{sn(100)}")
    assert "第 2 批 " + fen(Decimal(line["amount_yuan"])) in trail
    assert "（原在第 1 批）" in trail
    assert finance.get(f"/finance/promoters/{NEIGHBOUR}/orders/{sn(100)}").status_code == 404


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


def test_whoever_prepared_a_tranche_does_not_approve_it_and_finance_exports_it(
    app: Flask, visitor: Visitor
) -> None:
    finance, admin, operator = visitor("finance"), visitor("admin"), visitor("operator")
    page = finance.get("/finance/tranches/2").text
    (sha256,) = re.findall(r"content sha256:([0-9a-f]{64})", page)
    assert "这个批次由您准备" in words_of(page)
    seen: dict[str, Any] = {"content_sha256": sha256}
    assert post(finance, "/finance/tranches/2/approve", **seen).status_code == 409
    assert post(operator, "/finance/tranches/2/approve", **seen).status_code == 403
    assert post(admin, "/finance/tranches/2/approve", content_sha256="0" * 64).status_code == 409
    assert post(admin, "/finance/tranches/2/approve", **seen).status_code == 303
    assert "导出批次 2" in shown(finance, "/finance/tranches")
    assert post(admin, "/finance/tranches/2/export", **seen).status_code == 403
    assert finance.get("/finance/tranches/2/tranche.zip").status_code == 404
    assert post(finance, "/finance/tranches/2/export", **seen).status_code == 303
    assert admin.get("/finance/tranches/2/tranche.zip").status_code == 403
    with zipfile.ZipFile(io.BytesIO(finance.get("/finance/tranches/2/tranche.zip").data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for file in manifest["files"]:
            assert hashlib.sha256(archive.read(file["name"])).hexdigest() == file["sha256"]
        assert manifest["content_sha256"] == sha256
        book = archive.read("tranche-2.xlsx")
    assert finance.get("/finance/tranches/2/tranche.xlsx").data == book
    assert "还有 2 笔没有付款结果" in shown(finance, "/finance/tranches")
    refused = post(finance, "/finance/tranches", settled_before="2022-12-15")
    assert refused.status_code == 409
    assert "先导入回单" in words_of(refused.text)


def test_preparing_again_says_what_it_would_hold_and_changes_nothing_on_the_same_facts(
    visitor: Visitor,
) -> None:
    finance = visitor("finance")
    desk = shown(finance, "/finance/tranches")
    assert "更正此前批次（扣回为负）" in desk
    assert "此前暂扣或付款失败，转入 2 人" in desk
    again = post(finance, "/finance/tranches", settled_before="2022-12-15")
    assert again.status_code == 303
    assert "批次 2 仍然有效" in shown(finance, "/finance/tranches/2")
    for day, said in (("", "请填写日期"), ("2022-12-16", "还没有到")):
        refused = post(finance, "/finance/tranches", settled_before=day)
        assert refused.status_code == 409
        assert said in words_of(refused.text)


def test_books_with_nothing_paid_say_what_will_be_there(small_site: Path, tmp_path: Path) -> None:
    url = copied(small_site, tmp_path / "small")
    app = application(url, NOW, tmp_path)
    client, promoter = app.test_client(), app.test_client()
    log_in(client, EMAILS["finance"])
    log_in(promoter, EMAILS["promoter"])
    assert "还没有批次" in shown(client, "/finance/tranches")
    assert "没有调整" in shown(client, "/finance/adjustments")
    assert "还没有发放过" in shown(promoter, "/payments")
    assert client.get("/finance/tranches/1").status_code == 404
    close(app)


STATEMENTS = {
    "/finance/tranches": 20,
    "/finance/tranches/1": 9,
    "/finance/tranches/1/lines": 7,
    "/finance/payees/": 9,
    "/finance/receipts/": 7,
    "/finance/receipts/1": 9,
    "/finance/reconcile": 17,
    "/finance/adjustments": 8,
    "/finance/periods/2022-11": 13,
}
"""Page -> how many statements it takes at most, the account's own included; whatever a tranche holds."""


def test_a_page_takes_a_few_statements_whatever_a_tranche_holds(
    visitor: Visitor, statements: list[str]
) -> None:
    finance = visitor("finance")
    took = {}
    for path in STATEMENTS:
        statements.clear()
        assert finance.get(path).status_code == 200
        took[path] = len(statements)
    assert {path: count for path, count in took.items() if count > STATEMENTS[path]} == {}


# Payees


def upload(client: FlaskClient, path: str, name: str, text: str, **fields: str) -> Any:
    """Post a file as a form does."""
    token = token_of(client.get("/rules").text)
    data = {"csrf_token": token, "file": (io.BytesIO(text.encode("utf-8-sig")), name), **fields}
    return client.post(path, data=data, content_type="multipart/form-data")


PAYEES = "promoter_id,method,account,payee_name,bank_name,bank_code\r\n"


def test_who_has_no_payee_is_named_with_what_is_held_until_a_second_person_approves_one(
    paid_url: str, tmp_path: Path
) -> None:
    app = application(paid_url, NOW, tmp_path, require_approval=True)
    finance, admin = app.test_client(), app.test_client()
    log_in(finance, EMAILS["finance"])
    log_in(admin, EMAILS["admin"])
    (missing,) = rows_of(finance, "/finance/payees/missing.csv")
    assert missing["promoter_id"] == str(PROMOTER + 2)
    held = {row["promoter_id"]: row for row in rows_of(finance, "/finance/tranches/2/payouts.csv?fate=HELD")}
    assert missing["held_yuan"] == held[str(PROMOTER + 2)]["payable_yuan"] != "0.00"
    said = upload(finance, "/finance/payees/", "payees.csv", PAYEES + f"{PROMOTER},alipay,nobody,何安,,\r\n")
    assert said.status_code == 422
    changed = f"{PROMOTER},alipay,13900000002,何安,,\r\n"
    said = upload(finance, "/finance/payees/", "payees.csv", PAYEES + changed)
    assert "请写明原因" in words_of(said.text)
    given = PAYEES + f"{PROMOTER + 2},bank,6222021234561234,何安,示例银行,102100099996\r\n"
    said = upload(finance, "/finance/payees/", "payees.csv", given)
    assert (said.status_code, said.location) == (303, "/finance/payees/proposals/2")
    page = finance.get(said.location).text
    (sha256,) = re.findall(r"sha256:([0-9a-f]{64})", page)
    assert "**** 1234" in words_of(page)
    assert "6222021234561234" not in page
    refused = post(admin, "/finance/payees/proposals/2/approve", payees_sha256=sha256)
    assert "两步验证" in words_of(refused.text)
    codes = {"finance": Codes(engine_of(app), EMAILS["finance"], KEYS["totp_key"])}
    codes["admin"] = Codes(engine_of(app), EMAILS["admin"], KEYS["totp_key"])
    own = post(
        finance, "/finance/payees/proposals/2/approve", payees_sha256=sha256, code=codes["finance"].fresh()
    )
    assert "提交人不能批准" in words_of(own.text)
    said = post(
        admin, "/finance/payees/proposals/2/approve", payees_sha256=sha256, code=codes["admin"].fresh()
    )
    assert said.status_code == 303
    assert rows_of(finance, "/finance/payees/missing.csv") == []
    (row,) = rows_of(finance, "/finance/payees/payees.csv?method=bank")
    assert (row["promoter_id"], row["shown_name"]) == (str(PROMOTER + 2), "何*")
    close(app)


def test_one_payee_is_proposed_by_a_form_and_a_second_person_approves(paid_url: str, tmp_path: Path) -> None:
    app = application(paid_url, NOW, tmp_path, require_approval=True)
    finance, admin = app.test_client(), app.test_client()
    log_in(finance, EMAILS["finance"])
    log_in(admin, EMAILS["admin"])
    form = {"promoter_id": str(PROMOTER + 2), "method": "bank", "account": "6222-0212", "payee_name": "何安"}
    said = post(finance, "/finance/payees/", **form)
    assert said.status_code == 422
    assert "开户行" in words_of(said.text)
    assert 'value="何安"' in said.text  # what was typed is kept
    assert post(admin, "/finance/payees/", **form).status_code == 403
    said = post(finance, "/finance/payees/", **form, bank_name="示例银行")
    assert (said.status_code, said.location) == (303, "/finance/payees/proposals/2")
    page = admin.get(said.location).text
    assert "**** 0212" in words_of(page)
    (sha256,) = re.findall(r"sha256:([0-9a-f]{64})", page)
    code = Codes(engine_of(app), EMAILS["admin"], KEYS["totp_key"]).fresh()
    post(admin, "/finance/payees/proposals/2/approve", payees_sha256=sha256, code=code)
    assert rows_of(finance, "/finance/payees/missing.csv") == []
    close(app)


@pytest.mark.parametrize(
    ("path", "sentence"), [("/finance/payees/", "按文件提交"), ("/finance/receipts/", "导入回单")]
)
def test_an_upload_over_the_limit_stays_on_its_page(
    paid_books: Path, tmp_path: Path, path: str, sentence: str
) -> None:
    app = application(copied(paid_books, tmp_path / "books"), NOW, tmp_path, upload_megabytes=1)
    finance = app.test_client()
    log_in(finance, EMAILS["finance"])
    assert 'data-max-bytes="1000000"' in finance.get(path).text
    app.config["MAX_CONTENT_LENGTH"] = 1000
    said = upload(finance, path, "large.csv", "x" * 5000)
    assert said.status_code == 413
    assert "超过 1 MB 的上限" in said.text
    assert sentence in said.text
    close(app)


# Bank return, and what it is held against


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


def engine_of(app: Flask) -> Engine:
    engine: Engine = app.extensions[EXTENSION].engine
    return engine
