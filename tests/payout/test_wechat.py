"""Payees by WeChat: their openid, the transfer file as its template has it, and WeChat's own list as a receipt."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.payees.encryption import PayeeDetails
from bounty.payees.files import PayeeRow, read_payee, read_payees
from bounty.payees.service import propose_payees
from bounty.payment_results.files import read_payment_results
from bounty.payment_results.service import import_results
from bounty.tranches.export import export_tranche
from bounty.tranches.payer_files import WECHAT_HEAD, Payer
from bounty.tranches.state import tranche_of
from tests.factories import PROMOTER, payee, write_table, write_text
from tests.payout.world import OTHER, SEAL, Paying, earning

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
SAMPLE = Path(__file__).parents[1] / "samples" / "wechat_transfer_template.csv"
PAYER = Payer("推广服务费", 1, wechat_appid="wx0123456789abcdef")


@pytest.fixture
def paying(engine: Engine, tmp_path: Path) -> Paying:
    paying = Paying(engine, tmp_path)
    with transaction(engine) as connection:
        given = [
            PayeeRow(place, each, PayeeDetails("wechat", f"{OPENID[:-1]}{place}", "陈默", "", ""))
            for place, each in enumerate((PROMOTER, OTHER), 2)
        ]
        propose_payees(connection, given, SEAL, 0, reason=None, approval_required=False)
    paying.publish(earning(1), earning(2, 29, promoter_id=OTHER))
    paying.prepare()
    return paying


def export(paying: Paying, out: Path, payer: Payer = PAYER) -> dict[str, str]:
    export_tranche(paying.engine, 1, out, SEAL, payer, paying.month.now, approval_required=False)
    return {path.name: path.read_text("utf-8-sig") for path in sorted(out.glob("wechat-*.csv"))}


def test_the_file_is_the_template_filled_in() -> None:
    blank = WECHAT_HEAD.format(batch="", remark="", appid="", amount="", count="")
    assert SAMPLE.read_bytes().decode("utf-8-sig").splitlines() == blank.splitlines()


def test_each_part_adds_up_and_a_small_payment_has_no_name(paying: Paying, tmp_path: Path) -> None:
    files = export(paying, tmp_path / "out")
    assert [*files] == ["wechat-1-1.csv", "wechat-1-2.csv"]
    first = files["wechat-1-1.csv"].splitlines()
    assert first[1:7] == [
        "商家批次单号（必填）,T1N1",
        "批次名称（必填）,推广服务费",
        "转账appid（必填）,wx0123456789abcdef",
        "转账总金额（必填，单位：元）,100.00",
        "转账总笔数（必填）,1",
        "批次备注（必填）,推广服务费",
    ]
    assert first[-1] == f"P1X{PROMOTER},{OPENID[:-1]}2,陈默,,100.00,推广服务费 P1-{PROMOTER}"
    assert files["wechat-1-2.csv"].splitlines()[-1] == (
        f"P1X{OTHER},{OPENID[:-1]}3,,,0.29,推广服务费 P1-{OTHER}"
    )
    again = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    export(paying, tmp_path / "out")
    assert again == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_without_an_application_nothing_leaves(paying: Paying, tmp_path: Path) -> None:
    with pytest.raises(BountyError, match="BOUNTY_WECHAT_APPID"):
        export(paying, tmp_path / "out", Payer("推广服务费", 10))
    with snapshot(paying.engine) as connection:
        assert tranche_of(connection, 1).state == "prepared"
    assert not [*(tmp_path / "out").iterdir()]


def test_wechats_list_of_details_is_a_receipt(paying: Paying, tmp_path: Path) -> None:
    export(paying, tmp_path / "out")
    text = (
        "商家批次单号,商家明细单号,微信明细单号,收款用户姓名,转账金额（元）,转账状态,失败原因\r\n"
        f"T1N1,P1X{PROMOTER},`1040000071100999991182020050700019480101,陈*,100.00,转账成功,\r\n"
        f"T1N2,P1X{OTHER},`1040000071100999991182020050700019480102,,0.29,转账失败,账户异常\r\n"
    )
    file = read_payment_results(write_text(tmp_path / "wechat.csv", text, "utf-8-sig"))
    with transaction(paying.engine) as connection:
        taken = import_results(connection, file, SEAL, paying.month.now)
    assert [(each.verdict, each.row.paid) for each in taken.rows] == [("MATCHED", True), ("MATCHED", False)]
    with snapshot(paying.engine) as connection:
        row = tranche_of(connection, 1)
        assert (row.paid, row.paid_fen, row.failed, row.waiting) == (1, 100_00, 1, 0)


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ({"account": OPENID}, None),
        ({"account": "13812345678"}, ("account", "E-PAYEE")),
        ({"account": OPENID + "，"}, ("account", "E-PAYEE")),
        ({"account": OPENID, "bank_name": "示例银行"}, ("bank_name", "E-PAYEE")),
    ],
)
def test_an_openid_is_judged_in_files_and_in_the_form(
    tmp_path: Path, cells: dict[str, str], wrong: tuple[str, str] | None
) -> None:
    row = payee(PROMOTER, method="wechat", **cells)
    for read in (*read_payees(write_table(tmp_path / "payees.csv", [row])), read_payee(row)):
        if wrong is None:
            assert isinstance(read, PayeeRow)
            assert read.details == PayeeDetails("wechat", OPENID, "陈默", "", "")
        else:
            assert not isinstance(read, PayeeRow)
            assert [(each.column, each.code) for each in read.errors] == [wrong]
