"""Rows as they are delivered: out of order, twice, with something left out."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from tests.agreement.months.case import DAY, Row


def as_delivered(rng: random.Random, rows: Iterable[Row]) -> list[Row]:
    """The rows as they come in: by and large in time, or backwards, or in no order; one in ten twice."""
    told = list(rows)
    told += rng.choices(told, k=len(told) // 10) if told else []
    jitter = rng.choice([0, DAY, 40 * DAY, 1000 * DAY])
    told.sort(key=lambda row: row["order_modify_at"] + rng.randint(0, jitter))
    if rng.random() < 0.2:
        told.reverse()
    return [_expressed(rng, row) for row in told]


def _expressed(rng: random.Random, row: Row) -> Row:
    """The same facts in other words: null, absent or 0 for what is not yet; categories unsorted and with a 0."""
    said = dict(row)
    for key in ("order_receive_time", "order_verify_time", "order_settle_time", "order_pay_time"):
        if said[key] is None:
            _leave_out(rng, said, key, 0)
    for key in ("type", "is_direct", "price_compare_status"):
        if said[key] is None:
            _leave_out(rng, said, key, None)
    if "return_status" in said and said["return_status"] is None:
        _leave_out(rng, said, "return_status", None)
    if said["promotion_amount"] == 0:
        _leave_out(rng, said, "promotion_amount", 0)
    if said["cat_ids"] is None:
        _leave_out(rng, said, "cat_ids", rng.choice([[], [0], [0, 0, 0, 0]]))
    else:
        said["cat_ids"] = rng.sample(said["cat_ids"], k=len(said["cat_ids"]))
        said["cat_ids"] += rng.choice([[], [], [0], [0, 0]])
    for key in ("order_amount", "promotion_amount"):
        if rng.random() < 0.05 and said.get(key) is not None:
            said[key] = str(said[key])
    return said


def _leave_out(rng: random.Random, row: Row, key: str, nothing: Any) -> None:
    """Say nothing of the key: by its absence, by null or by a value that means it."""
    how = rng.choice(["absent", "null", "nothing"])
    if how == "absent":
        del row[key]
    else:
        row[key] = None if how == "null" else nothing
