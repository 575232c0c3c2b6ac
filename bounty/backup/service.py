"""Backing the books up, and restoring them: only what was restored once, and checked, is called a backup.

books ─copy─> FILE.part ─restore─> scratch ─check─> FILE, FILE.json
FILE ─sha256─> books that were empty ─check─> an event in their audit chain
"""

import os
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

import msgspec
from sqlalchemy import Engine, inspect

from bounty.audit.journal import BACKUP, RESTORE, name_and_note, note
from bounty.audit.service import record
from bounty.backup.copies import ENDING, read_copy, scratch, write_copy
from bounty.backup.verification import Facts, facts_of, require_good
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.notifications.service import hold_messages
from bounty.private import private_folder, write_private_file
from bounty.schema import program_revision


@dataclass(frozen=True, slots=True)
class Backup:
    """What stands beside a backup, in a file of its name and ``.json``."""

    database: str
    """sqlite or postgresql."""
    made_at: int
    """Epoch seconds."""
    bytes: int
    sha256: str
    """Of the file, hex."""
    facts: Facts


def back_up(engine: Engine, folder: Path, now: int, programs: Path | None) -> tuple[Path, Backup]:
    """Copy the books into a folder, restore that copy, check it, and only then give it its name.

    programs   the folder of PostgreSQL's client programs; null: on the PATH

    Raises BountyError if anything of that fails; then no file of the name is there.
    """
    private_folder(folder)
    name_and_note(engine)
    kind = engine.dialect.name
    target = (
        folder / f"bounty-{shown(now)[:19].replace('-', '').replace(':', '').replace('T', '-')}{ENDING[kind]}"
    )
    part = target.with_name(target.name + ".part")
    if target.exists():
        raise BountyError(f"{target} is there already.")
    part.unlink(missing_ok=True)
    try:
        with snapshot(engine) as connection:
            wanted = facts_of(connection)
            write_copy(connection, part, programs)
        with scratch(engine, folder) as copy:
            read_copy(part, copy, programs)
            with snapshot(copy) as connection:
                require_good(connection, wanted)
        backup = Backup(kind, now, part.stat().st_size, _sha256(part), wanted)
        write_private_file(
            target.with_name(target.name + ".json"), msgspec.json.format(msgspec.json.encode(asdict(backup)))
        )
        _sync(part)
        part.rename(target)
        _sync(folder)
    finally:
        part.unlink(missing_ok=True)
    note(engine, BACKUP, now, file=target.name)
    return target, backup


def restore(engine: Engine, source: Path, now: int, programs: Path | None) -> Backup:
    """Make empty books what a backup says, check them, and note in their audit chain that they were restored.

    Raises BountyError if the file isn't what was backed up, if the books aren't empty, or if they come out otherwise.
    """
    backup = _read(source)
    if backup.database != engine.dialect.name:
        raise BountyError(
            f"{source} is of {backup.database}, and the books are to be on {engine.dialect.name}."
        )
    if _sha256(source) != backup.sha256:
        raise BountyError(f"{source} is not the file that was backed up: its SHA-256 is another.")
    if backup.facts.schema != program_revision():
        raise BountyError(
            f"The backup's schema is {backup.facts.schema} and the program's is {program_revision()}: restore it "
            "with the version of the program that made it, and run `bounty db upgrade` with the new one."
        )
    _require_empty(engine)
    read_copy(source, engine, programs)
    try:
        with snapshot(engine) as connection:
            require_good(connection, backup.facts)
    except BountyError as refusal:
        engine.dispose()
        raise BountyError(
            f"{refusal} Don't use {engine.url.database}: drop it and restore another backup."
        ) from None
    with transaction(engine) as connection:
        held = hold_messages(connection)
        after = {"sha256": backup.sha256, "made_at": backup.made_at, "messages_held": held}
        record(connection, "backup.restore", source.name, now, after=after)
    note(engine, RESTORE, now, file=source.name)
    return backup


def _require_empty(engine: Engine) -> None:
    path = engine.url.database
    if engine.dialect.name == "sqlite":
        if path is not None and Path(path).exists():
            raise BountyError(
                f"{path} is there already: a backup is restored into books that are not there yet."
            )
        return
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
    if tables:
        raise BountyError(
            f"The database {path} has tables already ({tables[0]} ...): a backup is restored into an empty one."
        )


def _read(source: Path) -> Backup:
    beside = source.with_name(source.name + ".json")
    for path in (source, beside):
        if not path.is_file():
            raise BountyError(f"{path} is not there: a backup is a file and, beside it, what was in it.")
    try:
        return msgspec.json.decode(beside.read_bytes(), type=Backup)
    except msgspec.DecodeError as error:
        raise BountyError(f"{beside} can't be read: {error}.") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
