"""Progress and explain in JSON: their keys, the order of the clauses, each fact and bound: as in the contract."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty.errors import BountyError
from tests.factories import (
    PROMOTER,
    Month,
    bounty,
    detail_of,
    link,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    sn,
    target,
    terms_toml,
    violation,
)

V1_PROMOTER = 2000939
NOON = "2022-12-15T12:00:00+08:00"
EXAMPLE = "221219-123456789012345"
TASK = (
    "PAID_IN_WINDOW COMMISSIONABLE DIRECT NOT_VIRTUAL IN_CATEGORY AT_LEAST_MINIMUM NOT_PRICE_COMPARE NOT_LIVE_ROOM "
    "NOT_FAILED RECEIVED_IN_TIME".split()
)
SUBSIDY = (
    "PAID_IN_MONTH COMMISSIONABLE NOT_VIRTUAL NOT_PRICE_COMPARE NOT_LIVE_ROOM NOT_FAILED APP_LINK "
    "NOT_IN_OTHER_PROGRAMME".split()
)
SWITCHED_OFF = ("IN_CATEGORY", "AT_LEAST_MINIMUM", "NOT_PRICE_COMPARE")
"""Of the task's."""


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 in its middle, open under the contract's terms."""
    month = Month(engine, tmp_path, now="2022-12-15 12:00:00")
    month.begin(promoter(), promoter(V1_PROMOTER, level="V1"), toml=terms_toml())
    return month


def failing(month: Month, number: int) -> tuple[list[str], list[str]]:
    """The codes that do not hold, of the task and of the subsidy; every clause is judged."""
    said = month.explain(number).as_json()
    codes: list[list[str]] = []
    for part, all_codes in ((said["task"], TASK), (said["subsidy"], SUBSIDY)):
        clauses = part["clauses"]
        assert [clause["code"] for clause in clauses] == all_codes
        assert all(list(clause) == ["code", "holds", "fact", "bound"] for clause in clauses)
        codes.append([clause["code"] for clause in clauses if not clause["holds"]])
        assert part["reason"] == (codes[-1][0] if codes[-1] else None)
    assert said["task"]["counts"] is (codes[0] == [])
    assert said["subsidy"]["qualifies"] is (codes[1] == [])
    return codes[0], codes[1]


# Progress


def test_progress_is_the_contracts_example(month: Month, database_url: str) -> None:
    direct = {"paid": "2022-12-05 12:00:00", "received": "2022-12-09 12:00:00"}
    month.orders(
        *(order_row(number=at, amount_fen=100_00, **direct) for at in range(1, 9)),  # type: ignore[arg-type]
        order_row(number=9, amount_fen=109_50),
        *(order_row(number=at, amount_fen=59_50, status=1, received=None) for at in (10, 11)),
        order_row(number=12, amount_fen=250_00, status=1, received=None),  # at most 200.00 of it
        order_row(number=13, amount_fen=20_00, type=94),
        order_row(number=14, amount_fen=300_00, cat_ids=[8736], is_direct=1),
    )
    expected = {
        "period": "2022-12",
        "promoter_id": 1000939,
        "as_of": NOON,
        "level": "V0",
        "eligible": True,
        "reason": None,
        "targets": {"gmv_fen": 200000, "orders": 20},
        "counted": {"gmv_fen": 90950, "orders": 9},
        "pending": {"gmv_fen": 31900, "orders": 3},
        "not_counted": [{"reason": "NOT_VIRTUAL", "orders": 2, "amount_fen": 320_00}],
        "passed": False,
        "published": None,
    }
    for _ in range(2):
        ran = bounty(database_url, "progress", "2022-12", str(PROMOTER), "--json", now=NOON)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert json.loads(ran.stdout) == expected
        assert list(json.loads(ran.stdout)) == list(expected)


