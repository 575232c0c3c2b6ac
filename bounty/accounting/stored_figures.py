"""Every figure that pages of large books show as of a moment: which there are, what each is computed from, and
recomputing those whose facts have changed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from sqlalchemy import Connection, Engine, select

from bounty import figures
from bounty.accounting.finance_queries import (
    NEXT_TRANCHE,
    PAYEES,
    WITHOUT_PAYEE,
    coming_content,
    payees_content,
    payouts_content,
    payouts_subject,
    without_payee_content,
)
from bounty.accounting.period_closing import closing_content
from bounty.accounting.reconciliation import exported_tranches
from bounty.accounting.stored_differences import (
    differences_to_store,
    reconciled_content,
    reconciliation_subject,
    store_rows,
    stored_rows,
)
from bounty.db import fetch_all, snapshot, transaction
from bounty.forecast.stored import forecast_content, forecast_subject, newest_forecast
from bounty.models import Settlement, StoredFigure
from bounty.notices.differences import difference_content, difference_subject
from bounty.notices.late_facts import late_content, late_state
from bounty.notices.period_status import period_status
from bounty.notices.period_summaries import HEADCOUNTS, headcounts_content
from bounty.notices.promoter_counts import awaits_receipts, counts_content, counts_subject
from bounty.notices.public_index import levels_content, levels_subject
from bounty.notices.results_query import tiers_content, tiers_subject
from bounty.notices.service import NoticeRow, changed_content, changed_subject, newest_notice
from bounty.orders.unknowns import unknown_content, unknown_subject
from bounty.roster.preview import preview_content, preview_subject
from bounty.roster.queries import open_periods, roster_content, roster_subject
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.period_lock import closed_periods
from bounty.settlement.service import SettlementRow
from bounty.settlement.undo_preview import newest_to_undo, undo_content, undo_subject
from bounty.tranches.state import newest_tranches

TRANCHES = 4
"""Of so many of the newest tranches the payouts are stored; as many are reconciled by themselves too."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A figure, and how it is made."""

    subject: str
    facts: str
    content: Callable[[Connection], object]
    rows: Callable[[Connection], list[dict[str, object]]] | None = None
    """The rows that are kept with it."""


def out_of_date(connection: Connection, now: int) -> list[str]:
    """The figures whose facts have changed since they were computed, or that never were; none of small books."""
    return [each.subject for each in _due(connection, now)]


def refresh(
    engine: Engine, now: int, on_progress: Callable[[int, int], None] = lambda done, all_: None
) -> list[str]:
    """Recompute every figure whose facts have changed; returns their subjects.

    Each is computed in a snapshot, so that nobody waits, and kept in a transaction of its own.

    on_progress   called with how many are done, and of how many
    """
    with snapshot(engine) as connection:
        due = _due(connection, now)
    on_progress(0, len(due))
    for done, each in enumerate(due, 1):
        with snapshot(engine) as connection:
            content = each.content(connection)
            rows = [] if each.rows is None else each.rows(connection)
        with transaction(engine) as connection:
            figures.keep(connection, each.subject, each.facts, content, now)
            store_rows(connection, each.subject, rows)
        on_progress(done, len(due))
    return [each.subject for each in due]


def unlike_computed(connection: Connection) -> int:
    """Stored figures that say they are of now and are not what the books come to."""
    row = StoredFigure.__table__.c
    held = {each.subject: each for each in connection.execute(select(*row))}
    off = 0
    for moment in {each.computed_at for each in held.values()}:
        for each in _every(connection, moment):
            kept = held.get(each.subject)
            if kept is None or (kept.computed_at, kept.facts) != (moment, each.facts):
                continue
            computed = json.loads(json.dumps(each.content(connection)))
            rows = [] if each.rows is None else each.rows(connection)
            off += json.loads(kept.content) != computed or stored_rows(connection, each.subject) != rows
    return off


def _due(connection: Connection, now: int) -> list[_Due]:
    if figures.books_are_small(connection):
        return []
    return [
        each
        for each in _every(connection, now)
        if not figures.stored(connection, each.subject, each.facts).current
    ]


