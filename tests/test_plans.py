"""How the large statements are carried out: a promoter's month is read from one narrow index, never order by order."""

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, select, text
from sqlalchemy.sql import ClauseElement

from bounty import importer
from bounty.db import analyze, clear, make, snapshot, transaction
from bounty.models import OrderVersion
from bounty.orders import service
from bounty.orders.fold import folded
from bounty.orders.unknowns import unknown_in_batch
from bounty.progress.queries import verdict_totals
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import attained, measure_roster, recomputation
from tests.agreement import months
from tests.agreement.verdict import import_orders, import_tables, written
from tests.factories import Month, order_row, promoter, write_csv_api


@pytest.fixture
def period(engine: Engine, tmp_path: Path) -> Period:
    case = months.generate(5, promoters=60)
    verdict = written(case, tmp_path, random.Random(5), asked=0)
    import_tables(engine, case, tmp_path)
    import_orders(engine, case, verdict)
    period = Period.parse(case.period)
    with transaction(engine) as connection:
        add_terms(connection, case.terms_toml, case.now)
        open_roster(connection, period, case.now)
    return period


def plan_of(connection: Connection, statement: ClauseElement) -> str:
    """The plan as text; on PostgreSQL with every row read through an index if one will do, as in a large table."""
    compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
    if connection.dialect.name == "sqlite":
        return "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}"))
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    connection.execute(text("SET LOCAL enable_bitmapscan = off"))
    return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {compiled}"))


def reads_only_the_index(plan: str) -> bool:
    return any(
        words in plan
        for words in ("orders USING COVERING INDEX ix_orders_task", "Index Only Scan using ix_orders_task")
    )


def test_a_promoters_progress_reads_only_the_task_index(engine: Engine, period: Period) -> None:
    with snapshot(engine) as connection:
        terms = terms_in_force(connection, period).terms
        plan = plan_of(connection, verdict_totals(terms).params(period=str(period), promoter_id=1))
    assert reads_only_the_index(plan), plan
    assert "SCAN orders" not in plan


def test_a_settlement_measures_from_the_task_index_alone(engine: Engine, period: Period) -> None:
    with transaction(engine) as connection:
        clear(connection, attained)
        terms = terms_in_force(connection, period).terms
        plan = plan_of(connection, measure_roster(period, terms))
    assert reads_only_the_index(plan), plan


def test_the_fold_finds_an_orders_rows_by_its_number(engine: Engine, period: Period) -> None:
    with snapshot(engine) as connection:
        plan = plan_of(connection, folded(lambda row: row.order_sn == "221201-000000000000001"))
    assert "order_versions_1" in plan or "pk_order_versions" in plan, plan  # the key of either database
    assert "SCAN" not in plan


def test_the_fold_of_all_orders_looks_into_no_index_past_the_number(engine: Engine, period: Period) -> None:
    """Rather than search a status of every instant, PostgreSQL went through a key led by the promoter, for each order
    that failed: over a million orders that had not ended after ten minutes."""
    with transaction(engine) as connection:
        analyze(connection, OrderVersion)
        plan = plan_of(connection, folded())
    conditions = [line for line in plan.splitlines() if "Index Cond" in line]
    assert not any("order_status = ANY" in line for line in conditions), plan


def test_rows_that_come_again_are_each_looked_up_by_their_key(engine: Engine, period: Period) -> None:
    """Joined, the rows held were taken for none while one batch alone had brought them, and a file that came again was
    gone through once for each of them: a million rows had not ended after six minutes."""
    with transaction(engine) as connection:
        make(connection, service._staged)
        noted: Any = service._statements(connection.dialect.name).note_repeats
        plan = plan_of(connection, noted.select.params(batch=1))
    looked_up = "USING INDEX" if connection.dialect.name == "sqlite" else "Index Scan using pk_order_versions"
    assert looked_up in plan, plan
    assert "Join" not in plan
    assert "Nested Loop" not in plan
    assert "SCAN order_versions" not in plan


