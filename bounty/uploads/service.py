"""Uploaded files: stored under their hash, checked by a dry run, and imported on behalf of the account that confirms.

An upload is WAITING until its dry run, then TRIED, IMPORTED or REFUSED. It is RUNNING while a process works on it,
STOPPED if that process ended early, and UNDONE once its batch was undone. The state is computed, not stored.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, NotRequired, TypedDict

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
from bounty.db import Query, Words, fetch_first, snapshot, transaction
from bounty.errors import BountyError
from bounty.files.header_mapping import checked_mapping
from bounty.files.headers import HeaderRefused
from bounty.ingest.header_names import kept_mapping
from bounty.ingest.unfinished import InterruptedImport, unfinished_file
from bounty.labels import LabelledCode
from bounty.models import AuditEvent, Batch, ImportProgress, Upload, User
from bounty.uploads.dry_run import DryRunReport, dry_run
from bounty.uploads.processes import ImportProcess, ProgressReport, run_of

STAGES = ("try", "import")
BLOCK = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the uploads folder."""

    sha256: str
    """SHA-256 of the file's bytes, hex."""
    size_bytes: int


class UploadRow(NamedTuple):
    """A row of ``uploads()``."""

    upload_id: int
    kind: str
    file_name: str
    sha256: str
    size_bytes: int
    user_id: int
    uploaded_at: int
    tried: str | None
    """JSON; see ``DryRunReport``."""
    refused: str | None
    """JSON; see ``RefusalReport``."""
    batch_id: int | None
    mapping: str | None
    by: str
    """The uploader's name."""
    undone_at: int | None
    """Of the batch, as the counts."""
    rows_read: int | None
    rows_new: int | None
    rows_changed: int | None
    rows_unchanged: int | None
    rows_stale: int | None
    rows_quarantined: int | None
    state: str
    """Without RUNNING and STOPPED, which depend on the progress file."""


class MissingColumns(TypedDict):
    """The facts of ``MissingHeaders``."""

    columns: list[str]
    found: list[str]
    near: dict[str, str]


class RefusalReport(TypedDict):
    """Why a file is refused; stored as JSON."""

    zh: str
    en: str
    missing: NotRequired[MissingColumns]
    """Where its header lacks columns."""


class ImportedBatch(NamedTuple):
    """A batch that a file became before."""

    batch_id: int
    imported_at: int
    """When it was imported; epoch seconds."""
    by: str
    """The name of the account that imported it, or the actor if there is no account."""


class UploadStage(LabelledCode):
    """What an upload has come to."""

    WAITING = "WAITING", "待试导入", "not tried yet"
    RUNNING = "RUNNING", "处理中", "being worked on"
    STOPPED = "STOPPED", "中断了", "stopped"
    TRIED = "TRIED", "试导入完成", "dry run done"
    IMPORTED = "IMPORTED", "已导入", "imported"
    REFUSED = "REFUSED", "不能导入", "refused"
    UNDONE = "UNDONE", "已撤销", "undone"


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload with its present state."""

    facts: UploadRow
    state: str
    """An UploadStage."""
    run: ImportProcess | None
    """The current or last background process; None if there was none."""
    tried: DryRunReport | None
    """The report of ``dry_run``; None before it has ended."""
    refused: RefusalReport | None
    """Why the file is refused; None if it is not."""
    before: ImportedBatch | None
    """The earlier batch of the same file, because of which an import would change nothing; None if there is none."""
    rows_so_far: int | None
    """Rows that are in of a large file that is not in whole; None for every other."""


def keep_file(folder: Path, stream: IO[bytes], ending: str) -> StoredFile:
    """Store a file under its hash, reading it block by block. A file with the same content stays as it is.

    ending   the ending of the file's name, with the dot

    Raises BountyError for an empty file.
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
    """The ending of a file name in lower case, with the dot; blank if it is not one of 1 to 8 letters and digits.

    >>> ending_of("订单 12.CSV"), ending_of("x.tar.gz"), ending_of("../..")
    ('.csv', '.gz', '')
    """
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", file_name)
    return found[0].lower() if found else ""


