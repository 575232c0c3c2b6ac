"""The totals of a period as SELECTs over orders and links, with the columns of the tables that hold them.

    orders, links -> daily_progress -> promoter_progress
                  -> daily_subsidy  -> promoter_subsidy

Recomputing the groups that changed, rebuilding a period and checking it are the same SELECTs over more or fewer groups.
"""

from functools import lru_cache

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
    union_all,
)

from bounty.db import Query, WholeNumber, Words, given_rows, workspace
from bounty.models import DailyProgress, DailySubsidy, OpenPeriod, Order, RosterEntry
from bounty.rules.clauses import PAID_IN_MONTH, SUBSIDY_CLAUSES, all_hold
from bounty.rules.measure import COUNTED, PENDING, VERDICTS, frozen_bounds, verdict_number
from bounty.rules.sql_math import Whole, capped_at, count_where, running_total, sum_or_zero, whole_part
from bounty.rules.subsidy import after_promoter_cap, basis, before_promoter_cap
from bounty.rules.terms import Terms
from bounty.rules.unknowns import RECEIVED_STATUSES, unknowns

A_DAY = 86_400
"""Shanghai's days are all of this length in seconds."""
A_PERIOD: BindParameter[str] = bindparam("period", type_=Words())

touched_groups = workspace(
    "touched_groups",
    Column("period", Words, primary_key=True),
    Column("promoter_id", WholeNumber, primary_key=True),
    Column("day", WholeNumber, primary_key=True),
)
"""The groups whose facts a transaction has changed: promoters on the roster of a period, and a day of it."""
# PostgreSQL rebuilds the indexes of such a table at every commit, and then replans every query that uses it.
touched_groups.primary_key.ddl_if(dialect="sqlite")

_IN_WINDOW = [code for code in VERDICTS if code != "PAID_IN_WINDOW"]
"""The verdicts of orders paid in the task window: that clause is evaluated first."""
_OTHER_CLAUSES = tuple(clause for clause in SUBSIDY_CLAUSES if clause is not PAID_IN_MONTH)
"""Of an order's subsidy. The orders of a day were paid in its month; told so again, SQLite would look for the month's
orders, and pick those of the day from them."""


def once_a_row(query: Query) -> FromClause:
    """A SELECT to take sums of, each of its columns worked out once a row.

    Without a LIMIT both databases put its expressions into the outer SELECT, and work them out wherever one is named.
    """
    return query.limit(2**63 - 1).subquery()


def _unknowns() -> dict[str, ColumnElement[bool]]:
    """Column -> which orders it counts."""
    facts = Order.__table__.c
    received = {"received_orders": facts.order_status.in_(RECEIVED_STATUSES)}
    return received | {code.lower(): unknown for code, unknown in unknowns(facts).items()}


def day_of(paid_at: ColumnElement[int]) -> Whole:
    """The day of the period on which an order was paid, from 1."""
    return whole_part(paid_at - OpenPeriod.month_from, A_DAY) + 1


def _orders_of_period(columns: Query, *, touched: bool) -> Query:
    """A SELECT over the orders paid in a period by promoters on its roster; parameter period.

    touched   only of the groups in ``touched_groups``
    """
    facts = Order.__table__.c
    from_at, until_at = OpenPeriod.month_from.expression, OpenPeriod.month_until.expression
    period = columns.select_from(OpenPeriod)
    if touched:
        period = period.join(touched_groups, touched_groups.c.period == OpenPeriod.period)
        from_at = OpenPeriod.month_from + (touched_groups.c.day - 1) * A_DAY
        until_at = from_at + A_DAY
    on_roster = RosterEntry.period == OpenPeriod.period
    if touched:
        # The sum keeps PostgreSQL from deriving that orders and roster have one promoter: it would look for all orders
        # of the roster's promoter, for each of the days, and pick those of the day from them.
        on_roster = and_(on_roster, RosterEntry.promoter_id == touched_groups.c.promoter_id + 0)
    paid = and_(
        facts.promoter_id == (touched_groups.c.promoter_id if touched else RosterEntry.promoter_id),
        facts.paid_at >= from_at,
        facts.paid_at < until_at,
    )
    return period.join(RosterEntry, on_roster).join(Order, paid).where(OpenPeriod.period == A_PERIOD)