def test_rows_that_were_withdrawn_and_come_again_are_each_looked_up_by_their_key(
    engine: Engine, period: Period
) -> None:
    """Asked of each withdrawn row, the rows of a chunk were gone through once for each: eight thousand took twelve
    seconds, where the first time they took one."""
    with transaction(engine) as connection:
        make(connection, service._staged)
        # Of two thousand rows PostgreSQL makes a hash table; the fault was one of large books.
        rows = [dict(row) for row in connection.execute(select(OrderVersion.__table__)).mappings()]
        for copy in range(5):
            more = [row | {"order_sn": f"{row['order_sn']}{copy}"} for row in rows]
            connection.execute(insert(OrderVersion), more)
        analyze(connection, OrderVersion)  # which finds no withdrawn row, as before a batch is first undone
        revived: Any = service._statements(connection.dialect.name).revive
        plan = plan_of(connection, revived.values(batch_id=1))
    lines = plan.splitlines()
    looked_up = [line for line in lines if ("SEARCH" in line or "Index Cond" in line) and "row_hash" in line]
    assert len(looked_up) == 2, plan  # to see whether it was withdrawn, and to write
    assert "SCAN order_versions" not in plan


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_chunks_of_a_large_file_do_not_go_through_those_before(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They did in the stage, where deleted rows stay to the end of the transaction, among the orders touched, and, as
    planned while the tables were empty, among all rows and orders: of a million rows the last chunk took three times
    as long as the first."""
    monkeypatch.setattr(service, "CHUNK", 1_000)
    monkeypatch.setattr(service, "ANALYZE_FROM", 1_000)
    rows = 20_000
    analyzed: list[str] = []
    Month(engine, tmp_path).table("promoters", promoter())
    path = write_csv_api(tmp_path / "orders.csv", (order_row(number=number) for number in range(1, rows + 1)))
    event.listen(
        engine,
        "before_cursor_execute",
        lambda *told: analyzed.append(told[2]) if "ANALYZE" in told[2] else None,
    )
    with transaction(engine) as connection:
        importer.import_rows(connection, importer.open_file("orders", path), 0)
        stage = connection.exec_driver_sql("SELECT pg_relation_size('staged_orders')").scalar_one()
        gone_through = connection.exec_driver_sql(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'touched_orders'"
        ).scalar_one()
    assert stage == 0
    assert gone_through == rows  # once, to count them at the end
    assert analyzed.count('ANALYZE "orders"') == 5  # after 1, 2, 4, 8 and 16 thousand


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_a_small_batch_lacks_is_counted_without_the_rows_of_others(
    engine: Engine, tmp_path: Path
) -> None:
    """One plan for batches of every size went through all rows: of a million, in 120 ms for each page of a hundred."""
    Month(engine, tmp_path).table("promoters", promoter())
    for name, numbers in (("large", range(1, 20_001)), ("small", range(20_001, 20_004))):
        path = write_csv_api(tmp_path / f"{name}.csv", (order_row(number=number) for number in numbers))
        batch_id = importer.import_file(engine, "orders", path, 0).batch_id
    with transaction(engine) as connection:
        analyze(connection, OrderVersion)
    read = (
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'order_versions'"
    )
    with snapshot(engine) as connection:
        before = connection.exec_driver_sql(read).scalar_one()
        found = unknown_in_batch(connection, batch_id)
        assert connection.exec_driver_sql(read).scalar_one() - before <= 3
    assert {each.of for each in found} == {3}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_after_a_file_that_came_again_the_planner_knows_of_its_repeats(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took them for none, and the page before an undo went through all of them for each order: ten seconds."""
    monkeypatch.setattr(service, "ANALYZE_FROM", 1_000)
    Month(engine, tmp_path).table("promoters", promoter())
    path = write_csv_api(tmp_path / "orders.csv", (order_row(number=number) for number in range(1, 1_501)))
    for _ in range(2):
        importer.import_file(engine, "orders", path, 0)
    with snapshot(engine) as connection:
        known = "SELECT reltuples FROM pg_class WHERE relname = 'order_repeats'"
        assert connection.exec_driver_sql(known).scalar_one() == 1_500


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_recomputation_goes_through_the_measures_once(engine: Engine, period: Period) -> None:
    """For its lines it went through all of them for each promoter: of 200,000, for longer than nine minutes."""
    with snapshot(engine) as connection:
        terms = terms_in_force(connection, period).terms
        plan = plan_of(connection, recomputation(period, terms).lines_rows())
    assert "SCAN roster" in plan, plan
    assert "SCAN reached LEFT-JOIN" not in plan, plan
