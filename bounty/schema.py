"""The schema's version: bringing a database up to it, and refusing to work on one that is behind."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from bounty.errors import BountyError
from bounty.resources import resource_folder


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resource_folder("migrations")))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Create the schema, or bring it up to date; nothing happens where it is."""
    command.upgrade(_config(engine), "head")


def _is_missing_file(engine: Engine) -> bool:
    path = engine.url.database
    return engine.dialect.name == "sqlite" and path is not None and not Path(path).exists()


def held_revision(connection: Connection) -> str | None:
    """The revision of a database's schema; null where there is none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def program_revision(engine: Engine) -> str | None:
    """The revision that the program needs."""
    return ScriptDirectory.from_config(_config(engine)).get_current_head()


def require_current(engine: Engine) -> None:
    """Raises BountyError unless the database's schema is the program's."""
    held = None
    if not _is_missing_file(engine):  # connecting would make it
        with engine.connect() as connection:
            held = held_revision(connection)
    wanted = program_revision(engine)
    if held != wanted:
        raise BountyError(
            f"The database's schema is {held or 'not there yet'} and the program needs {wanted}: "
            "run `bounty db upgrade`."
        )
