"""How far a promoter is in a period, and why one order counts or does not."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict, final

from sqlalchemy import Connection, func, literal, select

from bounty.clock import shanghai_date, shown
from bounty.errors import BountyError
from bounty.models import (
    KnownNotice,
    Level,
    Line,
    Notice,
    Order,
    Quarantined,
    RosterEntry,
    Settlement,
)
from bounty.orders.archived import require_order_in_tables
from bounty.orders.queries import promoters_of_order
from bounty.progress.as_of import AsOf, See, as_it_is, notices_known, see_as_of
from bounty.progress.history import PublishedMonth, month_of
from bounty.progress.order_flags import OrderFlag, flags_of_order
from bounty.progress.queries import VERDICT_SUMS, judged_order, verdict_totals
from bounty.roster.eligibility import Derivation
from bounty.roster.levels import level_in
from bounty.roster.programmes import cycle_or_month, require_programme
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.clauses import (
    SUBSIDY_CLAUSES,
    TASK_CLAUSES,
    BoundColumns,
    Clause,
    FactValue,
    OrderContext,
    Settlements,
    newest_notices_elsewhere,
)
from bounty.rules.measure import COUNTED, PENDING, VERDICTS
from bounty.rules.periods import MAIN, Period, bounds_of


@dataclass(frozen=True, slots=True)
class Tally:
    """Orders and what they come to."""

    orders: int = 0
    amount_fen: int = 0
    """Uncapped, whole fen."""
    capped_fen: int = 0
    """Each order at most the cap, whole fen."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.orders + other.orders, self.amount_fen + other.amount_fen, self.capped_fen + other.capped_fen
        )


class TargetsJson(TypedDict):
    """What a target asks, or what orders come to; null where there is no such target."""

    gmv_fen: int | None
    orders: int | None


class NotCountedJson(TypedDict):
    """The orders that do not count by one clause."""

    reason: str
    orders: int
    amount_fen: int


class PublishedJson(TypedDict):
    """What the newest notice says of a promoter."""

    notice: int
    gmv_fen: int | None
    orders: int | None
    passed: bool
    subsidy_fen: int


@final
class ProgressJson(TypedDict):
    """A promoter's period (docs/promises.md, JSON)."""

    programme: NotRequired[str]
    period: str
    promoter_id: int
    as_of: str
    level: str | None
    eligible: bool
    reason: str | None
    targets: TargetsJson
    counted: TargetsJson
    pending: TargetsJson
    not_counted: list[NotCountedJson]
    passed: bool
    published: PublishedJson | None


class ClauseJson(TypedDict):
    """A clause, asked of an order."""

    code: str
    holds: bool
    fact: FactValue
    bound: str


class TaskJson(TypedDict):
    """Whether an order counts to the task."""

    counts: bool
    counted_fen: int
    reason: str | None
    clauses: list[ClauseJson]


class SubsidyJson(TypedDict):
    """Whether an order earns a subsidy."""

    qualifies: bool
    reason: str | None
    subsidy_fen: int | None
    clauses: list[ClauseJson]


