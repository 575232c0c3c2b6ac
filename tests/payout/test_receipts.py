"""What came of payouts: by the payer's receipt, in two layouts and two code pages, or by hand; told once, told last."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, ReceiptRow
from bounty.payment_results.files import read_payment_results
from bounty.tranches.departures import SEEN, answer
from tests.factories import PROMOTER, write_text
from tests.payout.desk import HEAD, Desk
from tests.payout.world import MARCH_20, OTHER


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


BOTH = (
    "1,2023-02-20 10:00:00,20230220,A1,13812345678,陈默,100.00,成功,推广服务费,",
    "2,2023-02-20 10:00,20230220,A2,6222021234567890123,示例（上海）有限公司,30.00,失败,推广 P1-1000940,账号不存在",
)
TOLD = [(PROMOTER, 1, 1, True, None, 1), (OTHER, 1, 1, False, "账号不存在", 1)]


def test_a_receipt_in_either_code_page_pays_once_and_again_changes_nothing(desk: Desk) -> None:
    taken = desk.take(desk.alipay(*BOTH, sums=("130.00", "100.00", "30.00"), encoding="gb18030"))
    assert [each.verdict for each in taken.rows] == ["MATCHED", "MATCHED"]
    assert desk.outcomes() == TOLD
    assert desk.tranche(1).state == "paid"
    held = desk.held()
    # The same rows in another code page, with a head that lies, are the same receipt.
    file = desk.alipay(*BOTH, sums=("131.00", "100.00", ""))
    assert [en for _, en in file.warnings] == [
        "its head says 总金额(元) 131.00, and its rows add up to 130.00: the rows hold"
    ]
    assert (desk.take(file).receipt_id, desk.held()) == (1, held)
    # With another row beside them they are another receipt, and still say nothing new.
    stranger = "3,2023-02-20 10:00:00,20230220,A3,13900000000,李雷,5.00,成功,,"
    assert [each.verdict for each in desk.take(desk.alipay(*BOTH, stranger)).rows] == ["MATCHED"] * 2 + [
        "UNMATCHED"
    ]
    assert desk.outcomes() == TOLD
    with snapshot(desk.engine) as connection:
        kept = connection.execute(select(ReceiptRow.__table__).where(ReceiptRow.receipt_id == 2)).all()
        (event, _) = connection.execute(
            select(AuditEvent.after).where(AuditEvent.act == "payout.receipt").order_by(AuditEvent.event_id)
        ).scalars()
    assert "13812345678" not in str(kept)
    assert "陈默" not in str(kept)
    told = json.loads(event or "")
    assert (told["rows"], told["matched"], told["paid_fen"], told["failed_fen"]) == (2, 2, 100_00, 30_00)


def test_what_was_paid_can_bounce_and_what_failed_can_be_paid_until_it_is_carried(desk: Desk) -> None:
    desk.take(desk.plain("P1-1000939,,,100,paid,A1,", "P1-1000940,,,30.00,失败,A2,账号不存在"))
    desk.take(desk.plain(",13812345678,陈默,100.00,failed,A1,退回"))
    assert desk.outcomes()[:2] == [(PROMOTER, 1, 1, True, None, 1), (PROMOTER, 1, 2, False, "退回", 2)]
    # The first receipt once more, beside other rows: what it tells is older than the bounce.
    old = desk.take(desk.plain("P1-1000939,,,100.00,paid,A1,", "P1-1000940,,,30.00,paid,B2,"))
    assert [each.verdict for each in old.rows] == ["MATCHED", "MATCHED"]
    assert desk.outcomes()[1:] == [
        (PROMOTER, 1, 2, False, "退回", 2),
        (OTHER, 1, 1, False, "账号不存在", 1),
        (OTHER, 1, 2, True, None, 3),
    ]
    # 100 bounced and 8 have settled since: the next tranche pays both.
    second = desk.prepare(MARCH_20)
    assert desk.payouts(second.tranche_id) == [(PROMOTER, 100_00, 8_00, 108_00)]
    desk.export(2)
    late = desk.take(desk.plain("P1-1000939,,,100.00,paid,C1,"))
    assert late.rows[0].verdict == "AMBIGUOUS"
    assert "already carried into tranche 2" in late.rows[0].why[1]
    with pytest.raises(BountyError, match="already carried into tranche 2"):
        desk.mark("P1-1000939")


def test_rows_that_could_not_be_matched_are_when_the_same_file_comes_again(desk: Desk) -> None:
    file = desk.plain("P2-1000939,,,8.00,paid,,", "P1-1000940,,,30.00,paid,,")
    assert [each.verdict for each in desk.take(file).rows] == ["UNMATCHED", "MATCHED"]
    desk.mark("P1-1000939")
    desk.prepare(MARCH_20)
    with pytest.raises(BountyError, match="these books never exported it"):
        desk.export(2)
    with transaction(desk.engine) as connection:
        answer(connection, "P2-1000939", SEEN, "付款方先发了回单", MARCH_20, approval_required=False)
    desk.export(2)
    taken = desk.take(file)
    assert ([each.news for each in taken.rows], taken.receipt_id) == ([True, False], 2)
    assert desk.outcomes() == [
        (PROMOTER, 1, 1, True, "网银流水", None),
        (PROMOTER, 2, 1, True, None, 2),
        (OTHER, 1, 1, True, None, 1),
    ]


def test_a_payout_that_is_not_exported_held_or_nothing_is_not_told_of(desk: Desk) -> None:
    desk.mark("P1-1000939", "P1-1000940")
    desk.prepare(MARCH_20)
    taken = desk.take(desk.plain("P2-1000939,,,8.00,paid,,", "P7-1000939,,,8.00,paid,,"))
    assert [each.why[1] for each in taken.rows] == [
        "the tranche of P2-1000939 was not exported",
        "there is no payout P7-1000939",
    ]
    for payout, reason in (
        ("P2-1000939", "was not exported"),
        ("P7-1000939", "there is no payout"),
        ("7", "is not a payout: write its id"),
    ):
        with pytest.raises(BountyError, match=reason):
            desk.mark("P1-1000939", payout, paid=False)
    assert [each[2] for each in desk.outcomes()] == [1, 1]


def test_marking_by_hand_takes_a_reason_and_twice_is_once(desk: Desk) -> None:
    with pytest.raises(BountyError, match="needs a reason"):
        desk.mark("P1-1000939", reason=" ")
    assert desk.mark("P1-1000940", "P1-1000939", "P1-1000940") == ["P1-1000940", "P1-1000939"]
    held = desk.held()
    assert desk.mark("P1-1000940", "P1-1000939", reason="再说一遍") == []
    assert desk.held() == held
    assert desk.mark("P1-1000940", paid=False, reason="银行退回") == ["P1-1000940"]
    assert desk.outcomes()[1:] == [
        (OTHER, 1, 1, True, "网银流水", None),
        (OTHER, 1, 2, False, "银行退回", None),
    ]
    with snapshot(desk.engine) as connection:
        events = connection.execute(
            select(AuditEvent.subject, AuditEvent.reason, AuditEvent.after)
            .where(AuditEvent.act == "payout.mark")
            .order_by(AuditEvent.event_id)
        ).all()
    assert [(row.subject, row.reason) for row in events] == [
        ("P1-1000940 and 1 more", "网银流水"),
        ("P1-1000940", "银行退回"),
    ]
    assert json.loads(events[1].after) == {"paid": False, "outcomes": [["P1-1000940", 2]]}


@pytest.mark.parametrize("ending", ["xlsx", "xls"])
def test_a_bank_s_workbook_that_masks_accounts_pays_by_name_and_amount(desk: Desk, ending: str) -> None:
    rows = [
        ["批量转账结果"],
        ["收款方账号", "收款方户名", "金额", "处理状态", "失败原因"],
        ["138****5678", "陈默", "100.00", "转账成功", ""],
        ["6222 **** **** *** 0123", "示例(上海)有限公司", "30.00", "退票", "账号不存在"],
        ["合计", "", "130.00", "", ""],
    ]
    taken = desk.take(desk.workbook(rows, ending))
    assert [each.verdict for each in taken.rows] == ["MATCHED", "MATCHED"]
    assert desk.outcomes() == TOLD
    with snapshot(desk.engine) as connection:
        kept = connection.execute(select(ReceiptRow.shown_account, ReceiptRow.shown_name)).all()
    assert [tuple(each) for each in kept] == [
        ("138****5678", "陈*"),
        ("6222 **** **** *** 0123", "示***"),
    ]


PLAIN = "payout_id,account,payee_name,amount_yuan,status\n"
BAD = {
    "an unknown status": (
        HEAD + "1,,,A1,13812345678,陈默,3.00,交易关闭,,\n",
        "E-STATUS line 4, 状态: a payment is 成功 or",
    ),
    "no amount": (
        HEAD + "1,,,A1,13812345678,陈默,,成功,,\n",
        r"E-BLANK line 4, 金额\(元\): must not be blank",
    ),
    "an amount with a sign": (
        HEAD + "1,,,A1,13812345678,陈默,+3,成功,,\n",
        r"E-MONEY line 4, 金额\(元\): write yuan",
    ),
    "nobody": (PLAIN + ",,,3.00,paid\n", "E-BLANK line 2: give the payout's id, which may stand"),
    "half of somebody": (
        PLAIN + ",13812345678,,3.00,paid\n",
        "E-BLANK line 2: give the payout's id, which may stand",
    ),
    "no payout's id": (
        PLAIN + "3-1000939,,,3.00,paid\n",
        "E-ID line 2, payout_id: write a payout's id as P3",
    ),
    "a cell too many": (
        PLAIN + "P1-1,,,3.00,paid,x\n",
        "E-COLS line 2: the row has 6 columns and the header 5",
    ),
    "a cell too few": (PLAIN + "P1-1,,,3.00\n", "E-COLS line 2: the row has 4 columns and the header 5"),
    "an open quote": (PLAIN + 'P1-1,,,"3.00,paid\n', "E-QUOTE line 2: a quote here is not closed"),
    "a control character": (
        PLAIN + "P1-1,,,3.00,paid\x00\n",
        "E-CTRL line 2, status: it holds control characters",
    ),
    "no rows": (HEAD, "E-BLANK the receipt tells of no payment"),
    "another file": ("promoter_id,name\n1,陈默\n", "E-HEAD this is no receipt"),
    "neither id nor payee": ("amount_yuan,status\n3.00,paid\n", "E-HEAD this is no receipt"),
    "a header without amount": ("payout_id,status\nP1-1,paid\n", "E-HEAD this is no receipt"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_receipt_with_anything_wrong_is_refused_whole_with_line_and_column(
    tmp_path: Path, name: str
) -> None:
    text, sentence = BAD[name]
    with pytest.raises(BountyError, match=sentence) as refusal:
        read_payment_results(write_text(tmp_path / "回单.csv", text, "utf-8-sig"))
    assert "\n" not in str(refusal.value)


def test_a_mixture_of_code_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "回单.csv"
    path.write_bytes(HEAD.encode("gb18030") + BOTH[0].encode() + b"\n")
    with pytest.raises(BountyError, match="E-ENC"):
        read_payment_results(path)
