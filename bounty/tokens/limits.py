"""How many requests a token may make in a minute, counted in one table for all processes of the site."""

from functools import cache

from sqlalchemy import Connection, Engine, Executable, case
from sqlalchemy.exc import OperationalError

from bounty.db import LOCK_WAIT_MS, insert_into
from bounty.models import ApiTokenUse

MINUTE = 60
_PATIENCE_MS = 50


class CallLimit:
    """The limit of one application.

    On SQLite the table can't be written while an import or a settlement writes. Readers must not wait for those, so
    each process then counts by itself until the books are free again.
    """

    def __init__(self, engine: Engine, calls: int) -> None:
        self._engine, self._calls = engine, calls
        self._alone: dict[int, tuple[int, int]] = {}
        """Token -> minute and calls that this process counted by itself."""

    def seconds_to_wait(self, token_id: int, now: int, machine_now: int) -> int:
        """Count a request; 0 if it may go on, else the seconds until the next minute begins.

        now          the books' present instant, kept as the token's last use
        machine_now  the machine's own, which goes on also where BOUNTY_NOW turns the books' clock
        """
        minute = machine_now - machine_now % MINUTE
        try:
            calls = self._count(token_id, now, minute)
        except OperationalError:
            before, counted = self._alone.get(token_id, (minute, 0))
            calls = counted + 1 if before == minute else 1
            self._alone[token_id] = minute, calls
        return 0 if calls <= self._calls else minute + MINUTE - machine_now

    def _count(self, token_id: int, now: int, minute: int) -> int:
        # Not db.transaction: a row of its own needs no turn among those who write the books.
        with self._engine.connect().execution_options(writing=True) as connection:
            if connection.dialect.name == "postgresql":
                with connection.begin():
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE_MS}ms'")
                    return _counted(connection, token_id, now, minute)
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            try:
                with connection.begin():
                    return _counted(connection, token_id, now, minute)
            finally:
                driver.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")


def _counted(connection: Connection, token_id: int, now: int, minute: int) -> int:
    """Count one request; how many there were in this minute, with it."""
    values = {"token_id": token_id, "last_used_at": now, "minute_at": minute, "calls": 1}
    calls: int = connection.execute(_count_one(connection.dialect.name), values).scalar_one()
    return calls


@cache
def _count_one(dialect: str) -> Executable:
    """Made once: making it takes longer than carrying it out."""
    use = insert_into(dialect, ApiTokenUse)
    same_minute = ApiTokenUse.minute_at == use.excluded.minute_at
    return use.on_conflict_do_update(
        index_elements=["token_id"],
        set_={
            "last_used_at": use.excluded.last_used_at,
            "minute_at": use.excluded.minute_at,
            "calls": case((same_minute, ApiTokenUse.calls + 1), else_=1),
        },
    ).returning(ApiTokenUse.calls)
