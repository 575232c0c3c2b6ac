"""What looks odd is taken in as it stands, flagged where an order is explained and in the listing of its batch."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.orders.warnings import Medians, flagged_rows, medians
from bounty.rules.periods import Period
from tests.factories import Month, bounty, order_row, plain_terms, promoter, shanghai, sn

FINE: list[dict[str, Any]] = [
    {},
    {"goods_name": None},
    {"goods_name": "【百亿补贴】 1=1, 满减-5 🎁"},
    {"order_create_time": shanghai("2022-12-05 12:00:00")},  # paid in the second it was made
    {"order_status": 1, "order_receive_time": None},
]
ODD: list[tuple[dict[str, Any], str]] = [
    ({"order_create_time": shanghai("2022-12-05 12:00:01")}, "TIMES_OUT_OF_ORDER"),  # paid before it was made
    ({"order_receive_time": shanghai("2022-12-05 11:59:59")}, "TIMES_OUT_OF_ORDER"),  # received before it was paid
    ({"order_modify_at": shanghai("2022-12-01 00:00:00"), "order_create_time": shanghai("2022-12-02 00:00:00")},
     "TIMES_OUT_OF_ORDER"),
    ({"order_receive_time": shanghai("2023-01-15 12:00:01")}, "TIMES_OUT_OF_ORDER"),  # a second after now
    *(({"goods_name": name}, "ODD_TEXT")
      for name in ("=1+1", "+5", "-5", "@sum", "＝1", "abc\u202ecba", "\u2067abc", "苹果\ufffd")),
]  # fmt: skip
CODES = {"TIMES_OUT_OF_ORDER": "W-ORDER", "ODD_TEXT": "W-TEXT"}


# Each file is taken in twice: batches 1 and 2 are of promoters, 3 and 4 of the first orders.
@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.table("promoters", promoter())
    month.terms(plain_terms())
    return month


def test_what_looks_odd_goes_in_and_is_flagged_and_what_does_not_is_not(month: Month) -> None:
    rows = [order_row(number=number, **fields) for number, fields in enumerate(FINE, start=1)]
    rows += [order_row(number=number, **fields) for number, (fields, _) in enumerate(ODD, start=101)]
    assert month.orders(*rows).new == len(rows)
    for number in range(1, 1 + len(FINE)):
        assert not {*CODES} & {*month.explain(number).flags}, FINE[number - 1]
    for number, (fields, flag) in enumerate(ODD, start=101):
        assert {*CODES} & {*month.explain(number).flags} == {flag}, fields
    with snapshot(month.engine) as connection:
        found = [(row.place, row.order_sn, row.flags) for row in flagged_rows(connection, 3, month.now)]
    expected = [
        (len(FINE) + at, sn(100 + at), (CODES[flag],)) for at, (_fields, flag) in enumerate(ODD, start=1)
    ]
    assert found == expected


@pytest.mark.parametrize(("amount_fen", "far_off"), [(35, True), (3_500, False), (350_000, True)])
def test_a_median_a_hundred_times_last_months_asks_for_the_unit(
    month: Month, amount_fen: int, far_off: bool
) -> None:
    november: dict[str, Any] = {"paid": "2022-11-05 12:00:00", "received": "2022-11-09 12:00:00"}
    month.orders(
        *(order_row(number=number, amount_fen=3_000 + number, **november) for number in range(1, 10))
    )
    month.orders(*(order_row(number=number, amount_fen=amount_fen) for number in range(11, 16)))
    with snapshot(month.engine) as connection:
        first, found = medians(connection, 3), medians(connection, 5)
    assert first == Medians(3_005, Period(2022, 10), None)
    assert not first.far_off
    assert found == Medians(amount_fen, Period(2022, 11), 3_005)
    assert found.far_off is far_off


def test_the_command_lists_the_flags_of_a_batch_of_orders_alone(month: Month, database_url: str) -> None:
    month.orders(order_row(), order_row(number=2, goods_name="=cmd()"))
    said = bounty(database_url, "import", "flags", "3")
    unknown = "2 of 2 rows have a promotion place without a known channel: their link is unknown"
    assert said.stdout == f"2 {sn(2)} W-TEXT\nbatch 3: 1 row flagged\n{unknown}\n"
    refused = bounty(database_url, "import", "flags", "1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "There is no batch 1 of orders" in refused.stderr
    with snapshot(month.engine) as connection, pytest.raises(BountyError, match="import list"):
        list(flagged_rows(connection, 99, month.now))
