"""What gets past the guards is found: each of the books' checks, shown to find a planted mistake."""

from collections.abc import Set
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, Engine

from bounty.checks.books import CHECKS
from bounty.db import snapshot, transaction
from tests.frozen.books import found


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
        besides={"rows-as-received", "totals-equal-rebuild"},
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
        besides={"totals-equal-rebuild"},
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
        besides={"counted-within-cap", "totals-equal-rebuild"},
    ),
    Planted(
        "archives-as-recorded",
        "a move to an archive that has not ended",
        "INSERT INTO archive_moves VALUES (1)",
    ),
    Planted(
        "archives-as-recorded",
        "an order whose rows are in an archive that is not there",
        """DELETE FROM order_versions WHERE order_sn = '221208-4';
        INSERT INTO archives VALUES (1, '2022-12', 1669824000, 1672502400, 'orders-2022-12-1-00.parquet', '00', 1, '00',
        1, 1, 0, '221208-4', '221208-4', NULL, 1, 1, 1680000000, NULL)""",
    ),
    Planted(
        "figures-equal-books",
        "a figure that was not computed from these books",
        "INSERT INTO stored_figures VALUES ('tiers 3', 'tiers 3', 0, '[]')",
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
        "rows-as-received",
        "a fact that the fold doesn't take over",
        "UPDATE order_versions SET link_made_at = 1 WHERE order_sn = '221208-4'",
    ),
    Planted("texts-of-rows", "texts that are gone", "DELETE FROM received_texts"),
    Planted(
        "texts-of-rows",
        "a text that can't be unpacked",
        "UPDATE received_texts SET texts = (SELECT row_hash FROM order_versions LIMIT 1)",
    ),
    Planted(
        "periods-as-terms-say",
        "a month that ends later",
        "UPDATE periods SET month_until = month_until + 1",
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
        besides={"totals-equal-rebuild"},
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
        besides={"statements-chained", "made-as-recorded", "tranches-unchanged", "periods-as-terms-say"},
    ),
    Planted(
        "made-as-recorded",
        "a draft that is gone",
        """DELETE FROM lines WHERE settlement_id = 3; DELETE FROM results WHERE settlement_id = 3;
        DELETE FROM approvals; DELETE FROM waivers; DELETE FROM known_notices;
        DELETE FROM settlements WHERE settlement_id = 3""",
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
    # Below; a damaged file, not a row, in tests/test_storage.py and tests/frozen/test_damage.py; and wrong totals in
    # tests/stages/test_totals.py.
    elsewhere = {"whole-fen", "storage-sound", "texts-readable", "totals-equal-rebuild"}
    assert {planted.check for planted in PLANTED} | elsewhere == CHECKS.keys()


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
