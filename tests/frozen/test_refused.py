"""What is published stays as it is: the database itself refuses every change."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, insert, select
from sqlalchemy.exc import DBAPIError

from bounty.db import snapshot, transaction
from bounty.models import (
    FROZEN,
    SEALED,
    OrderVersion,
)
from bounty.notices.service import publish
from tests.frozen.books import content, found, tables
from tests.frozen.world import AFTER_THE_CUTOFF, DECEMBER

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
