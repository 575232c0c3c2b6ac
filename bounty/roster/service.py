"""Opening a period: its roster, levels, eligibility and targets are frozen with what is known now."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice

from sqlalchemy import Connection, func, insert, select

from bounty.audit.service import record
from bounty.clock import shown
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import OpenPeriod, RosterEntry, Target
from bounty.orders.archived import require_in_tables
from bounty.promoters.reference_upsert import ReferenceKind, Refusal
from bounty.roster.eligibility import Candidate, Ineligibility, history_months, judge_candidate
from bounty.roster.levels import level_in
from bounty.roster.notifications import notify_targets
from bounty.roster.programmes import require_running
from bounty.roster.queries import RosterRow, candidates, history_of, imported_targets, orders_by_month
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period, bounds_of
from bounty.rules.terms import Formula, Terms
from bounty.totals.service import recompute_period

TARGETS = ReferenceKind("targets", Target, key=("promoter_id", "period"), values=("gmv_fen", "orders"))
PERIOD_OPEN = Refusal(
    applies=lambda row: row.period.in_(select(OpenPeriod.period)),
    code="E-OPEN",
    column="period",
)
"""Once a period is open its targets are frozen."""
ROWS_AT_A_TIME = 5_000
"""Rows of a roster that are read, judged and written together: memory does not grow with the roster."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening a period came to."""

    period: Period
    created: bool
    """False where it was open already and nothing changed."""
    on_roster: int
    eligible: int
    reasons: dict[str, int]
    """Ineligible reason -> promoters."""
    history: dict[str, int]
    """Month of the history -> orders paid in it that are held."""


def open_roster(connection: Connection, period: Period, now: int) -> Opening:
    """Freeze who is judged in a period, and on what; a period that is open stays as it is.

    Raises BountyError before the last month of the history is complete, where no terms apply, without promoters, or
    while a large file is not in whole, or where received rows of its month are archived.
    """
    already = connection.execute(select(OpenPeriod.period).where(OpenPeriod.period == str(period))).first()
    in_force = terms_in_force(connection, period)
    if already is None:
        require_finished(connection)
        bounds = bounds_of(period, in_force.terms)
        require_in_tables(connection, bounds.month_from, bounds.month_until)
        entries = roster_to_freeze(connection, period, in_force.terms, now)
        opened = bounds_columns(period, in_force.terms) | {"terms_id": in_force.terms_id, "opened_at": now}
        connection.execute(insert(OpenPeriod).values(opened))
        while part := [entry._asdict() for entry in islice(entries, ROWS_AT_A_TIME)]:
            connection.execute(insert(RosterEntry), part)
        recompute_period(connection, period)
    opening = _opening(connection, period, in_force.terms, created=already is None)
    if opening.created:
        frozen = {"terms_id": in_force.terms_id, "on_roster": opening.on_roster, "eligible": opening.eligible}
        record(connection, "period.open", str(period), now, after=frozen)
        bounds = bounds_of(period, in_force.terms)
        if now < bounds.task_until:  # of a month that is over nobody needs to know the target any more
            notify_targets(connection, period, bounds, now)
    return opening


def roster_to_freeze(connection: Connection, period: Period, terms: Terms, now: int) -> Iterator[RosterRow]:
    """The roster that opening a period now freezes, by promoter.

    Raises BountyError before the last month of the history is complete, without promoters, where the programme is
    retired, and where the period has not the task's days.
    """
    require_running(connection, period.programme)
    complete_at = bounds_of(period.plus(-2), terms).receipt_cutoff
    if now < complete_at:
        raise BountyError(
            f"{period} can be opened from {shown(complete_at)}, when {period.plus(-2)}, the last month of the "
            f"history, is complete.",
            f"{period} 自 {shown(complete_at)} 起可以开期：那时历史的最后一个月 {period.plus(-2)} 才完整。",
        )
    require_task_days(period, terms)
    entries = roster_entries(connection, period, terms)
    first = next(entries, None)
    if first is None:
        raise BountyError(
            f"No promoter was registered before {period.first_day}: import them with `bounty import promoters FILE`.",
            f"没有在 {period.first_day} 之前注册的推手：请先导入推手。",
        )
    return chain((first,), entries)


