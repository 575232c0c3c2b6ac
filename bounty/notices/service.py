"""Publishing a settlement as a numbered notice, reading notices, and exporting a settlement's files."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

from sqlalchemy import Connection, and_, case, func, insert, select
from sqlalchemy.orm import aliased

from bounty import figures
from bounty.accounts.service import require_account
from bounty.audit.service import record
from bounty.db import Query, fetch_all
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import Notice, NoticeChange, OpenPeriod, Result, RosterEntry, Settlement
from bounty.notices.changes import write_changes
from bounty.notices.notifications import announce_correction, notify_results
from bounty.notices.signed_statements import CHAIN, statements_until, write_statement
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.newest_notice import is_newest
from bounty.rules.periods import MAIN, Period, name_in_sql
from bounty.rules.sql_math import sum_or_zero
from bounty.settlement.approval import require_approval
from bounty.settlement.files import FileFacts, Rendering, content_sha256, lines_file, results_file
from bounty.settlement.period_lock import require_not_closed
from bounty.settlement.revocations import require_voids_known
from bounty.settlement.service import SettlementRow, newest_settlement
from bounty.totals.service import recompute_elsewhere

MANIFEST = "manifest.json"
"""Describes the files of an export; last to come and first to go."""


class ManifestFile(TypedDict):
    """A file of an export."""

    name: str
    rows: int
    sum_fen: int
    sha256: str


class ExportManifest(TypedDict):
    """The content of manifest.json (docs/promises.md, Export files)."""

    programme: NotRequired[str]
    period: str
    settlement: int | None
    """Null, as the notice, where it is neither."""
    notice: int | None
    terms_sha256: str
    content_sha256: str
    files: list[ManifestFile]


@dataclass(frozen=True)
class NoticeRow(SettlementRow):
    """A notice with the facts of its settlement."""

    notice: int
    published_at: int


@dataclass(frozen=True, slots=True)
class PublishedNotice:
    """A notice, as it was published now or stood already."""

    notice: int
    settlement_id: int
    content_sha256: str
    created: bool
    """False if the newest notice already has the same content."""


def publish(connection: Connection, period: Period, now: int, *, approval_required: bool) -> PublishedNotice:
    """Publish the newest settlement of a period as its next notice; from then on its rows never change.

    Where the newest notice has the same content, it is that notice, and nothing changes.

    Raises BountyError if the period is not open, is closed, has no settlement yet, a pass was taken back since the
    draft, a large file is not in whole, or, where approval is required, the draft lacks one or whoever acts has not
    logged in.
    """
    open_period(connection, period)
    require_not_closed(connection, period)
    draft = newest_settlement(connection, period)
    if draft is None:
        raise BountyError(
            f"{period} has no settlement yet: make one with `bounty settle {period}`.",
            f"{period} 还没有核算：先核算，再公示。",
        )
    last = newest_notice(connection, period)
    if last is not None and last.content_sha256 == draft.content_sha256:
        return PublishedNotice(last.notice, last.settlement_id, last.content_sha256, created=False)
    require_finished(connection)
    require_voids_known(connection, draft)
    if approval_required:
        require_approval(connection, draft)
        require_account(connection)
    if last is not None:
        write_changes(connection, period, terms_in_force(connection, period).terms, last, draft)
    number = 1 if last is None else last.notice + 1
    connection.execute(
        insert(Notice).values(
            period=str(period), notice=number, settlement_id=draft.settlement_id, published_at=now
        )
    )
    in_force = (draft,) if last is None else (draft, last)
    recompute_elsewhere(connection, period, *(each.settlement_id for each in in_force))
    facts = {
        "notice": number,
        "settlement": draft.settlement_id,
        "content_sha256": draft.content_sha256,
        "statement_sha256": write_statement(connection, draft.settlement_id),
    }
    record(connection, "notice.publish", str(period), now, after=facts)
    changed = None if last is None else _changed(connection, period, last.settlement_id, draft.settlement_id)
    notify_results(connection, period, number, draft, changed, now)
    if last is not None and changed is not None:
        moved_fen = draft.subsidy_fen - last.subsidy_fen
        results = len(changed)
        announce_correction(
            connection, period, number, draft, now, since=last.notice, moved_fen=moved_fen, results=results
        )
    return PublishedNotice(number, draft.settlement_id, draft.content_sha256, created=True)


def _changed(connection: Connection, period: Period, before_id: int, after_id: int) -> set[int]:
    return {each.promoter_id for each in changed_results(connection, period, before_id, after_id)}


def has_periods(connection: Connection) -> bool:
    """Whether any period is open."""
    return connection.execute(select(OpenPeriod.period).limit(1)).first() is not None


def count_notices(connection: Connection) -> int:
    """How many notices were published, of all periods."""
    return connection.execute(select(func.count()).select_from(Notice)).scalar_one()


def notices(connection: Connection, period: Period | None = None) -> list[NoticeRow]:
    """Notices with their settlements' facts, the newest period and number first."""
    query = select(Notice.notice, Notice.published_at, Settlement.__table__).join(
        Settlement, Settlement.settlement_id == Notice.settlement_id
    )
    if period is not None:
        query = query.where(Notice.period == str(period))
    newest_first = query.order_by(Notice.period.desc(), Notice.notice.desc())
    return fetch_all(connection, newest_first, NoticeRow)


