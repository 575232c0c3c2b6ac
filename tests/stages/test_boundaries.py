"""The twelve boundary cases of the programme, each from the file to the settlement, by name.

Amounts are 1, 2, 4, ... fen, and whoever passes earns all that was paid: so GMV and subsidy each tell which rows
counted and which earned.
"""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.models import OrderVersion
from bounty.orders.received_texts import received_text
from tests.factories import (
    LEVELS,
    PROMOTER,
    Month,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    sn,
    terms_toml,
    write_csv_api,
    write_json,
)

V1_PROMOTER = 2000939
TASK_WINDOW = "[2022-12-01T00:00:00+08:00, 2022-12-21T00:00:00+08:00)"
MONTH_WINDOW = "[2022-12-01T00:00:00+08:00, 2023-01-01T00:00:00+08:00)"
CUTOFF = "2023-01-11T00:00:00+08:00"


@pytest.fixture
def december(engine: Engine, tmp_path: Path) -> Month:
    """December 2022, open, with a promoter of level V0 and one of V1."""
    month = Month(engine, tmp_path)
    month.begin(promoter(), promoter(V1_PROMOTER, level="V1"))
    return month


def counted(month: Month, promoter_id: int = PROMOTER) -> tuple[int, int]:
    """GMV in fen and orders; the settlement says the same as the progress."""
    tally = month.progress(promoter_id)["counted"]
    result = next(row for row in month.results(month.settle()) if row["promoter_id"] == str(promoter_id))
    assert (result["gmv_yuan"], result["orders"]) == (f"{tally['gmv_fen'] / 100:.2f}", str(tally["orders"]))
    return tally["gmv_fen"], tally["orders"]


def earned(month: Month) -> dict[str, str]:
    """Order number to its subsidy in yuan."""
    return {line["order_sn"]: line["subsidy_yuan"] for line in month.lines(month.settle())}


def reasons(month: Month, number: int) -> tuple[str | None, str | None]:
    """Why the order does not count, and why it does not earn."""
    said = month.explain(number).as_json()
    return said["task"]["reason"], said["subsidy"]["reason"]


def clause(
    month: Month, number: int, which: Literal["task", "subsidy"], code: str
) -> tuple[bool, object, str]:
    """What explain says of one clause: whether it holds, fact and bound."""
    (found,) = (one for one in month.explain(number).as_json()[which]["clauses"] if one["code"] == code)
    return found["holds"], found["fact"], found["bound"]


def test_case_01_paid_in_the_last_second_of_the_20th_counts_and_a_second_later_not(december: Month) -> None:
    instants = [1669823999, 1669824000, 1671551999, 1671552000, 1672502399, 1672502400]
    rows = [
        order_row(number=weight, amount_fen=weight, paid=paid, received=paid + 1)
        for weight, paid in zip((1, 2, 4, 8, 16, 32), instants, strict=True)
    ]
    assert december.orders(*rows).new == 6
    assert counted(december) == (2 + 4, 2)
    assert earned(december) == {sn(2): "0.02", sn(4): "0.04", sn(8): "0.08", sn(16): "0.16"}
    assert clause(december, 4, "task", "PAID_IN_WINDOW") == (True, "2022-12-20T23:59:59+08:00", TASK_WINDOW)
    assert clause(december, 8, "task", "PAID_IN_WINDOW") == (False, "2022-12-21T00:00:00+08:00", TASK_WINDOW)
    assert clause(december, 16, "subsidy", "PAID_IN_MONTH") == (
        True,
        "2022-12-31T23:59:59+08:00",
        MONTH_WINDOW,
    )
    # An order belongs to the month in which it was paid, so its own month is what it is held against.
    assert [december.explain(number).as_json()["period"] for number in (2, 8, 16)] == ["2022-12"] * 3
    assert december.progress()["not_counted"] == [
        {"reason": "PAID_IN_WINDOW", "orders": 2, "amount_fen": 8 + 16}
    ]


def test_case_02_received_in_the_last_second_of_the_10th_counts_and_a_second_later_only_earns(
    december: Month,
) -> None:
    december.orders(
        order_row(number=1, amount_fen=1, received=1673366399),
        order_row(number=2, amount_fen=2, received=1673366400),
        order_row(number=4, amount_fen=4, received=None, status=1),
    )
    assert counted(december) == (1, 1)
    assert earned(december) == {sn(1): "0.01", sn(2): "0.02", sn(4): "0.04"}
    in_time = clause(december, 1, "task", "RECEIVED_IN_TIME")
    assert in_time == (True, "2023-01-10T23:59:59+08:00", f"< {CUTOFF}")
    assert clause(december, 2, "task", "RECEIVED_IN_TIME") == (False, CUTOFF, f"< {CUTOFF}")
    assert december.progress()["pending"] == {"gmv_fen": 4, "orders": 1}
    assert december.progress()["not_counted"] == [
        {"reason": "RECEIVED_IN_TIME", "orders": 1, "amount_fen": 2}
    ]


