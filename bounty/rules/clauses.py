"""The clauses: each one's code, its sentence in both languages, its expression, and how its fact and bound are shown.

This list is the only definition of what counts. The measure, the reason, the explanation of one order, the history
behind a target and the words on the page are all made from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, not_, or_, select, true

from bounty.clock import shown
from bounty.db import Columns
from bounty.models import CategorySet, Line, Link, Notice, OrderVersion
from bounty.money import grouped_yuan
from bounty.rules.newest_notice import is_newest
from bounty.rules.periods import Bounds, programme_in_sql
from bounty.rules.terms import MONTH, Terms

Facts = Columns
"""The columns of ``orders``, or of any relation that has them."""
FactValue = str | int | bool | None
"""A fact of an order, as a person is shown it."""
_Fact = TypeVar("_Fact")
FAILED_STATUSES = (4, 10)
NO_COMMISSION_STATUSES = (-1, 8)
Settlements = Select[int] | list[int]
"""Numbers of settlements, or a statement that gives them."""


@dataclass(frozen=True, slots=True)
class BoundColumns:
    """A period's bounds as columns of a relation, so that one list of clauses serves one month or many."""

    task_from: ColumnElement[int]
    task_until: ColumnElement[int]
    receipt_cutoff: ColumnElement[int]
    month_from: ColumnElement[int]
    month_until: ColumnElement[int]
    direct_only: ColumnElement[bool]
    """Of the promoter's level."""
    elsewhere: Settlements | None = None
    """The settlements whose lines keep an order from earning where terms are exclusive: of the newest notices of other
    programmes. Null where nobody asks."""


@dataclass(frozen=True, slots=True)
class OrderContext:
    """What is known of one order and its month when a clause is shown to a person."""

    facts: Mapping[str, Any]
    """Of the order, by column name; with link_channel."""
    bounds: Bounds
    direct_only: bool
    terms: Terms


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of the rules (docs/promises.md, The rules)."""

    code: str
    zh: Callable[[Terms], str]
    """Its sentence in Chinese, with the terms' numbers; blank where the terms ask nothing that a reader must know."""
    en: Callable[[Terms], str]
    """The same in English."""
    holds: Callable[[Facts, BoundColumns, Terms], ColumnElement[bool]]
    """True or false, never null, whatever is unknown: a null would be neither a reason nor a pass. So each expression
    says what an unknown fact means; and databases plan by it, which they don't through CASE."""
    fact: Callable[[OrderContext], FactValue]
    """The fact it looks at, for a person."""
    bound: Callable[[OrderContext], str]
    """What the fact is compared with."""


def link_channel(facts: Facts) -> ColumnElement[str]:
    """app, other or unknown, from the links table. A scalar subquery, so that the facts stay the only table."""
    return func.coalesce(_link(facts).scalar_subquery(), literal("unknown"))


def _link(facts: Facts) -> Select[str]:
    return (
        select(Link.channel)
        .where(Link.promoter_id == facts.promoter_id, Link.p_id == facts.p_id)
        .correlate_except(Link)
    )


def virtual(facts: Facts, terms: Terms) -> ColumnElement[bool]:
    """Whether an order is one of virtual goods; an unknown type or category makes none."""
    return or_(_is_one_of(facts.type, terms.virtual.types), _has_category(facts, terms.virtual.category_ids))


def _has_category(facts: Facts, category_ids: list[int]) -> ColumnElement[bool]:
    """Whether at least one of an order's categories is among these; no if they are unknown."""
    return _is_one_of(
        facts.cat_ids, select(CategorySet.cat_ids).where(CategorySet.category_id.in_(category_ids))
    )


def _is_one_of(fact: ColumnElement[_Fact], values: Sequence[_Fact] | Select[_Fact]) -> ColumnElement[bool]:
    return and_(fact.is_not(None), fact.in_(values))


def newest_notices_elsewhere(period: ColumnElement[str]) -> Select[int]:
    """The settlements of the newest notices of other programmes than a period's."""
    every = Notice.__table__.alias("elsewhere")
    return (
        select(every.c.settlement_id)
        .where(programme_in_sql(every.c.period) != programme_in_sql(period), is_newest(every.c))
        .correlate_except(every)
    )