def settlement_of(connection: Connection, period: Period, notice: int) -> int | None:
    """The settlement that a notice published; null where there is no such notice."""
    published = select(Notice.settlement_id).where(Notice.period == str(period), Notice.notice == notice)
    return connection.execute(published).scalar()


def every_notice() -> Query:
    """Each notice with its settlement's facts, whether it is ``newest`` of its period, and what ``stands_fen`` by it:
    its subsidies, null once a later notice took its place. ``begins`` sorts the periods of all programmes as time
    goes."""
    newest = is_newest(Notice)
    return select(
        Notice.period,
        name_in_sql(Notice.period.expression).label("begins"),
        Notice.notice,
        Notice.published_at,
        newest.label("newest"),
        Settlement.results_rows,
        Settlement.lines_rows,
        Settlement.subsidy_fen,
        case((newest, Settlement.subsidy_fen)).label("stands_fen"),
        Settlement.content_sha256,
    ).join(Settlement, Settlement.settlement_id == Notice.settlement_id)


def newest_notice(connection: Connection, period: Period) -> NoticeRow | None:
    """The newest notice of a period with its settlement's facts; null where there is none."""
    return next(iter(notices(connection, period)), None)


def notice_before(connection: Connection, period: Period, number: int) -> NoticeRow | None:
    """The notice before a given one of a period; null for the first."""
    return next((row for row in notices(connection, period) if row.notice == number - 1), None)


class MeasuredResult(NamedTuple):
    """What a settlement says of a promoter."""

    gmv_fen: int | None
    """Null, as the orders, for who is not eligible."""
    orders: int | None
    passed: bool
    rate_permille: int | None
    subsidy_orders: int
    subsidy_fen: int


class CauseTotal(NamedTuple):
    """What the orders of one cause come to."""

    cause: str
    orders: int
    subsidy_fen: int
    """By how much they move the subsidy, whole fen."""


class ChangedOrder(NamedTuple):
    """A row of ``notice_changes``."""

    promoter_id: int
    settlement_id: int
    order_sn: str
    cause: str
    was_counted_fen: int | None
    now_counted_fen: int | None
    was_subsidy_fen: int
    now_subsidy_fen: int


@dataclass(frozen=True, slots=True)
class PromoterChange:
    """A promoter whose result a notice states otherwise than the notice before."""

    promoter_id: int
    name: str
    was: MeasuredResult
    now: MeasuredResult


