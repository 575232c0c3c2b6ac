"""One damaged page of an SQLite database at a time: what is done to it, and which proved columns differ then."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bounty.checks.content import FOR_DISPLAY, PROVED

Rows = dict[str, list[dict[str, Any]]]
KINDS = ("head", "tail", "middle", "bit")


@dataclass(frozen=True)
class Whole:
    """A sound database."""

    content: bytes
    page_size: int
    pages: int
    rows: Rows
    indexed: frozenset[str]
    """``table.column`` of each column that an index holds too, which the database compares by itself."""


def whole_of(path: Path) -> Whole:
    """Of a file that nobody writes to."""
    connection = sqlite3.connect(path)
    size, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count"))
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    indexed = {
        f"{table}.{column}"
        for (table,) in tables
        for index in connection.execute(f"PRAGMA index_list({table})").fetchall()
        for _, _, column in connection.execute(f"PRAGMA index_info({index[1]})").fetchall()
    }
    connection.close()
    return Whole(path.read_bytes(), size, pages, rows_of(path), frozenset(indexed))


def rows_of(path: Path) -> Rows:
    """Every row of every table, texts as bytes; of a table that can't be read, what was read."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    connection.row_factory = sqlite3.Row
    found: Rows = {}
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (name,) in connection.execute(tables).fetchall():
        found[name.decode()] = [dict(row) for row in connection.execute(f"SELECT * FROM {name.decode()}")]
    connection.close()
    return found


def damaged(whole: Whole, page: int, kind: str, seed: int = 0) -> bytes:
    """The same database with 20 bytes of a page spoilt, or one bit.

    kind  head: the first bytes, tail: the last bytes, middle: some between, each overwritten; bit: one of all
    """
    lot = random.Random(f"{seed} {page} {kind}")
    start = (page - 1) * whole.page_size
    within = start + lot.randrange(100 if page == 1 else 12, whole.page_size - 40)
    content = bytearray(whole.content)
    at, spoilt = {
        "head": (start, b"\xff" * 20),
        "tail": (start + whole.page_size - 20, bytes(20)),
        "middle": (within, bytes(each ^ 0xFF for each in content[within : within + 20])),
        "bit": (within, bytes([content[within] ^ 1 << lot.randrange(8)])),
    }[kind]
    content[at : at + len(spoilt)] = spoilt
    return bytes(content)


def proved_that_differ(whole: Whole, path: Path) -> set[str]:
    """``table.column`` of what a check should have found: a value, or a row, of which a hash or an index is held."""
    found = rows_of(path)
    return {each for name in whole.rows for each in _differing(whole, name, found.get(name, []))}


def _differing(whole: Whole, name: str, now: list[dict[str, Any]]) -> Iterator[str]:
    was = whole.rows[name]
    if len(was) != len(now):
        yield f"{name}: rows"
    for before, after in zip(was, now, strict=False):
        for column, value in before.items():
            proved = name in PROVED and column not in FOR_DISPLAY.get(name, ())
            if value != after.get(column) and (proved or f"{name}.{column}" in whole.indexed):
                yield f"{name}.{column}"