def test_each_order_of_the_month_is_once_in_progress_by_its_first_failing_clause(month: Month) -> None:
    cases: list[dict[str, Any]] = [
        {},
        {"paid": "2022-12-21 00:00:00", "received": "2022-12-25 12:00:00", "status": 8},
        {"status": 8, "is_direct": 0},
        {"is_direct": None, "type": 94},
        {"cat_ids": [8729], "status": 10},
        {"sep_pid": "7_1", "status": 10},
        {"status": 10, "received": None},
        {"received": "2023-01-11 00:00:00"},
        {"received": None, "status": 0},
        {"paid": "2022-11-30 23:59:59"},
    ]
    month.orders(
        *(order_row(**{"number": 2**at, "amount_fen": 2**at} | case) for at, case in enumerate(cases))
    )
    said = month.progress()
    assert (said["counted"], said["pending"]) == ({"gmv_fen": 1, "orders": 1}, {"gmv_fen": 256, "orders": 1})
    assert said["not_counted"] == [
        {"reason": reason, "orders": 1, "amount_fen": fen}
        for reason, fen in zip(
            [code for code in TASK if code not in SWITCHED_OFF], (2, 4, 8, 16, 32, 64, 128), strict=True
        )
    ]


def test_progress_of_who_is_ineligible_or_published_or_not_on_the_roster(
    engine: Engine, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path)
    month.table("promoters", promoter(), promoter(2), promoter(3, registered_on="2022-12-01"))
    month.table("violations", violation(2))
    month.table("targets", target(orders="1"))
    month.terms(plain_terms())
    month.open()
    month.orders(order_row(amount_fen=4), order_row(number=2, promoter_id=2, amount_fen=8))
    month.settle()
    month.publish()
    month.orders(order_row(number=3, amount_fen=1))
    said = month.progress()
    assert (said["targets"], said["passed"]) == ({"gmv_fen": None, "orders": 1}, True)
    assert said["counted"] == {"gmv_fen": 4 + 1, "orders": 2}  # of now; what was published stays
    notice = {"notice": 1, "gmv_fen": 4, "orders": 1, "passed": True, "subsidy_fen": 4}
    assert said["published"] == notice
    ineligible = month.progress(2)
    assert (ineligible["eligible"], ineligible["reason"], ineligible["passed"]) == (False, "VIOLATION", False)
    assert (ineligible["published"]["notice"], ineligible["published"]["subsidy_fen"]) == (1, 0)
    with pytest.raises(BountyError, match="Promoter 3 is not on the roster of 2022-12"):
        month.progress(3)


def test_the_command_refuses_who_is_not_on_the_roster_and_a_period_that_is_not_open(
    month: Month, database_url: str
) -> None:
    for arguments in (("2022-12", "77"), ("2023-01", str(PROMOTER)), ("2022-12", "x"), ("12-2022", "77")):
        ran = bounty(database_url, "progress", *arguments, "--json", now=NOON)
        assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)


# Explain


def test_explain_is_the_contracts_example(month: Month, database_url: str) -> None:
    month.orders(
        order_row(
            order_sn=EXAMPLE, paid="2022-12-19 21:04:00", received="2023-01-11 00:03:00", amount_fen=19_90
        )
    )
    window = "[2022-12-01T00:00:00+08:00, 2022-12-21T00:00:00+08:00)"
    of_month = "[2022-12-01T00:00:00+08:00, 2023-01-01T00:00:00+08:00)"
    paid, late = "2022-12-19T21:04:00+08:00", "2023-01-11T00:03:00+08:00"
    for _ in range(2):
        ran = bounty(database_url, "explain", EXAMPLE, "--json", now="2023-01-15T12:00:00+08:00")
        assert (ran.returncode, ran.stderr) == (0, "")
        said = json.loads(ran.stdout)
    task, subsidy = said["task"].pop("clauses"), said["subsidy"].pop("clauses")
    assert said == {
        "order_sn": EXAMPLE,
        "promoter_id": 1000939,
        "period": "2022-12",
        "task": {"counts": False, "counted_fen": 0, "reason": "RECEIVED_IN_TIME"},
        "subsidy": {"qualifies": True, "reason": None, "subsidy_fen": None},
    }
    assert list(said) == ["order_sn", "promoter_id", "period", "task", "subsidy"]
    assert [clause["code"] for clause in task] == TASK
    assert [clause["code"] for clause in subsidy] == SUBSIDY
    assert task[0] == {"code": "PAID_IN_WINDOW", "holds": True, "fact": paid, "bound": window}
    in_time = {
        "code": "RECEIVED_IN_TIME",
        "holds": False,
        "fact": late,
        "bound": "< 2023-01-11T00:00:00+08:00",
    }
    assert task[-1] == in_time
    assert subsidy[0] == {"code": "PAID_IN_MONTH", "holds": True, "fact": paid, "bound": of_month}
    assert [clause["holds"] for clause in task] == [True] * 9 + [False]


