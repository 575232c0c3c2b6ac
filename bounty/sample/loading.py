"""Loads a sample history into an empty database as its people would have done it: each step at its own date.

files of a delivery -> import     on the 12th and the 1st
roster of the next month          on the 25th
settlement and notice             on the 12th after the month, with corrections of the earlier months
payment of what settled before    on the 20th of the last month
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, select

from bounty import importer
from bounty.accounting.stored_figures import refresh
from bounty.accounts.demo_accounts import PROMOTERS
from bounty.clock import midnight, shanghai_date
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.ingest.batches import Counts
from bounty.models import Notice
from bounty.notices import service as publication
from bounty.payees.encryption import PayeeCipher
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.rules.terms import read_terms
from bounty.sample import SampleHistory
from bounty.sample.accounts import DemoPerson, add_promoters, add_staff
from bounty.sample.appeal import ask_about_an_order
from bounty.sample.context import HOUR
from bounty.sample.payouts import PaidSample, pay_sample, prepare_next
from bounty.sample.updates import DELIVERY_DAY
from bounty.settlement import service as settlement
from bounty.tranches.state import TrancheRow

FREEZE_DAY: Final = 25
"""Day of the month on which the next month's roster is frozen."""
ON_TRACK, BEHIND, *_ = (email for email, *_ in PROMOTERS)
_DATED: Final = {"promoters": ("level_from", "registered_on"), "violations": ("occurred_on",)}
"""Kind of a reference file -> the columns that say since when a row is known."""


@dataclass(slots=True)
class LoadedSample:
    """What loading a sample history came to."""

    files: dict[str, Counts] = field(default_factory=dict)
    """File name -> its counts."""
    periods: dict[Period, tuple[int, int]] = field(default_factory=dict)
    """Period -> promoters on the roster, and those who are eligible."""
    notices: list[tuple[Period, int, int]] = field(default_factory=list)
    """Period, number and subsidy (whole fen) of each notice."""
    paid: PaidSample | None = None
    """The tranche of last month."""
    prepared: TrancheRow | None = None
    """The tranche of the amounts that are due since."""
    appeal: int | None = None
    """The number of the open appeal."""
    people: list[DemoPerson] = field(default_factory=list)


class _Loader:
    def __init__(
        self,
        engine: Engine,
        sample: SampleHistory,
        seal: PayeeCipher,
        now: int,
        on_file: Callable[[str], None],
    ) -> None:
        self.engine, self.sample, self.seal, self.now, self.on_file = engine, sample, seal, now, on_file
        self.loaded = LoadedSample()
        self._known: dict[str, list[dict[str, str]]] = {}

    def steps(self) -> Iterator[tuple[int, Callable[[int], None]]]:
        """Instant -> what happens then; in no order."""
        periods = self.sample.periods
        payday = read_terms(self.sample.terms.read_text("utf-8")).subsidy.settled_on_day
        for delivery, paths in self.sample.deliveries.items():
            yield delivery.at, lambda at, paths=paths: self.deliver(at, paths)  # type: ignore[misc]
        yield midnight(periods[0].plus(-1).day(payday)) + 10 * HOUR, self.begin
        for period in (*periods, periods[-1].plus(1)):
            frozen_at = midnight(period.plus(-1).day(FREEZE_DAY)) + 10 * HOUR
            yield frozen_at, lambda at, period=period: self.freeze(at, period)  # type: ignore[misc]
        for period in periods[:-1]:
            settled_at = midnight(period.plus(1).day(DELIVERY_DAY)) + 10 * HOUR
            yield settled_at, lambda at, period=period: self.publish(at, period)  # type: ignore[misc]
        yield midnight(periods[-2].day(payday)) + 10 * HOUR, self.pay

    def run(self) -> LoadedSample:
        """All steps up to the present; those that would come later happen now, where that is possible."""
        for at, step in sorted(self.steps(), key=lambda each: each[0]):
            step(min(at, self.now))
        people = add_promoters(self.engine, self.sample.periods[-1], self.loaded.paid, self.now)
        self.loaded.people += people
        whose = {each.email: each.promoter_id for each in people}
        assert self.loaded.paid is not None
        self.loaded.prepared = prepare_next(
            self.engine, self.sample.folder, self.seal, self.loaded.paid, whose.get(ON_TRACK), self.now
        )
        self.loaded.appeal = ask_about_an_order(self.engine, self.sample.periods, whose.get(BEHIND), self.now)
        refresh(self.engine, self.now)  # who looks at it has no worker running yet
        return self.loaded

    def deliver(self, at: int, paths: list[Path]) -> None:
        """Import what is known of promoters by now, and the files of orders."""
        for kind, path in (("promoters", self.sample.promoters), ("violations", self.sample.violations)):
            self._import_known(kind, path, at)
        if "links" not in self._known:
            self._known["links"] = []
            self._import("links", self.sample.links, at)
        for path in paths:
            self._import("orders", path, at)

    def begin(self, at: int) -> None:
        """The programme begins: accounts, terms and targets."""
        self.loaded.people += add_staff(self.engine, at)
        with transaction(self.engine) as connection:
            add_terms(connection, self.sample.terms.read_text(encoding="utf-8"), at)
        self._import("targets", self.sample.targets, at)

    def freeze(self, at: int, period: Period) -> None:
        """Freeze a roster; the next month's stays open where its history is not complete yet."""
        try:
            with transaction(self.engine) as connection:
                opening = open_roster(connection, period, at)
        except BountyError:
            if period in self.sample.periods:
                raise
            return
        self.loaded.periods[period] = (opening.on_roster, opening.eligible)

    def publish(self, at: int, period: Period) -> None:
        """Settle and publish a month after its cutoff, and correct the notices before it."""
        if at < midnight(period.plus(1).day(DELIVERY_DAY)):
            return
        with snapshot(self.engine) as connection:
            earlier = (
                connection.execute(select(Notice.period).distinct().order_by(Notice.period)).scalars().all()
            )
        for each in (period, *map(Period.parse, earlier)):
            with transaction(self.engine) as connection:
                settled = settlement.settle(connection, each, at)
                notice = publication.publish(connection, each, at + 2 * HOUR, approval_required=False)
            if notice.created:
                self.loaded.notices.append((each, notice.notice, settled.lines.sum_fen))

    def pay(self, at: int) -> None:
        """Pay what settled before the day."""
        before = midnight(shanghai_date(at))
        self.loaded.paid = pay_sample(self.engine, self.sample.folder, self.seal, before, at)

    def _import_known(self, kind: str, path: Path, at: int) -> None:
        """Import the rows of a reference file that are known by now, unless all of them are in already."""
        today = shanghai_date(at).isoformat()
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        known = [row for row in rows if all(row[column] <= today for column in _DATED[kind])]
        known = [row | {"cleared_on": ""} if row.get("cleared_on", "") > today else row for row in known]
        if not known or known == self._known.get(kind):
            return
        self._known[kind] = known
        part = path.with_name(f"{path.stem}-{today}{path.suffix}")
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(known)
        self._import(kind, part, at)

    def _import(self, kind: str, path: Path, at: int) -> None:
        self.on_file(path.name)
        self.loaded.files[path.name] = importer.import_file(self.engine, kind, path, at).counts


def load_sample(
    engine: Engine, sample: SampleHistory, seal: PayeeCipher, now: int, on_file: Callable[[str], None]
) -> LoadedSample:
    """Load a sample history that was written for the same present.

    on_file   is called with the name of each file before it is imported
    """
    return _Loader(engine, sample, seal, now, on_file).run()
