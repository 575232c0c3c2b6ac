"""Payees: proposed by a file or a form, in force once a second person approves."""

import re
from pathlib import Path

import pytest

from tests.factories import PROMOTER
from tests.payout.people import Codes
from tests.web.clients import KEYS, application, close, log_in, post, words_of
from tests.web.payout_pages.desk import NOW, PAYEES, engine_of, rows_of, upload
from tests.web.world import EMAILS, copied


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