def changed_results(
    connection: Connection, period: Period, before_id: int, after_id: int
) -> list[PromoterChange]:
    """Promoters whose result differs between two settlements of a period."""
    was, now = aliased(Result, name="was"), aliased(Result, name="now")
    fields = MeasuredResult._fields
    rows = connection.execute(
        select(
            now.promoter_id,
            RosterEntry.name,
            *(getattr(was, name).label(f"was_{name}") for name in fields),
            *(getattr(now, name).label(f"now_{name}") for name in fields),
        )
        .select_from(now)
        .join(was, and_(was.promoter_id == now.promoter_id, was.settlement_id == before_id))
        .join(
            RosterEntry, and_(RosterEntry.promoter_id == now.promoter_id, RosterEntry.period == str(period))
        )
        .where(
            now.settlement_id == after_id,
            ~and_(*(getattr(was, name).is_not_distinct_from(getattr(now, name)) for name in fields)),
        )
        .order_by(now.promoter_id)
    ).mappings()
    return [
        PromoterChange(
            row["promoter_id"],
            row["name"],
            MeasuredResult(*(row[f"was_{name}"] for name in fields)),
            MeasuredResult(*(row[f"now_{name}"] for name in fields)),
        )
        for row in rows
    ]


def changed_subject(before_id: int, after_id: int) -> str:
    """The stored figure of how many results differ between two settlements, which never change: it is of itself."""
    return f"changed {before_id} {after_id}"


def changed_content(connection: Connection, before_id: int, after_id: int) -> int:
    """How many promoters' results differ between two settlements of a period, as it is stored."""
    was, now = aliased(Result, name="was"), aliased(Result, name="now")
    same = (getattr(was, name).is_not_distinct_from(getattr(now, name)) for name in MeasuredResult._fields)
    differ = (
        select(func.count())
        .select_from(now)
        .join(was, and_(was.promoter_id == now.promoter_id, was.settlement_id == before_id))
        .where(now.settlement_id == after_id, ~and_(*same))
    )
    return connection.execute(differ).scalar_one()


def count_changed(connection: Connection, before_id: int, after_id: int) -> int:
    """The same for a page."""
    subject = changed_subject(before_id, after_id)
    kept: int | None = figures.stored(connection, subject, subject).content
    return changed_content(connection, before_id, after_id) if kept is None else kept


def changes_by_cause(connection: Connection, settlement_id: int) -> list[CauseTotal]:
    """How a notice differs from the one before, by cause."""
    changes = select(NoticeChange.__table__).where(NoticeChange.settlement_id == settlement_id)
    return fetch_all(connection, moved_by_cause(changes), CauseTotal)


def moved_by_cause(changes: Query) -> Query:
    """Of changes, as ``changes_between`` gives them: the columns of ``CauseTotal``."""
    change = changes.subquery("change").c
    moved = sum_or_zero(change.now_subsidy_fen) - sum_or_zero(change.was_subsidy_fen)
    return (
        select(change.cause, func.count().label("orders"), moved.label("subsidy_fen"))
        .group_by(change.cause)
        .order_by(change.cause)
    )


def changed_orders(connection: Connection, settlement_id: int) -> Iterator[ChangedOrder]:
    """Every order that a notice judges otherwise than the one before, with its cause."""
    column = NoticeChange.__table__.c
    query = (
        select(*(column[name] for name in ChangedOrder._fields))
        .where(column.settlement_id == settlement_id)
        .order_by(column.promoter_id, column.order_sn)
    )
    return starmap(ChangedOrder, connection.execute(query, execution_options={"yield_per": 1000}))


def chosen_draft(connection: Connection, period: Period) -> SettlementRow:
    """The newest settlement of a period, to export.

    Raises BountyError if the period is not open, or its newest settlement is published.
    """
    open_period(connection, period)
    newest = newest_settlement(connection, period)
    if newest is None:
        raise BountyError(f"{period} has no draft: make one with `bounty settle {period}`.")
    if any(row.settlement_id == newest.settlement_id for row in notices(connection, period)):
        raise BountyError(f"{period} has no draft: its newest settlement is published; leave --draft out.")
    return newest


