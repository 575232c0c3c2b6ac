"""What is published stays as it is: the database itself refuses every change, and the checks find what gets past it."""

import json
import shutil
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, insert, make_url, select
from sqlalchemy.exc import DBAPIError

from bounty import schema
from bounty.accounts.service import add_user
from bounty.audit.service import record
from bounty.checks import CHECKS, run_checks
from bounty.clock import read_instant
from bounty.db import Base, make_engine, snapshot, transaction
from bounty.imports import import_file
from bounty.models import (
    FROZEN,
    SEALED,
    Appeal,
    AppealAnswer,
    Approval,
    OrderVersion,
    PassVoid,
    PassVoidAnswer,
    PeriodClosing,
    RosterOverride,
    Slice,
    Waiver,
)
from bounty.payout.approval import export_begins
from bounty.payout.closing import ACTS
from bounty.payout.payee_files import GivenPayee
from bounty.payout.payees import propose_payees
from bounty.payout.preparing import prepare
from bounty.payout.receipt_files import ReceiptFile, Told
from bounty.payout.receipts import take
from bounty.payout.sealing import Details, Seal
from bounty.publication.service import publish
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from tests import postgres

DECEMBER = Period(2022, 12)
TERMS = """
name = "定向赏金"
effective_from = "2022-12"

[task]
first_day = 1
last_day = 20
receipt_cutoff_day = 10
order_cap_yuan = "200.00"
count_price_compare = true

[virtual]
types = [94]
category_ids = []

[levels.V0]
direct_only = true
gmv_yuan = "300.00"
orders = 2

[subsidy]
basis = "order_amount"
include_price_compare = false
links = "any"
order_cap_yuan = "4.00"
promoter_cap_yuan = "5.00"
tiers = [{ at = "1.00", rate_permille = 20 }]
"""
PROMOTERS = """promoter_id,name,level,level_from,registered_on
1001,甲,V0,2022-10-01,2022-10-01
1002,乙,V0,2022-10-01,2022-10-01
1003,丙,V2,2022-10-01,2022-10-01
1004,丁,V0,2022-12-01,2022-12-01
"""
TARGETS = """period,promoter_id,gmv_yuan,orders
2022-12,1002,999.00,
"""
AFTER_THE_CUTOFF = read_instant("2023-01-11")


def an_order(order_sn: str, promoter_id: int, amount: int, day: str, **changed: Any) -> dict[str, Any]:
    """A row of the platform's list, settled and in time."""
    paid_at = read_instant(f"2022-12-{day}T12:00:00")
    return {
        "order_sn": order_sn,
        "p_id": f"{promoter_id}_1",
        "order_status": 5,
        "order_amount": amount,
        "promotion_amount": amount // 10,
        "type": 0,
        "cat_ids": [239],
        "is_direct": 1,
        "price_compare_status": 0,
        "order_pay_time": paid_at,
        "order_receive_time": paid_at + 86_400,
        "order_settle_time": paid_at + 172_800,
        "order_modify_at": paid_at + 172_800,
    } | changed


# 1001 passes with 100 + 200 + 50 yuan of three orders. The first earns 2.00, the second 4.00 and not 5.00, by the order
# cap, of which 3.00 are left under the promoter cap; the third nothing.
FIRST = [
    an_order("221205-1", 1001, 10_000, "05"),
    an_order("221206-2", 1001, 25_000, "06"),
    an_order("221207-3", 1001, 5_000, "07"),
    an_order("221208-4", 1002, 7_000, "08"),
]
# Then the third fails, too late for the task; and one of 30 yuan comes to light, which earns 0.60 before the others.
SECOND = [
    an_order("221207-3", 1001, 5_000, "07", order_status=4, order_modify_at=AFTER_THE_CUTOFF),
    an_order("221204-5", 1001, 3_000, "04"),
]
THIRD = [an_order("221203-6", 1001, 1_000, "03")]


