"""What freezing a roster now would give: who would be in, and who would stand otherwise than in the period before."""

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from bounty.errors import BountyError
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
    changes: list[RosterChange]
    """Against the roster before, by promoter."""
    digest: str
    """SHA-256 of all entries and the terms: whoever confirms, confirms these."""

    @property
    def new(self) -> int:
        """Promoters who were not on the roster before."""
        return sum(change.was is None for change in self.changes)

    @property
    def gone(self) -> int:
        """Promoters who were on the roster before, and would not be on this one."""
        return sum(change.now is None for change in self.changes)


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
        for each in sorted(stands.keys() | was.keys())
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
        changes if before is not None else [],
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
