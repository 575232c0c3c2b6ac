"""The clauses: each one's code, its sentence in both languages, its expression, and how its fact and bound are shown.

This list is the only definition of what counts. The measure, the reason, the explanation of one order, the history
behind a target and the words on the page are all made from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, not_, or_, select, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from bounty.clock import shown
from bounty.models import CategorySet, Link
from bounty.rules.periods import Bounds
from bounty.rules.terms import Terms

Facts = ReadOnlyColumnCollection[str, Any]
"""The columns of ``orders``, or of any relation that has them."""
FAILED_STATUSES = (4, 10)
NO_COMMISSION_STATUSES = (-1, 8)


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
    """Its sentence in Chinese, with the terms' numbers."""
    en: Callable[[Terms], str]
    """The same in English."""
    holds: Callable[[Facts, BoundColumns, Terms], ColumnElement[bool]]
    """True or false, never null, whatever is unknown: a null would be neither a reason nor a pass. So each expression
    says what an unknown fact means; and databases plan by what it says, which they don't through CASE."""
    fact: Callable[[OrderContext], Any]
    """The fact it looks at, for a person."""
    bound: Callable[[OrderContext], str]
    """What the fact is held against."""


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
    sets = select(CategorySet.cat_ids).where(CategorySet.category_id.in_(terms.virtual.category_ids))
    return or_(_is_one_of(facts.type, terms.virtual.types), _is_one_of(facts.cat_ids, sets))


def _is_one_of(fact: ColumnElement[Any], values: Any) -> ColumnElement[bool]:
    return and_(fact.is_not(None), fact.in_(values))


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
    zh=lambda terms: (
        f"付款时间在任务期内：当月 {terms.task.first_day} 日 0 点至 {terms.task.last_day} 日 24 点"
    ),
    en=lambda terms: (
        f"paid in the task window: day {terms.task.first_day} 00:00 to day {terms.task.last_day} 24:00 of the month"
    ),
    holds=lambda facts, bounds, _: and_(
        facts.paid_at.is_not(None), facts.paid_at >= bounds.task_from, facts.paid_at < bounds.task_until
    ),
    fact=lambda known: _instant(known.facts["paid_at"]),
    bound=lambda known: _window(known.bounds.task_from, known.bounds.task_until),
)
PAID_IN_MONTH = Clause(
    "PAID_IN_MONTH",
    zh=lambda _: "付款时间在当月（自然月）内",
    en=lambda _: "paid in the calendar month",
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
NOT_FAILED_BY_CUTOFF = Clause(
    "NOT_FAILED",
    zh=lambda terms: f"到次月 {terms.task.receipt_cutoff_day} 日 24 点未发生退款、审核失败或处罚",
    en=lambda terms: (
        f"not refunded, failed or punished by day {terms.task.receipt_cutoff_day} 24:00 of the next month"
    ),
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
    zh=lambda terms: f"次月 {terms.task.receipt_cutoff_day} 日 24 点前确认收货",
    en=lambda terms: f"received before day {terms.task.receipt_cutoff_day} 24:00 of the next month",
    holds=lambda facts, bounds, _: and_(
        facts.received_at.is_not(None), facts.received_at < bounds.receipt_cutoff
    ),
    fact=lambda known: _instant(known.facts["received_at"]),
    bound=lambda known: f"< {shown(known.bounds.receipt_cutoff)}",
)
_LINKS = {
    "any": ("推广链接不限来源", "links of any origin", "any"),
    "app_or_unknown": (
        "推广链接不是在 APP 以外生成",
        "a link not known to be made outside the app",
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

TASK_CLAUSES = (
    PAID_IN_WINDOW,
    COMMISSIONABLE,
    DIRECT,
    NOT_VIRTUAL,
    NOT_PRICE_COMPARE_FOR_TASK,
    NOT_FAILED_BY_CUTOFF,
    RECEIVED_IN_TIME,
)
"""An order counts for its promoter's task when all of these hold."""
SUBSIDY_CLAUSES = (
    PAID_IN_MONTH,
    COMMISSIONABLE,
    NOT_VIRTUAL,
    NOT_PRICE_COMPARE_FOR_SUBSIDY,
    NOT_FAILED_AT_ALL,
    APP_LINK,
)
"""An order of a promoter who passed earns a subsidy when all of these hold."""


def all_hold(
    clauses: tuple[Clause, ...], facts: Facts, bounds: BoundColumns, terms: Terms
) -> ColumnElement[bool]:
    """Whether every clause holds."""
    return and_(*(clause.holds(facts, bounds, terms) for clause in clauses))


def reason(
    clauses: tuple[Clause, ...], facts: Facts, bounds: BoundColumns, terms: Terms
) -> ColumnElement[str | None]:
    """The code of the first clause that fails; null if none does."""
    fails = [(not_(clause.holds(facts, bounds, terms)), literal(clause.code)) for clause in clauses]
    return case(*fails, else_=None)


def _is(fact: ColumnElement[Any], value: int) -> ColumnElement[bool]:
    return and_(fact.is_not(None), fact == value)


def _ordinary(facts: Facts) -> ColumnElement[bool]:
    return or_(facts.price_compare_status.is_(None), facts.price_compare_status != 1)


def _direct_levels(terms: Terms) -> list[str]:
    return sorted(name for name, level in terms.levels.items() if level.direct_only)


def _direct_zh(levels: list[str]) -> str:
    return f"直推订单（{'、'.join(levels)}；其余等级不限）" if levels else "直推与非直推订单都可以"


def _direct_en(levels: list[str]) -> str:
    return (
        f"a direct-push order (for {', '.join(levels)}; others are free)" if levels else "direct or indirect"
    )