def publish_a_month(engine: Engine, folder: Path) -> None:
    """December with two notices, the second of which changes orders of the first, and a draft after them."""
    for kind, content in (("promoters", PROMOTERS), ("targets", TARGETS)):
        path = folder / f"{kind}.csv"
        path.write_text(content, encoding="utf-8")
        assert import_file(engine, kind, path, AFTER_THE_CUTOFF).counts.quarantined == 0
    with transaction(engine) as connection:
        add_terms(connection, TERMS, AFTER_THE_CUTOFF)
        open_roster(connection, DECEMBER, AFTER_THE_CUTOFF)
    for number, rows in enumerate((FIRST, SECOND, THIRD), start=1):
        path = folder / f"orders-{number}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        assert import_file(engine, "orders", path, AFTER_THE_CUTOFF).counts.quarantined == 0
        with transaction(engine) as connection:
            assert settle(connection, DECEMBER, AFTER_THE_CUTOFF).settlement_id == number
            if rows is not THIRD:
                publish(connection, DECEMBER, AFTER_THE_CUTOFF, approval_required=False)
    decide_the_month(engine)
    pay_the_month(engine)


def decide_the_month(engine: Engine) -> None:
    """One of everything that people decide."""
    now = AFTER_THE_CUTOFF
    with transaction(engine) as connection:
        user_id = add_user(
            connection, email="zhou@example.com", name="周", role="operator", password="x" * 12, now=now
        )
        by = {"user_id": user_id, "reason": "因为"}
        for table, values in (
            (Approval, {"settlement_id": 3, "user_id": user_id, "content_sha256": "", "approved_at": now}),
            (Waiver, {"settlement_id": 3, "line": "QUARANTINE", "waived_at": now, **by}),
            (
                RosterOverride,
                {
                    "promoter_id": 1002,
                    "period": "2022-12",
                    "number": 1,
                    "was_target_gmv_fen": 30_000,
                    "now_target_gmv_fen": 99_900,
                    "overridden_at": now,
                    **by,
                },
            ),
            (
                Appeal,
                {
                    "promoter_id": 1001,
                    "appeal_id": 1,
                    "period": "2022-12",
                    "words": "为什么",
                    "as_stood": "{}",
                    "asked_at": now,
                    "due_at": now,
                },
            ),
            (
                AppealAnswer,
                {
                    "promoter_id": 1001,
                    "appeal_id": 1,
                    "number": 1,
                    "verdict": "DECLINED",
                    "words": "因为",
                    "user_id": user_id,
                    "answered_at": now,
                },
            ),
            (
                Slice,
                {
                    "slice_id": 1,
                    "kind": "UPDATED",
                    "whose": "all",
                    "from_at": now - 60,
                    "until_at": now,
                    "known_at": now,
                    "read_at": now,
                    "done": True,
                    "rows_told": 0,
                    "rows_held": 0,
                    "pages": 0,
                },
            ),
        ):
            connection.execute(insert(table).values(**values))


def pay_the_month(engine: Engine) -> None:
    """A tranche that was paid, and one row of everything else that has to do with paying, parts before wholes."""
    now = AFTER_THE_CUTOFF
    void = {"promoter_id": 1001, "period": "2022-12", "number": 1}
    with transaction(engine) as connection:
        given = [GivenPayee(2, 1001, Details("alipay", "13812345678", "陈默", "", ""))]
        propose_payees(connection, given, Seal("a key"), now, reason=None, approval_required=False)
        tranche, _ = prepare(connection, now, now)
        export_begins(connection, tranche.tranche_id, now, approval_required=False)
        paid = Told(4, ("P1-1001",), None, None, tranche.payable_fen, paid=True)
        take(connection, ReceiptFile("回单.csv", "", "", [paid]), Seal("a key"), now)
        for number, act in enumerate(ACTS, start=1):
            closing = {"period": "2022-12", "number": number, "act": act, "acted_at": now}
            connection.execute(insert(PeriodClosing).values(closing))
            record(connection, ACTS[act], "2022-12", now)
        insert_each(
            connection,
            (PassVoid, void | {"reason": "因为", "asked_at": now}),
            (PassVoidAnswer, void | {"approved": False, "as_of_settlement_id": 1, "answered_at": now}),
        )