def _has_line_in(facts: Facts, settlements: Settlements) -> ColumnElement[bool]:
    """Whether an order has a line in some settlements, whichever promoter had it then.

    Rows that are archived name no other promoter than the order.
    """
    line = Line.__table__.alias("own_line_elsewhere")
    own = (
        select(line.c.promoter_id)
        .where(
            line.c.promoter_id == facts.promoter_id,
            line.c.order_sn == facts.order_sn,
            line.c.settlement_id.in_(settlements),
        )
        .correlate_except(line)
    )
    return or_(own.exists(), _line_of_any_promoter(facts, settlements).exists())


def _line_of_any_promoter(facts: Facts, settlements: Settlements) -> Select[int]:
    """The lines that an order has in some settlements, of every promoter whom a row of it names."""
    lines, versions = (
        Line.__table__.alias("line_elsewhere"),
        OrderVersion.__table__.alias("version_elsewhere"),
    )
    line, version = lines.c, versions.c
    # By promoter first, as lines are looked up; a join, because Spark correlates no subquery within a subquery.
    return (
        select(line.promoter_id)
        .select_from(versions)
        .join(lines, and_(line.promoter_id == version.promoter_id, line.order_sn == version.order_sn))
        .where(version.order_sn == facts.order_sn, line.settlement_id.in_(settlements))
        .correlate_except(versions, lines)
    )


def _instant(value: int | None) -> str | None:
    return None if value is None else shown(value)


def _window(start: int, end: int) -> str:
    return f"[{shown(start)}, {shown(end)})"


def _ids(values: list[int]) -> str:
    return ", ".join(map(str, sorted(set(values)))) or "none"


def _virtual_fact(known: OrderContext) -> str:
    kind = known.facts["type"]
    return f"type {'unknown' if kind is None else kind}; cat_ids {known.facts['cat_ids'] or 'unknown'}"


