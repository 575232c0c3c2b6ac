"""The journal outside the database: how far the books had come, what left for the payer, and that a copy was restored.

A database that is replaced by an old copy of itself can't know it: all that it holds agrees. So whatever must be known
after a restore is also written beside the backups, one JSON object a line, into a file that is only added to::

    {"kind": "head", "at": 1674190800, "event": 41, "head": "9f2c…"}
    {"kind": "export", "at": …, "event": 57, "head": "…", "tranche": 1, "content_sha256": "…", "due_fen": 13000, …}
    {"kind": "backup", …, "file": "bounty-20230120-050000.sqlite"}
    {"kind": "restore", …}

Every line names an event of the audit chain and its hash, so it can be told whether the books at hand hold that event.
The name of the books, in the file's own, tells journals of several books in one folder apart.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Books
from bounty.private import close_to_others, private_folder

log = logging.getLogger(__name__)
Line = dict[str, Any]
"""kind, at (epoch seconds), event, head, and what the kind adds."""
HEAD, EXPORT, BACKUP, RESTORE = "head", "export", "backup", "restore"


def keeping(engine: Engine, folder: Path) -> Engine:
    """The same engine, whose acts are noted in a journal in a folder."""
    return engine.execution_options(journal=folder, keeper=_note_head)


# Which books, and where their journal is


def books_id(connection: Connection) -> str | None:
    """The name of the books; null while nothing was done in them."""
    return connection.execute(select(Books.name)).scalar()


def name_books(connection: Connection) -> str:
    """The name of the books, given to them now if they have none."""
    name = books_id(connection)
    if name is None:
        name = token_hex(8)
        connection.execute(insert(Books).values(name=name))
    return name


def journal_of(connection: Connection) -> Path | None:
    """Where the journal of the books is, whether or not it is there yet; null where none is kept."""
    folder: Path | None = connection.get_execution_options().get("journal")
    name = None if folder is None else books_id(connection)
    return None if folder is None or name is None else folder / f"journal-{name}.jsonl"


# Writing


def append(path: Path, *lines: Line) -> None:
    """Add lines to a journal, each with a line break, and see them on the disk.

    Raises BountyError if they can't be written.
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
                if file.read(1) != b"\n":  # somebody was killed at it
                    file.write(b"\n")
            file.write(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines))
            file.flush()
            # It must say what left even after a power cut that the database doesn't survive.
            os.fsync(file.fileno())
    except OSError as error:
        raise BountyError(
            f"The journal {path} can't be written: {error.strerror or error}. Mend that, and run this again.",
            f"日志 {path} 无法写入：{error.strerror or error}。请先处理，再重新执行。",
        ) from error


def line_of(connection: Connection, kind: str, now: int, **more: Any) -> Line:
    """A line that names the newest event of the chain."""
    event, head = _newest(connection)
    return {"kind": kind, "at": now, "event": event, "head": head, **more}


def note(engine: Engine, kind: str, now: int, **more: Any) -> None:
    """Add a line that names the newest event of the chain, where a journal is kept.

    Raises BountyError if it can't be written.
    """
    with snapshot(engine) as connection:
        path = journal_of(connection)
        line = line_of(connection, kind, now, **more) if path is not None else {}
    if path is not None:
        append(path, line)


def name_and_note(engine: Engine) -> None:
    """See that the books have a name before they are copied: by it a copy finds the journal."""
    if engine.get_execution_options().get("journal") is not None:
        with transaction(engine) as connection:
            name_books(connection)


def _note_head(connection: Connection) -> Callable[[], None] | None:
    """Before a commit: what to add to the journal after it; nothing where no act was recorded."""
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
    line = {"kind": HEAD, "at": event.happened_at, "event": event.event_id, "head": event.event_sha256}

    def add() -> None:
        try:
            append(path, line)
        except (
            BountyError
        ) as refusal:  # the act is done and stays done; what leaves for the payer is not so lenient
            log.warning("%s", refusal)

    return add


def _newest(connection: Connection) -> tuple[int, str]:
    newest = select(AuditEvent.event_id, AuditEvent.event_sha256).order_by(AuditEvent.event_id.desc())
    row = connection.execute(newest.limit(1)).first()
    return (0, "") if row is None else (row.event_id, row.event_sha256)


# Reading


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal, held against the books' chain of events."""

    path: Path
    lines: tuple[Line, ...]
    """In the order in which they were written."""
    strange: frozenset[int]
    """Places in ``lines`` of those whose event these books don't hold."""

    @property
    def ahead(self) -> Line | None:
        """The newest line that these books don't hold and no restore accounts for; null if there is none.

        Where there is one, the books are older than their journal.
        """
        marks = [
            at for at, line in enumerate(self.lines) if line["kind"] == RESTORE and at not in self.strange
        ]
        after = marks[-1] if marks else -1
        unmarked = [self.lines[at] for at in self.strange if at > after]
        return max(unmarked, key=lambda line: int(line["event"]), default=None)

    def of_kind(self, kind: str, *, strange: bool) -> list[Line]:
        """The lines of a kind that the books hold, or that they don't."""
        return [
            line
            for at, line in enumerate(self.lines)
            if line["kind"] == kind and (at in self.strange) is strange
        ]

    def reaches(self, event: int) -> bool:
        """Whether it was kept already when an event of the books happened, and so tells of all that left since."""
        return any(line["event"] <= event for at, line in enumerate(self.lines) if at not in self.strange)


def read_journal(connection: Connection) -> Journal | None:
    """The journal of the books; null where none is kept.

    Raises BountyError if it can't be read.
    """
    path = journal_of(connection)
    if path is None:
        return None
    lines = tuple(_lines(path))
    held = _hashes(connection, {line["event"] for line in lines})
    strange = (at for at, line in enumerate(lines) if held.get(line["event"]) != line["head"])
    return Journal(path, lines, frozenset(strange))


def _lines(path: Path) -> Iterable[Line]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BountyError(f"The journal {path} can't be read: {error.strerror or error}.") from error
    whole, _, torn = content.rpartition(
        b"\n"
    )  # what was being written when somebody was killed told nobody anything
    del torn
    for place, text in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            line = json.loads(text)
            known = (
                isinstance(line["kind"], str)
                and isinstance(line["event"], int)
                and isinstance(line["head"], str)
            )
        except (ValueError, KeyError, TypeError):
            known = False
        if known:
            yield line
        elif not _torn(text):
            raise BountyError(
                f"Line {place} of the journal {path} can't be read: find out who changed it before anything is paid."
            )


def _torn(text: bytes) -> bool:
    """Whether a line is the beginning of one, which was cut off as its writer was killed."""
    return not text.endswith(b"}")


def _hashes(connection: Connection, events: set[int]) -> dict[int, str]:
    held = {0: ""}  # before the first event
    numbers = sorted(events)
    for at in range(0, len(numbers), 500):
        some = numbers[at : at + 500]
        rows = connection.execute(
            select(AuditEvent.event_id, AuditEvent.event_sha256).where(AuditEvent.event_id.in_(some))
        )
        held |= {row.event_id: row.event_sha256 for row in rows}
    return held
