"""The checklist between a draft and its notice, as of now."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from bounty.clock import shown
from bounty.db import fetch_all
from bounty.ingest.unfinished import UnfinishedFile, unfinished_file
from bounty.labels import LabelledCode
from bounty.models import AuditEvent, Quarantined, User, Waiver
from bounty.notices.period_status import PeriodStatus
from bounty.orders.unknowns import Unknown, unknown_in_month
from bounty.release.freshness import Freshness, freshness_of
from bounty.rules.clause_texts import deadline_text
from bounty.rules.periods import Bounds, Period
from bounty.settlement.queries import quarantined_of
from bounty.settlement.service import SettlementRow
from bounty.sync.coverage import Coverage, coverage_of
from bounty.sync.intervals import Interval

CHECKED = "books.check"
"""The act under which a run of the checks is kept."""


class ChecklistCode(LabelledCode):
    """A line of the checklist."""

    UNFINISHED = "UNFINISHED", "大文件导入完毕", "No file is half in"
    FRESH = "FRESH", "数据已到收货截止", "The data reaches the receipt cutoff"
    COVERAGE = "COVERAGE", "平台订单齐全", "The platform's orders are covered"
    CUTOFF = "CUTOFF", "收货截止已过", "Receipt cutoff has passed"
    QUARANTINE = "QUARANTINE", "隔离行", "Quarantine"
    CHECKS = "CHECKS", "账目自查", "The books check themselves"
    UNKNOWN = "UNKNOWN", "未知的内容", "What is unknown"


WAIVABLE = ("FRESH", "COVERAGE", "QUARANTINE")
"""What a person may answer for. A cutoff that has not passed, or books that don't add up, nobody can."""


class WaiverRow(NamedTuple):
    """Who answers for a line of the checklist, and why."""

    line: str
    reason: str
    waived_at: int
    name: str | None
    """Null for the command line."""


@dataclass(frozen=True, slots=True)
class ChecksRun:
    """A run of the checks, as the audit keeps it."""

    happened_at: int
    checks: int
    violations: dict[str, int]
    """By the name of the check; only those that found any."""
    settlement: int | None
    """The newest of the period at the time."""


