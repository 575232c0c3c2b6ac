"""Terms as versions: which hold in a period, and adding another."""

import tomllib
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, func, insert, select

from bounty.audit.service import record
from bounty.db import Words, fetch_all
from bounty.errors import BountyError
from bounty.models import OpenPeriod, TermsVersion
from bounty.roster.programmes import cycle_of, require_programme
from bounty.rules.periods import MAIN, Bounds, Period, in_programme, prefix_of
from bounty.rules.terms import MONTH, Terms, read_terms


@dataclass(frozen=True, slots=True)
class TermsInForce:
    """A version of the terms, as it was added."""

    terms_id: int
    terms: Terms
    toml: str
    sha256: str


_A_PERIOD: BindParameter[str] = bindparam("period", type_=Words())
_FROM: ColumnElement[str] = TermsVersion.effective_from.expression
_VERSION = select(TermsVersion.terms_id, TermsVersion.toml, TermsVersion.sha256)
_FROZEN = _VERSION.join(OpenPeriod).where(OpenPeriod.period == _A_PERIOD)
_NEWEST = (
    _VERSION.where(_FROM <= _A_PERIOD, bindparam("first", type_=Words()) <= _FROM)
    .order_by(_FROM.desc(), TermsVersion.terms_id.desc())
    .limit(1)
)


def terms_in_force(connection: Connection, period: Period) -> TermsInForce:
    """The terms of a period: frozen with its roster, or, before that, the newest that apply from it or earlier.

    Raises BountyError where no terms apply, or there is no such programme or no such period in it.
    """
    parameters = {"period": str(period), "first": f"{prefix_of(period.programme)}2"}
    row = connection.execute(_FROZEN, parameters).first() or connection.execute(_NEWEST, parameters).first()
    if row is None:
        require_programme(connection, period.programme)
        require_cycle(period, cycle_of(connection, period.programme))
        option = "" if period.programme == MAIN else f" --programme {period.programme}"
        raise BountyError(
            f"No terms apply to {period}: add them with `bounty terms add FILE{option}`.",
            f"没有适用于 {period} 的条款：用 `bounty terms add FILE{option}` 添加。",
        )
    terms = read_terms(row.toml)
    require_cycle(period, terms.cycle)
    return TermsInForce(row.terms_id, terms, row.toml, row.sha256)


def frozen_terms(connection: Connection, period: Period) -> Terms | None:
    """The terms that were frozen with a period's roster; null where the period is not open."""
    row = connection.execute(_FROZEN, {"period": str(period)}).first()
    return None if row is None else read_terms(row.toml)


def require_cycle(period: Period, cycle: str | None) -> None:
    """Raises BountyError for a period that its programme has not, because its periods are months, or halves."""
    if cycle is None or period.cycle == cycle:
        return
    if cycle == MONTH:
        raise BountyError(
            f"Programme {period.programme} runs by the month: write {period.name[:7]}, not {period.name}.",
            f"项目 {period.programme} 按月进行：请写 {period.name[:7]}，不是 {period.name}。",
        )
    raise BountyError(
        f"Programme {period.programme} runs by the half-month: write {period.name}a or {period.name}b.",
        f"项目 {period.programme} 按半月进行：请写 {period.name}a 或 {period.name}b。",
    )


@dataclass(frozen=True, slots=True)
class CheckedTerms:
    """Terms that can be added to a programme."""

    terms: Terms
    effective_from: str
    """The first period, with its programme."""
    newest_sha256: str | None
    """Of the version from the same period that they would take the place of; None if there is none."""

    @property
    def is_new(self) -> bool:
        """Whether their content differs from that version's."""
        return self.newest_sha256 != self.terms.sha256


