"""What every table and every command keeps to, walked over the metadata and the console script."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import Column, Identity, Index, Numeric, Table, UniqueConstraint
from sqlalchemy.types import Float, LargeBinary

import bounty
from bounty import resources
from bounty.app import main
from bounty.db import Base, Day, WholeNumber, Words
from bounty.importer import KINDS
from bounty.models import Order, OrderVersion
from bounty.platforms.pdd.order_facts import STORED
from bounty.platforms.pdd.order_row import OrderRow

PACKAGE = resources.PACKAGE
TABLES = list(Base.metadata.sorted_tables)


def of_promoters(table: Table) -> bool:
    """Whether the table holds rows of single promoters: those to be spread by promoter one day."""
    return "promoter_id" in table.columns and not table.columns["promoter_id"].nullable


PROMOTERS_TABLES = [table for table in TABLES if of_promoters(table)]


def named(tables: list[Table]) -> Any:
    return pytest.mark.parametrize("table", tables, ids=lambda table: table.name)


# Keys


@named(PROMOTERS_TABLES)
def test_a_promoters_row_has_the_promoter_in_its_key(table: Table) -> None:
    assert "promoter_id" in table.primary_key.columns


@named(PROMOTERS_TABLES)
def test_a_reference_between_promoters_rows_begins_with_the_promoter(table: Table) -> None:
    for key in table.foreign_key_constraints:
        if of_promoters(key.referred_table):
            first = key.elements[0]
            assert (first.parent.name, first.column.name) == ("promoter_id", "promoter_id"), key.name


def test_only_the_order_number_is_unique_over_all_promoters() -> None:
    others = {
        name for table in PROMOTERS_TABLES for name, first in unique_keys(table) if first != "promoter_id"
    }
    assert others == {"uq_orders_order_sn"}


def unique_keys(table: Table) -> Iterator[tuple[str, str]]:
    """The name and the first column of whatever makes rows unique beside the primary key."""
    unique: list[Index | UniqueConstraint] = [index for index in table.indexes if index.unique]
    unique += [rule for rule in table.constraints if isinstance(rule, UniqueConstraint)]
    for key in unique:
        yield str(key.name), next(iter(key.columns)).name


def test_the_walk_meets_the_tables_that_matter() -> None:
    names = {table.name for table in PROMOTERS_TABLES}
    assert names >= {"orders", "order_versions", "roster", "results", "lines", "notice_changes"}
    assert {"settlements", "notices", "terms", "periods"}.isdisjoint(names)


# Columns


@named(TABLES)
def test_no_column_holds_a_fraction(table: Table) -> None:
    fractions = [column.name for column in table.columns if isinstance(column.type, Numeric | Float)]
    assert fractions == []


@named(TABLES)
def test_the_end_of_a_name_says_what_the_column_holds(table: Table) -> None:
    for column in table.columns:
        kind = kind_by_name(column)
        assert kind is None or isinstance(column.type, kind), column


def kind_by_name(column: Column[Any]) -> type | None:
    name = column.name
    if name == "credential_id":  # WebAuthn's own name for bytes
        return LargeBinary
    if name.endswith(("_fen", "_at", "_permille", "_id")) and name != "p_id":
        return type(WholeNumber)
    if name.endswith("_on") or name in ("level_from", "first_day"):
        return Day
    return Words if name in ("period", "order_sn", "p_id", "cat_ids") or name.endswith("_sha256") else None


@named(TABLES)
def test_a_table_is_strict_counts_its_own_ids_and_deletes_nothing_by_itself(table: Table) -> None:
    assert table.dialect_options["sqlite"]["strict"]
    assert [column for column in table.columns if isinstance(column.server_default, Identity)] == []
    assert {(key.ondelete, key.onupdate) for key in table.foreign_key_constraints} <= {(None, None)}


# Commands

PROMISED = {
    "db upgrade": [],
    **{f"import {kind}": ["files", "--strict"] for kind in KINDS},
    "quarantine list": [],
    "quarantine export": [],
    "quarantine retry": [],
    "quarantine dismiss": ["entry"],
    "terms add": ["file"],
    "terms show": ["period"],
    "open": ["period"],
    "progress": ["period", "promoter", "--json"],
    "explain": ["order_sn", "--json"],
    "settle": ["period"],
    "status": ["period", "--json"],
    "waive": ["period", "code", "--reason"],
    "confirm-data": ["period", "--through", "--reason"],
    "publish": ["period"],
    "export": ["period", "--out", "--draft"],
    "check": [],
    "run": [],
    "shell": [],
}
"""What the contract says can be typed, with its arguments and options."""


def the_command(path: str) -> click.Command:
    command: click.Command = main
    for name in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None, path
        command = found
    return command


def test_the_kinds_of_files_are_those_promised() -> None:
    assert set(KINDS) == {"promoters", "violations", "links", "targets", "orders"}


@pytest.mark.parametrize("path", PROMISED)
def test_a_promised_command_takes_what_was_promised_and_asks_no_more(path: str) -> None:
    command = the_command(path)
    assert command.get_short_help_str()
    options = [each for each in command.params if isinstance(each, click.Option)]
    taken = {name for option in options for name in option.opts}
    asked = [str(each.name) for each in command.params if isinstance(each, click.Argument)]
    promised = PROMISED[path]
    assert taken >= {name for name in promised if name.startswith("--")}
    assert asked == [name for name in promised if not name.startswith("--")]
    assert {name for option in options if option.required for name in option.opts} <= {
        "--out",
        "--reason",
        "--through",
    }


# Names


def test_no_public_class_name_occurs_twice_in_the_package() -> None:
    places: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(file.relative_to(PACKAGE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


# Files


def test_a_file_has_at_most_500_lines() -> None:
    first = PACKAGE.parent / "migrations/versions/0001_the_books.py"  # as released, never edited
    folders = ("bounty", "migrations", "tests", "bench", "deploy")
    files = [file for folder in folders for file in PACKAGE.parent.joinpath(folder).rglob("*.py")]
    assert len(files) > 600
    lengths = {str(file): len(file.read_text().splitlines()) for file in files if file != first}
    assert {file: lines for file, lines in lengths.items() if lines > 500} == {}


# Queries live in the room of their noun


def test_no_view_holds_a_select() -> None:
    """Filters, sorting and paging of a SELECT that a room gives are the table machinery's: ``web/shared/tables.py``."""
    machinery = PACKAGE / "web/shared/tables.py"
    found = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}"
        for file in sorted(PACKAGE.joinpath("web").rglob("*.py"))
        if file != machinery
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and called(node) in ("select", "subquery")
    ]
    assert found == []


def called(call: ast.Call) -> str:
    """The name of what is called, without the object it belongs to."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


# One catalogue of order facts


def test_every_fact_of_the_catalogue_is_a_column_and_a_field_and_no_other_is() -> None:
    facts = [fact.name for fact in STORED]
    fields = [
        name
        for name in OrderRow._fields
        if name not in ("place", "is_detail", "promoter_id", "row_hash", "raw")
    ]
    assert facts == fields
    own = {"promoter_id", "row_hash"}
    assert {column.name for column in Order.__table__.columns} == {*facts, *own, "failed_at", "conflicting"}
    kept = {"is_detail", "batch_id", "place", "withdrawn"}
    assert {column.name for column in OrderVersion.__table__.columns} == {*facts, *own, *kept}


def test_amounts_in_sentences_are_grouped() -> None:
    """The currency sign comes from ``grouped_yuan`` alone; ``shown_yuan`` is for files that programs read."""
    package = Path(bounty.__file__).parent
    sources = [path for path in package.rglob("*.py") if path.name not in ("money.py", "formats.py")]
    assert [str(path) for path in sources if "¥{" in path.read_text(encoding="utf-8")] == []