def test_case_03_an_order_counts_at_most_200_yuan_and_earns_on_all_of_it(december: Month) -> None:
    amounts = (199_99, 200_00, 200_01)
    december.orders(
        *(order_row(number=number, amount_fen=amount) for number, amount in enumerate(amounts, 1))
    )
    assert counted(december) == (199_99 + 200_00 + 200_00, 3)
    assert earned(december) == {sn(1): "199.99", sn(2): "200.00", sn(3): "200.01"}
    fen = [december.explain(number).as_json()["task"]["counted_fen"] for number in (1, 2, 3)]
    assert fen == [199_99, 200_00, 200_00]


def test_case_04_an_order_with_a_coupon_counts_what_was_paid(december: Month) -> None:
    december.orders(
        order_row(amount_fen=19_90, goods_price=29_90, duo_coupon_amount=0, goods_name="领券立减10"),
        order_row(number=2, amount_fen=7_90, goods_price=9_90, platform_discount=2_00),
    )
    assert counted(december) == (19_90 + 7_90, 2)
    assert earned(december) == {sn(1): "19.90", sn(2): "7.90"}


def test_case_05_failed_a_second_before_the_cutoff_is_out_and_at_the_cutoff_only_unpaid(
    december: Month,
) -> None:
    rows = [
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, status=4, verified=1673366399),
        order_row(number=4, amount_fen=4, status=4, verified=1673366400),
    ]
    december.orders(*rows)
    assert counted(december) == (1 + 4, 2)
    assert earned(december) == {sn(1): "0.01"}
    assert reasons(december, 2) == ("NOT_FAILED", "NOT_FAILED")
    assert reasons(december, 4) == (None, "NOT_FAILED")
    fact, bound = "2023-01-10T23:59:59+08:00", f"null or >= {CUTOFF}"
    assert clause(december, 2, "task", "NOT_FAILED") == (False, fact, bound)
    assert clause(december, 4, "task", "NOT_FAILED") == (True, CUTOFF, bound)
    assert clause(december, 4, "subsidy", "NOT_FAILED") == (False, CUTOFF, "null")


def test_case_06_a_price_compared_order_is_in_the_gmv_and_earns_nothing(december: Month) -> None:
    december.orders(
        order_row(number=1, promoter_id=V1_PROMOTER, amount_fen=1, price_compare_status=1),
        order_row(number=2, promoter_id=V1_PROMOTER, amount_fen=2, price_compare_status=0, is_direct=0),
        order_row(number=4, promoter_id=V1_PROMOTER, amount_fen=4, price_compare_status=None),
        order_row(number=8, amount_fen=8, price_compare_status=1),
    )
    assert counted(december, V1_PROMOTER) == (1 + 2 + 4, 3)
    assert counted(december) == (8, 1)
    assert earned(december) == {sn(2): "0.02", sn(4): "0.04"}
    assert reasons(december, 1) == (None, "NOT_PRICE_COMPARE")


def test_case_07_a_virtual_order_neither_counts_nor_earns(december: Month) -> None:
    december.orders(
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, type=94),
        order_row(number=4, amount_fen=4, cat_ids=[8729, 1]),
        order_row(number=8, amount_fen=8, cat_ids=[239, 8729, 0, 0]),
        order_row(number=16, amount_fen=16, cat_ids=[18729, 87, 29]),
        order_row(number=32, amount_fen=32, type=None, cat_ids=None),
    )
    assert counted(december) == (1 + 16 + 32, 3)
    assert earned(december) == {sn(1): "0.01", sn(16): "0.16", sn(32): "0.32"}
    for number in (2, 4, 8):
        assert reasons(december, number) == ("NOT_VIRTUAL", "NOT_VIRTUAL")


def test_case_08_two_months_of_tenure_include_the_exact_day_and_a_short_months_last(
    engine: Engine, tmp_path: Path
) -> None:
    exact, a_day_late, at_year_end = 1, 2, 3
    month = Month(engine, tmp_path)
    opening = month.begin(
        promoter(exact, level="V1", registered_on="2022-10-01"),
        promoter(a_day_late, level="V1", registered_on="2022-10-02"),
        promoter(at_year_end, level="V1", registered_on="2022-12-31"),
        toml=terms_toml(levels=LEVELS),
    )
    # Who registers during December or later is not on December's roster at all.
    assert (opening.on_roster, opening.reasons) == (2, {"TENURE_TOO_SHORT": 1})
    assert month.progress(a_day_late)["reason"] == "TENURE_TOO_SHORT"
    assert month.progress(exact)["eligible"]
    reason_in = {}
    for period, now in (("2023-02", "2023-01-25 09:00:00"), ("2023-03", "2023-02-25 09:00:00")):
        later = Month(engine, tmp_path, period=period, now=now)
        later.open()
        reason_in[period] = later.progress(at_year_end)["reason"]
    # 12-31 and two months is 02-28, February's last day, so within the 1st of March.
    assert reason_in == {"2023-02": "TENURE_TOO_SHORT", "2023-03": None}