@lru_cache(maxsize=64)
def daily_progress(terms: Terms, *, touched: bool) -> Query:
    """The rows of ``daily_progress`` of a period; parameter period."""
    facts = Order.__table__.c
    # One number to group by: numbers sort many times quicker than words, and one sorts quicker than two.
    place = day_of(facts.paid_at) * len(VERDICTS) + verdict_number(facts, frozen_bounds(terms), terms)
    judged = once_a_row(
        _orders_of_period(
            select(
                facts.promoter_id,
                place.label("place"),
                facts.order_amount_fen,
                *(case((one, 1), else_=0).label(name) for name, one in _unknowns().items()),
            ),
            touched=touched,
        )
    ).c
    sums = (
        select(
            judged.promoter_id,
            judged.place,
            func.count().label("orders"),
            sum_or_zero(judged.order_amount_fen).label("amount_fen"),
            sum_or_zero(capped_at(judged.order_amount_fen, terms.task.order_cap_fen)).label("capped_fen"),
            *(sum_or_zero(judged[name]).label(name) for name in _unknowns()),
        )
        .group_by(judged.promoter_id, judged.place)
        .subquery("sums")
        .c
    )
    words = dict(enumerate(VERDICTS))
    return select(
        A_PERIOD.label("period"),
        sums.promoter_id,
        whole_part(sums.place, len(VERDICTS)).label("day"),
        case(words, value=sums.place % len(VERDICTS)).label("verdict"),
        sums.orders,
        sums.amount_fen,
        sums.capped_fen,
        *(sums[name] for name in _unknowns()),
    )


def _rate_of(tier: ColumnElement[int], terms: Terms) -> Whole:
    rates = {place: each.rate_permille for place, each in enumerate(terms.subsidy.tiers)}
    return case(rates, value=tier, else_=0)


@lru_cache(maxsize=64)
def daily_subsidy(terms: Terms, *, touched: bool) -> Query:
    """The rows of ``daily_subsidy`` of a period; parameter period."""
    facts, places = Order.__table__.c, range(len(terms.subsidy.tiers))
    held = once_a_row(
        _orders_of_period(
            select(
                facts.promoter_id,
                day_of(facts.paid_at).label("day"),
                basis(facts, terms).label("basis_fen"),
                *(
                    before_promoter_cap(facts, literal(tier.rate_permille), terms).label(f"earned_{at}_fen")
                    for at, tier in enumerate(terms.subsidy.tiers)
                ),
            ),
            touched=touched,
        ).where(all_hold(_OTHER_CLAUSES, facts, frozen_bounds(terms), terms))
    ).c
    sums = (
        select(
            held.promoter_id,
            held.day,
            *(
                part
                for at in places
                for part in (
                    count_where(held[f"earned_{at}_fen"] > 0).label(f"orders_{at}"),
                    sum_or_zero(case((held[f"earned_{at}_fen"] > 0, held.basis_fen), else_=0)).label(
                        f"basis_{at}_fen"
                    ),
                    sum_or_zero(held[f"earned_{at}_fen"]).label(f"earned_{at}_fen"),
                )
            ),
        )
        .group_by(held.promoter_id, held.day)
        .cte("sums")
        .c
    )
    # A CTE, so that the orders are read once for all tiers.
    return select(
        union_all(
            *(
                select(
                    A_PERIOD.label("period"),
                    sums.promoter_id,
                    sums.day,
                    literal(at, WholeNumber).label("tier"),
                    sums[f"orders_{at}"].label("orders"),
                    sums[f"basis_{at}_fen"].label("basis_fen"),
                    sums[f"earned_{at}_fen"].label("earned_fen"),
                ).where(sums[f"orders_{at}"] > 0)
                for at in places
            )
        ).subquery("by_tier")
    )


def _entries(*, touched: bool) -> FromClause:
    """The promoters on a period's roster, or of its touched groups: promoter_id; parameter period."""
    if touched:
        groups = touched_groups.c
        found = select(groups.promoter_id).where(groups.period == A_PERIOD).distinct()
    else:
        found = select(RosterEntry.promoter_id).where(RosterEntry.period == A_PERIOD)
    return once_a_row(found)


@lru_cache(maxsize=2)
def promoter_progress(*, touched: bool) -> Query:
    """The rows of ``promoter_progress`` of a period, from its days; parameter period."""
    entries, day = _entries(touched=touched), DailyProgress.__table__.c
    of_promoter = and_(day.period == A_PERIOD, day.promoter_id == entries.c.promoter_id)

    def total(amount: ColumnElement[int], which: ColumnElement[bool], name: str) -> ColumnElement[int]:
        return sum_or_zero(case((which, amount), else_=0)).label(name)

    return (
        select(
            A_PERIOD.label("period"),
            entries.c.promoter_id,
            total(day.capped_fen, day.verdict == COUNTED, "gmv_fen"),
            total(day.orders, day.verdict == COUNTED, "orders"),
            total(day.capped_fen, day.verdict == PENDING, "pending_fen"),
            total(day.orders, day.verdict == PENDING, "pending_orders"),
            total(day.orders, day.verdict.in_(_IN_WINDOW), "window_orders"),
            sum_or_zero(day.orders).label("paid_orders"),
            *(sum_or_zero(day[name]).label(name) for name in _unknowns()),
        )
        .select_from(entries)
        .outerjoin(DailyProgress, of_promoter)
        .group_by(entries.c.promoter_id)
    )


