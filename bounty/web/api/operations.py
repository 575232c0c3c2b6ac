"""What an operator's token reads: imports, quarantine, rosters, everybody's progress, what stands before a notice."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bounty.clock import shown
from bounty.db import Query
from bounty.errors import BountyError
from bounty.forecast.stored import forecasts_with_targets, newest_forecast
from bounty.ingest.queries import count_open_of_batch, open_entries
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.release.checklist import checklist
from bounty.roster.programmes import every_programme
from bounty.roster.queries import roster_entries
from bounty.roster.terms import open_period
from bounty.rules.periods import Period, programme_key
from bounty.uploads.batch_list import batch_list, one_batch
from bounty.web.api import models
from bounty.web.api.lists import cell, listing
from bounty.web.api.operation import operation
from bounty.web.api.problems import Problem, not_found
from bounty.web.operations import forecast, imports, period, quarantine, results, roster
from bounty.web.shared.request_context import now, reading
from bounty.web.shared.table_filters import one_of
from bounty.web.shared.tables import Column, Table

_KINDS = one_of("kind", "种类", "kind", imports.KIND_NAMES)
QUARANTINE = Table(
    "quarantine", quarantine.COLUMNS, key=("quarantine_id",), order="quarantine_id", filters=(_KINDS,)
)
PROGRAMMES = Table(
    "programmes",
    (
        Column("code", "代码", "code"),
        Column("name", "名称", "name"),
        Column("added_at", "新增时间", "added at", "instant"),
        Column("retired_at", "停用时间", "retired at", "instant"),
    ),
    key=("code",),
    order="code",
)
ROSTER = Table("roster", roster.COLUMNS, key=("promoter_id",), order="promoter_id")
PROGRESS = Table(
    "progress",
    results.COLUMNS,
    key=("promoter_id",),
    order="promoter_id",
    filters=(results.RESULT, results.CHANGE),
)


@listing("/programmes", "promoter", "operator", "finance", table=PROGRAMMES)
def list_programmes(_connection: Connection) -> Query:
    """The bounties that run side by side over the same orders; `main` is the first."""
    return every_programme()


@listing("/periods", "operator", "finance", table=period.PERIODS)
def list_periods(connection: Connection) -> Query:
    """The open periods and where each stands."""
    return period.period_rows(connection)


@listing("/batches", "operator", table=replace(imports.BATCHES, name="batches"))
def list_batches(_connection: Connection) -> Query:
    """The batches, with what became of their rows."""
    return batch_list()


@operation("/batches/<int:batch_id>", "operator", answer=models.BatchBody)
def show_batch(batch_id: int) -> dict[str, Any]:
    """How an import stands: its counts, and how many of its rows still wait in quarantine."""
    with reading() as connection:
        row = one_batch(connection, batch_id)
        if row is None:
            raise not_found()
        waiting = count_open_of_batch(connection, batch_id)
    fields = {column.name: cell(column.kind, row._mapping[column.name]) for column in imports.BATCHES.columns}
    return {"as_of": shown(now()), **fields, "waiting": waiting}


@listing("/quarantine", "operator", table=QUARANTINE)
def list_quarantine(_connection: Connection) -> Query:
    """The rows that could not be taken in and wait, each with what would be right."""
    return open_entries()


@listing("/periods/<period:period>/roster", "operator", table=ROSTER)
def list_roster(connection: Connection, period: Period) -> Query:
    """Everybody on the roster of a period, with level, eligibility and targets."""
    open_stage(connection, period)
    return roster_entries(period)


@listing("/periods/<period:period>/progress", "operator", table=PROGRESS)
def list_progress(connection: Connection, period: Period) -> Query:
    """Everybody's progress in a period, by the newest settlement, or as of now where there is none."""
    return results.rows_of(open_stage(connection, period))


@listing("/periods/<period:period>/forecast", "operator", table=forecast.FORECASTS)
def list_forecast(connection: Connection, period: Period) -> Query:
    """The newest forecast of a period: each promoter's chance to pass, and what is to be expected."""
    open_stage(connection, period)
    newest = newest_forecast(connection, period)
    return forecasts_with_targets(period, 0 if newest is None else newest.as_of)


@operation("/periods/<period:period>/checklist", "operator", answer=models.ChecklistBody)
def show_checklist(period: Period) -> dict[str, Any]:
    """What stands between a period and its next notice."""
    with reading() as connection:
        stage = open_stage(connection, period)
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


def open_stage(connection: Connection, period: Period) -> PeriodStatus:
    """Where an open period stands; another one is not there."""
    try:
        open_period(connection, period)
    except BountyError as refusal:
        raise Problem(404, "NOT_FOUND", refusal.zh, str(refusal)) from None
    return period_status(connection, period, now())
