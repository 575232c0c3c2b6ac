"""The bytes of the files."""

import hashlib

import pytest

from tests import oracle
from tests.agreement.oracle.examples import PERIOD, TASK_UNTIL, TERMS, a_row, an_entry


def test_the_bytes_of_the_files():
    entries = [
        an_entry(12, gmv_fen=100, name="=逗号,店", level="V0"),
        an_entry(7, gmv_fen=123450, orders=3, name='"A" 店'),
        an_entry(1000, name="＋店", level=""),
    ]
    rows = [
        a_row("221201-2", p_id="12_1", order_amount=2050, order_pay_time=TASK_UNTIL - 1),
        a_row("221201-10", p_id="12_1", order_amount=75, order_pay_time=TASK_UNTIL - 1),
        a_row("221201-3", p_id="7_1"),
    ]
    settlement = oracle.settle(PERIOD, TERMS, entries, oracle.fold(rows), [])
    results, lines = oracle.results_csv(settlement), oracle.lines_csv(settlement)
    assert results.decode("utf-8") == (
        "\ufeffperiod,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,"
        "passed,rate_permille,subsidy_orders,subsidy_yuan\r\n"
        '2022-12,7,"""A"" 店",V1,yes,,1.00,1,1234.50,3,no,,0,0.00\r\n'
        # 21.25 of 1.00 is over 1.5. 30 permille: 75 -> 2.25 -> 2 and 2050 -> 61.5 -> 62, 64 in all
        '2022-12,12,"\'=逗号,店",V0,yes,,21.25,2,1.00,,yes,30,2,0.64\r\n'
        "2022-12,1000,'＋店,,no,NO_TARGET,,,,,no,,,\r\n"
    )
    assert lines.decode("utf-8") == (
        "\ufeffperiod,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan\r\n"
        "2022-12,12,221201-10,2022-12-20T23:59:59+08:00,0.75,30,0.02\r\n"
        "2022-12,12,221201-2,2022-12-20T23:59:59+08:00,20.50,30,0.62\r\n"
    )
    hashes = ["ab" * 32, hashlib.sha256(results).hexdigest(), hashlib.sha256(lines).hexdigest()]
    content = ("\n".join(hashes) + "\n").encode()
    assert oracle.content_sha256("ab" * 32, results, lines) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("start", list("=+-@\t\r＝＋－＠"))
def test_no_name_acts_as_a_formula(start):
    settlement = oracle.settle(PERIOD, TERMS, [an_entry(name=f"{start}1+1")], {}, [])
    cell = f"'{start}1+1"
    quoted = f'"{cell}"' if start == "\r" else cell
    assert f",7,{quoted},V1," in oracle.results_csv(settlement).decode("utf-8-sig")


def test_a_name_that_only_holds_a_sign_stays_as_it_is():
    settlement = oracle.settle(PERIOD, TERMS, [an_entry(name=" =1 ")], {}, [])
    assert ",7, =1 ,V1," in oracle.results_csv(settlement).decode("utf-8-sig")