def insert_each(connection: Connection, *rows: tuple[type[Base], dict[str, Any]]) -> None:
    for table, values in rows:
        connection.execute(insert(table).values(**values))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database of each kind with the month above; every test works on a copy."""
    folder = tmp_path_factory.mktemp("month")
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{folder / 'books.sqlite'}" if sqlite else postgres.fresh_database()
    engine = make_engine(url)
    schema.upgrade(engine)
    publish_a_month(engine, folder)
    engine.dispose()
    yield url
    if not sqlite:
        postgres.drop_database(url)


@pytest.fixture
def books(published: str, tmp_path: Path) -> Iterator[Engine]:
    original = make_url(published)
    if original.get_backend_name() == "sqlite":
        copy = f"sqlite:///{shutil.copy(str(original.database), tmp_path / 'copy.sqlite')}"
    else:
        copy = postgres.fresh_database(template=published)
    engine = make_engine(copy)
    yield engine
    engine.dispose()
    if original.get_backend_name() != "sqlite":
        postgres.drop_database(copy)


def content(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table."""
    with snapshot(engine) as connection:
        return {
            table.name: list(connection.execute(select(table).order_by(*table.primary_key)).all())
            for table in Base.metadata.sorted_tables
        }


def found(engine: Engine) -> set[str]:
    """The names of the checks that find something."""
    with snapshot(engine) as connection:
        findings = list(run_checks(connection))
    assert [finding.name for finding in findings] == list(CHECKS)
    return {finding.name for finding in findings if finding.violations}


def tables(models: Sequence[type[Base]]) -> list[Any]:
    return [
        pytest.param(Base.metadata.tables[model.__tablename__], id=model.__tablename__) for model in models
    ]


# The database refuses


WRITTEN_ONCE = (*FROZEN, OrderVersion)
MAY_CHANGE = {"withdrawn"}
"""Of a row received, when its batch is undone or comes again; nothing else of it."""
REFUSED = r"^\([^)]+\) \w+: (rows are written once|the settlement is published)"


def attacks(table: Table, dialect: str) -> list[str]:
    """Whatever SQL has to change or remove a row that is there."""
    name, columns = table.name, [column.name for column in table.columns if column.name not in MAY_CHANGE]
    key = ", ".join(column.name for column in table.primary_key)
    same_row = " AND ".join(f"old.{column.name} = new.{column.name}" for column in table.primary_key)
    first, last = columns[0], columns[-1]
    upsert = f"ON CONFLICT ({key}) DO UPDATE SET {last} = excluded.{last}"
    everywhere = [
        *(f"UPDATE {name} SET {column} = {column}" for column in columns),
        f"UPDATE {name} SET {last} = new.{last} FROM {name} AS new WHERE new.{first} = {name}.{first}",
        f"DELETE FROM {name}",
        f"DELETE FROM {name} WHERE {first} = (SELECT min({first}) FROM {name})",
        f"INSERT INTO {name} SELECT * FROM {name} WHERE true {upsert}",
    ]
    if dialect == "sqlite":
        return [
            *everywhere,
            f"INSERT OR REPLACE INTO {name} SELECT * FROM {name}",
            f"REPLACE INTO {name} SELECT * FROM {name} LIMIT 1",
            f"UPDATE OR REPLACE {name} SET {last} = {last}",
            f"UPDATE OR IGNORE {name} SET {last} = {last}",
        ]
    return [
        *everywhere,
        f"TRUNCATE {name} CASCADE",
        "TRUNCATE promoters, batches, terms CASCADE",
        f"MERGE INTO {name} AS old USING {name} AS new ON {same_row} WHEN MATCHED THEN UPDATE SET {last} = new.{last}",
        f"MERGE INTO {name} AS old USING {name} AS new ON {same_row} WHEN MATCHED THEN DELETE",
        f"WITH gone AS (DELETE FROM {name} RETURNING *) SELECT count(*) FROM gone",
    ]


@pytest.mark.parametrize("table", tables(WRITTEN_ONCE))
def test_a_row_written_once_can_not_be_changed_or_removed(books: Engine, table: Table) -> None:
    before = content(books)
    assert before[table.name]
    tried, refused = attacks(table, books.dialect.name), 0
    for attack in tried:
        with pytest.raises(DBAPIError, match=REFUSED), transaction(books) as connection:
            connection.exec_driver_sql(attack)
        refused += 1
    print(f"{table.name}: refused {refused} of {len(tried)}")
    assert refused == len(tried)
    assert content(books) == before
    assert found(books) == set()


