"""A promoter's months: what was frozen for each, and what its newest notice says; one query for all of them."""

import datetime as dt
import json
from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, and_, func, literal, select, true

from bounty.db import Query, QueryRow, written_out
from bounty.models import (
    Batch,
    Notice,
    OpenPeriod,
    PassVoid,
    PassVoidAnswer,
    PromoterProgress,
    Result,
    RosterEntry,
    Settlement,
    TermsVersion,
)
from bounty.progress.as_of import See, as_it_is
from bounty.progress.queries import A_PERIOD, A_PROMOTER
from bounty.roster.eligibility import Derivation
from bounty.rules.newest_notice import is_newest
from bounty.rules.periods import MAIN, Bounds, Period
from bounty.rules.terms import Terms, read_terms


@dataclass(frozen=True, slots=True)
class PublishedMonth:
    """What the newest notice says of a promoter."""

    notice: int
    settlement_id: int
    published_at: int
    gmv_fen: int | None
    orders: int | None
    passed: bool
    rate_permille: int | None
    subsidy_orders: int
    subsidy_fen: int


@dataclass(frozen=True, slots=True)
class PromoterMonth:
    """One month of a promoter on its roster."""

    period: Period
    bounds: Bounds
    terms: Terms
    """Frozen with the roster."""
    opened_at: int
    name: str
    level: str | None
    registered_on: dt.date
    reason: str | None
    """Why not eligible; null for who is."""
    void: str | None
    """Why the published pass was taken back; null where none was."""
    target_gmv_fen: int | None
    target_orders: int | None
    derivation: Derivation
    as_of: int | None
    """When orders last came in; null while none have."""
    paid_orders: int
    """Orders paid in the month, of every verdict, by the totals of open periods."""
    settled: bool
    """Whether there is a settlement; while it is a draft, what it says is nobody's but operations'."""
    published: PublishedMonth | None


def months(promoter_id: int | BindParameter[int]) -> Query:
    """The months of a promoter, with the columns of the roster, the bounds, and the newest notice's result."""
    settled = (
        select(literal(1))
        .where(Settlement.period == OpenPeriod.period)
        .correlate(OpenPeriod.__table__)
        .exists()
    )
    void = (
        select(PassVoid.reason)
        .join(
            PassVoidAnswer,
            and_(
                PassVoidAnswer.promoter_id == PassVoid.promoter_id,
                PassVoidAnswer.period == PassVoid.period,
                PassVoidAnswer.number == PassVoid.number,
            ),
        )
        .where(
            PassVoid.promoter_id == RosterEntry.promoter_id,
            PassVoid.period == RosterEntry.period,
            PassVoidAnswer.approved.is_(true()),
        )
        .correlate(RosterEntry.__table__)
        .scalar_subquery()
    )
    return (
        select(
            OpenPeriod.period,
            OpenPeriod.opened_at,
            OpenPeriod.task_from,
            OpenPeriod.task_until,
            OpenPeriod.receipt_cutoff,
            OpenPeriod.month_from,
            OpenPeriod.month_until,
            RosterEntry.name,
            RosterEntry.level,
            RosterEntry.registered_on,
            RosterEntry.reason,
            RosterEntry.target_gmv_fen,
            RosterEntry.target_orders,
            RosterEntry.derivation,
            settled.label("settled"),
            void.label("void"),
            Notice.notice,
            Notice.settlement_id,
            Notice.published_at,
            Result.gmv_fen,
            Result.orders,
            Result.passed,
            Result.rate_permille,
            Result.subsidy_orders,
            Result.subsidy_fen,
        )
        .select_from(RosterEntry)
        .join(OpenPeriod, OpenPeriod.period == RosterEntry.period)
        .outerjoin(Notice, and_(Notice.period == RosterEntry.period, is_newest(Notice)))
        .outerjoin(
            Result,
            and_(Result.promoter_id == RosterEntry.promoter_id, Result.settlement_id == Notice.settlement_id),
        )
        .where(RosterEntry.promoter_id == promoter_id)
    )


