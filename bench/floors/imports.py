"""The floor of import: parsing alone, then the engine's own bulk upsert into the same tables.

No check of any value, no quarantine, no fold over earlier rows, no counts: a row goes into order_versions unless it is
there, and into orders if it is newer than what stands there. Hashes are of the text as it stands.
"""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from bench.floors.connect import is_sqlite, postgresql, sqlite

_CHUNK = 20_000
_FACTS = (
    "p_id, goods_name, order_status, order_amount_fen, promotion_amount_fen, type, cat_ids, is_direct, "
    "price_compare_status, created_at, paid_at, received_at, verified_at, settled_at, modified_at"
)
_VERSION = f"promoter_id, order_sn, row_hash, is_detail, batch_id, place, {_FACTS}"
_ORDER = f"promoter_id, order_sn, failed_at, conflicting, row_hash, {_FACTS}"
_SET = ", ".join(f"{name} = excluded.{name}" for name in _ORDER.split(", ") if name != "order_sn")
_FAILED_AT = (
    "CASE WHEN order_status = 4 THEN coalesce(verified_at, modified_at) "
    "WHEN order_status = 10 THEN modified_at END"
)

Row = tuple[Any, ...]


class _Order(msgspec.Struct):
    order_sn: str
    p_id: str
    order_status: int
    order_amount: int
    order_modify_at: int
    goods_name: str | None = None
    promotion_amount: int = 0
    type: int | None = None
    cat_ids: list[int] | None = None
    is_direct: int | None = None
    price_compare_status: int | None = None
    order_create_time: int | None = None
    order_pay_time: int | None = None
    order_receive_time: int | None = None
    order_verify_time: int | None = None
    order_settle_time: int | None = None


class _List(msgspec.Struct):
    order_list: list[msgspec.Raw]


class _Page(msgspec.Struct):
    order_list_get_response: _List


_encode = msgspec.json.Encoder().encode
_page = msgspec.json.Decoder(_Page).decode
_order = msgspec.json.Decoder(_Order).decode


def parsed_page(body: bytes, batch_id: int) -> list[Row]:
    """Rows for order_versions from one response."""
    rows = []
    for place, raw in enumerate(_page(body).order_list_get_response.order_list, start=1):
        order = _order(raw)
        rows.append(
            (
                int(order.p_id.partition("_")[0]),
                order.order_sn,
                blake2b(raw, digest_size=16).digest(),
                False,
                batch_id,
                place,
                order.p_id,
                order.goods_name,
                order.order_status,
                order.order_amount,
                order.promotion_amount,
                order.type,
                ";".join(map(str, sorted({*order.cat_ids} - {0}))) if order.cat_ids else None,
                order.is_direct,
                order.price_compare_status,
                order.order_create_time or None,
                order.order_pay_time or None,
                order.order_receive_time or None,
                order.order_verify_time or None,
                order.order_settle_time or None,
                order.order_modify_at,
                str(raw, "utf-8"),
            )
        )
    return rows


def texts_of(rows: list[Row]) -> list[tuple[int, int, bytes]]:
    """Records for received_texts: batch, first place, and the lines of a thousand rows, compressed."""
    records = [rows[start : start + 1000] for start in range(0, len(rows), 1000)]
    return [
        (some[0][4], some[0][5], zlib.compress(_encode([(row[5], row[-1]) for row in some]), 1))
        for some in records
    ]