class WaitingCode(NamedTuple):
    """How many rows wait in quarantine for one reason."""

    code: str
    rows: int


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A line of the checklist."""

    code: str
    """One of ChecklistCode."""
    holds: bool
    zh: str
    """What was found."""
    en: str
    waiver: WaiverRow | None = None
    """Where somebody answers for it."""
    noted: bool = False
    """Whether it asks a person to look, though it stops nothing."""
    found: bool = True
    """Whether it was looked at. Only the checks of the books can be yet to run; approving and publishing in the shell
    run them."""

    @property
    def passes(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.holds or self.waiver is not None

    @property
    def state(self) -> str:
        """PASSED, WAIVED or FAILED."""
        if self.holds:
            return "PASSED"
        return "FAILED" if self.waiver is None else "WAIVED"


@dataclass(frozen=True, slots=True)
class Checklist:
    """What stands between a period and its notice, as of now."""

    lines: tuple[ChecklistItem, ...]
    freshness: Freshness
    quarantined: int
    """Order rows that wait and are, or may be, of the month."""
    checked: ChecksRun | None
    """The newest run of the checks; null before the first."""

    @property
    def clean(self) -> bool:
        """Whether every line holds or is answered for."""
        return all(line.passes for line in self.lines)

    @property
    def failed(self) -> dict[str, ChecklistItem]:
        """The lines that neither hold nor are answered for, by their codes, in their order."""
        return {line.code: line for line in self.lines if not line.passes}


def checklist(connection: Connection, stage: PeriodStatus, now: int) -> Checklist:
    """The checklist of a period, for its newest settlement; twelve queries.

    UNFINISHED is a line of it while a large file is not in whole. COVERAGE is one once anything was fetched from the
    platform: files have none to prove.
    """
    bounds = stage.bounds
    waiting = connection.execute(quarantined_of(bounds)).scalar_one()
    coverage = coverage_of(connection, bounds)
    freshness = freshness_of(connection, stage.period, bounds, coverage, now)
    waivers = _waivers(connection, stage)
    checked = _checked(connection, stage.period)
    lines = (
        *_unfinished(unfinished_file(connection)),
        _fresh(freshness, bounds.receipt_cutoff, waivers),
        *_coverage(coverage, waivers),
        _cutoff(bounds.receipt_cutoff, now),
        _quarantine(waiting, waivers),
        _checks(checked, stage.newest),
        *_unknown(unknown_in_month(connection, stage.period, now)),
    )
    return Checklist(lines, freshness, waiting, checked)


def _unfinished(file: UnfinishedFile | None) -> list[ChecklistItem]:
    return [] if file is None else [ChecklistItem("UNFINISHED", False, file.zh, file.en)]


def _waivers(connection: Connection, stage: PeriodStatus) -> dict[str, WaiverRow]:
    settlement_id = 0 if stage.newest is None else stage.newest.settlement_id
    query = (
        select(Waiver.line, Waiver.reason, Waiver.waived_at, User.name)
        .outerjoin(User, User.id == Waiver.user_id)
        .where(Waiver.settlement_id == settlement_id)
    )
    return {row.line: row for row in fetch_all(connection, query, WaiverRow)}


def _checked(connection: Connection, period: Period) -> ChecksRun | None:
    row = connection.execute(
        select(AuditEvent.happened_at, AuditEvent.after)
        .where(AuditEvent.subject == str(period), AuditEvent.act == CHECKED)
        .order_by(AuditEvent.event_id.desc())
        .limit(1)
    ).first()
    return None if row is None else ChecksRun(row.happened_at, **json.loads(row.after or "{}"))


def _quarantine(waiting: int, waivers: dict[str, WaiverRow]) -> ChecklistItem:
    if not waiting:
        return ChecklistItem("QUARANTINE", True, "本月没有等待处理的行", "no row of the month waits")
    rows = "1 row waits" if waiting == 1 else f"{waiting} rows wait"
    return ChecklistItem("QUARANTINE", False, f"{waiting} 条未处理", rows, waivers.get("QUARANTINE"))


def _coverage(found: Coverage, waivers: dict[str, WaiverRow]) -> list[ChecklistItem]:
    if not found.is_required:
        return []
    if not found.gaps:
        span = _span(found.span)
        return [ChecklistItem("COVERAGE", True, f"{span} 无缺口", f"no gap in {span}")]
    spans = [_span(gap) for gap in found.gaps]
    zh = f"{len(spans)} 段缺口：{'；'.join(spans[:3])}{'…' if len(spans) > 3 else ''}，先同步补齐"
    gaps = "1 gap" if len(spans) == 1 else f"{len(spans)} gaps"
    en = f"{gaps}: {'; '.join(spans[:3])}{'…' if len(spans) > 3 else ''}; sync first"
    return [ChecklistItem("COVERAGE", False, zh, en, waivers.get("COVERAGE"))]


def _span(span: Interval) -> str:
    from_at, until_at = (shown(instant)[:16].replace("T", " ") for instant in span)
    return f"{from_at} – {until_at}"


def _cutoff(cutoff: int, now: int) -> ChecklistItem:
    (at_zh, at_en), hours = deadline_text(cutoff, year=True), abs(now - cutoff) // 3600
    zh, en = f"{hours // 24} 天 {hours % 24} 小时", f"{hours // 24} d {hours % 24} h"
    if now >= cutoff:
        return ChecklistItem("CUTOFF", True, f"{at_zh}，已过 {zh}", f"{at_en}, {en} ago")
    return ChecklistItem("CUTOFF", False, f"{at_zh}，还有 {zh}", f"{at_en}, in {en}")


def _fresh(freshness: Freshness, cutoff: int, waivers: dict[str, WaiverRow]) -> ChecklistItem:
    at_zh, at_en = deadline_text(cutoff, year=True)
    if freshness.covered:
        return ChecklistItem(
            "FRESH",
            True,
            f"平台同步已覆盖到收货截止（{at_zh}）",
            f"fetched from the platform up to the cutoff, {at_en}",
        )
    if freshness.updated:
        return ChecklistItem(
            "FRESH",
            True,
            f"导入的文件里有本期订单在收货截止（{at_zh}） 之后的更新",
            f"an imported file holds updates of this period's orders from after the cutoff, {at_en}",
        )
    confirmation = freshness.confirmation
    if confirmation is None:
        return ChecklistItem(
            "FRESH",
            False,
            f"没有本期订单在收货截止（{at_zh}） 之后的更新，截止前的收货可能还没导入",
            f"no update of this period's orders from after the cutoff, {at_en}: receipts may be missing",
            waivers.get("FRESH"),
        )
    zh, en = deadline_text(confirmation.through_at, year=True)
    by_zh, by_en = confirmation.name or "命令行", confirmation.name or "the command line"
    return ChecklistItem(
        "FRESH",
        freshness.reaches,
        f"{by_zh} 确认数据已齐至 {zh}：{confirmation.reason}",
        f"{by_en} confirmed that the data is complete up to {en}: {confirmation.reason}",
        waivers.get("FRESH"),
    )


def _unknown(found: list[Unknown]) -> list[ChecklistItem]:
    """What is not known of the month's orders: it stops nothing, and nobody should miss it."""
    if not found:
        return []
    zh, en = "；".join(each.zh for each in found), "; ".join(each.en for each in found)
    return [ChecklistItem("UNKNOWN", True, zh, en, noted=True)]


def _checks(checked: ChecksRun | None, newest: SettlementRow | None) -> ChecklistItem:
    if newest is None and checked is None:
        return ChecklistItem(
            "CHECKS", False, "核算后自动运行", "run by themselves after a settlement", found=False
        )
    if checked is None or (newest is not None and checked.settlement != newest.settlement_id):
        return ChecklistItem(
            "CHECKS", False, "这次核算之后还没有自查", "not run since this settlement", found=False
        )
    at = shown(checked.happened_at)[:16].replace("T", " ")
    off = checked.violations
    if off:
        names = ", ".join(f"{name} {count}" for name, count in off.items())
        return ChecklistItem("CHECKS", False, f"不符：{names}（{at}）", f"broken: {names} ({at})")
    count = checked.checks
    return ChecklistItem("CHECKS", True, f"{count} 项，0 处不符（{at}）", f"{count} checks, 0 broken ({at})")


def waiting_by_code(connection: Connection, bounds: Bounds) -> list[WaitingCode]:
    """What waits in quarantine and is, or may be, of a month; the most first."""
    query = (
        quarantined_of(bounds)
        .with_only_columns(Quarantined.code, func.count().label("rows"))
        .group_by(Quarantined.code)
        .order_by(func.count().desc(), Quarantined.code)
    )
    return fetch_all(connection, query, WaitingCode)
