"""The journal outside the database: the newest audit events, the exports to the payer, the backups and the restores.

A database that was replaced by an older copy is consistent and cannot detect this by itself. Therefore the facts that
are needed after a restore are also appended to a file beside the backups, one JSON object on each line::

    {"kind": "head", "at": 1674190800, "event": 41, "head": "9f2c…"}
    {"kind": "export", "at": …, "event": 57, "head": "…", "tranche": 1, "content_sha256": "…", "due_fen": 13000, …}
    {"kind": "backup", …, "file": "bounty-20230120-050000.sqlite"}
    {"kind": "restore", …}

Every line has the number and hash of an audit event, which shows whether the present books contain that event. The
file's name contains the name of the books, so one folder can have the journals of several books.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TypedDict, Unpack

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Books
from bounty.private import close_to_others, private_folder

log = logging.getLogger(__name__)


class LineFacts(TypedDict, total=False):
    """What lines of a kind say beside their event."""

    tranche: int
    content_sha256: str
    settled_before: str
    due_fen: int
    file: str | None


class JournalLine(LineFacts):
    """A line of the journal."""

    kind: str
    at: int
    """Epoch seconds."""
    event: int
    head: str
    """The event's hash."""


HEAD, EXPORT, BACKUP, RESTORE = "head", "export", "backup", "restore"


def keeping(engine: Engine, folder: Path) -> Engine:
    """The same engine, whose audit events are noted in a journal in the folder."""
    return engine.execution_options(journal=folder, keeper=_note_head)


# The name of the books and the path of their journal


def books_id(connection: Connection) -> str | None:
    """The name of the books; None before the first audit event."""
    return connection.execute(select(Books.name)).scalar()


def name_books(connection: Connection) -> str:
    """The name of the books; creates one if there is none.

    Raises BountyError if these books had one.
    """
    name = books_id(connection)
    if name is None:
        _require_new(connection)
        name = token_hex(8)
        connection.execute(insert(Books).values(name=name))
    return name


def journal_of(connection: Connection) -> Path | None:
    """The path of the books' journal, which may not exist yet; None if none is kept or nothing has happened yet.

    Raises BountyError if the books have lost their name.
    """
    folder: Path | None = connection.get_execution_options().get("journal")
    if folder is None:
        return None
    name = books_id(connection)
    if name is None:
        _require_new(connection)
        return None
    return folder / f"journal-{name}.jsonl"


def _require_new(connection: Connection) -> None:
    """Refuse books without a name in which something happened before this transaction: they would get another journal,
    and nobody would miss what is in theirs."""
    options = connection.get_execution_options()
    first = connection.execute(select(func.min(AuditEvent.event_id))).scalar()
    if first is not None and first not in options.get("recorded", ()):
        raise BountyError(
            f"These books have lost the name by which their journal in {options.get('journal')} is found. Put it back "
            "into the table books, as the column name: the journal there is called journal-NAME.jsonl.",
            f"这份账失去了名称，因此找不到 {options.get('journal')} 里的日志。请补回名称"
            "到表 books 的 name 列：日志文件名为 journal-NAME.jsonl。",
        )


# Writing


def append(path: Path, *lines: JournalLine) -> None:
    """Append lines to a journal and flush them to the disk.

    Raises BountyError if the file cannot be written.
    """
    try:
        private_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            close_to_others(path)
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # a writer was killed in the middle of a line
                    file.write(b"\n")
            file.write(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines))
            file.flush()
            # After a power failure that destroys the database, the journal must still name every export.
            os.fsync(file.fileno())
    except OSError as error:
        raise BountyError(
            f"The journal {path} can't be written: {error.strerror or error}. Mend that, and run this again.",
            f"日志 {path} 无法写入：{error.strerror or error}。请先处理，再重新执行。",
        ) from error


def line_of(connection: Connection, kind: str, now: int, **more: Unpack[LineFacts]) -> JournalLine:
    """A journal line with the newest audit event."""
    event, head = _newest(connection)
    return {"kind": kind, "at": now, "event": event, "head": head, **more}


def note(engine: Engine, kind: str, now: int, **more: Unpack[LineFacts]) -> None:
    """Append a line with the newest audit event, if a journal is kept.

    Raises BountyError if the file cannot be written.
    """
    with snapshot(engine) as connection:
        path = journal_of(connection)
        line = line_of(connection, kind, now, **more)
    if path is not None:
        append(path, line)


