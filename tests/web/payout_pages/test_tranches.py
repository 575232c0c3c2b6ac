"""Finance's pages of tranches: their sums are those of the tranche and of its files."""

import csv
import hashlib
import io
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask

from bounty.db import snapshot
from bounty.tranches.files import lines_file
from bounty.web.shared.request_context import EXTENSION
from tests.factories import PROMOTER, sn
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.payout_pages.desk import (
    LABELLED,
    NOW,
    Visitor,
    fen,
    foot,
    rows_of,
    shown,
    total,
)
from tests.web.world import EMAILS, NEIGHBOUR, copied


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
