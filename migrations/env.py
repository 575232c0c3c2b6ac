"""How Alembic meets the database: foreign keys off while SQLite rebuilds a table, and looked at before the end."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, Engine, text

from bounty.db import WholeNumber, make_engine
from bounty.models import Base
from config import read_settings


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Render the column types of ``bounty.db`` by their names there."""
    if kind == "type" and type(item).__module__.startswith("bounty.db"):
        autogen.imports.add("from bounty import db")
        return f"db.{type(item).__name__}()"
    if kind == "type" and item is WholeNumber:
        autogen.imports.add("from bounty import db")
        return "db.WholeNumber"
    return False


def run(connection: Connection) -> None:
    """Run the migrations that are asked for in one transaction."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        # SQLite ignores this pragma inside a transaction. With it on, rebuilding a table deletes its children's rows.
        _set_foreign_keys(connection, on=False)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=sqlite,
        transactional_ddl=True,  # SQLite's too, once BEGIN is ours and not its driver's
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
    )
    connection.execution_options(writing=True)
    with context.begin_transaction():
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(7308895158)"))
        context.run_migrations()
        if sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"the migration leaves rows without their parents: {broken[:5]}")
    if sqlite:
        _set_foreign_keys(connection, on=True)


def _set_foreign_keys(connection: Connection, *, on: bool) -> None:
    """By the driver itself: SQLAlchemy would begin a transaction first, and inside one the pragma does nothing."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def engine() -> Engine:
    """The engine given by the program, or the settings' own for Alembic's command."""
    return context.config.attributes.get("engine") or make_engine(read_settings().database_url)


with engine().connect() as the_connection:
    run(the_connection)
