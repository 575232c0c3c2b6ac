"""Opening a period: who is judged and on what, decided once, from what is known then."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.models import OpenPeriod, RosterEntry
from tests.factories import (
    EASY,
    Month,
    Row,
    bounty,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    target,
    terms_toml,
    violation,
    write_text,
)

OPENING = "2022-11-25 09:00:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 on the day on which it is usually opened, with the contract's terms."""
    month = Month(engine, tmp_path, now=OPENING)
    month.terms(terms_toml())
    return month


def roster(month: Month) -> list[Row]:
    query = select(RosterEntry.__table__).where(RosterEntry.period == str(month.period))
    with snapshot(month.engine) as connection:
        rows = connection.execute(query.order_by(RosterEntry.promoter_id)).mappings()
        return [dict(row) for row in rows]


def targets(month: Month) -> dict[int, tuple[Any, Any]]:
    """Promoter to both targets, fen and orders."""
    return {row["promoter_id"]: (row["target_gmv_fen"], row["target_orders"]) for row in roster(month)}


def test_open_refuses_until_the_last_month_of_the_history_is_complete_to_the_second(month: Month) -> None:
    month.table("promoters", promoter())
    month.now = shanghai("2022-11-10 23:59:59")
    for _ in range(2):
        with pytest.raises(BountyError, match="can be opened from 2022-11-11T00:00:00"):
            month.open()
        assert roster(month) == []
    month.now += 1
    assert month.open().on_roster == 1


def test_open_refuses_without_terms_for_the_period_and_without_promoters(
    engine: Engine, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path, now=OPENING)
    month.table("promoters", promoter(registered_on="2022-12-01"))
    with pytest.raises(BountyError, match=r"No terms apply to 2022-12: .*`bounty terms add FILE`"):
        month.open()
    month.terms(terms_toml(effective_from="2023-01"))
    with pytest.raises(BountyError, match="No terms apply to 2022-12"):
        month.open()
    month.terms(terms_toml(effective_from="2022-12"))
    with pytest.raises(BountyError, match="No promoter was registered before 2022-12-01"):
        month.open()
    with snapshot(engine) as connection:
        assert connection.execute(select(OpenPeriod)).all() == []


def test_a_promoter_is_on_the_roster_if_registered_before_the_month(month: Month) -> None:
    month.table(
        "promoters",
        promoter(1, registered_on="2022-11-30"),
        promoter(2, registered_on="2022-12-01"),
        promoter(4, registered_on="2015-01-01"),
    )
    assert month.open().on_roster == 2
    assert sum(row["promoter_id"] for row in roster(month)) == 1 + 4


def test_the_first_reason_that_applies_is_given_in_the_contracts_order(month: Month) -> None:
    short = {"level": "V1", "registered_on": "2022-11-30"}
    month.table(
        "promoters",
        promoter(1, level="V2", registered_on="2022-11-30"),
        promoter(2, **short),
        promoter(3, level="V1"),
        promoter(4, level="V1"),
        promoter(5, level="V1"),
        promoter(6, level="V0x"),
    )
    month.table("violations", *(violation(number) for number in (1, 2, 3)))
    month.table("targets", *(target(number) for number in (1, 2, 3, 4)))
    opening = month.open()
    assert [row["reason"] for row in roster(month)] == [
        "LEVEL_NOT_OFFERED",
        "TENURE_TOO_SHORT",
        "VIOLATION",
        "NO_TARGET",
        None,
        "LEVEL_NOT_OFFERED",  # the start of a name is not the name
    ]
    assert opening.eligible == 1
    assert list(opening.reasons.items()) == [
        ("LEVEL_NOT_OFFERED", 2),
        ("TENURE_TOO_SHORT", 1),
        ("VIOLATION", 1),
        ("NO_TARGET", 1),
    ]


def test_the_level_is_the_newest_that_has_begun_and_the_name_that_of_the_newest_row(month: Month) -> None:
    month.table(
        "promoters",
        promoter(1, level="V0", level_from="2022-11-30"),
        promoter(1, level="V1", level_from="2022-12-01", name="升级了"),
        promoter(2, level="V0", level_from="2022-12-01", name="旧名"),
        promoter(2, level="V2", level_from="2022-12-02", name="新名", registered_on="2022-11-01"),
        promoter(3, level="V0", level_from="2022-12-02"),
        promoter(4, level="V1", level_from="2022-01-01"),
        promoter(4, level="V0", level_from="2022-01-01", name="同日改正"),
    )
    month.open()
    shown = [(row["level"], row["name"], row["reason"]) for row in roster(month)]
    assert shown == [
        ("V1", "升级了", None),
        ("V0", "新名", None),
        (None, "示例 3", "LEVEL_NOT_OFFERED"),
        ("V0", "同日改正", None),
    ]


