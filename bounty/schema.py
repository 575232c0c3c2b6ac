"""The schema's version: bringing a database up to it, and refusing to work on one that is behind.

Alembic is loaded where a schema is made or compared: it and the migrations take a fifth of a second, for which no other
command should wait.
"""

import re
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from bounty.db import make_engine
from bounty.errors import BountyError
from bounty.resources import resource_folder

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script


def _config(engine: Engine) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(resource_folder("migrations")))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Create the schema, or bring it up to date; nothing happens where it is.

    Raises BountyError, and changes nothing, where the schema is not what its revision says: it was made by a program
    between two versions, or changed by hand, and what a migration makes of it would be anybody's guess.
    """
    from alembic import command  # noqa: PLC0415

    if not _is_missing_file(engine):
        with engine.connect() as connection:
            revision = stored_revision(connection)
        differ = [] if revision is None else differences(engine, revision)
        if differ:
            more = f", and {len(differ) - 5} more" if len(differ) > 5 else ""
            raise BountyError(
                f"The database says that its schema is {revision}, but it differs: {'; '.join(differ[:5])}{more}. "
                "Nothing was changed: go on with the program that made it, or restore a backup into a new database."
            )
    command.upgrade(_config(engine), "head")


def differences(engine: Engine, revision: str) -> list[str]:
    """In what a database's schema differs from what a revision makes, in words; empty if in nothing.

    Raises BountyError for a revision that this program doesn't know.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.script.revision import RevisionError  # noqa: PLC0415

    try:
        steps = list(ScriptDirectory.from_config(_config(engine)).iterate_revisions(revision, "base"))
    except RevisionError:
        raise BountyError(
            f"The database's schema is {revision}, which this program doesn't know: run the program of that version."
        ) from None
    wanted, found = _made_by(engine, steps[::-1]), _structure_of(engine)
    return [
        *(f"{name} is missing" for name in wanted if name not in found),
        *(f"{name} is not of it" for name in found if name not in wanted),
        *(
            f"{name} is {found[name]} and not {wanted[name]}"
            for name in wanted
            if name in found and found[name] != wanted[name]
        ),
    ]


def _made_by(engine: Engine, steps: "list[Script]") -> dict[str, str]:
    """The structure that migrations make, in a place of their own that is gone afterwards."""
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    sqlite = engine.dialect.name == "sqlite"
    place = make_engine("sqlite://") if sqlite else engine
    try:
        with place.connect() as connection:
            attempt, schema = connection.begin(), None
            if not sqlite:
                schema = f"bounty_{token_hex(6)}"
                connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
                connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')
            with Operations.context(MigrationContext.configure(connection)):
                for step in steps:
                    step.module.upgrade()
            made = structure(connection, schema)
            attempt.rollback()
            return made
    finally:
        if sqlite:
            place.dispose()


def _structure_of(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return structure(connection)


def structure(connection: Connection, schema: str | None = None) -> dict[str, str]:
    """Every column, key, rule, index and trigger of a schema -> what it is, in words that can be compared."""
    found = inspect(connection)
    made: dict[str, str] = {}
    for (_, table), columns in found.get_multi_columns(schema).items():
        for column in columns:
            kind = f"{column['type']!r}{'' if column['nullable'] else ' not null'}"
            made[f"column {table}.{column['name']}"] = kind
    for (_, table), key in found.get_multi_pk_constraint(schema).items():
        made[f"primary key of {table}"] = ", ".join(key["constrained_columns"])
    for (_, table), foreign in found.get_multi_foreign_keys(schema).items():
        for each in foreign:
            to = f"{each['referred_table']} ({', '.join(each['referred_columns'])})"
            made[f"foreign key of {table} ({', '.join(each['constrained_columns'])})"] = to
    for (_, table), rules in found.get_multi_check_constraints(schema).items():
        made |= {f"rule {rule['name']} of {table}": _plain(rule["sqltext"]) for rule in rules}
    for (_, table), unique in found.get_multi_unique_constraints(schema).items():
        made |= {f"unique {table} ({', '.join(each['column_names'])})": "unique" for each in unique}
    for (_, table), indexes in found.get_multi_indexes(schema).items():
        for index in indexes:
            kind = "unique" if index["unique"] else "an index"
            options = index.get("dialect_options", {})
            rule = options.get("sqlite_where", options.get("postgresql_where"))
            where = "" if rule is None else f" where {_plain(str(rule))}"
            made[f"index {index['name']} of {table}"] = (
                f"{kind} ({', '.join(map(str, index['column_names']))}){where}"
            )
    made |= {f"trigger {name} of {table}": state for name, table, state in _triggers(connection, schema)}
    return {name: what for name, what in made.items() if "alembic_version" not in name}


def _plain(rule: str) -> str:
    """A rule without its casts, parentheses and blanks, which PostgreSQL writes otherwise after a dump and restore."""
    return re.sub(r"::(?:character varying|text)|\[\]|[()\s]", "", rule)


def _triggers(connection: Connection, schema: str | None) -> list[tuple[str, str, str]]:
    """Name, table and, on SQLite, text; on PostgreSQL whether it is on."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        return [(row[0], row[1], str(row[2])) for row in connection.execute(query)]
    query = text(
        "SELECT tgname, relname, CASE tgenabled WHEN 'O' THEN 'on' ELSE 'off' END FROM pg_trigger "
        "JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE NOT tgisinternal AND nspname = coalesce(:schema, current_schema())"
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query, {"schema": schema})]


def _is_missing_file(engine: Engine) -> bool:
    path = engine.url.database
    return engine.dialect.name == "sqlite" and path is not None and not Path(path).exists()


def stored_revision(connection: Connection) -> str | None:
    """The revision of a database's schema; null where there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    held: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return held


def program_revision() -> str:
    """The revision that the program needs: that of its last migration, whose files begin with their revision."""
    files = resource_folder("migrations").joinpath("versions").glob("[0-9]*_*.py")
    return max(file.name.partition("_")[0] for file in files)


def require_current(engine: Engine) -> None:
    """Raises BountyError unless the database's schema is the program's."""
    revision = None
    if not _is_missing_file(engine):  # connecting would make it
        with engine.connect() as connection:
            revision = stored_revision(connection)
    wanted = program_revision()
    if revision != wanted:
        raise BountyError(
            f"The database's schema is {revision or 'not there yet'} and the program needs {wanted}: "
            "run `bounty db upgrade`."
        )