def _every(connection: Connection, now: int) -> Iterator[_Due]:
    """The facts are read before the figure is computed: what changes in between makes it one of the past."""
    facts = figures.state_of_books(connection, now)
    yield _Due(NEXT_TRANCHE, facts, partial(coming_content, now=now))
    for tranche_id in newest_tranches(connection, TRANCHES):
        yield _Due(payouts_subject(tranche_id), facts, partial(payouts_content, tranche_id=tranche_id))
    for exported in (None, *exported_tranches(connection)[:TRANCHES]):
        yield _Due(
            reconciliation_subject(exported),
            facts,
            partial(reconciled_content, tranche_id=exported),
            partial(differences_to_store, tranche_id=exported),
        )
    yield _Due(PAYEES, facts, payees_content)
    yield _Due(WITHOUT_PAYEE, facts, without_payee_content)
    for batch_id in newest_to_undo(connection):
        yield _Due(undo_subject(batch_id), facts, partial(undo_content, batch_id=batch_id))
    closed = closed_periods(connection)
    yield _Due(HEADCOUNTS, facts, headcounts_content)
    yield from _of_rosters(connection, facts, now)
    for opened in open_periods(connection):
        if opened.period not in closed:
            yield from _of_promoters(connection, Period.parse(opened.period), facts, now)
    settlements: dict[str, list[SettlementRow]] = {}
    newest_first = select(Settlement.__table__).order_by(Settlement.settlement_id.desc())
    for row in fetch_all(connection, newest_first, SettlementRow):
        settlements.setdefault(row.period, []).append(row)
    for text in sorted(settlements.keys() - closed):
        period, of_period = Period.parse(text), settlements[text]
        subject = tiers_subject(of_period[0].settlement_id)
        tiers = partial(tiers_content, settlement_id=of_period[0].settlement_id)
        yield _Due(subject, subject, tiers)
        terms, notice = terms_in_force(connection, period).terms, newest_notice(connection, period)
        for before, after in _compared(of_period, notice):
            yield _Due(
                difference_subject(before, after),
                difference_subject(before, after),
                partial(difference_content, period=period, terms=terms, before=before, after=after),
            )
        if notice is not None:
            yield _Due(f"closing {period}", facts, partial(closing_content, period=period, now=now))
            state = late_state(connection, period, terms, notice)
            if state is not None:
                yield _Due(
                    f"late {period}",
                    state,
                    partial(late_content, period=period, terms=terms, notice=notice),
                )


def _of_rosters(connection: Connection, facts: str, now: int) -> Iterator[_Due]:
    """The figures of each open period's roster and newest forecast, and of what opening the next ones would do."""
    periods = [Period.parse(each.period) for each in open_periods(connection)]
    for period in periods:
        yield _Due(roster_subject(period), facts, partial(roster_content, period=period))
        forecast = newest_forecast(connection, period)
        if forecast is not None:
            promoters = partial(forecast_content, period=period, as_of=forecast.as_of)
            of_it = figures.facts_of(facts, forecast.as_of)
            yield _Due(forecast_subject(period), of_it, promoters)
    newest: dict[str, Period] = {}
    for period in periods:
        newest[period.programme] = max(period, newest.get(period.programme, period))
    for following in (each.plus(1) for each in newest.values()):
        yield _Due(preview_subject(following), facts, partial(preview_content, period=following, now=now))


def _of_promoters(connection: Connection, period: Period, facts: str, now: int) -> Iterator[_Due]:
    """The figures that go through everybody on a roster."""
    yield _Due(unknown_subject(period), facts, partial(unknown_content, period=period))
    stage = period_status(connection, period, now)
    if not awaits_receipts(stage, now):
        yield _Due(counts_subject(stage), facts, partial(counts_content, stage=stage, now=now))
    newest = [] if stage.newest is None else [stage.newest.settlement_id]
    settlements = list(dict.fromkeys((*newest, *(notice.settlement_id for notice in stage.notices))))
    for after_id, before_id in pairwise(settlements):
        changed = partial(changed_content, before_id=before_id, after_id=after_id)
        subject = changed_subject(before_id, after_id)
        yield _Due(subject, subject, changed)
    for settlement_id in settlements:
        levels = partial(levels_content, settlement_id=settlement_id, period=period)
        yield _Due(levels_subject(settlement_id), facts, levels)


def _compared(
    settlements: list[SettlementRow], notice: NoticeRow | None
) -> list[tuple[SettlementRow, SettlementRow]]:
    """The settlements of a period that pages compare: the newest with the one before it and with the newest notice.

    settlements   the newest first
    """
    newest, *others = settlements
    numbers = {None if notice is None else notice.settlement_id}
    return [(each, newest) for at, each in enumerate(others) if at == 0 or each.settlement_id in numbers]