def test_a_violation_counts_from_the_day_before_the_month_until_it_is_cleared_before_it(
    month: Month,
) -> None:
    cases = {
        1: violation(1, occurred_on="2022-11-30"),
        2: violation(2, occurred_on="2022-12-01"),
        4: violation(4, cleared_on="2022-11-30"),
        8: violation(8, cleared_on="2022-12-01"),
        16: violation(16, occurred_on="2015-01-01"),
    }
    month.table("promoters", *(promoter(number) for number in cases))
    month.table("violations", *cases.values())
    assert month.open().reasons == {"VIOLATION": 3}
    assert sum(row["promoter_id"] for row in roster(month) if row["reason"]) == 1 + 8 + 16


def test_a_cleared_violation_stands_again_if_a_later_row_says_so(month: Month) -> None:
    month.table("promoters", promoter(1), promoter(2))
    month.table("violations", violation(1, cleared_on="2022-11-20"), violation(2))
    month.table("violations", violation(1), violation(2, cleared_on="2022-11-20"))
    month.open()
    assert [row["reason"] for row in roster(month)] == ["VIOLATION", None]


def test_a_targets_row_replaces_both_targets_and_a_blank_or_0_is_none(month: Month) -> None:
    month.table("promoters", *(promoter(number) for number in range(1, 7)))
    month.table(
        "targets",
        target(1, gmv_yuan="123.4", orders="5"),
        target(2, gmv_yuan="100"),
        target(3, orders="7"),
        target(4, gmv_yuan="0.00", orders="0"),
        target(5, period="2023-01", gmv_yuan="1.00"),
        target(6, gmv_yuan="9.99"),
        target(6, gmv_yuan="0", orders="4"),
    )
    month.open()
    assert targets(month) == {
        1: (123_40, 5),
        2: (100_00, None),
        3: (None, 7),
        4: (None, None),
        5: (2000_00, 20),  # the terms' own: the row is of another period
        6: (None, 4),
    }
    assert roster(month)[3]["reason"] == "NO_TARGET"


def test_what_is_imported_after_opening_changes_nothing(month: Month, tmp_path: Path) -> None:
    month.table("promoters", promoter(1), promoter(2, level="V1"))
    month.open()
    before = roster(month)
    month.table("promoters", promoter(1, level="V2", level_from="2022-11-20", name="改名"), promoter(3))
    month.table("violations", violation(1))
    month.orders(order_row(promoter_id=2, paid="2022-10-05 12:00:00", received="2022-10-06 12:00:00"))
    frozen = month.table("targets", target(1, gmv_yuan="1.00"), target(2, period="2023-01", gmv_yuan="1.00"))
    assert (frozen.new, frozen.quarantined) == (1, 1)
    assert month.waiting() == [("E-OPEN", "1 2022-12", "period", "2022-12")]
    with pytest.raises(BountyError, match="2022-12, which is already open"):
        month.terms(plain_terms())
    month.open()
    assert roster(month) == before
    assert month.progress(1)["level"] == "V0"
    # The next period sees all of it; nobody asks for more terms, since those of 2022-12 apply on.
    january = Month(month.engine, tmp_path / "january", period="2023-01", now="2022-12-25 09:00:00")
    assert (january.open().on_roster, january.progress(1)["reason"]) == (3, "LEVEL_NOT_OFFERED")
    assert january.progress(2)["targets"] == {"gmv_fen": 100, "orders": None}
    assert roster(month) == before


def test_terms_of_the_same_content_change_nothing_and_other_ones_begin_with_a_later_period(
    month: Month,
) -> None:
    month.table("promoters", promoter())
    month.open()
    held = month.terms(terms_toml())
    assert month.terms("# 排版不同\n" + terms_toml().replace(" = ", "=")) == held
    later = month.terms(terms_toml(effective_from="2023-01", last_day=25))
    assert later != held
    with snapshot(month.engine) as connection:
        (task_until,) = connection.execute(select(OpenPeriod.task_until)).scalars()
    assert task_until == shanghai("2022-12-21 00:00:00")


FORMULA = (
    'gmv_yuan = {{ history_periods = 3, factor = "{factor}", floor = "{floor}", step = "{step}"{ceiling} }}'
)


def formula(*, factor: str = "3", floor: str = "0.01", step: str = "0.01", ceiling: str = "") -> str:
    """A level's target; by default the very sum of its three months."""
    top = f', ceiling = "{ceiling}"' if ceiling else ""
    return FORMULA.format(factor=factor, floor=floor, step=step, ceiling=top)