@final
class ExplanationJson(TypedDict):
    """Why an order counts or does not, and whether it earns (docs/promises.md, JSON)."""

    programme: NotRequired[str]
    order_sn: str
    promoter_id: int
    period: str | None
    task: TaskJson
    subsidy: SubsidyJson
    flags: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Progress:
    """A promoter's period, as of now."""

    period: Period
    promoter_id: int
    as_of: int
    level: str | None
    reason: str | None
    """Why not eligible; null for who is."""
    void: str | None
    """Why the published pass was taken back; null where none was."""
    target_gmv_fen: int | None
    target_orders: int | None
    derivation: Derivation
    counted: Tally
    pending: Tally
    not_counted: dict[str, Tally]
    """By the first clause that fails, in the order of the clauses."""
    published: PublishedMonth | None

    @property
    def passed(self) -> bool:
        """Whether every measured is at least its target, for an eligible promoter whose pass was not taken back."""
        return (
            self.reason is None
            and self.void is None
            and self.counted.capped_fen >= (self.target_gmv_fen or 0)
            and self.counted.orders >= (self.target_orders or 0)
        )

    def as_json(self) -> ProgressJson:
        """As docs/promises.md, JSON, has it."""
        published = self.published
        content: ProgressJson = {
            "period": self.period.name,
            "promoter_id": self.promoter_id,
            "as_of": shown(self.as_of),
            "level": self.level,
            "eligible": self.reason is None,
            "reason": self.reason,
            "targets": {"gmv_fen": self.target_gmv_fen, "orders": self.target_orders},
            "counted": {"gmv_fen": self.counted.capped_fen, "orders": self.counted.orders},
            "pending": {"gmv_fen": self.pending.capped_fen, "orders": self.pending.orders},
            "not_counted": [
                {"reason": code, "orders": tally.orders, "amount_fen": tally.amount_fen}
                for code, tally in self.not_counted.items()
            ],
            "passed": self.passed,
            "published": None
            if published is None
            else {
                "notice": published.notice,
                "gmv_fen": published.gmv_fen,
                "orders": published.orders,
                "passed": published.passed,
                "subsidy_fen": published.subsidy_fen,
            },
        }
        return content if self.period.programme == MAIN else {"programme": self.period.programme, **content}


def progress_of(
    connection: Connection, period: Period, promoter_id: int, now: int, as_of: AsOf | None = None
) -> Progress:
    """How far a promoter is in a period.

    as_of   as it was known at a past moment; null: as it is now

    Raises BountyError if the period is not open, or the promoter is not on its roster.
    """
    see: See = as_it_is
    if as_of is not None:
        see = see_as_of(connection, as_of, period, lambda row: row.promoter_id == promoter_id)
    month = month_of(connection, promoter_id, period, see)
    if month is None:
        open_period(connection, period)
        raise BountyError(
            f"Promoter {promoter_id} is not on the roster of {period}: it has who was registered before "
            f"{period.first_day}, as known when it was opened."
        )
    bounds = {"period": str(period), "promoter_id": promoter_id}
    query = VERDICT_SUMS if as_of is None else see(verdict_totals(month.terms))
    tallies = {
        row.verdict if as_of is None else VERDICTS[row.verdict]: Tally(
            row.orders, row.amount_fen, row.capped_fen
        )
        for row in connection.execute(query, bounds)
    }
    return Progress(
        period=period,
        promoter_id=promoter_id,
        as_of=now if as_of is None else as_of.moment,
        level=month.level,
        reason=month.reason,
        void=month.void,
        target_gmv_fen=month.target_gmv_fen,
        target_orders=month.target_orders,
        derivation=month.derivation,
        counted=tallies.pop(COUNTED, Tally()),
        pending=tallies.pop(PENDING, Tally()),
        not_counted={clause.code: tallies[clause.code] for clause in TASK_CLAUSES if clause.code in tallies},
        published=month.published,
    )


@dataclass(frozen=True, slots=True)
class JudgedOrder:
    """One clause and whether it holds of one order."""

    clause: Clause
    holds: bool
    fact: FactValue
    bound: str

    def as_json(self) -> ClauseJson:
        """As docs/promises.md, JSON, has it."""
        return {"code": self.clause.code, "holds": self.holds, "fact": self.fact, "bound": self.bound}


