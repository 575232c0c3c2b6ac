"""Rows of a closed month leave the tables and come back as they were; what is refused meanwhile."""

import json

import pytest
from sqlalchemy import delete, insert, text
from sqlalchemy.exc import DatabaseError

from bounty.accounting.period_closing import ask_reopening, reopen
from bounty.archives.service import archive_month
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import (
    ArchiveMove,
    ImportProgress,
    Order,
    ReceivedTexts,
)
from bounty.notices.as_of import results_as_of
from bounty.orders.undo import undo_batch, would_undo
from bounty.orders.warnings import flagged_rows
from bounty.progress.as_of import read_as_of
from bounty.progress.service import explain, progress_of
from bounty.roster.programmes import add_programme
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.sync.recheck import orders_to_recheck
from tests.archives.shelf import DECEMBER, OTHER, Shelf, filled
from tests.factories import (
    PROMOTER,
    half_month_terms,
    order_row,
    sn,
)


def test_rows_leave_the_tables_and_come_back_as_they_were(shelf: Shelf) -> None:
    filled(shelf)
    before, orders = shelf.received(), shelf.held(Order)
    pages = [shelf.rows_of(number) for number in range(1, 11)]
    assert pages[0].rows[0].text
    done = shelf.archive()
    assert (done.orders, done.rows, done.orders_staying) == (10, 17, 0)
    assert shelf.every_violation() == {}
    after = shelf.received()
    assert [row[1] for row in after["order_versions"]] == [sn(20)]
    assert after["order_repeats"] == []
    assert [json.loads(row[2])["order_sn"] for row in after["received_texts"]] == [sn(20)]
    assert shelf.held(Order) == orders
    assert [shelf.rows_of(number) for number in range(1, 11)] == pages
    with pytest.raises(BountyError, match="2022-12 is archived already, with 10 orders: nothing is left"):
        shelf.archive()
    back = shelf.restore()
    assert (back.orders, back.rows) == (10, 17)
    assert shelf.received() == before
    assert shelf.held(Order) == orders
    assert shelf.every_violation() == {}
    with pytest.raises(BountyError, match="2022-12 has no archive to restore"):
        shelf.restore()


def test_rows_of_several_promoters_or_months_stay(shelf: Shelf) -> None:
    filled(shelf)
    shelf.bring(order_row(number=1, promoter_id=OTHER, modified="2023-01-01 00:00:00"))
    shelf.bring(
        order_row(number=2, paid="2023-01-01 00:00:00", received="2023-01-02 00:00:00"),
        order_row(number=2, modified="2023-02-01 00:00:00"),
    )
    done = shelf.archive()
    assert (done.orders, done.orders_staying) == (8, 2)
    assert {row[1] for row in shelf.received()["order_versions"]} == {sn(1), sn(2), sn(20)}
    with pytest.raises(BountyError, match="archived already, with 8 orders"):
        shelf.archive()


# What is refused


def test_a_month_is_archived_only_once_it_is_closed_for_every_programme(shelf: Shelf) -> None:
    shelf.bring(order_row())
    with pytest.raises(BountyError, match="2022-12 is not closed: close it first"):
        shelf.archive()
    with pytest.raises(BountyError, match="No programme has opened 2022-11"):
        archive_month(shelf.engine, Period(2022, 11), shelf.now)
    shelf.settle_and_close()
    with transaction(shelf.engine) as connection:
        connection.execute(insert(ImportProgress).values(batch_id=1, **dict.fromkeys(PROGRESS, 0)))
    with pytest.raises(BountyError, match="not in whole yet"):
        shelf.archive()
    with transaction(shelf.engine) as connection:
        connection.execute(delete(ImportProgress))
    with transaction(shelf.engine) as connection:
        add_programme(connection, "sprint", "冲刺", shelf.now)
        add_terms(connection, half_month_terms(), shelf.now, "sprint")
        open_roster(connection, Period(2022, 12, 1, "sprint"), shelf.now)
    with pytest.raises(BountyError, match="sprint:2022-12a is not closed"):
        shelf.archive()
    assert not shelf.archives.exists()


PROGRESS = [f"rows_{name}" for name in ("read", "kept", "quarantined", "new", "changed")]


def test_rows_that_are_not_as_they_should_be_are_not_archived(shelf: Shelf) -> None:
    filled(shelf)
    before = shelf.received()
    with transaction(shelf.engine) as connection:
        connection.execute(text("UPDATE orders SET order_amount_fen = 1"))
    with pytest.raises(
        BountyError, match=r"0 rows of 2022-12 .* and 10 orders are not what their rows fold into"
    ):
        shelf.archive()
    assert shelf.received() == before
    assert list(shelf.archives.glob("*.parquet")) == []


def test_a_row_without_its_text_is_not_archived(shelf: Shelf) -> None:
    first = filled(shelf)
    with transaction(shelf.engine) as connection:
        connection.execute(insert(ArchiveMove).values(archive_id=1))  # as the guards let nobody else
        connection.execute(delete(ReceivedTexts).where(ReceivedTexts.batch_id == first))
        connection.execute(delete(ArchiveMove))
    with pytest.raises(BountyError, match=f"Order {sn(1)} has a row whose text is not there"):
        shelf.archive()
    assert [path.name for path in shelf.archives.iterdir()] == [".lock"]


def test_a_folder_that_is_none_is_told(shelf: Shelf) -> None:
    filled(shelf)
    shelf.archives.write_text("not a folder")
    with pytest.raises(BountyError, match="can't be written"):
        shelf.archive()


def test_received_rows_can_still_not_be_deleted_otherwise(shelf: Shelf) -> None:
    filled(shelf)
    shelf.archive()
    for statement in (
        "DELETE FROM order_versions",
        "DELETE FROM received_texts",
        "UPDATE received_texts SET texts = texts",
        "DELETE FROM archives",
        "UPDATE archives SET sha256 = 'x'",
    ):
        with pytest.raises(DatabaseError, match="written once"), transaction(shelf.engine) as connection:
            connection.execute(text(statement))


def test_what_needs_archived_rows_says_what_to_do(shelf: Shelf) -> None:
    batch = filled(shelf)
    shelf.archive()
    first = "run `bounty archive 2022-12 --restore` first"
    with transaction(shelf.engine) as connection:
        with pytest.raises(BountyError, match=f"10 rows of batch {batch} are archived with 2022-12: {first}"):
            undo_batch(connection, batch, shelf.now)
        with pytest.raises(BountyError, match=first):
            list(flagged_rows(connection, batch, shelf.now))
    with snapshot(shelf.engine) as connection:
        with pytest.raises(BountyError, match=first):
            would_undo(connection, batch)
        then = read_as_of(connection, str(batch), shelf.now)
        for ask in (
            lambda: explain(connection, sn(1), shelf.now, as_of=then),
            lambda: results_as_of(connection, DECEMBER, then),
            lambda: progress_of(connection, DECEMBER, PROMOTER, shelf.now, then),
        ):
            with pytest.raises(BountyError, match=first):
                ask()
        later = read_as_of(connection, str(batch + 4), shelf.now)
        assert explain(connection, sn(20), shelf.now, as_of=later).order_sn == sn(20)
        assert orders_to_recheck(connection, DECEMBER) == []
    with transaction(shelf.engine) as connection:
        assert ask_reopening(connection, DECEMBER, "看一下", shelf.now)
        with pytest.raises(BountyError, match=first):
            reopen(connection, DECEMBER, shelf.now, approval_required=False)
    shelf.restore()
    with transaction(shelf.engine) as connection:
        assert reopen(connection, DECEMBER, shelf.now, approval_required=False)
