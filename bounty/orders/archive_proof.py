"""Whether archived rows say what the books say: each row hashes as when it was received, and the rows of an order fold
into the order, by the fold's own statement over a database in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection, delete, select

from bounty.db import make_engine, transaction
from bounty.models import Base, Order, OrderVersion
from bounty.orders.archive_files import VERSION_COLUMNS, ArchivedRow
from bounty.orders.fold import folded
from bounty.platforms.pdd.order_row import hash_of

ORDER_COLUMNS = tuple(column.name for column in Order.__table__.columns)
_TABLES = ("promoters", "batches", "order_versions")
"""What there is in memory: the rows, and what they refer to, which stays empty."""
_folded = cache(folded)  # making the statement takes 60 ms
_ADD = (
    f"INSERT INTO order_versions ({', '.join(VERSION_COLUMNS)}) "  # noqa: S608 - the program's own names
    f"VALUES ({', '.join('?' * len(VERSION_COLUMNS))})"
)


class MemoryFold:
    """Folds rows in memory."""

    def __init__(self, connection: Connection) -> None:
        """
        connection   of the database in memory
        """
        self._connection = connection
        self._names = [column.name for column in _folded().selected_columns]

    def orders_of(self, rows: Sequence[ArchivedRow]) -> dict[str, dict[str, object]]:
        """The orders that rows fold into: number -> column -> value, as in ``orders``.

        rows   all rows of some orders
        """
        self._connection.execute(delete(OrderVersion))
        self._connection.exec_driver_sql(_ADD, [row.version for row in rows])
        found = self._connection.execute(_folded())
        return {row.order_sn: dict(zip(self._names, row, strict=True)) for row in found}


@contextmanager
def memory_fold() -> Iterator[MemoryFold]:
    """A fold in memory."""
    engine = make_engine("sqlite:///:memory:")
    try:
        with transaction(engine) as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for name in _TABLES:
                Base.metadata.tables[name].create(connection)
            yield MemoryFold(connection)
            connection.rollback()
    finally:
        engine.dispose()


def changed_rows(rows: Sequence[ArchivedRow]) -> int:
    """Rows whose facts don't hash as when they were received."""
    return sum(row.row_hash != hash_of(row.facts) for row in rows)


def unlike_orders(connection: Connection, fold: MemoryFold, rows: Sequence[ArchivedRow]) -> set[str]:
    """Orders that are not what their rows fold into, by number.

    connection   of the books
    rows         all rows of some orders, sorted by their keys
    """
    made = fold.orders_of(rows)
    first, last = rows[0].order_sn, rows[-1].order_sn
    order = Order.__table__.c
    rows_found = connection.execute(select(*order).where(order.order_sn >= first, order.order_sn <= last))
    stands = {row.order_sn: row._asdict() for row in rows_found}
    numbers = {row.order_sn for row in rows}
    return {number for number in numbers if number not in made or made[number] != stands.get(number)}
