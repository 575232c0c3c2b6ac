"""What freezing a roster now would give: who would be in, and who would stand otherwise than in the period before."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from bounty import figures
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import OpenPeriod, RosterEntry
from bounty.roster.eligibility import Ineligibility
from bounty.roster.service import roster_to_freeze
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period


class PreviewEntry(NamedTuple):
    """What a roster says of a promoter."""

    name: str
    level: str | None
    reason: str | None
    target_gmv_fen: int | None
    target_orders: int | None


CHANGES_SHOWN = 200
"""Promoters who would stand otherwise that are listed."""
_COMPARED = PreviewEntry._fields[1:]


@dataclass(frozen=True, slots=True)
class RosterChange:
    """A promoter who would stand otherwise than on the roster before."""

    promoter_id: int
    name: str
    was: PreviewEntry | None
    """On the roster before; null for who is new."""
    now: PreviewEntry | None
    """On this one; null for who would be no longer on it."""


@dataclass(frozen=True, slots=True)
class RosterPreview:
    """A roster as it would be frozen now."""

    period: Period
    terms_id: int
    terms_name: str
    before: str | None
    """The period that it is compared with, the newest open one of the programme before it; null where there is none."""
    on_roster: int
    eligible: int
    reasons: dict[str, int]
    """Ineligible reason -> promoters."""
    changed: int
    """How many would stand otherwise than on the roster before; with those who are new or gone."""
    new: int
    """Promoters who were not on the roster before."""
    gone: int
    """Promoters who were on the roster before, and would not be on this one."""
    changes: list[RosterChange]
    """The first CHANGES_SHOWN of those who changed, by promoter."""
    digest: str
    """SHA-256 of all entries and the terms: whoever confirms, confirms these."""


def preview_subject(period: Period) -> str:
    """The stored figure of what opening a period would do."""
    return f"opening {period}"


def preview_content(connection: Connection, period: Period, now: int) -> JsonObject | None:
    """``RosterPreview`` as it is stored; null where the period can't be opened."""
    try:
        return asdict(roster_preview(connection, period, now)) | {"period": str(period)}
    except BountyError:
        return None


def shown_preview(connection: Connection, period: Period, now: int) -> RosterPreview:
    """``roster_preview`` for a page: as it is stored, if nothing has changed since.

    Raises BountyError as ``roster_preview`` does.
    """
    content = figures.current(connection, preview_subject(period), now)
    if content is None:
        return roster_preview(connection, period, now)
    changes = [
        RosterChange(**each | {name: each[name] and PreviewEntry(*each[name]) for name in ("was", "now")})
        for each in content["changes"]
    ]
    return RosterPreview(**content | {"period": period, "changes": changes})


def roster_preview(connection: Connection, period: Period, now: int) -> RosterPreview:
    """The roster that opening a period now would freeze; nothing is written.

    Raises BountyError where the period is open already, and as opening it would.
    """
    if connection.execute(select(OpenPeriod.period).where(OpenPeriod.period == str(period))).first():
        raise BountyError(f"{period} is open already.", f"{period} 期早已开期，名单已冻结。")
    in_force = terms_in_force(connection, period)
    entries = [*roster_to_freeze(connection, period, in_force.terms, now)]
    stands = {
        row.promoter_id: PreviewEntry(row.name, row.level, row.reason, row.target_gmv_fen, row.target_orders)
        for row in entries
    }
    before = _period_before(connection, period)
    was = {} if before is None else _entries_of(connection, before)
    reasons = [entry.reason for entry in stands.values()]
    changes = [
        RosterChange(each, (stands.get(each) or was[each]).name, was.get(each), stands.get(each))
        for each in (() if before is None else sorted(stands.keys() | was.keys()))
        if _facts(was.get(each)) != _facts(stands.get(each))
    ]
    content = json.dumps([in_force.sha256, [row._asdict() for row in entries]], sort_keys=True, default=str)
    return RosterPreview(
        period,
        in_force.terms_id,
        in_force.terms.name,
        before,
        len(entries),
        reasons.count(None),
        {reason: reasons.count(reason) for reason in Ineligibility if reason in reasons},
        len(changes),
        sum(change.was is None for change in changes),
        sum(change.now is None for change in changes),
        changes[:CHANGES_SHOWN],
        hashlib.sha256(content.encode()).hexdigest(),
    )


def _facts(entry: PreviewEntry | None) -> tuple[str | int | None, ...] | None:
    return None if entry is None else entry[1:]


def _period_before(connection: Connection, period: Period) -> str | None:
    periods = (Period.parse(text) for text in connection.execute(select(OpenPeriod.period)).scalars())
    before = [each for each in periods if each.programme == period.programme and each < period]
    return str(max(before)) if before else None


def _entries_of(connection: Connection, period: str) -> dict[int, PreviewEntry]:
    columns = [RosterEntry.__table__.c[name] for name in ("promoter_id", "name", *_COMPARED)]
    rows = connection.execute(select(*columns).where(RosterEntry.period == period))
    return {row.promoter_id: PreviewEntry(*row[1:]) for row in rows}