def test_all_clauses_are_judged_not_only_up_to_the_first_that_fails(month: Month) -> None:
    """And those that the terms or the level switch off are listed as holding."""
    worst: dict[str, Any] = {
        "status": 8,
        "type": 94,
        "price_compare_status": 1,
        "is_direct": 0,
        "received": None,
        "sep_duo_id": 7,
    }
    month.table("links", link(f"{PROMOTER}_107021838", "other"), link(f"{V1_PROMOTER}_107021838", "app"))
    month.orders(
        order_row(number=1, paid="2022-12-25 12:00:00", **worst),
        order_row(number=2, promoter_id=V1_PROMOTER, **worst | {"status": 10}),
    )
    month.orders(detail_of(order_row(number=1, paid="2022-12-25 12:00:00", **worst), 2))
    everything = [code for code in TASK if code not in SWITCHED_OFF]
    assert failing(month, 1) == (everything, SUBSIDY[1:-1])
    assert failing(month, 2) == (
        ["NOT_VIRTUAL", "NOT_LIVE_ROOM", "NOT_FAILED", "RECEIVED_IN_TIME"],
        ["NOT_VIRTUAL", "NOT_PRICE_COMPARE", "NOT_LIVE_ROOM", "NOT_FAILED"],
    )


def test_categories_and_a_minimum_are_asked_where_the_terms_name_them(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now="2022-12-15 12:00:00")
    asked = 'order_cap_yuan = "200.00"\ncategory_ids = [2001, 70, 70]\nmin_order_yuan = "9.90"'
    month.begin(toml=terms_toml().replace('order_cap_yuan = "200.00"', asked, 1))
    month.orders(
        order_row(number=1, amount_fen=990),
        order_row(number=2, amount_fen=989, cat_ids=[7, 70]),
        order_row(number=3, cat_ids=[7, 701]),
        order_row(number=4, cat_ids=None),
    )
    assert [failing(month, number)[0] for number in (1, 2, 3, 4)] == [
        [],
        ["AT_LEAST_MINIMUM"],
        ["IN_CATEGORY"],
        ["IN_CATEGORY"],
    ]
    clauses = {clause["code"]: clause for clause in month.explain(2).as_json()["task"]["clauses"]}
    assert clauses["IN_CATEGORY"] == {
        "code": "IN_CATEGORY",
        "holds": True,
        "fact": "7;70",
        "bound": "cat_ids has one of: 70, 2001",
    }
    assert clauses["AT_LEAST_MINIMUM"]["fact"] == 989
    assert clauses["AT_LEAST_MINIMUM"]["bound"] == ">= 990 fen"
    assert month.progress()["counted"] == {"gmv_fen": 990, "orders": 1}


def test_live_room_orders_count_and_earn_where_the_terms_say_so(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now="2022-12-15 12:00:00")
    counted = terms_toml().replace(
        "count_price_compare = true", "count_price_compare = true\ncount_live_room = true", 1
    )
    month.begin(toml=counted)
    month.orders(
        order_row(number=1, sep_duo_id=1000940, sep_pid="1000940_7"),
        order_row(number=2, sep_duo_id="7", sep_pid=None),
        order_row(number=3, sep_duo_id=0, sep_pid=""),
        order_row(number=4, sep_duo_id=None),
    )
    assert [failing(month, number) for number in (1, 2, 3, 4)] == [
        ([], ["NOT_LIVE_ROOM"]),
        ([], ["NOT_LIVE_ROOM"]),
        ([], []),
        ([], []),
    ]
    facts = [
        next(
            each
            for each in month.explain(number).as_json()["subsidy"]["clauses"]
            if each["code"] == "NOT_LIVE_ROOM"
        )
        for number in (1, 2, 3)
    ]
    assert [each["fact"] for each in facts] == ["1000940_7", "7", None]
    assert {each["bound"] for each in facts} == {"no sep_duo_id above 0 and no sep_pid"}