class _Known(dict[str, Any]):
    """What a cell means, worked out once."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        super().__init__({"": None})
        self._read = read

    def __missing__(self, cell: str) -> Any:
        self[cell] = value = self._read(cell)
        return value


def _midnight(day: str) -> int:
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * 86400 - 8 * 3600


def _second(clock: str) -> int:
    return int(clock[1:3]) * 3600 + int(clock[4:6]) * 60 + int(clock[7:9])


def _fen(yuan: str) -> int:
    whole, _, part = yuan.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def parsed_csv(lines: Iterable[str], batch_id: int) -> Iterator[Row]:
    """Rows for order_versions from a CSV whose cells need no quotes; the plainest loop that keeps every line."""
    words = {
        "未支付": -1, "已支付": 0, "已成团": 1, "确认收货": 2, "审核成功": 3, "审核通过": 3, "审核失败": 4, "已结算": 5,
        "已处罚": 10, "8": 8,
    }  # fmt: skip
    flags = {"": None, "是": 1, "否": 0, "正常": 0, "比价": 1}
    days, clocks, fen, whole = _Known(_midnight), _Known(_second), _Known(_fen), _Known(int)
    promoters = _Known(lambda p_id: int(p_id.partition("_")[0]))
    sets = _Known(lambda cell: ";".join(map(str, sorted({*map(int, cell.split(";"))} - {0}))) or None)
    for place, line in enumerate(lines, start=2):
        raw = line.rstrip("\r\n")
        (sn, p_id, name, paid, commission, status, direct, compared, kind, categories,
         created_at, paid_at, received_at, verified_at, settled_at, modified_at) = raw.split(",")  # fmt: skip
        yield (
            promoters[p_id],
            sn,
            blake2b(raw.encode(), digest_size=16).digest(),
            False,
            batch_id,
            place,
            p_id,
            name,
            words[status],
            fen[paid],
            fen[commission],
            whole[kind],
            sets[categories],
            flags[direct],
            flags[compared],
            days[created_at[:10]] + clocks[created_at[10:]] if created_at else None,
            days[paid_at[:10]] + clocks[paid_at[10:]] if paid_at else None,
            days[received_at[:10]] + clocks[received_at[10:]] if received_at else None,
            days[verified_at[:10]] + clocks[verified_at[10:]] if verified_at else None,
            days[settled_at[:10]] + clocks[settled_at[10:]] if settled_at else None,
            days[modified_at[:10]] + clocks[modified_at[10:]],
            raw,
        )


# --- SQLite ---

_MARKS = ", ".join("?" * 21)
_SQLITE_VERSIONS = (
    f"INSERT INTO order_versions ({_VERSION}, withdrawn) VALUES ({_MARKS}, 0) ON CONFLICT DO NOTHING"
)
_SQLITE_ORDERS = (
    f"INSERT INTO orders ({_ORDER}) SELECT promoter_id, order_sn, {_FAILED_AT}, 0, row_hash, {_FACTS} "
    "FROM order_versions WHERE batch_id = ? AND place BETWEEN ? AND ? "
    f"ON CONFLICT (order_sn) DO UPDATE SET {_SET} WHERE excluded.modified_at > orders.modified_at"
)
_SQLITE_BATCH = (
    "INSERT INTO batches (kind, file_name, sha256, shape, encoding, imported_at, rows_read, rows_new, rows_changed, "
    "rows_unchanged, rows_stale, rows_quarantined) VALUES ('orders', ?, '', ?, 'utf-8', 0, 0, 0, 0, 0, 0, 0)"
)


class _SqliteBooks:
    def __init__(self, path: str) -> None:
        self._connection: sqlite3.Connection = sqlite(path)
        self._sets: set[str] = set()

    def begin(self, name: str, shape: str) -> int:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute(_SQLITE_BATCH, (name, shape)).lastrowid or 0

    def upsert(self, rows: list[Row]) -> None:
        connection = self._connection
        connection.executemany(_SQLITE_VERSIONS, [row[:-1] for row in rows])
        connection.executemany("INSERT INTO received_texts VALUES (?, ?, ?)", texts_of(rows))
        connection.execute(_SQLITE_ORDERS, (rows[0][4], rows[0][5], rows[-1][5]))
        if fresh := {row[12] for row in rows if row[12]} - self._sets:
            connection.executemany(
                "INSERT INTO category_sets VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(cat_ids, int(one)) for cat_ids in fresh for one in cat_ids.split(";")],
            )
            self._sets |= fresh

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


# --- PostgreSQL ---

_POSTGRES_STAGE = (
    'CREATE TEMPORARY TABLE stage (promoter_id bigint, order_sn text COLLATE "C", row_hash bytea, is_detail boolean, '
    "batch_id bigint, place bigint, p_id text, goods_name text, order_status bigint, "
    "order_amount_fen bigint, promotion_amount_fen bigint, type bigint, cat_ids text, is_direct bigint, "
    "price_compare_status bigint, created_at bigint, paid_at bigint, received_at bigint, verified_at bigint, "
    "settled_at bigint, modified_at bigint) ON COMMIT DELETE ROWS"
)
_POSTGRES_MERGE = (
    f"WITH kept AS (INSERT INTO order_versions ({_VERSION}, withdrawn) SELECT {_VERSION}, false FROM stage "
    "ON CONFLICT DO NOTHING) "
    f"INSERT INTO orders ({_ORDER}) SELECT DISTINCT ON (order_sn) promoter_id, order_sn, {_FAILED_AT}, false, "
    f"row_hash, {_FACTS} FROM stage ORDER BY order_sn, modified_at DESC "
    f"ON CONFLICT (order_sn) DO UPDATE SET {_SET} WHERE excluded.modified_at > orders.modified_at"
)
_POSTGRES_BATCH = _SQLITE_BATCH.replace("?", "%s") + " RETURNING batch_id"


class _PostgresBooks:
    def __init__(self, conninfo: str) -> None:
        self._connection = postgresql(conninfo)
        self._connection.execute(_POSTGRES_STAGE)
        self._sets: set[str] = set()

    def begin(self, name: str, shape: str) -> int:
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT pg_advisory_xact_lock(1)")
        found = self._connection.execute(_POSTGRES_BATCH, (name, shape)).fetchone()
        assert found is not None
        return int(found[0])

    def upsert(self, rows: list[Row]) -> None:
        cursor = self._connection.cursor()
        with cursor.copy(f"COPY stage ({_VERSION}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row[:-1])
        cursor.executemany("INSERT INTO received_texts VALUES (%s, %s, %s)", texts_of(rows))
        if fresh := {row[12] for row in rows if row[12]} - self._sets:
            cursor.executemany(
                "INSERT INTO category_sets VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [(cat_ids, int(one)) for cat_ids in fresh for one in cat_ids.split(";")],
            )
            self._sets |= fresh

    def commit(self) -> None:
        # All that was staged at once: the engine sorts a million rows quicker than fifty times twenty thousand.
        self._connection.execute(_POSTGRES_MERGE)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def _books(database: str) -> _SqliteBooks | _PostgresBooks:
    return _SqliteBooks(database) if is_sqlite(database) else _PostgresBooks(database)


def pages(database: str, folder: str, count: int) -> dict[str, Any]:
    """Import the first pages of a folder, one transaction each."""
    books, rows = _books(database), 0
    for number in range(count):
        path = Path(folder, f"{number:05d}.json")
        batch_id = books.begin(path.name, "json")
        page = parsed_page(path.read_bytes(), batch_id)
        rows += len(page)
        books.upsert(page)
        books.commit()
    books.close()
    return {"rows": rows}


def bulk(database: str, path: str) -> dict[str, Any]:
    """Import a CSV in one transaction."""
    books, count = _books(database), 0
    batch_id = books.begin("orders.csv", "csv")
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        file.readline()
        rows = parsed_csv(file, batch_id)
        while chunk := list(islice(rows, _CHUNK)):
            books.upsert(chunk)
            count += len(chunk)
    books.commit()
    books.close()
    return {"rows": count}


def parse_pages(folder: str, count: int) -> dict[str, Any]:
    """Only the parsing of the floor of pages."""
    return {
        "rows": sum(len(parsed_page(Path(folder, f"{n:05d}.json").read_bytes(), 1)) for n in range(count))
    }


def parse_bulk(path: str) -> dict[str, Any]:
    """Only the parsing of the floor of the CSV."""
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        file.readline()
        return {"rows": sum(1 for _ in parsed_csv(file, 1))}
