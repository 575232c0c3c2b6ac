"""The checklist between a draft and its notice, as of now."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from bounty.clock import shown
from bounty.models import AuditEvent, Batch, Order, Quarantined, User, Waiver
from bounty.notices.period_status import PeriodStatus
from bounty.rules.periods import Period
from bounty.settlement.queries import quarantined_of
from bounty.sync.coverage import Coverage, coverage_of
from bounty.sync.intervals import Interval

CHECKED = "books.check"
"""The act under which a run of the checks is kept."""
LINES = {
    "QUARANTINE": ("隔离行", "Quarantine"),
    "COVERAGE": ("平台订单齐全", "The platform's orders are covered"),
    "CUTOFF": ("收货截止已过", "Receipt cutoff has passed"),
    "FRESH": ("数据新鲜", "Data is fresh"),
    "CHECKS": ("账目自查", "The books check themselves"),
}
"""Line of the checklist -> its name in Chinese and English."""
WAIVABLE = ("QUARANTINE", "COVERAGE", "FRESH")
"""What a person may answer for. A cutoff that has not passed, or books that don't add up, nobody can."""


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A line of the checklist."""

    code: str
    """A key of LINES."""
    holds: bool
    zh: str
    """What was found."""
    en: str
    waiver: Any | None = None
    """reason, name and waived_at, where somebody answers for it."""

    @property
    def passes(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.holds or self.waiver is not None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the data reaches."""

    modified_at: int | None
    """Of the newest row held, epoch seconds."""
    imported_at: int | None
    """Of the newest batch, epoch seconds."""
    batch_id: int | None
    file_name: str | None


@dataclass(frozen=True, slots=True)
class Checklist:
    """What stands between a period and its notice, as of now."""

    lines: tuple[ChecklistItem, ...]
    freshness: Freshness
    quarantined: int
    """Order rows that wait and are, or may be, of the month."""
    checked: Any | None
    """The newest run of the checks: happened_at, checks, violations by name, settlement; null before the first."""

    @property
    def clean(self) -> bool:
        """Whether every line holds or is answered for."""
        return all(line.passes for line in self.lines)


def checklist(connection: Connection, stage: PeriodStatus, now: int) -> Checklist:
    """The checklist of a period, for its newest settlement; seven queries.

    COVERAGE is a line of it once anything was fetched from the platform: files have none to prove.
    """
    bounds = stage.bounds
    waiting = connection.execute(quarantined_of(bounds)).scalar_one()
    batch = connection.execute(
        select(Batch.batch_id, Batch.file_name, Batch.imported_at).order_by(Batch.batch_id.desc()).limit(1)
    ).first()
    modified_at = connection.execute(select(func.max(Order.modified_at))).scalar()
    freshness = Freshness(modified_at, *((None,) * 3 if batch is None else (batch[2], batch[0], batch[1])))
    waivers = _waivers(connection, stage)
    checked = _checked(connection, stage.period)
    lines = (
        _quarantine(waiting, waivers),
        *_coverage(coverage_of(connection, bounds), waivers),
        _cutoff(bounds.receipt_cutoff, now),
        _fresh(freshness, bounds.receipt_cutoff, waivers),
        _checks(checked, stage.newest),
    )
    return Checklist(lines, freshness, waiting, checked)


def _waivers(connection: Connection, stage: PeriodStatus) -> dict[str, Any]:
    settlement_id = 0 if stage.newest is None else stage.newest.settlement_id
    rows = connection.execute(
        select(Waiver.line, Waiver.reason, Waiver.waived_at, User.name)
        .join(User, User.id == Waiver.user_id)
        .where(Waiver.settlement_id == settlement_id)
    )
    return {row.line: row for row in rows}


def _checked(connection: Connection, period: Period) -> Any | None:
    row = connection.execute(
        select(AuditEvent.happened_at, AuditEvent.after)
        .where(AuditEvent.subject == str(period), AuditEvent.act == CHECKED)
        .order_by(AuditEvent.event_id.desc())
        .limit(1)
    ).first()
    return None if row is None else {"happened_at": row.happened_at, **json.loads(row.after or "{}")}


def _quarantine(waiting: int, waivers: dict[str, Any]) -> ChecklistItem:
    if not waiting:
        return ChecklistItem("QUARANTINE", True, "本月没有等待处理的行", "no row of the month waits")
    rows = "1 row waits" if waiting == 1 else f"{waiting} rows wait"
    return ChecklistItem("QUARANTINE", False, f"{waiting} 条未处理", rows, waivers.get("QUARANTINE"))


def _coverage(found: Coverage, waivers: dict[str, Any]) -> list[ChecklistItem]:
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
    at, hours = shown(cutoff)[:16].replace("T", " "), abs(now - cutoff) // 3600
    zh, en = f"{hours // 24} 天 {hours % 24} 小时", f"{hours // 24} d {hours % 24} h"
    if now >= cutoff:
        return ChecklistItem("CUTOFF", True, f"{at}，已过 {zh}", f"{at}, {en} ago")
    return ChecklistItem("CUTOFF", False, f"{at}，还有 {zh}", f"{at}, in {en}")


def _fresh(freshness: Freshness, cutoff: int, waivers: dict[str, Any]) -> ChecklistItem:
    waiver = waivers.get("FRESH")
    if freshness.modified_at is None:
        return ChecklistItem("FRESH", False, "还没有订单：先导入", "no orders yet: import them", waiver)
    at = shown(freshness.modified_at)[:16].replace("T", " ")
    if freshness.modified_at >= cutoff:
        return ChecklistItem(
            "FRESH", True, f"订单更新至 {at}，已到收货截止之后", f"orders up to {at}, past the cutoff"
        )
    return ChecklistItem(
        "FRESH",
        False,
        f"订单只更新至 {at}，收货截止前的收货可能还没导入",
        f"orders only up to {at}: receipts before the cutoff may be missing",
        waiver,
    )


def _checks(checked: Any | None, newest: Any | None) -> ChecklistItem:
    if newest is None and checked is None:
        return ChecklistItem("CHECKS", False, "核算后自动运行", "run by themselves after a settlement")
    if checked is None or (newest is not None and checked["settlement"] != newest.settlement_id):
        return ChecklistItem("CHECKS", False, "这次核算之后还没有自查", "not run since this settlement")
    at = shown(checked["happened_at"])[:16].replace("T", " ")
    off = checked["violations"]
    if off:
        names = ", ".join(f"{name} {count}" for name, count in off.items())
        return ChecklistItem("CHECKS", False, f"不符：{names}（{at}）", f"broken: {names} ({at})")
    count = checked["checks"]
    return ChecklistItem("CHECKS", True, f"{count} 项，0 处不符（{at}）", f"{count} checks, 0 broken ({at})")


def waiting_by_code(connection: Connection, bounds: Any) -> list[Any]:
    """What waits in quarantine and is, or may be, of a month: code, rows; the most first."""
    return list(
        connection.execute(
            quarantined_of(bounds)
            .with_only_columns(Quarantined.code, func.count().label("rows"))
            .group_by(Quarantined.code)
            .order_by(func.count().desc(), Quarantined.code)
        )
    )