def add_upload(connection: Connection, kind: str, file_name: str, kept: StoredFile, now: int) -> int:
    """Record an uploaded file and return its number. A waiting upload with the same name and content is returned.

    Raises AlreadyImported if the same file was imported before and would change nothing.
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
    """The same file was imported before, and another import would change nothing."""

    def __init__(self, before: ImportedBatch) -> None:
        when = shown(before.imported_at)[:16].replace("T", " ")
        super().__init__(
            f"Imported already on {when} by {before.by} as batch {before.batch_id}: nothing changed.",
            f"这份文件已由 {before.by} 于 {when} 导入（批次 {before.batch_id}），没有任何改动。",
        )


def already(connection: Connection, kind: str, sha256: str) -> ImportedBatch | None:
    """The newest valid batch of the same file, if importing the file again would change nothing; None otherwise.

    Importing orders again never changes anything. For other kinds the last imported row wins, so only the newest batch
    of the kind counts.
    """
    unfinished = Batch.batch_id.in_(select(ImportProgress.batch_id))  # importing it again goes on with it
    row = connection.execute(
        select(Batch.batch_id, Batch.imported_at, func.coalesce(User.name, AuditEvent.actor, "?").label("by"))
        .outerjoin(
            AuditEvent,
            and_(AuditEvent.act == "batch.import", AuditEvent.subject == subject_of_batch()),
        )
        .outerjoin(User, User.id == AuditEvent.user_id)
        .where(Batch.kind == kind, Batch.sha256 == sha256, Batch.undone_at.is_(None), ~unfinished)
        .order_by(Batch.batch_id.desc())
        .limit(1)
    ).first()
    batch = None if row is None else ImportedBatch(*row)
    if batch is None or kind == "orders":
        return batch
    newest = connection.execute(select(func.max(Batch.batch_id)).where(Batch.kind == kind)).scalar()
    return batch if batch.batch_id == newest else None


def subject_of_batch() -> ColumnElement[str]:
    """The subject of a batch's audit events, as ``batch 17``."""
    return literal("batch ") + cast(Batch.batch_id, Words)


def upload_state(connection: Connection, folder: Path, upload_id: int) -> UploadState | None:
    """An upload with its present state; None for an unknown number."""
    row = fetch_first(connection, uploads().where(Upload.upload_id == upload_id), UploadRow)
    if row is None:
        return None
    run = run_of(progress_file(folder, upload_id))
    unfinished = unfinished_file(connection)
    return UploadState(
        facts=row,
        state=_state(row, run),
        run=run,
        tried=None if row.tried is None else json.loads(row.tried),
        refused=None if row.refused is None else json.loads(row.refused),
        before=None if row.batch_id is not None else already(connection, row.kind, row.sha256),
        rows_so_far=unfinished.rows_read if unfinished and unfinished.sha256 == row.sha256 else None,
    )


def state_now(folder: Path, row: UploadRow) -> str:
    """The present state of a row of ``uploads()``, including whether a process works on it."""
    return _state(row, run_of(progress_file(folder, row.upload_id)))


def uploads() -> Query:
    """All uploads, as ``UploadRow``."""
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


def _state(row: UploadRow, run: ImportProcess | None) -> str:
    if run is not None and run.alive:
        return "RUNNING"
    ended = run is not None and (run.stage == "import" or row.state == "WAITING")
    return "STOPPED" if ended and row.state in ("WAITING", "TRIED") else row.state


def progress_file(folder: Path, upload_id: int) -> Path:
    """The path of an upload's progress file."""
    return folder / f"upload-{upload_id}.run"


def stored_file(folder: Path, upload: UploadRow) -> Path:
    """The path of an upload's content."""
    return folder / f"{upload.sha256}{ending_of(upload.file_name)}"


def rows_expected(path: Path, tried: DryRunReport | None) -> int | None:
    """The estimated number of rows of a file; None if the format does not allow an estimate.

    tried   the report of the dry run, whose count is exact
    """
    if tried is not None:
        return tried["counts"]["read"]
    mark = {".csv": b"\n", ".jsonl": b"\n", ".json": b'"order_sn"'}.get(path.suffix)
    if mark is None or not path.exists():
        return None
    found, rest = 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found += (rest + block).count(mark)
            rest = block[-len(mark) + 1 :] if len(mark) > 1 else b""
    return found


def require_startable(upload: UploadState, stage: str) -> None:
    """Raise BountyError if a stage cannot start in the upload's present state, or the import would change nothing."""
    if stage not in STAGES:
        raise BountyError(f"{stage!r} is no stage of an import.")
    if upload.state == "RUNNING":
        raise BountyError("This file is being worked on.", "这份文件正在处理中。")
    if upload.state in ("REFUSED", "IMPORTED") or (stage == "import" and upload.tried is None):
        raise BountyError(
            "This upload can't be imported as it stands: see its page.",
            "这份文件目前不能导入：请看它的页面。",
        )
    if upload.before is not None:
        raise AlreadyImported(upload.before)