def test_an_unpaid_order_has_no_period_and_counts_nowhere(month: Month) -> None:
    month.orders(order_row(status=-1, paid=None, received=None, modified="2022-12-05 12:00:00"))
    said = month.explain().as_json()
    assert (said["period"], said["promoter_id"]) == (None, PROMOTER)
    assert failing(month, 1) == (
        ["PAID_IN_WINDOW", "COMMISSIONABLE", "RECEIVED_IN_TIME"],
        ["PAID_IN_MONTH", "COMMISSIONABLE"],
    )
    assert said["task"]["clauses"][0]["fact"] is None
    assert (said["task"]["counted_fen"], said["subsidy"]["subsidy_fen"]) == (0, None)


def test_an_order_in_quarantine_or_never_seen_is_refused_with_what_is_known(
    month: Month, database_url: str
) -> None:
    month.orders(order_row(order_status=99), order_row(number=2, promoter_id=7))
    month.orders(order_row(number=3), order_row(number=3, order_status=99))  # held; its bad row waits
    for number, words in ((1, "quarantine as entry 1: E-STATUS"), (2, "quarantine as entry 2: E-PROMOTER")):
        ran = bounty(database_url, "explain", sn(number), "--json", now=NOON)
        assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
        assert words in ran.stderr
    with pytest.raises(BountyError, match="is not held"):
        month.explain(4)
    assert month.explain(3).as_json()["task"]["counts"] is True


def test_in_a_period_not_open_yet_the_level_is_the_promoters_present_one(month: Month) -> None:
    """V1 counts indirect orders, V0 does not; the roster, once there is one, decides for good."""
    january = {"paid": "2023-01-05 12:00:00", "received": "2023-01-09 12:00:00"}
    month.orders(order_row(is_direct=0, **january))  # type: ignore[arg-type]
    assert month.explain().as_json()["period"] == "2023-01"
    assert failing(month, 1)[0] == ["DIRECT"]
    month.table("promoters", promoter(level="V1", level_from="2022-12-16"))
    assert failing(month, 1)[0] == ["DIRECT"]  # the new level begins tomorrow
    month.now = shanghai("2022-12-16 00:00:00")
    assert failing(month, 1)[0] == []
    Month(month.engine, month.folder / "next", period="2023-01", now="2022-12-25 09:00:00").open()
    month.table("promoters", promoter(level="V0", level_from="2022-12-20"))
    month.now = shanghai("2023-01-10 12:00:00")
    assert failing(month, 1)[0] == []  # the roster has V1


def test_an_order_of_a_month_without_terms_is_refused_with_what_to_do(month: Month) -> None:
    month.orders(order_row(paid="2022-11-30 23:59:59"))
    with pytest.raises(BountyError, match=r"No terms apply to 2022-11: .*bounty terms add"):
        month.explain()


def test_the_subsidy_is_what_the_newest_settlement_gave(month: Month) -> None:
    month.table("targets", target(period="2023-01", orders="1"))
    Month(month.engine, month.folder / "next", period="2023-01", now="2022-12-25 09:00:00").open()
    january = {"paid": "2023-01-05 12:00:00", "received": "2023-01-09 12:00:00"}
    row, virtual = order_row(amount_fen=75, **january), order_row(number=2, type=94, **january)  # type: ignore[arg-type]
    month.orders(row, virtual)
    assert month.explain().as_json()["subsidy"]["subsidy_fen"] is None
    settling = Month(month.engine, month.folder / "then", period="2023-01", now="2023-02-11 00:00:00")
    settling.settle()
    given = [month.explain(number).as_json()["subsidy"]["subsidy_fen"] for number in (1, 2)]
    assert given == [2, 0]  # 1.5 fen at 20‰, half-even; none for virtual goods
    settling.publish()
    settling.orders(row | {"order_status": 4, "order_modify_at": settling.now})
    assert month.explain().as_json()["subsidy"] | {"clauses": None} == {
        "qualifies": False,
        "reason": "NOT_FAILED",
        "subsidy_fen": 2,
        "clauses": None,
    }
    settling.settle()  # a draft, and the newest settlement all the same
    assert month.explain().as_json()["subsidy"]["subsidy_fen"] == 0
