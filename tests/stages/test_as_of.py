"""As it was known: at the batch of a notice the books give what the notice froze, whatever came in since."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.importer import import_file
from bounty.models import LinkVersion, Notice, Result, Settlement
from bounty.notices.as_of import results_as_of
from bounty.notices.service import publish
from bounty.orders.undo import undo_batch
from bounty.progress.as_of import AsOf, read_as_of
from bounty.progress.service import explain, progress_of
from bounty.roster.overrides import EntryState, override
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from tests.agreement import months
from tests.agreement.verdict import import_orders, import_tables, settle_case, written
from tests.factories import (
    Month,
    command,
    link,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    sn,
    write_json,
    write_table,
)

COLUMNS = ("promoter_id", "gmv_fen", "orders", "passed", "rate_permille", "subsidy_orders", "subsidy_fen")
DECEMBER = Period(2022, 12)


def frozen(engine: Engine, period: Period) -> dict[int, tuple[AsOf, list[tuple[Any, ...]]]]:
    """By notice: the moment and batch of its settlement, and the results that it froze."""
    with snapshot(engine) as connection:
        notices = connection.execute(
            select(Notice.notice, Settlement.settlement_id, Settlement.settled_at, Settlement.as_of_batch_id)
            .join(Settlement, Settlement.settlement_id == Notice.settlement_id)
            .where(Notice.period == str(period))
        ).all()
        return {
            row.notice: (
                AsOf(row.settled_at, row.as_of_batch_id),
                [
                    tuple(each)
                    for each in connection.execute(
                        select(*(getattr(Result, name) for name in COLUMNS))
                        .where(Result.settlement_id == row.settlement_id)
                        .order_by(Result.promoter_id)
                    )
                ],
            )
            for row in notices
        }


def known(engine: Engine, period: Period, as_of: AsOf) -> list[tuple[Any, ...]]:
    with snapshot(engine) as connection:
        rows = results_as_of(connection, period, as_of)
    return [tuple(getattr(row, name) for name in COLUMNS) for row in rows]


@pytest.mark.parametrize("seed", [3, 21])
def test_a_generated_months_notices_are_known_again_at_their_batches(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    case = months.generate(seed, promoters=25)
    verdict = written(case, tmp_path, random.Random(seed), asked=0)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    settle_case(engine, case)
    period = Period.parse(case.period)
    with transaction(engine) as connection:
        publish(connection, period, case.now, approval_required=False)
    # Then every link has the other channel, a third of the orders fail, and a second notice says so.
    now = shanghai("2099-01-01 00:00:00")
    newest = {row["order_sn"]: row for row in case.rows if "p_id" in row}
    failing = [
        row | {"order_status": 4, "order_verify_time": None, "order_modify_at": row["order_modify_at"] + 1}
        for row in list(newest.values())[::3]
    ]
    once(engine, tmp_path / "failing.json", now, *failing)
    channels = {row["p_id"]: row["channel"] for row in case.links}
    turned = [link(p_id, "app" if channel == "other" else "other") for p_id, channel in channels.items()]
    import_file(engine, "links", write_table(tmp_path / "turned.csv", turned), now)
    with transaction(engine) as connection:
        settle(connection, period, now)
        publish(connection, period, now, approval_required=False)
    notices = frozen(engine, period)
    assert len(notices) == 2
    assert notices[1][1] != notices[2][1]
    for as_of, results in notices.values():
        assert known(engine, period, as_of) == results
    as_of, results = notices[1]
    with snapshot(engine) as connection:
        for row in [row for row in results if row[1] is not None][:5]:
            progress = progress_of(connection, period, row[0], now, as_of)
            assert (progress.counted.capped_fen, progress.counted.orders, progress.passed) == row[1:4]


def once(engine: Engine, path: Path, now: int, *rows: Any) -> None:
    """Import orders, as one batch."""
    import_file(engine, "orders", write_json(path, rows), now)


def test_what_was_undone_or_changed_since_is_as_it_was(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path, now="2022-12-16 12:00:00")
    month.begin(promoter(1), promoter(2), toml=plain_terms())

    def month_orders(*rows: Any) -> None:
        once(engine, tmp_path / f"{month.now}.json", month.now, *rows)

    month_orders(order_row(number=1, promoter_id=1, amount_fen=1_00))
    month.now = shanghai("2022-12-17 12:00:00")
    month_orders(
        order_row(number=1, promoter_id=1, amount_fen=1_00),
        order_row(number=2, promoter_id=1, amount_fen=2_00),
    )
    month.now = shanghai("2022-12-18 12:00:00")
    month_orders(
        order_row(number=1, promoter_id=1, amount_fen=1_00, status=4, modified="2022-12-18 10:00:00"),
        order_row(number=3, promoter_id=1, amount_fen=4_00),
    )
    with snapshot(engine) as connection:
        last = read_as_of(connection, "2022-12-18T12:00:00", month.now).batch_id
    with transaction(engine) as connection:
        undo_batch(connection, last, shanghai("2022-12-19 12:00:00"))
        undo_batch(connection, last - 2, shanghai("2022-12-20 12:00:00"))
    month.now = shanghai("2022-12-21 12:00:00")
    found = {}
    with snapshot(engine) as connection:
        for when in (
            "2022-12-16T11:59:59",
            "2022-12-16T12:00:00",
            "2022-12-17T12:00:00",
            "2022-12-18T12:00:00",
            "2022-12-19T12:00:00",
            "2022-12-21",
        ):
            as_of = read_as_of(connection, when, month.now)
            progress = progress_of(connection, DECEMBER, 1, month.now, as_of)
            found[when[8:]] = progress.counted.amount_fen
        assert (
            explain(
                connection, sn(3), month.now, as_of=read_as_of(connection, str(last), month.now)
            ).counted_fen
            == 4_00
        )
        with pytest.raises(BountyError, match="was not held on"):
            explain(connection, sn(3), month.now, as_of=read_as_of(connection, str(last - 1), month.now))
        for wrong in ("yesterday", "2022-13-01", "99", "2022-12-25"):
            with pytest.raises(BountyError):
                read_as_of(connection, wrong, month.now)
    assert found == {
        "16T11:59:59": 0,
        "16T12:00:00": 1_00,
        "17T12:00:00": 1_00 + 2_00,
        "18T12:00:00": 2_00 + 4_00,
        "19T12:00:00": 1_00 + 2_00,
        "21": 1_00 + 2_00,
    }
    said = command(
        database_url, "2022-12-21T12:00:00", "progress", "2022-12", "1", "--as-of", str(last), "--json"
    )
    assert json.loads(said.stdout)["counted"] == {"gmv_fen": 2_00 + 4_00, "orders": 2}
    said = command(
        database_url, "2022-12-21T12:00:00", "results", "2022-12", "--as-of", "2022-12-16T12:00:00", "--json"
    )
    assert [(row["promoter_id"], row["gmv_fen"]) for row in json.loads(said.stdout)] == [(1, 1_00), (2, 0)]


def test_a_target_changed_by_hand_later_is_as_it_was(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path, now="2022-12-16 12:00:00")
    month.begin(promoter(1), toml=plain_terms())
    with transaction(engine) as connection:
        user_id = add_user(
            connection, email="o@example.com", name="o", role="operator", password="a long password 1", now=1
        )
    with snapshot(engine) as connection:
        before = progress_of(connection, DECEMBER, 1, month.now)
    with transaction(acting(engine, Actor("o", user_id))) as connection:
        override(
            connection,
            DECEMBER,
            1,
            EntryState(None, 777_00, None),
            "agreed",
            shanghai("2022-12-18 12:00:00"),
        )
    with snapshot(engine) as connection:
        now = shanghai("2022-12-19 12:00:00")
        as_of = read_as_of(connection, "2022-12-17T00:00:00", now)
        assert progress_of(connection, DECEMBER, 1, now).target_gmv_fen == 777_00
        assert progress_of(connection, DECEMBER, 1, now, as_of).target_gmv_fen == before.target_gmv_fen


def test_links_have_the_channel_that_was_known_then(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    """Unknown, then of the app, then from elsewhere: each notice is known again, and so is why its order earned."""
    month = Month(engine, tmp_path, now="2023-01-12 12:00:00")
    month.begin(promoter(1), promoter(2), toml=plain_terms(links="app"))
    month.orders(*(order_row(number=who, promoter_id=who, amount_fen=100_00) for who in (1, 2)))
    month.table("links", link("2_107021838", "app"))
    for day, channel in ((12, None), (13, "app"), (14, "other")):
        month.now = shanghai(f"2023-01-{day} 12:00:00")
        if channel is not None:
            month.table("links", link("1_107021838", channel))
        month.settle()
        month.publish()
    notices = frozen(engine, DECEMBER)
    assert {number: results[0][5] for number, (_, results) in notices.items()} == {1: 0, 2: 1, 3: 0}
    for as_of, results in notices.values():
        assert known(engine, DECEMBER, as_of) == results
    channels = {}
    for day in (12, 13, 14):
        said = command(
            database_url,
            "2023-01-15T12:00:00",
            *("explain", sn(1), "--as-of", f"2023-01-{day}T12:00:00+08:00", "--json"),
        )
        clauses = {each["code"]: each for each in json.loads(said.stdout)["subsidy"]["clauses"]}
        channels[day] = (clauses["APP_LINK"]["fact"], clauses["APP_LINK"]["holds"])
    assert channels == {12: ("unknown", False), 13: ("app", True), 14: ("other", False)}
    with snapshot(engine) as connection:
        versions = connection.execute(
            select(LinkVersion.p_id, LinkVersion.channel).order_by(LinkVersion.batch_id)
        )
        assert [tuple(row) for row in versions] == [
            ("2_107021838", "app"),
            ("1_107021838", "app"),
            ("1_107021838", "other"),
        ]
