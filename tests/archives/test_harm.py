"""Files that are missing or changed, rows that change while they are archived, records that are off: all are found."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Connection, text

from bounty import importer
from bounty.checks.books import CHECKS
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import (
    Archive,
    Batch,
    Order,
    OrderVersion,
    ReceivedTexts,
)
from bounty.progress.timeline import Received
from tests.archives.shelf import OTHER, Shelf, filled
from tests.factories import (
    order_row,
    write_json,
)
from tests.stages.test_killed import wait_until

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("harm", ["taken away", "changed"])
def test_a_missing_or_changed_file_is_told_and_loses_nothing(shelf: Shelf, harm: str) -> None:
    filled(shelf)
    (file,) = shelf.archive().files
    path = shelf.archives / file.file_name
    kept = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    if harm == "taken away":
        path.unlink()
    else:
        path.write_bytes(kept[:200] + bytes([kept[200] ^ 1]) + kept[201:])
    before = shelf.held(Order, OrderVersion, Batch, Archive, ReceivedTexts)
    said = "is not there" if harm == "taken away" else "is not the file that was written"
    for act in (lambda: shelf.bring(order_row(number=1)), shelf.restore):
        with pytest.raises(BountyError, match=f"{file.file_name} {said}"):
            act()
    assert shelf.rows_of(1) == Received([], file.file_name)
    assert shelf.violations() == {"archives-as-recorded": 1}
    assert shelf.held(Order, OrderVersion, Batch, Archive, ReceivedTexts) == before
    shelf.bring(
        order_row(number=30, paid="2023-02-01 00:00:00", received=None)
    )  # what needs no archive goes on
    path.write_bytes(kept)
    assert shelf.violations() == {}
    shelf.bring(order_row(number=1, modified="2023-02-01 00:00:00"))
    assert shelf.rows_of(1).rows[-1].file_name.endswith("orders.json")
    assert shelf.violations() == {}


def withdraw(connection: Connection, shelf: Shelf, batch_id: int) -> None:
    connection.execute(
        text(f"UPDATE order_versions SET withdrawn = NOT withdrawn WHERE batch_id = {batch_id}")
    )


def tell_of_another_promoter(connection: Connection, shelf: Shelf, _batch_id: int) -> None:
    """An older row: the order stays whose it is."""
    row = order_row(number=1, promoter_id=OTHER, modified="2022-12-06 00:00:00")
    path = write_json(shelf.folder / "older.json", [row])
    importer.import_rows(connection, importer.open_file("orders", path), shelf.now)


@pytest.mark.parametrize("change", [withdraw, tell_of_another_promoter])
def test_a_row_that_changes_between_writing_and_deleting_is_found(
    shelf: Shelf, change: Callable[[Connection, Shelf, int], None]
) -> None:
    batch = filled(shelf)
    said: list[BountyError] = []

    def archive() -> None:
        try:
            shelf.archive()
        except BountyError as refusal:
            said.append(refusal)

    with transaction(shelf.engine) as connection:  # the archive's own transaction waits for this one
        thread = Thread(target=archive)
        thread.start()
        wait_until(lambda: list(shelf.archives.glob("*.parquet")), "a file")
        change(connection, shelf, batch)
    held = shelf.received()
    thread.join()
    assert "Rows of 2022-12 changed while they were archived" in str(said[0])
    assert shelf.received() == held
    assert list(shelf.archives.glob("*.parquet")) == []
    if change is withdraw:
        with transaction(shelf.engine) as connection:
            withdraw(connection, shelf, batch)
    assert shelf.archive().orders == (10 if change is withdraw else 9)
    assert shelf.violations() == {}


def test_an_archive_that_does_not_hold_what_is_recorded_is_found(shelf: Shelf) -> None:
    batch = filled(shelf)
    shelf.archive()
    for change in (
        "UPDATE orders SET order_amount_fen = 1 WHERE order_sn LIKE '%03'",
        "UPDATE archives SET orders_left = orders_left - 1",
        f"UPDATE archive_batches SET rows = rows + 1 WHERE batch_id = {batch}",
        "INSERT INTO archive_moves VALUES (7)",
    ):
        with snapshot(shelf.engine) as connection:
            assert CHECKS["archives-as-recorded"][1](connection) == 0
        with (
            shelf.engine.execution_options(writing=True).connect() as connection,
            connection.begin() as undone,
        ):
            connection.execute(text(change))
            assert CHECKS["archives-as-recorded"][1](connection) > 0, change
            undone.rollback()


def test_a_full_disk_is_told_and_leaves_nothing(shelf: Shelf, database_url: str) -> None:
    filled(shelf)
    before = shelf.received()
    limited = (
        "import resource, sys; from bounty.archives.service import archive_month; from bounty.db import make_engine\n"
        "from bounty.orders.archived import with_archives; from bounty.rules.periods import Period\n"
        "from pathlib import Path\n"
        "engine = with_archives(make_engine(sys.argv[1]), Path(sys.argv[2]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "archive_month(engine, Period(2022, 12), 1679284800)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, database_url, str(shelf.archives)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "BountyError: The folder of archives" in done.stderr.splitlines()[-1]
    assert "File too large" in done.stderr
    assert [path.name for path in shelf.archives.iterdir()] == [".lock"]
    assert shelf.received() == before