def chosen_notice(connection: Connection, period: Period, notice: int | None) -> NoticeRow:
    """A notice of a period, or its newest, to export.

    Raises BountyError if the period is not open, or has no such notice.
    """
    open_period(connection, period)
    published = [row for row in notices(connection, period) if notice in (None, row.notice)]
    if not published:
        problem = "is not published yet" if notice is None else f"has no notice {notice}"
        raise BountyError(
            f"{period} {problem}: publish with `bounty publish {period}`, or export a draft with --draft."
        )
    return published[0]


def export(
    connection: Connection,
    period: Period,
    folder: Path,
    *,
    draft: bool,
    notice: int | None,
    statements: bool = False,
) -> ExportManifest:
    """Write results.csv, subsidy_lines.csv and manifest.json of a settlement; the manifest.

    statements  of a notice also notices.jsonl, the chain of statements up to it, which the manifest doesn't name

    Exporting twice gives the same bytes. The manifest comes last, and an older one goes before the files it describes
    do: a folder with a manifest is whole, and its content is one settlement.

    Raises BountyError if there is nothing to export or the folder can't be written, RuntimeError if what is
    rendered is not what was settled.
    """
    chosen = chosen_draft(connection, period) if draft else chosen_notice(connection, period, notice)
    terms = terms_in_force(connection, period)
    number = chosen.notice if isinstance(chosen, NoticeRow) else None

    def manifest(facts: list[FileFacts]) -> ExportManifest:
        if [fact.sha256 for fact in facts] != [chosen.results_sha256, chosen.lines_sha256]:
            raise RuntimeError(f"settlement {chosen.settlement_id} no longer renders as it was settled")
        return manifest_of(period, chosen.settlement_id, number, terms.sha256, facts)

    files = (
        results_file(connection, chosen.settlement_id, period),
        lines_file(connection, chosen.settlement_id, period),
    )
    chain = statements_until(connection, chosen.settlement_id) if statements and not draft else []
    return write_folder(folder, files, manifest, chain)


def manifest_of(
    period: Period, settlement_id: int | None, notice: int | None, terms_sha256: str, facts: list[FileFacts]
) -> ExportManifest:
    """The manifest of an export.

    facts   of results.csv and subsidy_lines.csv
    """
    results, lines = facts
    content: ExportManifest = {
        "period": period.name,
        "settlement": settlement_id,
        "notice": notice,
        "terms_sha256": terms_sha256,
        "content_sha256": content_sha256(terms_sha256, results.sha256, lines.sha256),
        "files": [
            {"name": fact.name, "rows": fact.rows, "sum_fen": fact.sum_fen, "sha256": fact.sha256}
            for fact in facts
        ],
    }
    return content if period.programme == MAIN else {"programme": period.programme, **content}


def write_folder(
    folder: Path,
    files: Sequence[Rendering],
    manifest_for: Callable[[list[FileFacts]], ExportManifest],
    chain: Sequence[str] = (),
) -> ExportManifest:
    """Write files and their manifest into a folder, as ``export`` says; the manifest.

    manifest_for   the manifest of the files' facts, made before anything in the folder is replaced
    chain          the lines of notices.jsonl; none: no such file

    Raises BountyError if the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [_beside(folder / file.name, file) for file in files]
        manifest = manifest_for([file.facts() for file in files])
        names = [file.name for file in files]
        if chain:
            written.append(_beside(folder / CHAIN, (f"{text}\n".encode() for text in chain)))
            names.append(CHAIN)
        text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        written.append(_beside(folder / MANIFEST, [text.encode()]))
        for stale in (MANIFEST, CHAIN):
            (folder / stale).unlink(missing_ok=True)
        for part, name in zip(written, (*names, MANIFEST), strict=True):
            part.replace(folder / name)
    except OSError as error:
        raise BountyError(f"{folder} can't be written: {error.strerror or error}.") from error
    return manifest


def _beside(path: Path, pieces: Iterable[bytes]) -> Path:
    """Write a file beside its place, so that a reader never sees half of it."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as out:
        for piece in pieces:
            out.write(piece)
    return beside