PAID_IN_WINDOW = Clause(
    "PAID_IN_WINDOW",
    zh=lambda terms: f"付款时间在任务期内：{_first_day_zh(terms)} 0 点至{_last_day_zh(terms)} 24 点",
    en=lambda terms: (
        f"paid in the task window: {_day_en(terms, terms.task.first_day)} to the end of {_last_day_en(terms)} of the "
        f"{'month' if terms.cycle == MONTH else 'half-month'}"
    ),
    holds=lambda facts, bounds, _: and_(
        facts.paid_at.is_not(None), facts.paid_at >= bounds.task_from, facts.paid_at < bounds.task_until
    ),
    fact=lambda known: _instant(known.facts["paid_at"]),
    bound=lambda known: _window(known.bounds.task_from, known.bounds.task_until),
)
PAID_IN_MONTH = Clause(
    "PAID_IN_MONTH",
    zh=lambda terms: f"付款时间在{'当月（自然月）' if terms.cycle == MONTH else '当期（半个月）'}内",
    en=lambda terms: f"paid in the {'calendar month' if terms.cycle == MONTH else 'half-month'}",
    holds=lambda facts, bounds, _: and_(
        facts.paid_at.is_not(None), facts.paid_at >= bounds.month_from, facts.paid_at < bounds.month_until
    ),
    fact=lambda known: _instant(known.facts["paid_at"]),
    bound=lambda known: _window(known.bounds.month_from, known.bounds.month_until),
)
COMMISSIONABLE = Clause(
    "COMMISSIONABLE",
    zh=lambda _: "已支付且属于多多进宝商品",
    en=lambda _: "paid, and of goods that carry commission",
    holds=lambda facts, *_: facts.order_status.not_in(NO_COMMISSION_STATUSES),
    fact=lambda known: known.facts["order_status"],
    bound=lambda _: "order_status is not -1 and not 8",
)
DIRECT = Clause(
    "DIRECT",
    zh=lambda terms: _direct_zh(_direct_levels(terms)),
    en=lambda terms: _direct_en(_direct_levels(terms)),
    holds=lambda facts, bounds, _: or_(not_(bounds.direct_only), _is(facts.is_direct, 1)),
    fact=lambda known: known.facts["is_direct"],
    bound=lambda known: (
        "is_direct is 1" if known.direct_only else "any: the level counts direct and indirect orders"
    ),
)
NOT_VIRTUAL = Clause(
    "NOT_VIRTUAL",
    zh=lambda _: "不是虚拟商品",
    en=lambda _: "not virtual goods",
    holds=lambda facts, _, terms: not_(virtual(facts, terms)),
    fact=_virtual_fact,
    bound=lambda known: (
        f"type is none of: {_ids(known.terms.virtual.types)}; "
        f"cat_ids has none of: {_ids(known.terms.virtual.category_ids)}"
    ),
)
NOT_PRICE_COMPARE_FOR_TASK = Clause(
    "NOT_PRICE_COMPARE",
    zh=lambda terms: "比价订单也计入" if terms.task.count_price_compare else "不是比价订单",
    en=lambda terms: (
        "price-comparison orders count too" if terms.task.count_price_compare else "not price comparison"
    ),
    holds=lambda facts, _, terms: true() if terms.task.count_price_compare else _ordinary(facts),
    fact=lambda known: known.facts["price_compare_status"],
    bound=lambda known: (
        "any: the task counts price-comparison orders"
        if known.terms.task.count_price_compare
        else "price_compare_status is not 1"
    ),
)
NOT_PRICE_COMPARE_FOR_SUBSIDY = Clause(
    "NOT_PRICE_COMPARE",
    zh=lambda terms: "比价订单也有补贴" if terms.subsidy.include_price_compare else "不是比价订单",
    en=lambda terms: (
        "price-comparison orders earn too" if terms.subsidy.include_price_compare else "not price comparison"
    ),
    holds=lambda facts, _, terms: true() if terms.subsidy.include_price_compare else _ordinary(facts),
    fact=lambda known: known.facts["price_compare_status"],
    bound=lambda known: (
        "any: the subsidy includes price-comparison orders"
        if known.terms.subsidy.include_price_compare
        else "price_compare_status is not 1"
    ),
)
IN_CATEGORY = Clause(
    "IN_CATEGORY",
    zh=lambda terms: (
        f"商品类目属于 {_ids(terms.task.category_ids)} 之一" if terms.task.category_ids is not None else ""
    ),
    en=lambda terms: (
        f"of a category among {_ids(terms.task.category_ids)}" if terms.task.category_ids is not None else ""
    ),
    holds=lambda facts, _, terms: (
        true() if terms.task.category_ids is None else _has_category(facts, terms.task.category_ids)
    ),
    fact=lambda known: known.facts["cat_ids"],
    bound=lambda known: (
        "any: the terms name no categories"
        if known.terms.task.category_ids is None
        else f"cat_ids has one of: {_ids(known.terms.task.category_ids)}"
    ),
)
AT_LEAST_MINIMUM = Clause(
    "AT_LEAST_MINIMUM",
    zh=lambda terms: (
        f"实付金额不低于 {grouped_yuan(terms.task.min_order_fen)}"
        if terms.task.min_order_fen is not None
        else ""
    ),
    en=lambda terms: (
        f"of at least {grouped_yuan(terms.task.min_order_fen)}"
        if terms.task.min_order_fen is not None
        else ""
    ),
    holds=lambda facts, _, terms: (
        true() if terms.task.min_order_fen is None else facts.order_amount_fen >= terms.task.min_order_fen
    ),
    fact=lambda known: known.facts["order_amount_fen"],
    bound=lambda known: (
        "any: the terms name no minimum"
        if known.terms.task.min_order_fen is None
        else f">= {known.terms.task.min_order_fen} fen"
    ),
)
NOT_LIVE_ROOM_FOR_TASK = Clause(
    "NOT_LIVE_ROOM",
    zh=lambda terms: "直播间订单也计入" if terms.task.count_live_room else "不是直播间订单",
    en=lambda terms: "live-room orders count too" if terms.task.count_live_room else "not a live-room order",
    holds=lambda facts, _, terms: true() if terms.task.count_live_room else facts.live_room.is_(None),
    fact=lambda known: known.facts["live_room"],
    bound=lambda known: (
        "any: the task counts live-room orders"
        if known.terms.task.count_live_room
        else "no sep_duo_id above 0 and no sep_pid"
    ),
)
NOT_LIVE_ROOM_FOR_SUBSIDY = Clause(
    "NOT_LIVE_ROOM",
    zh=lambda terms: "直播间订单也有补贴" if terms.subsidy.include_live_room else "不是直播间订单",
    en=lambda terms: (
        "live-room orders earn too" if terms.subsidy.include_live_room else "not a live-room order"
    ),
    holds=lambda facts, _, terms: true() if terms.subsidy.include_live_room else facts.live_room.is_(None),
    fact=lambda known: known.facts["live_room"],
    bound=lambda known: (
        "any: the subsidy includes live-room orders"
        if known.terms.subsidy.include_live_room
        else "no sep_duo_id above 0 and no sep_pid"
    ),
)
NOT_FAILED_BY_CUTOFF = Clause(
    "NOT_FAILED",
    zh=lambda terms: f"到{cutoff_zh(terms)}未发生退款、审核失败或处罚",
    en=lambda terms: f"not refunded, failed or punished by {cutoff_en(terms)}",
    holds=lambda facts, bounds, _: or_(facts.failed_at.is_(None), facts.failed_at >= bounds.receipt_cutoff),
    fact=lambda known: _instant(known.facts["failed_at"]),
    bound=lambda known: f"null or >= {shown(known.bounds.receipt_cutoff)}",
)
NOT_FAILED_AT_ALL = Clause(
    "NOT_FAILED",
    zh=lambda _: "未发生退款、审核失败或处罚",
    en=lambda _: "not refunded, failed or punished",
    holds=lambda facts, *_: facts.failed_at.is_(None),
    fact=lambda known: _instant(known.facts["failed_at"]),
    bound=lambda _: "null",
)
RECEIVED_IN_TIME = Clause(
    "RECEIVED_IN_TIME",
    zh=lambda terms: f"{cutoff_zh(terms)}前确认收货",
    en=lambda terms: f"received by {cutoff_en(terms)}",
    holds=lambda facts, bounds, _: and_(
        facts.received_at.is_not(None), facts.received_at < bounds.receipt_cutoff
    ),
    fact=lambda known: _instant(known.facts["received_at"]),
    bound=lambda known: f"< {shown(known.bounds.receipt_cutoff)}",
)
_LINKS = {
    "any": ("推广链接不限来源", "links of any origin", "any"),
    "app_or_unknown": (
        "推广链接须在 APP 内生成（来源不明的也算）",
        "a link made in the app, or of unknown origin",
        "app or unknown",
    ),
    "app": ("推广链接在官方 APP 生成", "a link made in the official app", "app"),
}
APP_LINK = Clause(
    "APP_LINK",
    zh=lambda terms: _LINKS[terms.subsidy.links][0],
    en=lambda terms: _LINKS[terms.subsidy.links][1],
    holds=lambda facts, _, terms: {
        "any": true(),
        "app_or_unknown": not_(_link(facts).where(Link.channel == "other").exists()),
        "app": _link(facts).where(Link.channel == "app").exists(),
    }[terms.subsidy.links],
    fact=lambda known: known.facts["link_channel"],
    bound=lambda known: _LINKS[known.terms.subsidy.links][2],
)
NOT_IN_OTHER_PROGRAMME = Clause(
    "NOT_IN_OTHER_PROGRAMME",
    zh=lambda terms: "没有在其他项目的公示中获得补贴" if terms.subsidy.exclusive else "",
    en=lambda terms: "without a subsidy in a notice of another programme" if terms.subsidy.exclusive else "",
    holds=lambda facts, bounds, terms: (
        not_(_has_line_in(facts, bounds.elsewhere))
        if terms.subsidy.exclusive and bounds.elsewhere is not None
        else true()
    ),
    fact=lambda known: known.facts.get("elsewhere"),
    bound=lambda known: (
        "no line in the newest notice of another programme"
        if known.terms.subsidy.exclusive
        else "any: the subsidy does not ask for other programmes"
    ),
)