@dataclass(frozen=True, slots=True)
class NoticeElsewhere:
    """A notice of another programme in which an order has a line."""

    period: Period
    number: int

    def __str__(self) -> str:
        """As ``bounty explain`` has it: ``main 2022-12 notice 1``."""
        return f"{self.period.programme} {self.period.name} notice {self.number}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an order counts or does not, and whether it earns."""

    order_sn: str
    promoter_id: int
    programme: str
    period: Period | None
    """The period in which it was paid; null for an order not paid."""
    level: str | None
    """The roster's, or, where the period is not open yet, the promoter's present one."""
    task: tuple[JudgedOrder, ...]
    subsidy: tuple[JudgedOrder, ...]
    counted_fen: int
    would_count_fen: int
    """What it counts, or would if every task clause held: its amount, at most the cap."""
    subsidy_fen: int | None
    """What the newest settlement of the period gave it, whole fen; null before there is one."""
    flags: tuple[OrderFlag, ...]
    """What is unknown of it, or in conflict, though it decides nothing by itself."""
    known: OrderContext
    """Its facts by column name, with link_channel, and the bounds and terms that they are compared with."""
    elsewhere: NoticeElsewhere | None
    """The notice that exclusive terms go by; null where no other programme gives the order anything."""

    def as_json(self) -> ExplanationJson:
        """As docs/promises.md, JSON, has it; with ``flags`` where something of the order is in conflict or missing
        that no clause shows by its fact."""
        flags = [str(flag) for flag in self.flags if flag in (OrderFlag.RECEIPT_UNKNOWN, OrderFlag.CONFLICT)]
        content: ExplanationJson = {
            "order_sn": self.order_sn,
            "promoter_id": self.promoter_id,
            "period": None if self.period is None else self.period.name,
            "task": {
                "counts": first_failing(self.task) is None,
                "counted_fen": self.counted_fen,
                "reason": first_failing(self.task),
                "clauses": [judged.as_json() for judged in self.task],
            },
            "subsidy": {
                "qualifies": first_failing(self.subsidy) is None,
                "reason": first_failing(self.subsidy),
                "subsidy_fen": self.subsidy_fen,
                "clauses": [judged.as_json() for judged in self.subsidy],
            },
        }
        if self.programme != MAIN:
            content = {"programme": self.programme, **content}
        return {**content, "flags": flags} if flags else content


def first_failing(clauses: tuple[JudgedOrder, ...]) -> str | None:
    """The reason: the code of the first clause that fails."""
    return next((judged.clause.code for judged in clauses if not judged.holds), None)


def explain(
    connection: Connection, order_sn: str, now: int, programme: str = MAIN, as_of: AsOf | None = None
) -> Explanation:
    """Every task and subsidy clause of an order's period in a programme, with the fact and the bound.

    An order that is not paid has no month; its clauses are evaluated for the month of its last change.

    as_of   as it was known at a past moment; null: as it is now

    Raises BountyError for an unknown order, saying so if it waits in quarantine, without terms, and where
    there is no such programme.
    """
    see: See = as_it_is
    if as_of is not None:
        require_order_in_tables(connection, order_sn)
        see = see_as_of(connection, as_of, None, lambda row: row.order_sn == order_sn)
        now = as_of.moment
    order = connection.execute(see(select(Order.__table__).where(Order.order_sn == order_sn))).first()
    if order is None and as_of is not None:
        raise BountyError(
            f"Order {order_sn} was not held on {as_of.words}.",
            f"{shown(as_of.moment)} 时还没有订单 {order_sn}。",
        )
    if order is None:
        raise BountyError(_unknown_order_text(connection, order_sn))
    day = shanghai_date(order.modified_at if order.paid_at is None else order.paid_at)
    require_programme(connection, programme)
    month = Period.of(day, cycle_or_month(connection, programme), programme)
    terms = terms_in_force(connection, month).terms
    bounds = bounds_of(month, terms)
    level = level_in(terms.levels, _level_in(connection, month, order.promoter_id, now))
    direct_only = terms.direct_only(level)
    settlement_id = _newest_settlement(connection, month, as_of)
    known_notices = _notices_elsewhere(connection, month, settlement_id, as_of)
    elsewhere = _line_elsewhere(connection, order_sn, known_notices)
    columns = BoundColumns(
        task_from=literal(bounds.task_from),
        task_until=literal(bounds.task_until),
        receipt_cutoff=literal(bounds.receipt_cutoff),
        month_from=literal(bounds.month_from),
        month_until=literal(bounds.month_until),
        direct_only=literal(int(direct_only)) == 1,
        elsewhere=known_notices,
    )
    lists = (TASK_CLAUSES, SUBSIDY_CLAUSES)
    row = connection.execute(see(judged_order(order_sn, lists, columns, terms, now))).mappings().one()
    known = OrderContext(
        facts={**row, "elsewhere": elsewhere and str(elsewhere)},
        bounds=bounds,
        direct_only=direct_only,
        terms=terms,
    )
    task, subsidy = (
        tuple(
            JudgedOrder(clause, bool(row[f"clause_{which}_{place}"]), clause.fact(known), clause.bound(known))
            for place, clause in enumerate(clauses)
        )
        for which, clauses in enumerate(lists)
    )
    counts = first_failing(task) is None
    return Explanation(
        programme=programme,
        order_sn=order_sn,
        promoter_id=order.promoter_id,
        period=None if order.paid_at is None else month,
        level=level,
        task=task,
        subsidy=subsidy,
        counted_fen=row["capped_fen"] if counts else 0,
        would_count_fen=row["capped_fen"],
        subsidy_fen=None if order.paid_at is None else _subsidy_given(connection, order_sn, settlement_id),
        flags=flags_of_order(row),
        known=known,
        elsewhere=elsewhere,
    )