@lru_cache(maxsize=64)
def promoter_subsidy(terms: Terms, *, touched: bool) -> Query:
    """The rows of ``promoter_subsidy`` of a period, from its days and, on the day on which a promoter meets the
    promoter cap, from the orders of that day; parameter period."""
    entries, day = _entries(touched=touched).c, DailySubsidy.__table__.c
    tiers = given_rows(
        {"tier": WholeNumber}, [{"tier": place} for place in range(len(terms.subsidy.tiers))]
    ).subquery("tiers")
    days = select(day.promoter_id, day.day, day.tier, day.orders, day.basis_fen, day.earned_fen).select_from(
        entries.promoter_id.table.outerjoin(
            DailySubsidy, and_(day.period == A_PERIOD, day.promoter_id == entries.promoter_id)
        )
    )
    given = _given_by_day(days.where(day.tier.is_not(None)), terms)
    every = (
        select(
            given.c.promoter_id,
            given.c.tier,
            *(sum_or_zero(given.c[name]).label(name) for name in _GIVEN),
        )
        .group_by(given.c.promoter_id, given.c.tier)
        .subquery("every")
    )
    rows = _entries(touched=touched)
    same = and_(every.c.promoter_id == rows.c.promoter_id, every.c.tier == tiers.c.tier)
    return select(
        A_PERIOD.label("period"),
        rows.c.promoter_id,
        tiers.c.tier,
        *(func.coalesce(every.c[name], 0).label(name) for name in _GIVEN),
    ).select_from(rows.join(tiers, true()).outerjoin(every, same))


_GIVEN = ("earned_fen", "orders", "basis_fen", "subsidy_fen")


def _given_by_day(days: Query, terms: Terms) -> FromClause:
    """What days are given under the promoter cap: promoter_id, tier, earned_fen, orders, basis_fen, subsidy_fen."""
    cap = terms.subsidy.promoter_cap_fen
    if cap is None:
        row = days.subquery("day").c
        whole_days = select(
            row.promoter_id,
            row.tier,
            row.earned_fen,
            row.orders,
            row.basis_fen,
            row.earned_fen.label("subsidy_fen"),
        )
        return whole_days.subquery("given")
    row = days.subquery("day").c
    running = running_total(row.earned_fen, (row.promoter_id, row.tier), row.day)
    # A CTE that both databases work out once: it is read three times.
    summed = select(*row, running.label("running_fen")).cte("summed")
    each = summed.c
    before = each.running_fen - each.earned_fen
    whole = each.running_fen <= cap
    nothing = literal(0, WholeNumber)
    whole_days = select(
        each.promoter_id,
        each.tier,
        each.earned_fen,
        case((whole, each.orders), else_=nothing).label("orders"),
        case((whole, each.basis_fen), else_=nothing).label("basis_fen"),
        case((whole, each.earned_fen), else_=nothing).label("subsidy_fen"),
    )
    met = select(each.promoter_id, each.tier, each.day, (cap - before).label("room_fen")).where(
        before < cap, each.running_fen > cap
    )
    return union_all(whole_days, _given_when_met(met, terms)).subquery("given")


def _given_when_met(met: Query, terms: Terms) -> Query:
    """What single orders are given on the days on which the promoter cap is met, in the order of payment.

    met   promoter_id, tier, day, room_fen (what was left of the cap before that day)
    """
    facts, day = Order.__table__.c, once_a_row(met).c
    begins = OpenPeriod.month_from + (day.day - 1) * A_DAY
    earned = before_promoter_cap(facts, _rate_of(day.tier, terms), terms)
    entry = and_(RosterEntry.promoter_id == day.promoter_id, RosterEntry.period == OpenPeriod.period)
    # Outer, with every condition in it, so that SQLite goes from the days to their orders.
    earning = and_(
        facts.promoter_id == day.promoter_id,
        facts.paid_at >= begins,
        facts.paid_at < begins + A_DAY,
        all_hold(_OTHER_CLAUSES, facts, frozen_bounds(terms), terms),
    )
    shares = (
        select(
            facts.promoter_id,
            day.tier,
            day.room_fen,
            facts.paid_at,
            facts.order_sn,
            basis(facts, terms).label("basis_fen"),
            earned.label("earned_fen"),
        )
        .select_from(OpenPeriod)
        .join(day.tier.table, true())
        .join(RosterEntry, entry)
        .outerjoin(Order, earning)
        .where(OpenPeriod.period == A_PERIOD)
        .subquery("shares")
        .c
    )
    running = running_total(
        shares.earned_fen, (shares.promoter_id, shares.tier), shares.paid_at, shares.order_sn
    )
    row = select(*shares, running.label("running_fen")).subquery("row").c
    given = after_promoter_cap(row.earned_fen, row.running_fen, row.room_fen)
    nothing, one = literal(0, WholeNumber), literal(1, WholeNumber)
    return select(row.promoter_id, row.tier, nothing, one, row.basis_fen, given).where(given > 0)