def check_terms(connection: Connection, toml: str, programme: str = MAIN) -> CheckedTerms:
    """Read terms for a programme.

    Raises InvalidTerms, and BountyError where there is no such programme, the terms have another cycle than it, or they
    would apply to a period that is already open.
    """
    require_programme(connection, programme)
    terms = read_terms(toml)
    cycle = cycle_of(connection, programme)
    if cycle not in (None, terms.cycle):
        raise BountyError(
            f'Programme {programme} has the cycle "{cycle}", and these terms have "{terms.cycle}": name another '
            "programme with --programme, or make one with `bounty programme add`.",
            f"项目 {programme} 的周期是 {cycle}，这份条款的周期是 {terms.cycle}：请选择其他项目，或用 "
            "`bounty programme add` 另建一个。",
        )
    effective_from = str(Period.parse(terms.effective_from, programme))
    versions = select(TermsVersion.sha256).where(TermsVersion.effective_from == effective_from)
    newest = connection.execute(versions.order_by(TermsVersion.terms_id.desc()).limit(1)).scalar()
    checked = CheckedTerms(terms, effective_from, newest)
    if not checked.is_new:
        return checked
    for period, held_from in connection.execute(
        select(OpenPeriod.period, TermsVersion.effective_from)
        .join(TermsVersion)
        .where(in_programme(OpenPeriod.period.expression, programme))
        .order_by(OpenPeriod.period)
    ):
        if held_from <= effective_from <= period:
            raise BountyError(
                f"Terms from {effective_from} would apply to {period}, which is already open with its terms "
                f"frozen: let them begin with a later period."
            )
    return checked


def add_terms(connection: Connection, toml: str, now: int, programme: str = MAIN) -> tuple[Terms, bool]:
    """Add a version to a programme; whether it was new. Raises what ``check_terms`` does."""
    checked = check_terms(connection, toml, programme)
    added = {"effective_from": checked.effective_from, "sha256": checked.terms.sha256}
    if checked.is_new:
        connection.execute(insert(TermsVersion).values(**added, toml=toml, added_at=now))
        before = checked.newest_sha256 and {"sha256": checked.newest_sha256}
        record(connection, "terms.add", checked.effective_from, now, before=before, after=added)
    return checked.terms, checked.is_new


class VersionInUse(NamedTuple):
    """A version of the terms, with the open periods it holds in."""

    terms_id: int
    effective_from: str
    toml: str
    sha256: str
    added_at: int
    first_period: str | None
    """Null, as the last one, where it holds in none."""
    last_period: str | None
    periods: int


def versions(connection: Connection) -> list[VersionInUse]:
    """Every version, the newest first."""
    period = OpenPeriod.period
    query = (
        select(
            TermsVersion.terms_id,
            TermsVersion.effective_from,
            TermsVersion.toml,
            TermsVersion.sha256,
            TermsVersion.added_at,
            func.min(period).label("first_period"),
            func.max(period).label("last_period"),
            func.count(period).label("periods"),
        )
        .outerjoin(OpenPeriod, OpenPeriod.terms_id == TermsVersion.terms_id)
        .group_by(TermsVersion.terms_id)
        .order_by(TermsVersion.terms_id.desc())
    )
    return fetch_all(connection, query, VersionInUse)


@dataclass(frozen=True, slots=True)
class TermsChange:
    """A key of the terms that two versions give otherwise."""

    path: str
    """As ``task.order_cap_yuan``."""
    was: str | None
    """As the file has it; null where it has not."""
    now: str | None


def changes(before: str, after: str) -> list[TermsChange]:
    """How a version's TOML differs from another's, key by key."""
    was, now = _flat(tomllib.loads(before)), _flat(tomllib.loads(after))
    paths = [*now, *(path for path in was if path not in now)]
    return [
        TermsChange(path, was.get(path), now.get(path)) for path in paths if was.get(path) != now.get(path)
    ]


def _flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        parts = [(f"{path}.{key}" if path else key, part) for key, part in value.items()]
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        parts = [(f"{path}.{place}", part) for place, part in enumerate(value, 1)]
    else:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        return {path: shown}
    return {inner: shown for name, part in parts for inner, shown in _flat(part, name).items()}


@dataclass(frozen=True, slots=True)
class PeriodRow(Bounds):
    """A row of ``periods``: an open period with its frozen bounds."""

    period: str
    terms_id: int
    opened_at: int


def open_period(connection: Connection, period: Period) -> Bounds:
    """The frozen bounds of a period.

    Raises BountyError if it is not open.
    """
    row = connection.execute(
        select(
            OpenPeriod.task_from,
            OpenPeriod.task_until,
            OpenPeriod.receipt_cutoff,
            OpenPeriod.month_from,
            OpenPeriod.month_until,
        ).where(OpenPeriod.period == str(period))
    ).first()
    if row is None:
        require_programme(connection, period.programme)
        raise BountyError(
            f"{period} is not open: freeze its roster with `bounty open {period}`.",
            f"{period} 期还没有开期：先用 `bounty open {period}` 冻结名单。",
        )
    return Bounds(*row)