_AS_OF = select(func.max(Batch.imported_at)).where(Batch.kind == "orders", Batch.undone_at.is_(None))
_PAID_ORDERS = (
    select(PromoterProgress.paid_orders)
    .where(
        PromoterProgress.period == OpenPeriod.period, PromoterProgress.promoter_id == RosterEntry.promoter_id
    )
    .correlate(OpenPeriod.__table__, RosterEntry.__table__)
    .scalar_subquery()
)
_WITH_TERMS = (
    months(A_PROMOTER)
    .add_columns(
        TermsVersion.toml, _AS_OF.scalar_subquery().label("as_of"), _PAID_ORDERS.label("paid_orders")
    )
    .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
)
_MONTHS = written_out(_WITH_TERMS.order_by(OpenPeriod.month_from.desc(), OpenPeriod.period))
_MONTH = written_out(_WITH_TERMS.where(OpenPeriod.period == A_PERIOD))


def months_of(connection: Connection, promoter_id: int) -> list[PromoterMonth]:
    """The months whose roster a promoter is on, the newest first."""
    return [_month(row) for row in connection.execute(_MONTHS, {"promoter_id": promoter_id})]


def data_as_of(connection: Connection) -> int | None:
    """When orders last came in."""
    instant: int | None = connection.execute(_AS_OF).scalar()
    return instant


def month_of(
    connection: Connection, promoter_id: int, period: Period, see: See = as_it_is
) -> PromoterMonth | None:
    """One of them; null where the promoter is not on its roster, or there is none."""
    row = connection.execute(see(_MONTH), {"promoter_id": promoter_id, "period": str(period)}).first()
    return None if row is None else _month(row)


def periods_with(connection: Connection, promoter_id: int, paid_at: int | None) -> list[Period]:
    """The periods of a promoter, one a programme and ``main`` first, in which something paid at an instant lies."""
    found = connection.execute(
        select(OpenPeriod.period)
        .join(RosterEntry, RosterEntry.period == OpenPeriod.period)
        .where(
            RosterEntry.promoter_id == promoter_id,
            OpenPeriod.month_from <= paid_at,
            OpenPeriod.month_until > paid_at,
        )
    ).scalars()
    return sorted(map(Period.parse, found), key=lambda each: (each.programme != MAIN, each.programme))


def _month(row: QueryRow) -> PromoterMonth:
    return PromoterMonth(
        period=Period.parse(row.period),
        bounds=Bounds(row.task_from, row.task_until, row.receipt_cutoff, row.month_from, row.month_until),
        terms=read_terms(row.toml),
        opened_at=row.opened_at,
        name=row.name,
        level=row.level,
        registered_on=row.registered_on,
        reason=row.reason,
        void=row.void,
        target_gmv_fen=row.target_gmv_fen,
        target_orders=row.target_orders,
        derivation=json.loads(row.derivation),
        as_of=row.as_of,
        paid_orders=row.paid_orders or 0,
        settled=bool(row.settled),
        published=None
        if row.notice is None
        else PublishedMonth(
            notice=row.notice,
            settlement_id=row.settlement_id,
            published_at=row.published_at,
            gmv_fen=row.gmv_fen,
            orders=row.orders,
            passed=bool(row.passed),
            rate_permille=row.rate_permille,
            subsidy_orders=row.subsidy_orders,
            subsidy_fen=row.subsidy_fen,
        ),
    )


def present_month(found: list[PromoterMonth], now: int) -> PromoterMonth | None:
    """The newest month that has begun; before any has, the one that comes first."""
    begun = (month for month in found if month.bounds.month_from <= now)
    return next(begun, found[-1] if found else None)


def open_months(found: list[PromoterMonth], now: int) -> list[PromoterMonth]:
    """The months that have begun and whose receipts still count, the nearest deadline first."""

    def next_deadline(month: PromoterMonth) -> tuple[int, bool]:
        ends, cutoff = month.bounds.task_until, month.bounds.receipt_cutoff
        return (ends if now < ends else cutoff), month.period.programme != MAIN

    return sorted(
        (each for each in found if each.bounds.task_from <= now < each.bounds.receipt_cutoff),
        key=next_deadline,
    )
