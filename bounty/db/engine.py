"""The engine, with the settings of every connection."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url

from bounty.db.temporary_tables import drop_on_commit, forget_on_rollback
from bounty.private import make_private_file, private_folder

LOCK_WAIT_MS = 60_000
"""How long a writer waits for the previous one, milliseconds."""

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a committed transaction survives a power failure
    "foreign_keys": 1,
    "busy_timeout": LOCK_WAIT_MS,
    "recursive_triggers": 1,  # without it INSERT OR REPLACE does not fire the triggers that protect published rows
    "trusted_schema": 0,
    "cell_size_check": 1,
    "wal_autocheckpoint": 20_000,  # makes bulk imports faster by half
    "cache_size": -65_536,  # 64 MiB
    "temp.cache_size": -16_384,  # 16 MiB holds one import chunk of orders; the default of 2 MiB spills it to a file
}
POSTGRES_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_WAIT_MS}ms",
    "idle_in_transaction_session_timeout": "300s",
    "client_encoding": "UTF8",
    # JIT compilation costs more on the many small statements than it saves on the bulk statements.
    "jit": "off",
    # Frequent statements (a page of orders, a promoter's progress) have one good plan, and planning takes longer than
    # executing them. With the default, the server would plan them again each time.
    "plan_cache_mode": "force_generic_plan",
}


def make_engine(url: str, *, pooled: bool = False) -> Engine:
    """Create an engine whose connections have the settings above.

    Its errors contain the statement but no parameter values, because errors are logged and values can be personal data.

    url     ``sqlite:///PATH`` or ``postgresql+psycopg://...``
    pooled  whether the URL is that of a pooler that gives every transaction another connection of the server, as
            PgBouncer's transaction mode does: nothing may then be left in a session
    Raises  ValueError for another kind of database
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            private_folder(Path(parsed.database).parent)
        engine = create_engine(parsed, hide_parameters=True)
        event.listen(engine, "do_connect", _make_private)
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_sqlite)
        return forget_on_rollback(engine)
    if parsed.get_backend_name() == "postgresql":
        if pooled:
            return _pooled(parsed)
        options = " ".join(f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items())
        return forget_on_rollback(
            create_engine(parsed, connect_args={"options": options}, hide_parameters=True)
        )
    raise ValueError(
        f"{parsed.get_backend_name()} is not a database bounty knows: use sqlite or postgresql+psycopg"
    )


def _pooled(url: URL) -> Engine:
    """An engine behind a pooler: the settings are made in each transaction, no statement is prepared on the server, and
    temporary tables end with their transaction."""
    # A pooler passes on the encoding, but refuses other options.
    arguments = {"prepare_threshold": None, "client_encoding": POSTGRES_SETTINGS["client_encoding"]}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True)
    settings = {name: value for name, value in POSTGRES_SETTINGS.items() if name != "client_encoding"}
    statement = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in settings.items())

    def set_up(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    event.listen(engine, "begin", set_up)
    return drop_on_commit(forget_on_rollback(engine))


def _make_private(
    _dialect: Dialect, _record: object, arguments: list[object], _options: dict[str, object]
) -> None:
    """Create a missing database file with mode 0600. SQLite would use the umask, and it gives its write-ahead log the
    mode of the database file."""
    path = str(arguments[0])
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # opening the database then fails with the proper error
            make_private_file(Path(path))


def _set_pragmas(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    # The driver begins a transaction before the first write, but a snapshot must begin before the first read. So its
    # own BEGIN is turned off, and _begin_sqlite sends one.
    dbapi_connection.isolation_level = None
    try:
        for name, value in SQLITE_PRAGMAS.items():
            dbapi_connection.execute(f"PRAGMA {name}={value}")
    except (
        UnicodeDecodeError
    ) as error:  # SQLite quotes a damaged schema, and the driver can't read what it says
        raise sqlite3.DatabaseError("the file is damaged: its schema holds what is no text") from error


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writing, reading = options.get("writing"), bool(options.get("reading"))
    # Only on a change, because after this PRAGMA SQLite compiles every statement of the connection again.
    if connection.info.get("reading", False) != reading:
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
        connection.info["reading"] = reading
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