TASK_CLAUSES = (
    PAID_IN_WINDOW,
    COMMISSIONABLE,
    DIRECT,
    NOT_VIRTUAL,
    IN_CATEGORY,
    AT_LEAST_MINIMUM,
    NOT_PRICE_COMPARE_FOR_TASK,
    NOT_LIVE_ROOM_FOR_TASK,
    NOT_FAILED_BY_CUTOFF,
    RECEIVED_IN_TIME,
)
"""An order counts for its promoter's task when all of these hold."""
SUBSIDY_CLAUSES = (
    PAID_IN_MONTH,
    COMMISSIONABLE,
    NOT_VIRTUAL,
    NOT_PRICE_COMPARE_FOR_SUBSIDY,
    NOT_LIVE_ROOM_FOR_SUBSIDY,
    NOT_FAILED_AT_ALL,
    APP_LINK,
    NOT_IN_OTHER_PROGRAMME,
)
"""An order of a promoter who passed earns a subsidy when all of these hold."""


def all_hold(
    clauses: tuple[Clause, ...], facts: Facts, bounds: BoundColumns, terms: Terms
) -> ColumnElement[bool]:
    """Whether every clause holds."""
    return and_(*(clause.holds(facts, bounds, terms) for clause in clauses))


def sentences(clauses: tuple[Clause, ...], terms: Terms, *, chinese: bool) -> list[str]:
    """What the clauses ask, in words; without those that ask nothing by these terms."""
    sentences = (clause.zh(terms) if chinese else clause.en(terms) for clause in clauses)
    return [sentence for sentence in sentences if sentence]


