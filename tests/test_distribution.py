"""What the books would be on several servers, each with some promoters: nothing is supported yet, and nothing that was
won is lost again (docs/scaling.md).

A table is *distributed* (a promoter's rows lie on the promoter's server), *reference* (copied to every server), or
*local* (on one server, which is asked for it).
"""

import ast
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete

from bounty import resources
from bounty.db import Base, transaction
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.queries import lines_of, results_of
from bounty.settlement.service import settle
from tests.agreement import months
from tests.agreement.verdict import import_orders, import_tables, written
from tests.frozen.test_found import drop_guards

DISTRIBUTED = set(
    """anomalies appeal_answers appeal_attachments appeals daily_progress daily_subsidy levels lines
    link_versions links notice_changes order_repeats order_versions orders pass_void_answers pass_voids payees
    payout_hold_steps payout_holds payout_outcomes payouts promoter_forecasts promoter_progress promoter_subsidy
    results roster roster_overrides targets tranche_lines violations""".split()
)
REFERENCE = set(
    """archive_batches archive_moves archives batches books category_sets data_confirmations forecasts known_notices
    notice_statements notices payee_approvals payee_proposals period_closings periods programmes promoters receipt_rows
    receipts settlements slices terms tranche_steps tranches users""".split()
)
LOCAL = set(
    """api_answers api_token_uses api_tokens approvals audit_events header_names import_bad_rows import_orders
    import_progress invitations message_choices message_tries outbox passkey_challenges passkeys quarantine
    received_texts slots stored_differences stored_figures tries uploads waivers webhook_endpoints
    worker_wakes""".split()
)
MAY_REFER_TO = {"distributed": {"distributed", "reference"}, "reference": {"reference"}}
BY_ORDER_NUMBER_ALONE = {
    "appeals/corrections.py": 1,
    "lake/export.py": 1,
    "notices/changes.py": 7,
    "orders/archived.py": 1,
    "orders/fold.py": 5,
    "orders/service.py": 5,
    "orders/undo.py": 6,
    "orders/warnings.py": 1,
    "rules/clauses.py": 1,
    "sync/recheck.py": 1,
    "totals/service.py": 1,
    "uploads/dry_run.py": 2,
}
"""Module -> places where a statement finds rows by the order's number alone, as the rows of one order may be of several
promoters. A number may only shrink: whoever adds such a place names the promoter in it."""


def kind_of(name: str) -> str:
    return "distributed" if name in DISTRIBUTED else "reference" if name in REFERENCE else "local"


def test_every_table_is_distributed_reference_or_local() -> None:
    tables = {table.name: table for table in Base.metadata.sorted_tables}
    assert sorted([*DISTRIBUTED, *REFERENCE, *LOCAL]) == sorted(tables)
    for name, table in tables.items():
        key = [column.name for column in table.primary_key.columns]
        assert ("promoter_id" in key and len(key) > 1) == (name in DISTRIBUTED), name
        referred = {kind_of(each.referred_table.name) for each in table.foreign_key_constraints}
        assert referred <= MAY_REFER_TO.get(kind_of(name), {"reference", "local"}), name


def combined_with(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    """A condition and whatever holds together with it: by ``&``, by ``and_(...)``, and in the call that takes it."""
    while isinstance(parent := parents.get(node), ast.BinOp):
        node = parent
    yield from ast.walk(node)
    if isinstance(parent, ast.Call) and node in parent.args:
        for condition in parent.args:
            yield from ast.walk(condition)
        if ast.unparse(parent.func) == "and_":
            yield from combined_with(parent, parents)


def relations_by_number(node: ast.AST) -> set[str]:
    """The relations whose order number a node compares with another relation's; none where it compares no two."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
        sides = (node.left, *node.comparators)
        columns = [side for side in sides if isinstance(side, ast.Attribute) and side.attr == "order_sn"]
        return {ast.unparse(column.value) for column in columns} if len(columns) == 2 else set()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "in_":
        column = node.func.value
        if isinstance(column, ast.Attribute) and column.attr == "order_sn":
            return {ast.unparse(column.value)}
    return set()


def names_promoter(condition: ast.AST, relations: set[str]) -> bool:
    return isinstance(condition, ast.Compare) and any(
        isinstance(side, ast.Attribute)
        and side.attr == "promoter_id"
        and ast.unparse(side.value) in relations
        for side in (condition.left, *condition.comparators)
    )


def by_order_number_alone(source: str) -> int:
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return sum(
        1
        for node in ast.walk(tree)
        if (relations := relations_by_number(node))
        and not any(names_promoter(condition, relations) for condition in combined_with(node, parents))
    )


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("query.join(b, a.order_sn == b.order_sn)", 1),
        ("query.join(b, and_(a.promoter_id == b.promoter_id, a.order_sn == b.order_sn))", 0),
        ("exists().where(a.order_sn == b.order_sn, a.paid_at > 0)", 1),
        ("exists().where(a.order_sn == b.order_sn, b.promoter_id == whose)", 0),
        ("(a.promoter_id == b.promoter_id) & (a.order_sn == b.order_sn)", 0),
        ("query.where(c.promoter_id == d.promoter_id, a.order_sn == b.order_sn)", 1),
        ("query.where(a.promoter_id == b.promoter_id).where(a.order_sn == c.order_sn)", 1),
        ("query.where(a.order_sn.in_(several))", 1),
        ("query.where(a.order_sn == order_sn)", 0),
    ],
)
def test_the_count_tells_a_join_by_the_number_alone(source: str, places: int) -> None:
    assert by_order_number_alone(source) == places


def test_no_more_joins_than_now_go_by_the_order_number_alone() -> None:
    package = resources.PACKAGE
    found = {
        str(path.relative_to(package)): by_order_number_alone(source)
        for path in sorted(package.rglob("*.py"))
        if "order_sn" in (source := path.read_text())
    }
    assert {name: places for name, places in found.items() if places} == BY_ORDER_NUMBER_ALONE


def files_of_settling(connection: Connection, period: Period, now: int) -> list[list[Any]]:
    """The rows of both files of a settlement made now."""
    settled = settle(connection, period, now)
    queries = (results_of(settled.settlement_id, period), lines_of(settled.settlement_id))
    return [[tuple(row) for row in connection.execute(query)] for query in queries]


def test_a_month_settled_by_quarters_of_its_promoters_is_the_month(engine: Engine, tmp_path: Path) -> None:
    """Nothing of another promoter's rows is needed: each quarter is settled in books that hold no others' rows."""
    case = months.generate(37, promoters=40)
    verdict = written(case, tmp_path, random.Random(37), asked=0)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    period = Period.parse(case.period)
    with transaction(engine) as connection:
        add_terms(connection, case.terms_toml, case.now)
        open_roster(connection, period, case.now)
    with transaction(engine) as connection:
        whole = files_of_settling(connection, period, case.now)
        connection.rollback()
    quarters: list[list[Any]] = [[], []]
    for quarter in range(4):
        with transaction(engine) as connection:
            drop_guards(connection)
            for table in reversed(Base.metadata.sorted_tables):
                if table.name in DISTRIBUTED:
                    connection.execute(delete(table).where(table.c.promoter_id % 4 != quarter))
            for so_far, of_quarter in zip(
                quarters, files_of_settling(connection, period, case.now), strict=True
            ):
                assert {row[0] % 4 for row in of_quarter} == {quarter}
                so_far.extend(of_quarter)
            connection.rollback()
    # Both files are by promoter first, and sorting keeps what is within.
    assert [sorted(rows, key=lambda row: row[0]) for rows in quarters] == whole
    assert all(whole)
