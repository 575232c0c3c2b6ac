"""Terms as versions: which hold in a period, and adding another."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from bounty.audit.service import record
from bounty.errors import BountyError
from bounty.models import OpenPeriod, TermsVersion
from bounty.rules.periods import Bounds, Period
from bounty.rules.terms import Terms, read_terms


@dataclass(frozen=True, slots=True)
class TermsInForce:
    """A version of the terms, as it was added."""

    terms_id: int
    terms: Terms
    toml: str
    sha256: str


def terms_in_force(connection: Connection, period: Period) -> TermsInForce:
    """The terms of a period: frozen with its roster, or, before that, the newest that apply from it or earlier.

    Raises BountyError where no terms apply.
    """
    columns = select(TermsVersion.terms_id, TermsVersion.toml, TermsVersion.sha256)
    frozen = columns.join(OpenPeriod).where(OpenPeriod.period == str(period))
    newest = (
        columns.where(TermsVersion.effective_from <= str(period))
        .order_by(TermsVersion.effective_from.desc(), TermsVersion.terms_id.desc())
        .limit(1)
    )
    row = connection.execute(frozen).first() or connection.execute(newest).first()
    if row is None:
        raise BountyError(f"No terms apply to {period}: add them with `bounty terms add FILE`.")
    return TermsInForce(row.terms_id, read_terms(row.toml), row.toml, row.sha256)


def add_terms(connection: Connection, toml: str, now: int) -> tuple[Terms, bool]:
    """Add a version; whether it was new.

    Raises InvalidTerms, and BountyError where it would apply to a period that is already open.
    """
    terms = read_terms(toml)
    held = select(TermsVersion.sha256).where(TermsVersion.effective_from == terms.effective_from)
    newest = connection.execute(held.order_by(TermsVersion.terms_id.desc()).limit(1)).scalar()
    if newest == terms.sha256:
        return terms, False
    for period, effective_from in connection.execute(
        select(OpenPeriod.period, TermsVersion.effective_from).join(TermsVersion).order_by(OpenPeriod.period)
    ):
        if effective_from <= terms.effective_from <= period:
            raise BountyError(
                f"Terms from {terms.effective_from} would apply to {period}, which is already open with its terms "
                f"frozen: let them begin with a later period."
            )
    connection.execute(
        insert(TermsVersion).values(
            effective_from=terms.effective_from, toml=toml, sha256=terms.sha256, added_at=now
        )
    )
    added = {"effective_from": terms.effective_from, "sha256": terms.sha256}
    record(
        connection, "terms.add", terms.effective_from, now, before=newest and {"sha256": newest}, after=added
    )
    return terms, True


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
        raise BountyError(f"{period} is not open: freeze its roster with `bounty open {period}`.")
    return Bounds(*row)