def reason(
    clauses: tuple[Clause, ...], facts: Facts, bounds: BoundColumns, terms: Terms
) -> ColumnElement[str | None]:
    """The code of the first clause that fails; null if none does."""
    fails = [(not_(clause.holds(facts, bounds, terms)), literal(clause.code)) for clause in clauses]
    return case(*fails, else_=None)


def _is(fact: ColumnElement[int], value: int) -> ColumnElement[bool]:
    return and_(fact.is_not(None), fact == value)


def _ordinary(facts: Facts) -> ColumnElement[bool]:
    return or_(facts.price_compare_status.is_(None), facts.price_compare_status != 1)


def cutoff_zh(terms: Terms) -> str:
    """The receipt cutoff in Chinese, by the end of a day."""
    if terms.cycle == MONTH:
        return f"次月 {terms.task.receipt_cutoff_day} 日 24 点"
    return f"期末后第 {terms.task.receipt_cutoff_days} 日 24 点"


def cutoff_en(terms: Terms) -> str:
    """The same in English."""
    if terms.task.receipt_cutoff_day is not None:
        return f"the end of {_day_en(terms, terms.task.receipt_cutoff_day)} of the next month"
    return f"the end of day {terms.task.receipt_cutoff_days} after the half-month"


def _first_day_zh(terms: Terms) -> str:
    return (
        f"当月 {terms.task.first_day} 日" if terms.cycle == MONTH else f"半月内第 {terms.task.first_day} 日"
    )


def _last_day_zh(terms: Terms) -> str:
    if terms.task.last_day == "end":
        return "最后一日"
    return f" {terms.task.last_day} 日" if terms.cycle == MONTH else f"第 {terms.task.last_day} 日"


def _last_day_en(terms: Terms) -> str:
    return "the last day" if terms.task.last_day == "end" else _day_en(terms, terms.task.last_day)


def _day_en(terms: Terms, day: int) -> str:
    """``the 2nd`` of a month, ``day 2`` of a half-month."""
    if terms.cycle != MONTH:
        return f"day {day}"
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"the {day}{ending}"


def _direct_levels(terms: Terms) -> list[str]:
    return sorted(name for name, level in terms.levels.items() if level.direct_only)


def _direct_zh(levels: list[str]) -> str:
    return f"直推订单（{'、'.join(levels)}；其余等级不限）" if levels else "直推与非直推订单都可以"


def _direct_en(levels: list[str]) -> str:
    return f"a direct-push order ({', '.join(levels)} only)" if levels else "direct or indirect"
