"""A closed December and the folder of its archives."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from bounty import importer
from bounty.accounting.period_closing import close
from bounty.archives.restoring import RestoredMonth, restore_month
from bounty.archives.service import ArchivedMonth, archive_month
from bounty.checks.books import CHECKS, run_checks
from bounty.db import Base, snapshot, transaction
from bounty.models import (
    Archive,
    OrderRepeat,
    OrderVersion,
    ReceivedTexts,
)
from bounty.orders.archived import with_archives
from bounty.orders.received_texts import unpacked
from bounty.orders.undo import undo_batch
from bounty.progress.timeline import Received, rows_received
from bounty.rules.periods import Period
from tests.factories import (
    PROMOTER,
    Month,
    Row,
    detail_of,
    order_row,
    sn,
    write_json,
)

DECEMBER = Period(2022, 12)
OTHER = PROMOTER + 1
NOW = "2023-03-20 12:00:00"
CHECKED = "rows-as-received texts-of-rows fold-equals-rebuild archives-as-recorded audit-unbroken".split()


class Shelf(Month):
    """December, which can be closed as nobody passed, and the folder of its archives."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.archives = folder / "archives"
        super().__init__(with_archives(engine, self.archives), folder, now=NOW)

    def bring(self, *rows: Row) -> int:
        """Import orders, once; the batch."""
        path = write_json(self._next("orders.json"), rows)
        return importer.import_file(self.engine, "orders", path, self.now).batch_id

    def settle_and_close(self) -> None:
        self.settle()
        self.publish()
        with transaction(self.engine) as connection:
            assert close(connection, self.period, self.now)

    def archive(self) -> ArchivedMonth:
        return archive_month(self.engine, DECEMBER, self.now)

    def restore(self) -> RestoredMonth:
        return restore_month(self.engine, DECEMBER, self.now)

    def violations(self) -> dict[str, int]:
        """What the checks of received rows find."""
        with snapshot(self.engine) as connection:
            counted = {name: CHECKS[name][1](connection) for name in CHECKED}
        return {name: count for name, count in counted.items() if count}

    def every_violation(self) -> dict[str, int]:
        with snapshot(self.engine) as connection:
            return {each.name: each.violations for each in run_checks(connection) if each.violations}

    def rows_of(self, number: int, *, with_texts: bool = True) -> Received:
        with snapshot(self.engine) as connection:
            return rows_received(connection, PROMOTER, sn(number), with_texts=with_texts)

    def held(self, *tables: type[Base]) -> dict[str, list[Any]]:
        """The content of tables, sorted."""
        found: dict[str, list[Any]] = {}
        with snapshot(self.engine) as connection:
            for table in tables:
                rows = [tuple(row) for row in connection.execute(select(*table.__table__.columns))]
                if table is ReceivedTexts:
                    rows = [(row[0], *each) for row in rows for each in unpacked(row[2])]
                found[table.__tablename__] = sorted(rows, key=repr)
        return found

    def left(self) -> list[Any]:
        """How many orders each archive still has."""
        with snapshot(self.engine) as connection:
            return [tuple(row) for row in connection.execute(select(Archive.orders_left))]

    def received(self) -> dict[str, list[Any]]:
        return self.held(OrderVersion, OrderRepeat, ReceivedTexts)


def filled(shelf: Shelf) -> int:
    """Ten orders of December, told up to three times, with a repeat, an undone batch and a detail; one of January. The
    batch that brought all ten."""
    first = shelf.bring(*(order_row(number=number) for number in range(1, 11)))
    shelf.bring(
        *(order_row(number=number, status=3, verified="2022-12-20 00:00:00") for number in range(1, 6))
    )
    shelf.bring(order_row(number=1), detail_of(order_row(number=2), return_status=1))
    wrong = shelf.bring(order_row(number=4, amount_fen=1, modified="2023-01-02 00:00:00"))
    with transaction(shelf.engine) as connection:
        undo_batch(connection, wrong, shelf.now)
    shelf.bring(order_row(number=20, paid="2023-01-03 00:00:00", received="2023-01-04 00:00:00"))
    shelf.settle_and_close()
    return first