@pytest.mark.parametrize("table", tables(FROZEN))
def test_nor_by_a_stranger_who_does_not_set_what_we_set(books: Engine, table: Table) -> None:
    """Such as the databases' own shells. SQLite's REPLACE deletes without a word unless recursive_triggers is on."""
    before = content(books)
    stranger = create_engine(books.url)
    succeeded = []
    for attack in attacks(table, books.dialect.name):
        try:
            with stranger.begin() as connection:
                connection.exec_driver_sql(attack)
        except DBAPIError:
            continue
        succeeded.append(attack)
    stranger.dispose()
    assert succeeded == []
    assert content(books) == before


def another_row(connection: Connection, table: Table, settlement_id: int) -> dict[str, Any]:
    """A row as the table has them, of a promoter that it has not."""
    row = connection.execute(select(table).limit(1)).mappings().one()
    return {**row, "promoter_id": 999, "settlement_id": settlement_id}


@pytest.mark.parametrize("table", tables(SEALED))
def test_a_published_settlement_takes_no_more_rows_and_a_draft_does(books: Engine, table: Table) -> None:
    before = content(books)
    with snapshot(books) as connection:
        notice_1, notice_2, draft = (another_row(connection, table, number) for number in (1, 2, 3))
    for rows in ([notice_1], [notice_2], [notice_1, notice_2], [draft, notice_2]):
        with pytest.raises(DBAPIError, match=REFUSED), transaction(books) as connection:
            connection.execute(insert(table).values(rows))
    assert content(books) == before
    with transaction(books) as connection:
        connection.execute(insert(table).values(draft))
    after = content(books)
    assert len(after.pop(table.name)) == len(before.pop(table.name)) + 1
    assert after == before


@pytest.mark.parametrize("table", tables(SEALED))
def test_a_draft_takes_no_more_rows_once_it_is_published(books: Engine, table: Table) -> None:
    with transaction(books) as connection:
        assert publish(connection, DECEMBER, AFTER_THE_CUTOFF, approval_required=False).settlement_id == 3
    with pytest.raises(DBAPIError, match=REFUSED), transaction(books) as connection:
        connection.execute(insert(table).values(another_row(connection, table, 3)))
    assert found(books) == set()


# The checks find what gets past it


def test_the_checks_find_nothing_in_an_untouched_month(books: Engine) -> None:
    assert found(books) == set()
    with snapshot(books) as connection:
        assert {name: count(connection) for name, (_, count) in CHECKS.items()} == dict.fromkeys(CHECKS, 0)


def drop_guards(connection: Connection) -> None:
    """What only the owner of the schema can do."""
    if connection.dialect.name == "sqlite":
        triggers = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).scalars()
        statements = [f"DROP TRIGGER {name}" for name in triggers]
    else:
        asked = "SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal"
        statements = [f"DROP TRIGGER {name} ON {table}" for name, table in connection.exec_driver_sql(asked)]
    assert statements
    for statement in statements:
        connection.exec_driver_sql(statement)


@dataclass(frozen=True)
class Planted:
    """A mistake that got past the guards."""

    check: str
    """Which must find it."""
    mistake: str
    sql: str
    """Statements with ; between them."""
    besides: Set[str] = frozenset()
    """Other checks that find it too."""