def name_and_note(engine: Engine) -> None:
    """Create the name of the books before a backup, because a copy finds its journal by this name."""
    if engine.get_execution_options().get("journal") is not None:
        with transaction(engine) as connection:
            name_books(connection)


def _note_head(connection: Connection) -> Callable[[], None] | None:
    """Called before a commit: returns the function that appends to the journal after it; None without an event."""
    if not connection.get_execution_options().get("recorded"):
        return None
    name_books(connection)
    path = journal_of(connection)
    event = connection.execute(
        select(AuditEvent.event_id, AuditEvent.event_sha256, AuditEvent.happened_at)
        .order_by(AuditEvent.event_id.desc())
        .limit(1)
    ).one()
    assert path is not None
    line = JournalLine(kind=HEAD, at=event.happened_at, event=event.event_id, head=event.event_sha256)

    def add() -> None:
        try:
            append(path, line)
        except BountyError as refusal:
            # The action is committed and stays so. Exports are stricter: they fail if the journal cannot be written.
            log.warning("%s", refusal)

    return add


def _newest(connection: Connection) -> tuple[int, str]:
    newest = select(AuditEvent.event_id, AuditEvent.event_sha256).order_by(AuditEvent.event_id.desc())
    row = connection.execute(newest.limit(1)).first()
    return (0, "") if row is None else (row.event_id, row.event_sha256)


# Reading


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal, compared with the books' audit events."""

    path: Path
    lines: tuple[JournalLine, ...]
    """The lines in the order in which they were written."""
    strange: frozenset[int]
    """Indexes in ``lines`` of the lines whose event is not in these books."""

    @property
    def ahead(self) -> JournalLine | None:
        """The newest line whose event is missing in these books and which no recorded restore explains; None if there
        is none. If there is one, the books are older than their journal."""
        marks = [
            at for at, line in enumerate(self.lines) if line["kind"] == RESTORE and at not in self.strange
        ]
        after = marks[-1] if marks else -1
        unmarked = [self.lines[at] for at in self.strange if at > after]
        return max(unmarked, key=lambda line: int(line["event"]), default=None)

    def of_kind(self, kind: str, *, strange: bool) -> list[JournalLine]:
        """The lines of a kind whose event is not in the books (strange), or is in them."""
        return [
            line
            for at, line in enumerate(self.lines)
            if line["kind"] == kind and (at in self.strange) is strange
        ]

    def reaches(self, event: int) -> bool:
        """Whether the journal existed when an audit event happened, so that it has all exports since then."""
        return any(line["event"] <= event for at, line in enumerate(self.lines) if at not in self.strange)


def read_journal(connection: Connection) -> Journal | None:
    """The journal of the books; None if no journal is kept.

    Raises BountyError if the file cannot be read.
    """
    path = journal_of(connection)
    if path is None:
        return None
    lines = tuple(_lines(path))
    hashes = _hashes(connection, {line["event"] for line in lines})
    strange = (at for at, line in enumerate(lines) if hashes.get(line["event"]) != line["head"])
    return Journal(path, lines, frozenset(strange))


def _lines(path: Path) -> Iterable[JournalLine]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BountyError(f"The journal {path} can't be read: {error.strerror or error}.") from error
    # The part behind the last line break is a line whose writer was killed, so nothing depends on it.
    complete, _, _ = content.rpartition(b"\n")
    for place, text in enumerate(complete.split(b"\n") if complete else [], start=1):
        try:
            line = msgspec.json.decode(text)
            known = (
                isinstance(line["kind"], str)
                and isinstance(line["event"], int)
                and isinstance(line["head"], str)
            )
        except (ValueError, KeyError, TypeError):  # msgspec's errors are ValueErrors
            known = False
        if known:
            yield line
        elif not _torn(text):
            raise BountyError(
                f"Line {place} of the journal {path} can't be read: find out who changed it before anything is paid."
            )


def _torn(text: bytes) -> bool:
    """Whether a line is incomplete because its writer was killed."""
    return not text.endswith(b"}")


def _hashes(connection: Connection, events: set[int]) -> dict[int, str]:
    if not events:
        return {}
    # A range: nearly every event has a line, and to ask for 50,000 numbers takes four times as long.
    rows = connection.execute(
        select(AuditEvent.event_id, AuditEvent.event_sha256).where(
            AuditEvent.event_id.between(min(events), max(events))
        )
    )
    hashes = {0: ""}  # before the first event
    hashes.update((row.event_id, row.event_sha256) for row in rows)
    return hashes