def test_case_09_an_older_page_after_a_newer_one_takes_nothing_back(december: Month) -> None:
    paid = order_row(amount_fen=1, status=0, received=None)
    received = order_row(amount_fen=1, status=2, modified="2022-12-09 12:00:10")
    assert december.orders(received).new == 1
    before = december.explain().as_json()
    old_page = december.orders(paid)
    assert (old_page.changed, old_page.stale, old_page.unchanged) == (0, 1, 0)
    assert december.explain().as_json() == before
    assert counted(december) == (1, 1)


def test_case_10_paid_on_the_25th_earns_without_counting_and_its_settlement_changes_nothing(
    december: Month,
) -> None:
    late: dict[str, Any] = {
        "number": 2,
        "amount_fen": 2,
        "paid": "2022-12-25 12:00:00",
        "received": "2023-01-09 12:00:00",
    }
    december.orders(order_row(amount_fen=1), order_row(**late, status=3, verified="2023-01-25 03:00:00"))
    before = december.settle()
    assert counted(december) == (1, 1)
    assert earned(december) == {sn(1): "0.01", sn(2): "0.02"}
    december.now = shanghai("2023-02-21 12:00:00")
    paid_out = order_row(
        **late, status=5, verified="2023-01-25 03:00:00", settled="2023-02-20 02:00:00", batch_no="2302"
    )
    assert december.orders(paid_out).changed == 1
    assert december.settle().content_sha256 == before.content_sha256
    assert reasons(december, 2) == ("PAID_IN_WINDOW", None)


def test_case_11_null_absent_and_0_all_mean_not_yet(december: Month) -> None:
    nulls = order_row(amount_fen=1, status=0, received=None)
    unset = [name for name, value in nulls.items() if name.endswith("_time") and value is None]
    assert unset == ["order_create_time", "order_receive_time", "order_verify_time", "order_settle_time"]
    zeros = nulls | dict.fromkeys(unset, 0)
    absent = {name: value for name, value in nulls.items() if name not in unset}
    assert december.orders(zeros).new == 1
    assert december.orders(absent).unchanged == 1
    assert december.orders(nulls).unchanged == 1
    assert december.progress()["pending"] == {"gmv_fen": 1, "orders": 1}
    assert clause(december, 1, "task", "RECEIVED_IN_TIME") == (False, None, f"< {CUTOFF}")


def test_case_12_an_id_beyond_2_to_the_53_keeps_every_digit(december: Month, tmp_path: Path) -> None:
    group_id = 860461037241593915
    assert float(group_id) != group_id
    december.take("orders", write_json(tmp_path / "a.json", [order_row(number=1, group_id=group_id)]))
    december.take("orders", write_csv_api(tmp_path / "a.csv", [order_row(number=2, group_id=group_id)]))
    with snapshot(december.engine) as connection:
        rows = connection.execute(
            select(OrderVersion.batch_id, OrderVersion.place).order_by(OrderVersion.order_sn)
        )
        in_json, in_csv = [received_text(connection, *row) or "" for row in rows.all()]
    assert json.loads(in_json)["group_id"] == group_id
    assert in_csv.split(",")[-1] == str(group_id)


def test_the_windows_of_other_terms_move_every_edge(engine: Engine, tmp_path: Path) -> None:
    """The same edges, where the terms say the 15th and the 5th: nothing but the terms holds the numbers."""
    month = Month(engine, tmp_path, period="2024-02", now="2024-03-06 00:00:00")
    month.begin(promoter(), toml=plain_terms(effective_from="2024-01", last_day=15, receipt_cutoff_day=5))
    edges: list[tuple[str, str | None]] = [
        ("2024-02-15 23:59:59", "2024-03-05 23:59:59"),
        ("2024-02-16 00:00:00", "2024-02-20 00:00:00"),
    ]
    edges += [("2024-02-10 00:00:00", "2024-03-06 00:00:00"), ("2024-02-29 23:59:59", None)]
    month.orders(
        *(
            order_row(number=weight, amount_fen=weight, paid=paid, received=received)
            for weight, (paid, received) in zip((1, 2, 4, 8), edges, strict=True)
        )
    )
    assert counted(month) == (1, 1)
    assert earned(month) == {sn(1): "0.01", sn(2): "0.02", sn(4): "0.04", sn(8): "0.08"}
