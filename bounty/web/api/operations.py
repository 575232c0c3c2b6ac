"""What an operator's token reads: imports, quarantine, rosters, everybody's progress, what stands before a notice."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bounty.clock import shown
from bounty.db import Query
from bounty.errors import BountyError
from bounty.ingest.queries import open_entries
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.release.checklist import checklist
from bounty.roster.queries import roster_entries
from bounty.roster.terms import open_period
from bounty.rules.periods import Period, programme_key
from bounty.uploads.batch_list import batch_list
from bounty.web.api import models
from bounty.web.api.lists import listing
from bounty.web.api.operation import operation
from bounty.web.api.problems import Problem
from bounty.web.operations import imports, period, quarantine, results, roster
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.tables import Filter, Option, Table, equal

_KINDS = Filter(
    "kind",
    "种类",
    "kind",
    tuple(Option(kind, zh, en, equal("kind", kind)) for kind, (zh, en) in imports.KIND_NAMES.items()),
)
QUARANTINE = Table(
    "quarantine", quarantine.COLUMNS, key=("quarantine_id",), order="quarantine_id", filters=(_KINDS,)
)
ROSTER = Table("roster", roster.COLUMNS, key=("promoter_id",), order="promoter_id")
PROGRESS = Table(
    "progress",
    results.COLUMNS,
    key=("promoter_id",),
    order="promoter_id",
    filters=(results.RESULT, results.CHANGE),
)


@listing("/periods", "operator", "finance", table=period.PERIODS)
def list_periods(connection: Connection) -> Query:
    """The open periods and where each stands."""
    return period.period_rows(connection)


@listing("/batches", "operator", table=replace(imports.BATCHES, name="batches"))
def list_batches(_connection: Connection) -> Query:
    """The batches, with what became of their rows."""
    return batch_list()


@listing("/quarantine", "operator", table=QUARANTINE)
def list_quarantine(_connection: Connection) -> Query:
    """The rows that could not be taken in and wait, each with what would be right."""
    return open_entries()


@listing("/periods/<period:period>/roster", "operator", table=ROSTER)
def list_roster(connection: Connection, period: Period) -> Query:
    """Everybody on the roster of a period, with level, eligibility and targets."""
    _stage(connection, period)
    return roster_entries(period)


@listing("/periods/<period:period>/progress", "operator", table=PROGRESS)
def list_progress(connection: Connection, period: Period) -> Query:
    """Everybody's progress in a period, by the newest settlement, or as of now where there is none."""
    return results.rows_of(_stage(connection, period))


@operation("/periods/<period:period>/checklist", "operator", answer=models.ChecklistBody)
def show_checklist(period: Period) -> dict[str, Any]:
    """What stands between a period and its next notice."""
    with reading() as connection:
        stage = _stage(connection, period)
        found = checklist(connection, stage, now())
    return {
        **programme_key(period),
        "period": period.name,
        "as_of": shown(now()),
        "state": stage.state,
        "checklist": [
            {
                "code": line.code,
                "state": "PASSED" if line.holds else "WAIVED" if line.passes else "FAILED",
                "detail_zh": line.zh,
                "detail_en": line.en,
            }
            for line in found.lines
        ],
    }


def _stage(connection: Connection, period: Period) -> PeriodStatus:
    """Where an open period stands; another one is not there."""
    try:
        open_period(connection, period)
    except BountyError as refusal:
        raise Problem(404, "NOT_FOUND", refusal.zh, str(refusal)) from None
    return period_status(connection, period, now())