def test_the_history_counts_as_the_task_does_in_the_three_months_to_the_last_complete_one(
    engine: Engine, tmp_path: Path
) -> None:
    levels = {"V0": f"direct_only = true\n{formula()}", "V1": f"direct_only = false\n{formula()}"}
    month = Month(engine, tmp_path, now=OPENING)
    month.terms(terms_toml(levels=levels, order_cap_yuan="40.96"))
    month.table("promoters", promoter(1), promoter(2, level="V1"))
    told: list[Row] = [
        {"paid": "2022-07-20 23:59:59", "received": "2022-08-01 00:00:00"},  # a month too early
        {"paid": "2022-08-01 00:00:00", "received": "2022-08-05 00:00:00"},  # 2
        {"paid": "2022-08-20 23:59:59", "received": "2022-09-10 23:59:59"},  # 4
        {"paid": "2022-08-21 00:00:00", "received": "2022-08-25 00:00:00"},
        {"paid": "2022-09-05 12:00:00", "received": "2022-10-11 00:00:00"},
        {"paid": "2022-10-05 12:00:00", "received": "2022-11-10 23:59:59"},  # 32
        {"paid": "2022-10-05 12:00:00", "received": "2022-10-09 12:00:00", "type": 94},
        {"paid": "2022-10-05 12:00:00", "received": "2022-10-09 12:00:00", "is_direct": 0},  # 128, V1 alone
        {"paid": "2022-11-05 12:00:00", "received": "2022-11-09 12:00:00"},  # a month too late
        {
            "paid": "2022-09-05 12:00:00",
            "received": "2022-09-09 12:00:00",
            "status": 4,
            "verified": "2022-10-11 00:00:00",
        },  # 512: it failed too late to matter
        {"paid": "2022-09-05 12:00:00", "received": "2022-09-09 12:00:00", "price_compare_status": 1},  # 1024
        {"paid": "2022-10-05 12:00:00", "received": "2022-10-09 12:00:00", "order_amount": 9999},  # 4096
    ]
    for promoter_id in (1, 2):
        month.orders(
            *(
                order_row(
                    **{"number": promoter_id * 100 + at, "promoter_id": promoter_id, "amount_fen": 2**at}
                    | row
                )
                for at, row in enumerate(told)
            )
        )
    opening = month.open()
    assert opening.history == {"2022-08": 6, "2022-09": 6, "2022-10": 8}
    months = {"2022-08": 2 + 4, "2022-09": 512 + 1024, "2022-10": 32 + 4096}
    assert targets(month) == {1: (sum(months.values()), None), 2: (sum(months.values()) + 128, None)}
    first, second = (json.loads(row["derivation"]) for row in roster(month))
    assert (first["source"], first["months_fen"]) == ("history", months)
    assert second["months_fen"] == months | {"2022-10": 32 + 128 + 4096}


@pytest.mark.parametrize(
    ("history_fen", "level", "target_fen"),
    [
        (9000_01, formula(factor="1.10", floor="3000.00", step="100.00"), 3400_00),  # 3300.0036...
        (9000_00, formula(factor="1.10", floor="3000.00", step="100.00"), 3300_00),  # to the fen
        (1, formula(factor="1.10", floor="3000.00", step="100.00"), 3000_00),
        (9000_01, formula(factor="1.10", floor="3000.00", step="100.00", ceiling="3333.33"), 3333_33),
        (1000, formula(factor="0.0101", step="0.07"), 7),  # 3.3667 fen
        (2, formula(factor="1.5", step="0.01"), 1),  # 1 fen exactly
        (2, formula(factor="1.5001", step="0.01"), 2),  # 1.00007 fen
        (0, formula(floor="0.03", step="0.02"), 3),  # the floor needn't be a multiple of the step
    ],
)
def test_a_target_from_history_is_exact_then_rounded_up_then_held_between_floor_and_ceiling(
    engine: Engine, tmp_path: Path, history_fen: int, level: str, target_fen: int
) -> None:
    month = Month(engine, tmp_path, now=OPENING)
    row = order_row(amount_fen=history_fen, paid="2022-10-05 12:00:00", received="2022-10-09 12:00:00")
    month.table("promoters", promoter())
    month.orders(row)
    month.terms(terms_toml(levels={"V0": f"direct_only = true\n{level}"}, order_cap_yuan="99999.00"))
    month.open()
    assert month.progress()["targets"] == {"gmv_fen": target_fen, "orders": None}


def test_the_command_says_who_is_on_the_roster_and_what_the_history_held(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    month.table("promoters", promoter(1), promoter(2, level="V1"), promoter(3, level="V7"))
    month.orders(order_row(promoter_id=2, paid="2022-10-05 12:00:00", received="2022-10-09 12:00:00"))
    now = "2022-11-25T09:00:00+08:00"
    early = bounty(database_url, "open", "2023-03", now=now)
    assert (early.returncode, early.stdout) == (1, "")
    assert early.stderr.startswith("Error: 2023-03 can be opened from 2023-02-11T00:00:00+08:00")
    for state in ("opened", "open already, nothing changed"):
        ran = bounty(database_url, "open", "2022-12", now=now)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.splitlines() == [
            f"2022-12 {state}: 3 on the roster, 2 eligible",
            "  LEVEL_NOT_OFFERED 1",
            "  history 2022-08: 0 orders",
            "  history 2022-09: 0 orders",
            "  history 2022-10: 1 order",
        ]
    shown = bounty(database_url, "progress", "2022-12", "2", now=now).stdout
    assert "target GMV ¥3,000.00, orders none" in shown
    assert "mean of (2022-08 ¥0.00, 2022-09 ¥0.00, 2022-10 ¥100.00) x 1.1" in shown
    file = write_text(tmp_path / "terms.toml", plain_terms(levels=EASY))
    refused = bounty(database_url, "terms", "add", file)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert bounty(database_url, "open", "2022-13").returncode == 1
