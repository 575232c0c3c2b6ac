"""Settling a period: one computation of who passed and what each order earns; a draft until it is published."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import Query, analyze, clear, fetch_first
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import Batch, Line, Result, Settlement
from bounty.money import grouped_yuan
from bounty.notifications.outbox import MessageText, announce, notify_operators
from bounty.roster.programmes import period_in_words
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.files import FileFacts, content_sha256, lines_file, results_file
from bounty.settlement.period_lock import require_not_closed
from bounty.settlement.queries import (
    attained,
    freeze_known_notices,
    measure_roster,
    quarantined_of,
    write_lines,
    write_results,
)


@dataclass(frozen=True)
class SettlementRow:
    """A row of ``settlements``."""

    settlement_id: int
    period: str
    settled_at: int
    as_of_batch_id: int | None
    quarantined: int
    results_rows: int
    results_sha256: str
    lines_rows: int
    lines_sha256: str
    subsidy_fen: int
    content_sha256: str
    prepared_by_id: int | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement, as it was made or as it stood already."""

    settlement_id: int
    created: bool
    """False if the newest settlement of the period already has the same content."""
    content_sha256: str
    results: FileFacts
    lines: FileFacts
    quarantined: int
    """Order rows that wait in quarantine and are, or may be, of the month."""

    def as_json(self) -> dict[str, object]:
        """Its number, content and sums, as programs read them."""
        return {
            "settlement": self.settlement_id,
            "content_sha256": self.content_sha256,
            "results": self.results.rows,
            "lines": self.lines.rows,
            "subsidy_fen": self.lines.sum_fen,
            "quarantined": self.quarantined,
        }


def settle(connection: Connection, period: Period, now: int) -> Settled:
    """Settle a period by its frozen roster and terms, and the orders and links known now.

    On the same facts it is the same settlement, and nothing changes.

    Raises BountyError if the period is not open, is closed, before its receipt cutoff, or while a large file is not in
    whole.
    """
    bounds = open_period(connection, period)
    require_not_closed(connection, period)
    require_finished(connection)
    if now < bounds.receipt_cutoff:
        raise BountyError(
            f"{period} can be settled from {shown(bounds.receipt_cutoff)}, when the last receipts that count are in.",
            f"{period} 要到收货截止 {shown(bounds.receipt_cutoff)} 之后才能核算：此前的收货还没有到齐。",
        )
    in_force = terms_in_force(connection, period)
    newest = newest_settlement(connection, period)
    quarantined = connection.execute(quarantined_of(bounds)).scalar_one()
    settlement_id = connection.execute(
        select(func.coalesce(func.max(Settlement.settlement_id), 0) + 1)
    ).scalar_one()

    attempt = connection.begin_nested()
    clear(connection, attained)
    connection.execute(measure_roster(period, in_force.terms))
    connection.execute(write_lines(settlement_id, period, in_force.terms))
    connection.execute(write_results(settlement_id, period))
    analyze(connection, Line, Result)
    results, lines = _rendered(connection, settlement_id, period)
    content = content_sha256(in_force.sha256, results.sha256, lines.sha256)
    if newest is not None and newest.content_sha256 == content:
        attempt.rollback()
        return Settled(newest.settlement_id, False, content, results, lines, quarantined)
    as_of_batch_id = connection.execute(select(func.max(Batch.batch_id))).scalar()
    connection.execute(
        insert(Settlement).values(
            settlement_id=settlement_id,
            period=str(period),
            settled_at=now,
            as_of_batch_id=as_of_batch_id,
            quarantined=quarantined,
            results_rows=results.rows,
            results_sha256=results.sha256,
            lines_rows=lines.rows,
            lines_sha256=lines.sha256,
            subsidy_fen=lines.sum_fen,
            content_sha256=content,
            prepared_by_id=actor_of(connection).user_id,
        )
    )
    if in_force.terms.subsidy.exclusive:
        connection.execute(freeze_known_notices(settlement_id, period))
    attempt.commit()
    record(
        connection,
        "settlement.make",
        str(period),
        now,
        before=None
        if newest is None
        else _summary(newest.settlement_id, newest.content_sha256, newest.subsidy_fen),
        after=_summary(settlement_id, content, lines.sum_fen)
        | {"as_of_batch": as_of_batch_id, "quarantined": quarantined},
    )
    _notify_draft(connection, period, settlement_id, lines, now)
    return Settled(settlement_id, True, content, results, lines, quarantined)


def _notify_draft(
    connection: Connection, period: Period, settlement_id: int, lines: FileFacts, now: int
) -> None:
    fen, at = grouped_yuan(lines.sum_fen), shown(now)[:16].replace("T", " ")
    zh, en = period_in_words(connection, period)
    letter = MessageText(
        (f"{zh} 期草稿已就绪：补贴 {fen}", f"{en}: the draft is ready, subsidy {fen}"),
        zh=f"{zh} 期核算 {settlement_id} 于 {at} 完成：{lines.rows} 单，补贴 {fen}。"
        "请核对检查清单，再由第二人批准。",
        en=f"Settlement {settlement_id} of {en} was made on {at}: {lines.rows} lines, subsidy {fen}. "
        "Look through the checklist, and have a second person approve it.",
        path=f"/operations/periods/{period}/settling",
    )
    cause = f"{period} settlement {settlement_id}"
    notify_operators(connection, "draft", cause, letter, now)
    facts = {"period": str(period), "settlement": settlement_id, "subsidy_fen": lines.sum_fen}
    announce(connection, "draft", cause, facts, now)


def newest_settlement(connection: Connection, period: Period) -> SettlementRow | None:
    """The newest settlement of a period; null where there is none."""
    return fetch_first(connection, settlements_of(period).limit(1), SettlementRow)


def settlements_of(period: Period) -> Query:
    """The settlements of a period as ``SettlementRow``, the newest first."""
    of_period = select(Settlement.__table__).where(Settlement.period == str(period))
    return of_period.order_by(Settlement.settlement_id.desc())


def _summary(settlement_id: int, content: str, subsidy_fen: int) -> dict[str, object]:
    return {"settlement": settlement_id, "content_sha256": content, "subsidy_fen": subsidy_fen}


def _rendered(connection: Connection, settlement_id: int, period: Period) -> tuple[FileFacts, FileFacts]:
    results = results_file(connection, settlement_id, period)
    lines = lines_file(connection, settlement_id, period)
    for rendering in (results, lines):
        for _ in rendering:
            pass
    return results.facts(), lines.facts()