def actor_for(connection: Connection, user_id: int) -> Actor:
    """The actor of a background process for an account.

    Raises BountyError for an unknown or disabled account.
    """
    user = connection.execute(select(User.email, User.role).where(User.id == user_id, User.active)).first()
    if user is None:
        raise BountyError(f"There is no account {user_id} that may act.")
    return Actor(user.email, user_id, user.role)


def carry_out(
    engine: Engine,
    folder: Path,
    upload_id: int,
    stage: str,
    now: int,
    report: ProgressReport,
    *,
    force: bool = False,
) -> None:
    """Make the dry run or the import of an upload in this process. An upload that was imported is not imported again.

    engine   an engine with the account as actor
    stage    one of STAGES
    force    whether a person confirmed that an older file may restore values that a later one has changed
    """
    with snapshot(engine) as connection:
        found = upload_state(connection, folder, upload_id)
        kept = kept_mapping(connection, found.facts.kind) if found else {}
    if found is None:
        raise BountyError(f"There is no upload {upload_id}.")
    upload = found.facts
    try:
        opened = importer.open_file(
            upload.kind,
            stored_file(folder, upload),
            upload.file_name,
            mapping=json.loads(upload.mapping or "{}"),
            kept=kept,
        )
        if stage == "try":
            _save(engine, upload_id, tried=_json(dry_run(engine, opened, now, report.on_progress)))
            return
        if upload.kind == "orders":
            if upload.batch_id is None or upload.undone_at is not None:
                importer.import_orders(
                    engine, opened, now, report.on_progress, partial(_keep_batch, upload_id)
                )
            return
        with transaction(engine) as connection:
            batch = select(Upload.batch_id).join(Batch, Batch.batch_id == Upload.batch_id)
            valid_batch = batch.where(Upload.upload_id == upload_id, Batch.undone_at.is_(None))
            if connection.execute(valid_batch).first() is None:
                imported = importer.import_opened(connection, opened, now, report.on_progress, force=force)
                _set(connection, upload_id, batch_id=imported.batch_id)
    except InterruptedImport:
        report.stopped("UNFINISHED")
    except BountyError as refusal:
        en = getattr(refusal, "en", str(refusal))
        missing = refusal.missing if isinstance(refusal, HeaderRefused) else None
        lacks = {} if missing is None else {"missing": asdict(missing)}
        _save(engine, upload_id, refused=_json({"zh": refusal.zh, "en": en, **lacks}))


def map_headers(
    connection: Connection,
    upload: UploadRow,
    pairs: Iterable[tuple[str, str]],
    now: int,
    *,
    from_now_on: bool,
) -> None:
    """Have headers of an upload read as other columns; it waits for a dry run again.

    upload        a refused upload's row of ``uploads()``
    pairs         header of the file, blank for none, and the column that it is read as
    from_now_on   whether all later files of the kind are read so too

    Raises BountyError for pairs that are no mapping, and where all are blank.
    """
    chosen = [(header, column) for header, column in pairs if header]
    if not chosen:
        raise BountyError("Choose a column of the file.", "请选择文件里的列。")
    if len(dict(chosen)) < len(chosen):
        raise BountyError(
            "One column of the file can't be two columns.", "文件里的一列不能同时当作两列：请分别选择。"
        )
    checked = checked_mapping(dict(chosen), importer.columns_of_kind(upload.kind))
    every = {**json.loads(upload.mapping or "{}"), **checked}
    checked_mapping(every, importer.columns_of_kind(upload.kind))
    _set(connection, upload.upload_id, mapping=_json(every), refused=None, tried=None)
    record(connection, "upload.map", f"upload {upload.upload_id}", now, after=dict(checked))
    if from_now_on:
        importer.keep_headers(connection, upload.kind, checked, now)


def _save(engine: Engine, upload_id: int, **values: str) -> None:
    with transaction(engine) as connection:
        _set(connection, upload_id, **values)


def _set(connection: Connection, upload_id: int, **values: str | int | None) -> None:
    connection.execute(update(Upload).where(Upload.upload_id == upload_id).values(**values))


def _keep_batch(upload_id: int, connection: Connection, batch_id: int) -> None:
    _set(connection, upload_id, batch_id=batch_id)


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