def _unknown_order_text(connection: Connection, order_sn: str) -> str:
    waits = connection.execute(
        select(Quarantined.quarantine_id, Quarantined.code, Quarantined.sentence_en, Quarantined.sentence_zh)
        .where(Quarantined.kind == "orders", Quarantined.subject == order_sn, Quarantined.closed_at.is_(None))
        .order_by(Quarantined.quarantine_id)
        .limit(1)
    ).first()
    if waits is None:
        return f"Order {order_sn} is not held: no batch has brought it yet."
    return (
        f"Order {order_sn} waits in quarantine as entry {waits.quarantine_id}: {waits.code} {waits.sentence_en} / "
        f"{waits.sentence_zh}"
    )


def _newest_settlement(connection: Connection, period: Period, as_of: AsOf | None) -> int | None:
    newest = select(func.max(Settlement.settlement_id)).where(Settlement.period == str(period))
    if as_of is not None:
        newest = newest.where(Settlement.settled_at <= as_of.moment)
    number: int | None = connection.execute(newest).scalar()
    return number


def _notices_elsewhere(
    connection: Connection, period: Period, settlement_id: int | None, as_of: AsOf | None
) -> Settlements:
    """The settlements of the notices of other programmes that a settlement of a period went by; before it has one, of
    those that stand now."""
    if settlement_id is not None:
        return select(KnownNotice.other_id).where(KnownNotice.settlement_id == settlement_id)
    if as_of is not None:
        return notices_known(connection, as_of, period)
    return newest_notices_elsewhere(literal(str(period)))


def _line_elsewhere(
    connection: Connection, order_sn: str, settlements: Settlements
) -> NoticeElsewhere | None:
    """Where an order has a line in these; null where it has none."""
    promoters = promoters_of_order(order_sn)
    found = connection.execute(
        select(Notice.period, Notice.notice)
        .join(Line, Line.settlement_id == Notice.settlement_id)
        .where(
            Line.promoter_id.in_(promoters),
            Line.order_sn == order_sn,
            Line.settlement_id.in_(settlements),
        )
        .order_by(Notice.period)
        .limit(1)
    ).first()
    if found is None:
        return None
    return NoticeElsewhere(Period.parse(found.period), found.notice)


def _level_in(connection: Connection, month: Period, promoter_id: int, now: int) -> str | None:
    frozen = connection.execute(
        select(RosterEntry.level).where(
            RosterEntry.promoter_id == promoter_id, RosterEntry.period == str(month)
        )
    ).first()
    if frozen is not None:
        level: str | None = frozen.level
        return level
    return connection.execute(
        select(Level.level)
        .where(Level.promoter_id == promoter_id, Level.level_from <= shanghai_date(now))
        .order_by(Level.level_from.desc())
        .limit(1)
    ).scalar()


def _subsidy_given(connection: Connection, order_sn: str, settlement_id: int | None) -> int | None:
    """What a settlement gives to an order, whole fen; null without a settlement."""
    if settlement_id is None:
        return None
    # The order may have moved to another promoter since: look under every one it ever had.
    promoters = promoters_of_order(order_sn)
    given = connection.execute(
        select(Line.subsidy_fen).where(
            Line.promoter_id.in_(promoters), Line.settlement_id == settlement_id, Line.order_sn == order_sn
        )
    ).scalar()
    return given or 0
