"""Uploaded files: kept by what they hold, tried, and imported as whoever asked for it.

A file is WAITING until it is tried, then TRIED, IMPORTED or REFUSED; RUNNING while a process works on it, STOPPED where
that process ended before its work was done, and UNDONE once its batch was taken back. None of these is stored.
"""

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)

from bounty import importer
from bounty.audit.service import Actor, actor_of, record
from bounty.clock import shown
from bounty.db import Query, Words, snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Batch, Upload, User
from bounty.uploads.dry_run import dry_run
from bounty.uploads.processes import ImportProcess, Report, run_of

STAGES = ("try", "import")
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the uploads folder."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload as it stands."""

    facts: Any
    """Its row, with ``by`` (the uploader's name), ``undone_at`` and the rows_ counts of its batch."""
    state: str
    """WAITING, RUNNING, STOPPED, TRIED, REFUSED, IMPORTED or UNDONE."""
    run: ImportProcess | None
    tried: dict[str, Any] | None
    """What the dry run found; see trial."""
    refused: dict[str, str] | None
    """Why the file can't be taken in, in zh and en."""
    before: Any | None
    """The batch that brought just this file already, so that it would change nothing: batch_id, imported_at, by."""


def keep_file(folder: Path, stream: IO[bytes], ending: str) -> StoredFile:
    """Store a file under its hash, block by block; one that is there already stays as it is.

    ending   of its name, with the dot

    Raises BountyError if nothing is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=folder, prefix="incoming-", delete=False) as kept:
        try:
            while block := stream.read(BLOCK):
                digest.update(block)
                size += len(block)
                kept.write(block)
            kept.flush()
            os.fsync(kept.fileno())
            if not size:
                raise BountyError("The file is empty.", "文件是空的。")
            Path(kept.name).replace(folder / f"{digest.hexdigest()}{ending}")
        finally:
            Path(kept.name).unlink(missing_ok=True)
    return StoredFile(digest.hexdigest(), size)


def ending_of(file_name: str) -> str:
    """The ending by which a stored file is known for its kind; blank for an odd one.

    >>> ending_of("订单 12.CSV"), ending_of("x.tar.gz"), ending_of("../..")
    ('.csv', '.gz', '')
    """
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", file_name)
    return found[0].lower() if found else ""


def add_upload(connection: Connection, kind: str, file_name: str, kept: StoredFile, now: int) -> int:
    """Note an uploaded file; its number. One of the same content that still waits is the same upload.

    Raises BountyError if the same file was imported already and would change nothing.
    """
    if kind not in importer.KINDS:
        raise BountyError(f"{kind!r} is no kind of file.", f"没有「{kind}」这种文件。")
    before = already(connection, kind, kept.sha256)
    if before is not None:
        raise AlreadyImported(before)
    name = re.split(r"[/\\]", file_name)[-1].strip()[-200:] or "?"
    waiting = connection.execute(
        select(Upload.upload_id).where(
            Upload.kind == kind,
            Upload.sha256 == kept.sha256,
            Upload.file_name == name,
            Upload.batch_id.is_(None),
            Upload.refused.is_(None),
        )
    ).scalar()
    if waiting is not None:
        return int(waiting)
    facts = {"kind": kind, "file_name": name, "sha256": kept.sha256, "size_bytes": kept.size_bytes}
    upload_id: int = connection.execute(
        insert(Upload)
        .values(**facts, user_id=actor_of(connection).user_id, uploaded_at=now)
        .returning(Upload.upload_id)
    ).scalar_one()
    record(connection, "upload.add", f"upload {upload_id}", now, after=facts)
    return upload_id


class AlreadyImported(BountyError):
    """The same file is a batch already, and would change nothing."""

    def __init__(self, before: Any) -> None:
        when = shown(before.imported_at)[:16].replace("T", " ")
        super().__init__(
            f"Imported already on {when} by {before.by} as batch {before.batch_id}: nothing changed.",
            f"这份文件已由 {before.by} 于 {when} 导入（批次 {before.batch_id}），没有任何改动。",
        )


def already(connection: Connection, kind: str, sha256: str) -> Any | None:
    """The batch of just this file that still holds, if importing it again changes nothing: batch_id, imported_at, by.

    Orders fold alike however often they come. Of the other kinds the last row holds, so only their newest file counts.
    """
    batch = connection.execute(
        select(Batch.batch_id, Batch.imported_at, func.coalesce(User.name, AuditEvent.actor, "?").label("by"))
        .outerjoin(
            AuditEvent,
            and_(AuditEvent.act == "batch.import", AuditEvent.subject == subject_of_batch()),
        )
        .outerjoin(User, User.id == AuditEvent.user_id)
        .where(Batch.kind == kind, Batch.sha256 == sha256, Batch.undone_at.is_(None))
        .order_by(Batch.batch_id.desc())
        .limit(1)
    ).first()
    if batch is None or kind == "orders":
        return batch
    newest = connection.execute(select(func.max(Batch.batch_id)).where(Batch.kind == kind)).scalar()
    return batch if batch.batch_id == newest else None


def subject_of_batch() -> ColumnElement[str]:
    """What the record of its import calls a batch."""
    return literal("batch ") + cast(Batch.batch_id, Words)


def upload_state(connection: Connection, folder: Path, upload_id: int) -> UploadState | None:
    """An upload as it stands; null where there is no such one."""
    row = connection.execute(uploads().where(Upload.upload_id == upload_id)).first()
    if row is None:
        return None
    run = run_of(progress_file(folder, upload_id))
    return UploadState(
        facts=row,
        state=_state(row, run),
        run=run,
        tried=None if row.tried is None else json.loads(row.tried),
        refused=None if row.refused is None else json.loads(row.refused),
        before=None if row.batch_id is not None else already(connection, row.kind, row.sha256),
    )


def state_now(folder: Path, row: Any) -> str:
    """The state of an upload, a row of ``uploads()``; whether a process works on it stands beside its file."""
    return _state(row, run_of(progress_file(folder, row.upload_id)))


def uploads() -> Query:
    """Every upload: its row, ``by`` (the uploader's name), the rows_ counts of its batch and ``undone_at``, and its
    ``state`` but for the process that may work on it."""
    state = case(
        (Batch.undone_at.is_not(None), "UNDONE"),
        (Upload.batch_id.is_not(None), "IMPORTED"),
        (Upload.refused.is_not(None), "REFUSED"),
        (Upload.tried.is_not(None), "TRIED"),
        else_="WAITING",
    )
    counts = [column for column in Batch.__table__.c if column.name.startswith("rows_")]
    return (
        select(Upload.__table__, User.name.label("by"), Batch.undone_at, state.label("state"), *counts)
        .join(User, User.id == Upload.user_id)
        .outerjoin(Batch, Batch.batch_id == Upload.batch_id)
    )


def _state(row: Any, run: ImportProcess | None) -> str:
    if run is not None and run.alive:
        return "RUNNING"
    ended = run is not None and (run.stage == "import" or row.state == "WAITING")
    return "STOPPED" if ended and row.state in ("WAITING", "TRIED") else str(row.state)


def progress_file(folder: Path, upload_id: int) -> Path:
    """Where the process that works on an upload tells how far it is."""
    return folder / f"upload-{upload_id}.run"


def stored_file(folder: Path, upload: Any) -> Path:
    """Where the content of an upload is."""
    return folder / f"{upload.sha256}{ending_of(upload.file_name)}"


def rows_expected(path: Path, tried: dict[str, Any] | None) -> int | None:
    """How many rows a file probably has; null where only reading it tells."""
    if tried is not None:
        return int(tried["counts"]["read"])
    mark = {".csv": b"\n", ".jsonl": b"\n", ".json": b'"order_sn"'}.get(path.suffix)
    if mark is None or not path.exists():
        return None
    found, rest = 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found += (rest + block).count(mark)
            rest = block[-len(mark) + 1 :] if len(mark) > 1 else b""
    return found


def require_startable(standing: UploadState, stage: str) -> None:
    """Raises BountyError if an upload is not where this stage can begin, or its batch would change nothing."""
    if stage not in STAGES:
        raise BountyError(f"{stage!r} is no stage of an import.")
    if standing.state == "RUNNING":
        raise BountyError("This file is being worked on.", "这份文件正在处理中。")
    if standing.state in ("REFUSED", "IMPORTED") or (stage == "import" and standing.tried is None):
        raise BountyError(
            "This upload can't be imported as it stands: see its page.",
            "这份文件目前不能导入：请看它的页面。",
        )
    if standing.before is not None:
        raise AlreadyImported(standing.before)


def actor_for(connection: Connection, user_id: int) -> Actor:
    """The account as which a process works.

    Raises BountyError if there is none, or it is disabled.
    """
    user = connection.execute(select(User.email, User.role).where(User.id == user_id, User.active)).first()
    if user is None:
        raise BountyError(f"There is no account {user_id} that may act.")
    return Actor(user.email, user_id, user.role)


def carry_out(
    engine: Engine, folder: Path, upload_id: int, stage: str, now: int, report: Report, *, force: bool = False
) -> None:
    """Try or import an upload, in this process; what is done already is not done again.

    engine   on whose connections the account acts
    force    somebody confirmed that an older file may put back what a later one has changed
    """
    with snapshot(engine) as connection:
        found = upload_state(connection, folder, upload_id)
    if found is None:
        raise BountyError(f"There is no upload {upload_id}.")
    upload = found.facts
    try:
        opened = importer.open_file(upload.kind, stored_file(folder, upload), upload.file_name)
        if stage == "try":
            _note(engine, upload_id, tried=_text(dry_run(engine, opened, now, report.told)))
            return
        with transaction(engine) as connection:
            batch = select(Upload.batch_id).join(Batch, Batch.batch_id == Upload.batch_id)
            held = batch.where(Upload.upload_id == upload_id, Batch.undone_at.is_(None))
            if connection.execute(held).first() is None:
                imported = importer.import_opened(connection, opened, now, report.told, force=force)
                _set(connection, upload_id, batch_id=imported.batch_id)
    except BountyError as refusal:
        en = getattr(refusal, "en", str(refusal))
        _note(engine, upload_id, refused=_text({"zh": refusal.zh, "en": en}))


def _note(engine: Engine, upload_id: int, **values: Any) -> None:
    with transaction(engine) as connection:
        _set(connection, upload_id, **values)


def _set(connection: Connection, upload_id: int, **values: Any) -> None:
    connection.execute(update(Upload).where(Upload.upload_id == upload_id).values(**values))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