A_LINE = "settlement_id = 1 AND order_sn = '221205-1'"
RESULT_OF = "settlement_id = 1 AND promoter_id ="
PLANTED = [
    Planted(
        "lines-make-results",
        "a line is gone",
        f"DELETE FROM lines WHERE {A_LINE}",
        besides={"notices-unchanged"},
    ),
    Planted(
        "lines-make-results",
        "a line without a result",
        "INSERT INTO lines VALUES (1004, 3, '221209-9', 1670000000, 100, 1)",
    ),
    Planted(
        "results-make-settlements",
        "a sum that its results do not make",
        "UPDATE settlements SET subsidy_fen = subsidy_fen + 1 WHERE settlement_id = 1",
        besides={"statements-chained"},
    ),
    Planted(
        "counted-within-cap",
        "an amount below nothing",
        """UPDATE orders SET order_amount_fen = -1 WHERE order_sn = '221208-4';
        UPDATE order_versions SET order_amount_fen = -1 WHERE order_sn = '221208-4'""",
    ),
    Planted(
        "lines-within-caps",
        "a line above the order cap",
        f"UPDATE lines SET subsidy_fen = 401 WHERE {A_LINE}",
        besides={"lines-make-results", "notices-unchanged"},
    ),
    Planted(
        "lines-within-caps",
        "a line above its own order",
        f"UPDATE lines SET basis_fen = 199 WHERE {A_LINE}",
        besides={"notices-unchanged"},
    ),
    Planted(
        "lines-within-caps",
        "a line of nothing",
        f"UPDATE lines SET subsidy_fen = 0 WHERE {A_LINE}",
        besides={"lines-make-results", "notices-unchanged"},
    ),
    Planted(
        "lines-within-caps",
        "a promoter above the cap, and every sum agrees",
        f"""UPDATE lines SET subsidy_fen = subsidy_fen + 1 WHERE {A_LINE};
        UPDATE results SET subsidy_fen = subsidy_fen + 1 WHERE {RESULT_OF} 1001;
        UPDATE settlements SET subsidy_fen = subsidy_fen + 1 WHERE settlement_id = 1""",
        besides={"statements-chained", "notices-unchanged"},
    ),
    Planted(
        "one-result-per-promoter",
        "somebody on the roster without a result",
        """INSERT INTO roster (promoter_id, period, name, registered_on, reason, derivation)
        VALUES (1004, '2022-12', '丁', '2022-12-01', 'LEVEL_NOT_OFFERED', '{}')""",
    ),
    Planted(
        "one-result-per-promoter",
        "a result of somebody who is not on the roster",
        "INSERT INTO results VALUES (1004, 3, NULL, NULL, false, NULL, 0, 0)",
        besides={"results-make-settlements"},
    ),
    Planted(
        "passes-are-earned",
        "a pass that was not earned",
        f"UPDATE results SET passed = NOT passed WHERE {RESULT_OF} 1002",
        besides={"statements-chained", "notices-unchanged"},
    ),
    Planted(
        "passes-are-earned",
        "a pass that was earned and not given",
        f"UPDATE results SET passed = NOT passed WHERE {RESULT_OF} 1001",
        besides={"statements-chained", "notices-unchanged"},
    ),
    Planted(
        "no-order-twice",
        "an order under two promoters",
        """DROP INDEX uq_orders_order_sn;
        UPDATE orders SET order_sn = '221205-1' WHERE order_sn = '221208-4'""",
        besides={"fold-equals-rebuild"},
    ),
    Planted(
        "no-order-twice",
        "an order with lines of two promoters",
        "INSERT INTO lines VALUES (1002, 3, '221205-1', 1670000000, 100, 1)",
        besides={"lines-make-results", "lines-within-caps"},
    ),
    Planted(
        "fold-equals-rebuild",
        "an order that its rows do not say",
        "UPDATE orders SET order_status = 3 WHERE order_sn = '221208-4'",
    ),
    Planted(
        "fold-equals-rebuild",
        "an order without rows",
        "DELETE FROM order_versions WHERE order_sn = '221208-4'",
    ),
    Planted(
        "fold-equals-rebuild",
        "rows without an order",
        "DELETE FROM orders WHERE order_sn = '221208-4'",
        besides={"counted-within-cap"},
    ),
    Planted(
        "notices-unchanged",
        "another name on the roster",
        "UPDATE roster SET name = '戊' WHERE promoter_id = 1001",
    ),
    Planted(
        "one-result-per-promoter",
        "a result that says nothing of what counted",
        f"UPDATE results SET gmv_fen = NULL WHERE {RESULT_OF} 1001",
        besides={"notices-unchanged"},
    ),
    Planted(
        "counted-within-cap",
        "a result that counts more than its orders can",
        f"UPDATE results SET gmv_fen = 100000000 WHERE {RESULT_OF} 1001",
        besides={"notices-unchanged"},
    ),
    Planted(
        "terms-unchanged",
        "terms that can't be read any more",
        "UPDATE terms SET toml = 'x'",
    ),
    Planted(
        "terms-unchanged",
        "other terms than were frozen",
        "UPDATE terms SET toml = replace(toml, '4.00', '4.50')",
    ),
    Planted(
        "notices-unchanged",
        "another hash than was told",
        "UPDATE settlements SET content_sha256 = results_sha256 WHERE settlement_id = 1",
        besides={"statements-chained", "made-as-recorded"},
    ),
    Planted(
        "notices-in-sequence",
        "a notice left out",
        "UPDATE notices SET notice = 3 WHERE notice = 2",
        besides={"statements-chained", "made-as-recorded", "tranches-unchanged"},
    ),
    Planted(
        "notices-in-sequence",
        "a notice of another month's settlement",
        """INSERT INTO periods SELECT '2023-01', terms_id, opened_at, task_from, task_until, receipt_cutoff,
        month_from, month_until FROM periods;
        UPDATE notices SET period = '2023-01', notice = 1 WHERE notice = 2""",
        besides={"statements-chained", "made-as-recorded", "tranches-unchanged"},
    ),
    Planted(
        "made-as-recorded",
        "a draft that is gone",
        """DELETE FROM lines WHERE settlement_id = 3; DELETE FROM results WHERE settlement_id = 3;
        DELETE FROM approvals; DELETE FROM waivers; DELETE FROM settlements WHERE settlement_id = 3""",
    ),
    Planted(
        "made-as-recorded",
        "an export that is gone",
        "DELETE FROM tranche_steps",
        besides={"outcomes-told"},
    ),
    Planted(
        "lines-make-payouts",
        "a line of a tranche is gone",
        "DELETE FROM tranche_lines WHERE order_sn = '221205-1'",
        besides={"nothing-paid-twice", "tranches-unchanged"},
    ),
    Planted(
        "lines-make-payouts",
        "a payout of more than its lines",
        "UPDATE payouts SET payable_fen = payable_fen + 1; UPDATE tranches SET payable_fen = payable_fen + 1",
        besides={"nothing-paid-twice", "outcomes-told", "tranches-unchanged"},
    ),
    Planted(
        "orders-paid-once",
        "an order that earns twice",
        """INSERT INTO tranche_lines SELECT promoter_id, 2, order_sn, period, settlement_id, cause, corrects_id,
        amount_fen FROM tranche_lines WHERE order_sn = '221205-1'""",
        besides={"lines-make-payouts"},
    ),
    Planted(
        "orders-paid-once",
        "an order that gives back more than it got",
        """INSERT INTO tranche_lines SELECT promoter_id, 2, order_sn, period, settlement_id, 'FAILED', 1,
        -amount_fen - 1 FROM tranche_lines WHERE order_sn = '221205-1'""",
        besides={"lines-make-payouts"},
    ),
    Planted(
        "nothing-paid-twice",
        "an outcome of what nobody was to be paid",
        "UPDATE payouts SET proposal_id = NULL",
        besides={"outcomes-told", "tranches-unchanged"},
    ),
    Planted(
        "tranches-unchanged",
        "two lines that have changed places",
        """UPDATE tranche_lines SET order_sn = 'x' WHERE order_sn = '221204-5';
        UPDATE tranche_lines SET order_sn = '221204-5' WHERE order_sn = '221205-1';
        UPDATE tranche_lines SET order_sn = '221205-1' WHERE order_sn = 'x'""",
    ),
    Planted(
        "statements-chained",
        "another word in a statement",
        "UPDATE notice_statements SET statement = replace(statement, '2022-12', '2022-11') WHERE number = 1",
    ),
    Planted("statements-chained", "the last is gone", "DELETE FROM notice_statements WHERE number = 2"),
    Planted("statements-chained", "all are gone", "DELETE FROM notice_statements"),
    Planted(
        "calendar-once",
        "a slot that nobody has done",
        "INSERT INTO slots VALUES ('freeze', '2023-01', 1671930000, 1671930000, '')",
    ),
    Planted(
        "payees-unchanged",
        "another account shown",
        "UPDATE payees SET shown_account = '139****0000'",
        besides={"tranches-unchanged"},
    ),
    Planted("payees-unchanged", "an approval taken out", "DELETE FROM payee_approvals"),
    Planted(
        "payees-unchanged",
        "an approval put in",
        "INSERT INTO payee_proposals SELECT 2, 'x', 1, 0, 0, payees_sha256 FROM payee_proposals;"
        "INSERT INTO payee_approvals VALUES (2, NULL, 0)",
    ),
    Planted("outcomes-told", "paid made failed", "UPDATE payout_outcomes SET paid = NOT paid"),
    Planted("outcomes-told", "an outcome is gone", "DELETE FROM payout_outcomes"),
    Planted("outcomes-told", "a receipt by another name", "UPDATE receipts SET name = 'x.csv'"),
    Planted("outcomes-told", "another amount of a receipt", "UPDATE receipt_rows SET amount_fen = 1"),
    Planted(
        "outcomes-told",
        "a mark that nobody made",
        """INSERT INTO payout_outcomes (promoter_id, tranche_id, number, paid, told_at)
        SELECT promoter_id, tranche_id, 2, NOT paid, told_at FROM payout_outcomes""",
    ),
    Planted(
        "closings-in-turn",
        "a reopening that nobody asked for",
        "DELETE FROM period_closings WHERE act = 'REOPENING'",
    ),
    Planted(
        "closings-in-turn",
        "a closing that the audit doesn't have",
        "INSERT INTO period_closings (period, number, act, acted_at) VALUES ('2022-12', 4, 'CLOSED', 0)",
    ),
    Planted(
        "closings-in-turn",
        "agreed to by who asked",
        "UPDATE period_closings SET user_id = 1 WHERE act <> 'CLOSED'",
    ),
    Planted("audit-unbroken", "another word", "UPDATE audit_events SET act = 'x' WHERE event_id = 3"),
    Planted("audit-unbroken", "an event taken out", "DELETE FROM audit_events WHERE event_id = 3"),
    Planted("slices-hold", "more was told", "UPDATE slices SET rows_told = 1"),
    Planted("slices-hold", "more than was read", "UPDATE slices SET rows_told = 1, rows_held = 1"),
    Planted(
        "audit-unbroken",
        "two events that changed places",
        """UPDATE audit_events SET event_id = 99 WHERE event_id = 3;
        UPDATE audit_events SET event_id = 3 WHERE event_id = 4;
        UPDATE audit_events SET event_id = 4 WHERE event_id = 99""",
    ),
    Planted(
        "audit-unbroken",
        "an event put in",
        """INSERT INTO audit_events (event_id, happened_at, actor, act, subject, previous_sha256, event_sha256)
        SELECT event_id + 1, happened_at, actor, 'x', subject, event_sha256, event_sha256 FROM audit_events
        ORDER BY event_id DESC LIMIT 1""",
    ),
]
HALF_A_FEN = {
    "sqlite": """ALTER TABLE targets RENAME TO strict_targets;
        CREATE TABLE targets AS SELECT * FROM strict_targets;
        UPDATE targets SET gmv_fen = gmv_fen + 0.5""",
    "postgresql": """ALTER TABLE targets ALTER COLUMN gmv_fen TYPE NUMERIC;
        UPDATE targets SET gmv_fen = gmv_fen + 0.5""",
}


def test_every_check_is_shown_to_find_something() -> None:
    assert {planted.check for planted in PLANTED} | {"whole-fen"} == CHECKS.keys()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.check}: {planted.mistake}")
def test_a_planted_mistake_is_found(books: Engine, planted: Planted) -> None:
    plant(books, planted.sql)
    assert found(books) == {planted.check} | planted.besides


def test_a_part_of_a_fen_is_found(books: Engine) -> None:
    plant(books, HALF_A_FEN[books.dialect.name])
    assert found(books) == {"whole-fen"}


def plant(engine: Engine, sql: str) -> None:
    with transaction(engine) as connection:
        drop_guards(connection)
        for statement in sql.split(";"):
            assert connection.exec_driver_sql(statement).rowcount, statement
