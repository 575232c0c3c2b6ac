"""Whatever comes after a month was archived: the same books as if it had not been."""

import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty.archives.service import NothingLeft
from bounty.db import make_engine, snapshot, transaction
from bounty.lake.recompute import recompute
from bounty.models import (
    Batch,
    Order,
    Quarantined,
)
from bounty.notices.as_of import results_as_of
from bounty.orders.undo import undo_batch
from bounty.progress.timeline import rows_received
from tests import postgres
from tests.archives.shelf import OTHER, Shelf
from tests.factories import (
    PROMOTER,
    Row,
    detail_of,
    order_row,
    promoter,
    sn,
    terms_toml,
)


class Twins:
    """Two books of one kind to which the same happens; only the second ones are archived."""

    def __init__(self, plain: Shelf, shelved: Shelf) -> None:
        self.both = (plain, shelved)
        self.shelved = shelved

    def bring(self, *rows: Row) -> int:
        batches = {shelf.bring(*rows) for shelf in self.both}
        assert len(batches) == 1
        return batches.pop()

    def undo(self, batch_id: int) -> None:
        for shelf in self.both:
            with transaction(shelf.engine) as connection:
                undo_batch(connection, batch_id, shelf.now)

    def table(self, kind: str, *rows: Row) -> None:
        for shelf in self.both:
            shelf.table(kind, *rows)

    def require_alike(self, numbers: range) -> None:
        """What people see is the same in both."""
        plain, shelved = (self._seen(shelf, numbers) for shelf in self.both)
        assert shelved == plain
        assert self.shelved.violations() == {}

    @staticmethod
    def _seen(shelf: Shelf, numbers: range) -> dict[str, Any]:
        held = shelf.held(Order, Batch, Quarantined)
        orders = {row[1] for row in held["orders"]} | {row[0] for row in held["orders"]}
        with snapshot(shelf.engine) as connection:
            settled = recompute(connection, shelf.period)
            results = [row._asdict() for row in results_as_of(connection, shelf.period, None)]
            pages = {
                number: [
                    rows_received(connection, each, sn(number), with_texts=True) for each in (PROMOTER, OTHER)
                ]
                for number in numbers
            }
        return {
            **held,
            "explained": [shelf.explain(number).as_json() for number in numbers if sn(number) in orders],
            "settled": (settled.content_sha256, settled.equal),
            "results": results,
            "pages": pages,
        }


@pytest.fixture
def twins(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Twins]:
    if engine.dialect.name == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "other.sqlite")
        url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    else:
        url = postgres.fresh_database(request.getfixturevalue("_postgres_template"))
    other = make_engine(url)
    shelves = (Shelf(other, tmp_path / "plain"), Shelf(engine, tmp_path / "shelved"))
    for shelf in shelves:
        shelf.begin(promoter(), promoter(OTHER), toml=terms_toml())
    yield Twins(*shelves)
    other.dispose()
    if engine.dialect.name == "postgresql":
        postgres.drop_database(url)


LATE = ("2023-01-20 00:00:00", "2023-02-01 00:00:00", "2022-12-10 00:00:10", "2022-12-09 12:00:10")
"""Ages of late rows: newer than all, as old as the first, and older."""
NUMBERS = range(1, 13)


def late_row(chance: random.Random) -> Row:
    """A row that may come at any time: of a known order or a new one, alike or otherwise."""
    row = order_row(
        number=chance.choice(NUMBERS),
        amount_fen=chance.choice((100_00, 100_00, 55_00)),
        status=chance.choice((2, 2, 3, 4)),
        modified=chance.choice(LATE),
        promoter_id=chance.choice((PROMOTER, PROMOTER, PROMOTER, OTHER, 77)),
        paid=chance.choice(("2022-12-05 12:00:00",) * 4 + ("2023-01-02 12:00:00",)),
        received=chance.choice(("2022-12-09 12:00:00", "2023-01-03 12:00:00", None)),
    )
    return detail_of(row, return_status=chance.choice((0, 1, 2))) if chance.random() < 0.3 else row


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 32))])
def test_whatever_comes_later_ends_as_if_nothing_had_been_archived(twins: Twins, seed: int) -> None:
    chance = random.Random(seed)
    known = {PROMOTER, OTHER}
    twins.bring(*(order_row(number=number) for number in NUMBERS[:9]))
    first = [late_row(chance) for _ in range(12)]
    early = twins.bring(*first)
    if seed % 2:
        twins.undo(early)
        twins.bring(*first[:5])  # rows that were withdrawn come again
    for shelf in twins.both:
        shelf.settle_and_close()
    twins.shelved.archive()
    twins.require_alike(NUMBERS)
    undoable = []
    for step in range(5):
        undoable.append(twins.bring(*(late_row(chance) for _ in range(chance.choice((1, 4))))))
        if step == 1:
            twins.bring(*first[-3:])  # rows that are held
        if step == 2:
            twins.undo(undoable.pop(0))
            with suppress(NothingLeft):
                twins.shelved.archive()
        if step == 3 and 77 not in known:
            twins.table("promoters", promoter(77))  # what waited for them comes out of quarantine
            known.add(77)
        if step in (1, 2, 4):
            twins.require_alike(NUMBERS)
    assert twins.shelved.every_violation() == {}
    if any(orders_left for (orders_left,) in twins.shelved.left()):
        twins.shelved.restore()
    twins.require_alike(NUMBERS)
    plain, shelved = (shelf.received() for shelf in twins.both)
    assert shelved == plain
