"""The fold, whatever comes: any order of arrival, in any batches, with any repeats, ends in the oracle's state."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from bounty import importer
from bounty.db import snapshot
from bounty.models import Order
from tests import oracle
from tests.factories import write_json

NOW = 1_700_000_000
PROMOTERS = "promoter_id,name,level,level_from,registered_on\n" + "".join(
    f"{number},示例,V0,2022-01-01,2022-01-01\n" for number in (1, 2)
)
NUMBERS = itertools.count(1)

a_row = st.fixed_dictionaries(
    {
        "p_id": st.sampled_from(["1_1", "1_2", "2_1"]),
        "order_status": st.sampled_from([0, 1, 2, 3, 4, 4, 5, 10]),
        "order_amount": st.sampled_from([9, 10, 100, 20_000]),
        "promotion_amount": st.sampled_from([0, 1]),
        "type": st.sampled_from([None, 0, 9, 94]),
        "cat_ids": st.sampled_from([None, [], [0], [8724, 1], [1, 8724, 0]]),
        "is_direct": st.sampled_from([0, 1]),
        "price_compare_status": st.sampled_from([None, 0, 1]),
        "order_pay_time": st.sampled_from([1_670_000_000, 1_670_000_001]),
        "order_receive_time": st.sampled_from([None, 0, 1_670_100_000]),
        "order_verify_time": st.sampled_from([None, 1_670_200_000]),
        "order_modify_at": st.integers(1_670_300_000, 1_670_300_004),
        "detail": st.sampled_from([False, False, True]),
        "return_status": st.sampled_from([0, 1, 2]),
        "sep_duo_id": st.sampled_from([None, None, 0, 9, 10]),
        "sep_pid": st.sampled_from([None, "", "9_1"]),
    }
)
histories = st.lists(a_row, min_size=1, max_size=7)


def as_sent(drawn: dict[str, Any], order_sn: str) -> dict[str, Any]:
    """The row as the platform's list or detail reply has it."""
    row = {name: value for name, value in drawn.items() if name != "detail"} | {"order_sn": order_sn}
    if drawn["detail"]:
        row["pid"] = row.pop("p_id")
    else:
        del row["return_status"]
    return row


@pytest.fixture
def known(engine: Engine, tmp_path: Path) -> Engine:
    """A database that knows two promoters."""
    path = tmp_path / "promoters.csv"
    path.write_text(PROMOTERS, encoding="utf-8")
    importer.import_file(engine, "promoters", path, NOW)
    return engine


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(history=histories, seed=st.integers(0, 2**32))
def test_any_arrival_ends_in_the_oracles_state(
    known: Engine, tmp_path: Path, history: list[dict[str, Any]], seed: int
) -> None:
    order_sn = f"221202-{next(NUMBERS):015d}"
    rng = random.Random(seed)
    rows = [as_sent(drawn, order_sn) for drawn in history]
    arriving = rows + rng.sample(rows, rng.randint(0, len(rows)))
    rng.shuffle(arriving)
    while arriving:
        size = rng.randint(1, len(arriving))
        batch, arriving = arriving[:size], arriving[size:]
        counts = importer.import_file(known, "orders", write_json(tmp_path / "rows.json", batch), NOW).counts
        assert counts.quarantined == 0
    expected = oracle.fold(rows)[order_sn]
    with snapshot(known) as connection:
        found = connection.execute(select(Order.__table__).where(Order.order_sn == order_sn)).mappings().one()
    same = {
        "promoter_id": expected.promoter_id,
        "p_id": expected.p_id,
        "order_status": expected.status,
        "order_amount_fen": expected.order_amount_fen,
        "type": expected.type,
        "cat_ids": ";".join(map(str, expected.cat_ids)) if expected.cat_ids else None,
        "is_direct": expected.is_direct,
        "received_at": expected.received_at,
        "modified_at": expected.modified_at,
        "return_status": expected.return_status,
        "failed_at": expected.failed_at,
        "live_room": expected.live_room,
    }
    assert {name: found[name] for name in same} == same
