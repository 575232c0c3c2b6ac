"""Live-room orders, from every kind of file that can name the room: kept out unless the terms take them in."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty import importer
from bounty.db import snapshot
from bounty.models import Order, OrderVersion, Quarantined
from tests.factories import Month, order_row, shanghai, sn, terms_toml
from tests.intake.build import workbook

ROOM = "1000940_7"
NOW = shanghai("2022-12-15 12:00:00")


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path, now="2022-12-15 12:00:00")
    month.begin(toml=terms_toml())
    return month


def cells(row: dict[str, Any]) -> dict[str, str]:
    said = {name: "" if value is None else str(value) for name, value in row.items()}
    return said | {"cat_ids": ";".join(map(str, row["cat_ids"]))}


def as_csv(path: Path, row: dict[str, Any]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow(cells(row))
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def as_xlsx(path: Path, row: dict[str, Any]) -> Path:
    return workbook(path, [list(row), list(cells(row).values())])


def as_body(path: Path, row: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"order_list_get_response": {"order_list": [row]}}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("fields", "room"),
    [
        ({"sep_duo_id": 1000940, "sep_pid": ROOM}, ROOM),
        ({"sep_duo_id": 1000940, "sep_pid": ""}, "1000940"),
        ({"sep_duo_id": 0, "sep_pid": f" {ROOM} "}, ROOM),
        ({"sep_duo_id": 0, "sep_pid": ""}, None),
        ({"sep_duo_id": None, "sep_pid": None}, None),
        ({}, None),
    ],
)
def test_every_kind_of_file_names_the_same_room(
    month: Month, tmp_path: Path, engine: Engine, fields: dict[str, Any], room: str | None
) -> None:
    row = order_row() | fields
    files = (
        as_body(tmp_path / "a.json", row),
        as_csv(tmp_path / "a.csv", row),
        as_xlsx(tmp_path / "a.xlsx", row),
    )
    counts = [importer.import_file(engine, "orders", path, NOW).counts for path in files]
    assert [(each.new, each.unchanged, each.quarantined) for each in counts] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 1, 0),
    ]
    with snapshot(engine) as connection:
        assert connection.execute(select(Order.live_room)).scalar_one() == room
    assert month.explain().as_json()["task"]["reason"] == (None if room is None else "NOT_LIVE_ROOM")


@pytest.mark.parametrize(
    "fields", [{"sep_duo_id": "x"}, {"sep_duo_id": -1}, {"sep_duo_id": 1.5}, {"sep_pid": 7}]
)
def test_a_room_that_is_no_room_is_a_bad_row(month: Month, engine: Engine, fields: dict[str, Any]) -> None:
    month.orders(order_row() | fields)
    with snapshot(engine) as connection:
        assert connection.execute(select(Quarantined.column_name)).scalars().all() == list(fields)


def test_the_room_is_of_the_newest_row_and_of_equal_ones_the_one_that_names_a_room(
    month: Month, engine: Engine
) -> None:
    plain, live = order_row(), order_row(sep_pid=ROOM)
    for number, rows in enumerate([(plain, live), (live, plain)], start=1):
        for row in rows:
            month.orders(row | {"order_sn": sn(number)})
    with snapshot(engine) as connection:
        found = connection.execute(select(Order.live_room, Order.conflicting).order_by(Order.order_sn)).all()
    assert [tuple(each) for each in found] == [(ROOM, False), (ROOM, False)]
    month.orders(plain | {"order_modify_at": plain["order_modify_at"] + 1})
    with snapshot(engine) as connection:
        assert connection.execute(select(Order.live_room).where(Order.order_sn == sn(1))).scalar() is None


def test_a_row_of_no_room_hashes_as_before_there_were_rooms(month: Month, engine: Engine) -> None:
    """So that what is held is known again."""
    month.orders(order_row(), order_row(number=2, sep_duo_id=0, sep_pid=""))
    with snapshot(engine) as connection:
        hashes = (
            connection.execute(select(OrderVersion.row_hash).order_by(OrderVersion.order_sn)).scalars().all()
        )
    assert [bytes(each).hex() for each in hashes] == [
        "146d2fd33ff250efc3e20f129a2f899f",
        "f1417755b41d8492aae0e44a9ccd1873",
    ]
