"""Who is on the roster, at which level, why not, and against which targets."""

import pytest

from tests import oracle
from tests.agreement.oracle.examples import DAY, PERIOD, TERMS, orders_of, terms


def promoter(promoter_id="7", level="V0", level_from="2022-01-01", registered_on="2021-01-01", name="店"):
    return {
        "promoter_id": promoter_id,
        "name": name,
        "level": level,
        "level_from": level_from,
        "registered_on": registered_on,
    }


def rostered(*promoters, period=PERIOD, violations=(), targets=(), orders=None, of=TERMS):
    return oracle.roster(
        period, of, promoters=promoters, violations=violations, targets=targets, orders=orders or {}
    )


def test_on_the_roster_are_those_registered_before_the_month():
    days = {"1": "2022-11-30", "2": "2022-12-01", "3": "2022-12-02"}
    entries = rostered(*[promoter(one, registered_on=day) for one, day in days.items()])
    assert [entry.promoter_id for entry in entries] == [1]


@pytest.mark.parametrize(
    ("period", "registered_on", "reason"),
    [
        ("2022-12", "2022-10-01", None),
        ("2022-12", "2022-10-02", "TENURE_TOO_SHORT"),
        # 2022-12-31 and two months: 2023-02-28, which is before March and not before February
        ("2023-03", "2022-12-31", None),
        ("2023-02", "2022-12-31", "TENURE_TOO_SHORT"),
        ("2024-03", "2023-12-30", None),
    ],
)
def test_tenure(period, registered_on, reason):
    (entry,) = rostered(promoter(level="V1", registered_on=registered_on), period=period)
    assert entry.reason == reason


def test_the_level_is_the_newest_that_has_begun():
    rows = [
        promoter(level="V1", level_from="2022-12-01", name="三月"),
        promoter(level="V0", level_from="2022-01-01", name="一月"),
        promoter(level="V2", level_from="2022-12-02", name="最新"),
    ]
    (entry,) = rostered(*rows)
    assert (entry.level, entry.name) == ("V1", "最新")


def test_a_later_row_of_the_same_day_is_an_edit():
    (entry,) = rostered(promoter(level="V9"), promoter(level="V0", name="改"))
    assert (entry.level, entry.name, entry.eligible) == ("V0", "改", True)


def test_levels_that_are_not_offered():
    entries = rostered(promoter("1", level="V2"), promoter("2", level_from="2022-12-02"))
    assert [(entry.level, entry.reason) for entry in entries] == [
        ("V2", "LEVEL_NOT_OFFERED"),
        ("", "LEVEL_NOT_OFFERED"),
    ]
    assert all(entry.direct_only for entry in entries)


@pytest.mark.parametrize(
    ("occurred_on", "cleared_on", "reason"),
    [
        ("2022-11-30", "", "VIOLATION"),
        ("2022-12-01", "", None),
        ("2022-11-30", "2022-11-30", None),
        ("2022-11-30", "2022-12-01", "VIOLATION"),
    ],
)
def test_violations(occurred_on, cleared_on, reason):
    row = {"promoter_id": "7", "occurred_on": occurred_on, "reason": "x", "cleared_on": cleared_on}
    earlier = row | {"cleared_on": "" if cleared_on else "2022-11-30"}
    (entry,) = rostered(promoter(), violations=[earlier, row])
    assert entry.reason == reason


@pytest.mark.parametrize(
    ("gmv_yuan", "orders", "targets", "reason"),
    [
        ("12.50", "3", (1250, 3), None),
        ("12.5", "", (1250, None), None),
        ("", "3", (None, 3), None),
        ("0", "3", (None, 3), None),
        ("0.00", "", (None, None), "NO_TARGET"),
        ("", "", (None, None), "NO_TARGET"),
    ],
)
def test_a_targets_row_replaces_both(gmv_yuan, orders, targets, reason):
    row = {"period": PERIOD, "promoter_id": "7", "gmv_yuan": gmv_yuan, "orders": orders}
    beside = [row | {"period": "2022-11", "orders": "9"}, row | {"gmv_yuan": "1", "orders": "1"}]
    (entry,) = rostered(promoter(), targets=[*beside, row, row | {"period": "2023-01"}])
    assert ((entry.target_gmv_fen, entry.target_orders), entry.reason) == (targets, reason)


@pytest.mark.parametrize(
    ("amounts", "target_fen"),
    [
        # Asked are August, September and October: (1000 + 2000 + 0) / 3 x 1.1 = 1100 exactly, no step up
        ({"2022-07": 999, "2022-08": 1000, "2022-09": 2000, "2022-11": 999, "2022-12": 999}, 1100),
        # (1001 + 2000) / 3 x 1.1 = 1100 11/30, up to the next whole yuan
        ({"2022-08": 1001, "2022-10": 2000}, 1200),
        # 900 / 3 x 1.1 = 330 -> 400, under the floor of 1000; without any history likewise
        ({"2022-10": 900}, 1000),
        ({}, 1000),
        # 3300 / 3 x 1.1 = 1210 -> 1300, over a ceiling of 1250, which needs to be no whole step
        ({"2022-10": 3300}, 1250),
    ],
)
def test_a_target_from_history(amounts, target_fen):
    changes = []
    for month, amount in amounts.items():
        paid = oracle.windows(month, TERMS).task_from
        changes.append(
            {"order_amount": amount, "order_pay_time": paid, "order_receive_time": paid + DAY, "is_direct": 0}
        )
    held = terms(('ceiling = "5000.00"', 'ceiling = "12.50"'))
    (entry,) = rostered(promoter(level="V1"), orders=orders_of(*changes), of=held)
    assert entry.target_gmv_fen == target_fen


def test_a_history_is_judged_by_the_windows_of_its_own_months():
    bounds = oracle.windows("2022-10", TERMS)
    changes = [
        {
            "order_amount": 1000,
            "order_pay_time": bounds.task_until - 1,
            "order_receive_time": bounds.cutoff - 1,
        },
        {"order_amount": 2000, "order_pay_time": bounds.task_until - 1, "order_receive_time": bounds.cutoff},
        {"order_amount": 4000, "order_pay_time": bounds.task_until, "order_receive_time": bounds.cutoff - 1},
    ]
    (entry,) = rostered(
        promoter(level="V1"), orders=orders_of(*changes), of=terms(('floor = "10.00"', 'floor = "0.01"'))
    )
    assert entry.target_gmv_fen == 400  # 1000 / 3 x 1.1 = 366 2/3, up to a whole yuan


def test_a_target_given_and_targets_of_the_terms():
    given = {"period": PERIOD, "promoter_id": "2", "gmv_yuan": "1.00", "orders": ""}
    entries = rostered(promoter("1"), promoter("2"), targets=[given])
    assert [(entry.target_gmv_fen, entry.target_orders) for entry in entries] == [(200000, 20), (100, None)]