def require_task_days(period: Period, terms: Terms) -> None:
    """Raises BountyError where the task of terms begins on a day that a first half of a month has not."""
    if period.half == 1 and terms.task.first_day > 15:
        raise BountyError(
            f"The task of these terms begins on day {terms.task.first_day}, which {period} has not: let the terms "
            f"begin with {period.plus(1)}.",
            f"条款的任务从 {terms.task.first_day} 日开始，{period} 没有这一天：请让条款从 {period.plus(1)} 开始。",
        )


def bounds_columns(period: Period, terms: Terms) -> dict[str, str | int]:
    """The columns of ``periods`` that terms decide: the period and its bounds."""
    return {"period": str(period)} | asdict(bounds_of(period, terms))


def roster_entries(connection: Connection, period: Period, terms: Terms) -> Iterator[RosterRow]:
    """The roster that opening a period now would freeze, by promoter; empty without promoters."""
    given = targets_by_promoter(connection, period)
    histories = histories_by_level(connection, period, terms)
    every = candidates(period.first_day)
    for row in connection.execute(every, execution_options={"yield_per": ROWS_AT_A_TIME}):
        level = level_in(terms.levels, row.level)
        candidate = Candidate(
            promoter_id=row.promoter_id,
            level=level,
            registered_on=row.registered_on,
            violated=bool(row.violated),
            given=given.get(row.promoter_id),
            history=histories[terms.direct_only(level)].get(row.promoter_id, {}),
        )
        verdict = judge_candidate(candidate, period, terms)
        yield RosterRow(
            promoter_id=row.promoter_id,
            period=str(period),
            name=row.name,
            level=level,
            registered_on=row.registered_on,
            reason=verdict.reason,
            target_gmv_fen=verdict.target_gmv_fen,
            target_orders=verdict.target_orders,
            derivation=json.dumps(verdict.derivation, ensure_ascii=False, separators=(",", ":")),
        )


def targets_by_promoter(connection: Connection, period: Period) -> dict[int, tuple[int | None, int | None]]:
    """Promoter -> GMV in whole fen and orders, as the targets file gives them for a period."""
    return {
        row.promoter_id: (row.gmv_fen, row.orders) for row in connection.execute(imported_targets(period))
    }


def histories_by_level(
    connection: Connection, period: Period, terms: Terms
) -> dict[bool, dict[int, dict[str, int]]]:
    """Whether a level counts direct orders only -> promoter -> month -> whole fen counted."""
    return {
        direct_only: _histories(connection, period, terms, direct_only=direct_only)
        for direct_only in (True, False)
    }


def _histories(
    connection: Connection, period: Period, terms: Terms, *, direct_only: bool
) -> dict[int, dict[str, int]]:
    """Promoter -> month -> whole fen, over the longest history that a formula of such a level asks for."""
    formulas = [
        level.gmv
        for level in terms.levels.values()
        if level.direct_only is direct_only and isinstance(level.gmv, Formula)
    ]
    if not formulas:
        return {}
    months = history_months(period, max(formulas, key=lambda formula: formula.history_periods))
    histories: dict[int, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(history_of(months, terms, direct_only=direct_only)):
        histories[row.promoter_id][months[row.place].name] = row.gmv_fen
    return histories


def _opening(connection: Connection, period: Period, terms: Terms, *, created: bool) -> Opening:
    counts = select(RosterEntry.reason, func.count()).where(RosterEntry.period == str(period))
    by_reason = dict(connection.execute(counts.group_by(RosterEntry.reason)).all())
    eligible = by_reason.pop(None, 0)
    reasons = {str(reason): by_reason[reason] for reason in Ineligibility if reason in by_reason}
    formulas = [level.gmv for level in terms.levels.values() if isinstance(level.gmv, Formula)]
    months = sorted({month for formula in formulas for month in history_months(period, formula)})
    paid_orders = connection.execute(orders_by_month(months)).one() if months else ()
    return Opening(
        period=period,
        created=created,
        on_roster=eligible + sum(reasons.values()),
        eligible=eligible,
        reasons=reasons,
        history={month.name: count for month, count in zip(months, paid_orders, strict=True)},
    )
