"""The clauses as a promoter reads them: a name, one order's fact, what is required of it, and why not, in a few words.

Every text is a pair, in Chinese and in English; a reader sees one of them. What holds is decided in ``clauses``
alone: nothing here decides whether an order counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bounty.clock import shanghai_date, shown
from bounty.money import grouped_yuan
from bounty.rules.clauses import (
    APP_LINK,
    AT_LEAST_MINIMUM,
    COMMISSIONABLE,
    DIRECT,
    IN_CATEGORY,
    NOT_FAILED_AT_ALL,
    NOT_FAILED_BY_CUTOFF,
    NOT_IN_OTHER_PROGRAMME,
    NOT_LIVE_ROOM_FOR_SUBSIDY,
    NOT_LIVE_ROOM_FOR_TASK,
    NOT_PRICE_COMPARE_FOR_SUBSIDY,
    NOT_PRICE_COMPARE_FOR_TASK,
    NOT_VIRTUAL,
    PAID_IN_MONTH,
    PAID_IN_WINDOW,
    RECEIVED_IN_TIME,
    Clause,
    OrderContext,
)

BothLanguages = tuple[str, str]
"""A sentence in Chinese and in English."""

STATUSES: dict[int, BothLanguages] = {
    -1: ("未支付", "not paid"),
    0: ("已支付", "paid"),
    1: ("已成团", "grouped"),
    2: ("确认收货", "received"),
    3: ("审核成功", "audit passed"),
    4: ("审核失败", "audit failed"),
    5: ("已结算", "settled"),
    8: ("非多多进宝商品", "goods without commission"),
    10: ("已处罚", "punished"),
}
"""The platform's codes in its own words."""


@dataclass(frozen=True, slots=True)
class ClauseText:
    """One clause in plain words."""

    name: BothLanguages
    fact: Callable[[OrderContext], BothLanguages]
    """Of the one order."""
    required: Callable[[OrderContext], BothLanguages]
    """What would hold."""
    why_not: Callable[[OrderContext], BothLanguages]
    """For an order of which it does not hold: the reason, as short as a table has room for."""
    if_only: Callable[[OrderContext], BothLanguages | None]
    """What would have made it hold, to be followed by what the order would have counted; null where nothing can."""
    short: BothLanguages = ("", "")
    """Of a clause of the task: the reason it gives, as short as a link."""


def deadline_text(instant: int, *, year: bool = False) -> BothLanguages:
    """The end of a half-open window, as every page and message for people says it: a midnight is the end of the day
    before.

    year   whether to name it, for what may be far off

    >>> deadline_text(1671552000), deadline_text(1671551999)
    (('12-20 24 点', '20 Dec, end of day'), ('12-20 23:59:59', '20 Dec, 23:59:59'))
    >>> deadline_text(1671552000, year=True)
    ('2022-12-20 24 点', '20 Dec 2022, end of day')
    """
    midnight = not (instant + 28_800) % 86_400
    last = shanghai_date(instant - 1 if midnight else instant)
    zh, en = f"{last:%m-%d}", f"{last.day} {last:%b}"
    if year:
        zh, en = f"{last.year}-{zh}", f"{en} {last.year}"
    clock = shown(instant)[11:19]
    return (f"{zh} 24 点", f"{en}, end of day") if midnight else (f"{zh} {clock}", f"{en}, {clock}")


def duration_text(seconds: int, *, parts: int = 3) -> BothLanguages:
    """How long, in whole days, hours and minutes; the largest ``parts`` of them, the rest dropped.

    >>> duration_text(120_660), duration_text(5 * 86_400 + 32_400, parts=2), duration_text(59)
    (('1 天 9 小时 31 分', '1 d 9 h 31 min'), ('5 天 9 小时', '5 d 9 h'), ('不到 1 分', 'less than 1 min'))
    """
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    amounts = ((days, "天", "d"), (hours, "小时", "h"), (minutes, "分", "min"))
    some = [amount for amount in amounts if amount[0]][:parts]
    if not some:
        return "不到 1 分", "less than 1 min"
    return " ".join(f"{n} {zh}" for n, zh, _ in some), " ".join(f"{n} {en}" for n, _, en in some)


def failure_text(order_status: int, return_status: int | None) -> BothLanguages:
    """What made an order fail.

    >>> failure_text(10, None), failure_text(4, 2), failure_text(2, 2)
    (('已处罚', 'punished'), ('审核失败', 'audit failed'), ('已退款', 'refunded'))
    """
    if order_status in (4, 10):
        return STATUSES[order_status]
    return ("已退款", "refunded") if return_status == 2 else ("曾失败", "failed")


def _clock(instant: int) -> str:
    """``12-20 23:59:59``."""
    return shown(instant)[5:19].replace("T", " ")


def _full(instant: int) -> str:
    """``2022-12-20 23:59:59``."""
    return shown(instant)[:19].replace("T", " ")


def _both(words: str) -> BothLanguages:
    return words, words


def _paid(known: OrderContext) -> BothLanguages:
    at = known.facts["paid_at"]
    return ("未付款", "not paid") if at is None else (f"{_full(at)} 付款", f"paid {_full(at)}")


def _window(start: int, end: int) -> BothLanguages:
    first, (zh, en) = shanghai_date(start), deadline_text(end)
    return f"{first:%m-%d} 0 点至 {zh}", f"from {first.day} {first:%b} to {en}"


def _if_in_window(window: BothLanguages) -> BothLanguages:
    zh, en = window
    return f"若在 {zh}付款", f"Paid {en}"


def _not_in_window(known: OrderContext) -> BothLanguages:
    at = known.facts["paid_at"]
    if at is None:
        return "未付款", "not paid"
    if at < known.bounds.task_from:
        return "付款早于任务期", "paid before the task window"
    zh, en = deadline_text(known.bounds.task_until)
    return f"付款晚于任务期（{zh}截止）", f"paid after the task window, which closed on {en}"


def _not_in_month(known: OrderContext) -> BothLanguages:
    return (
        ("未付款", "not paid")
        if known.facts["paid_at"] is None
        else ("付款不在当月", "paid in another month")
    )


def _status(known: OrderContext) -> BothLanguages:
    code = known.facts["order_status"]
    zh, en = STATUSES.get(code, (str(code), str(code)))
    return f"状态：{zh}", f"state: {en}"


def _without_commission(known: OrderContext) -> BothLanguages:
    return STATUSES[known.facts["order_status"]]


def _direct(known: OrderContext) -> BothLanguages:
    return {
        1: ("是直推", "direct"),
        0: ("非直推", "indirect"),
        None: ("未知，按非直推", "unknown, taken as indirect"),
    }[known.facts["is_direct"]]


def _level_counts(known: OrderContext) -> BothLanguages:
    if known.direct_only:
        return "该等级只计直推订单", "the level counts direct orders only"
    return "该等级直推与非直推都计", "the level counts direct and indirect orders"


def _goods(known: OrderContext) -> BothLanguages:
    kind, categories = known.facts["type"], known.facts["cat_ids"]
    zh = f"类型 {'未知' if kind is None else kind}，类目 {categories or '未知'}"
    return zh, f"type {'unknown' if kind is None else kind}, categories {categories or 'unknown'}"


def _virtual(known: OrderContext) -> BothLanguages:
    kind, virtual = known.facts["type"], known.terms.virtual
    if kind in virtual.types:
        return f"虚拟商品：类型 {kind}", f"virtual goods: type {kind}"
    ids = set((known.facts["cat_ids"] or "").split(";"))
    found = "、".join(str(each) for each in virtual.category_ids if str(each) in ids)
    return f"虚拟商品：类目 {found}", f"virtual goods: category {found}"


def _categories(known: OrderContext) -> BothLanguages:
    held = known.facts["cat_ids"]
    return ("类目未知", "categories unknown") if held is None else (f"类目 {held}", f"categories {held}")


def _categories_required(known: OrderContext) -> BothLanguages:
    category_ids = known.terms.task.category_ids
    if category_ids is None:
        return "本期条款不限类目", "by these terms any category counts"
    ids = ", ".join(map(str, sorted(set(category_ids))))
    return f"至少一个类目在 {ids} 之中", f"at least one category among {ids}"


def _amount(known: OrderContext) -> BothLanguages:
    return _both(f"{grouped_yuan(known.facts['order_amount_fen'])}")


def _minimum_required(known: OrderContext) -> BothLanguages:
    least = known.terms.task.min_order_fen
    if least is None:
        return "本期条款不设最低金额", "by these terms any amount counts"
    return f"不低于 {grouped_yuan(least)}", f"at least {grouped_yuan(least)}"


def _live_room(known: OrderContext) -> BothLanguages:
    room = known.facts["live_room"]
    if room is None:
        return "不是直播间订单", "not a live-room order"
    return f"直播间 {room} 的订单", f"an order of live room {room}"


def _not_live_room(
    also: Callable[[OrderContext], bool], zh: str, en: str
) -> Callable[[OrderContext], BothLanguages]:
    return lambda known: (zh, en) if also(known) else ("不是直播间订单", "not a live-room order")


def _price_compare(known: OrderContext) -> BothLanguages:
    return {
        1: ("比价", "price comparison"),
        0: ("正常，不是比价", "ordinary"),
        None: ("未知，按正常", "unknown, taken as ordinary"),
    }[known.facts["price_compare_status"]]


def _failed(known: OrderContext) -> BothLanguages:
    at = known.facts["failed_at"]
    if at is None:
        return "没有退款或处罚记录", "no refund or punishment"
    zh, en = failure_text(known.facts["order_status"], known.facts["return_status"])
    return f"{zh}：{_full(at)}", f"{en}: {_full(at)}"


def _failed_short(known: OrderContext) -> BothLanguages:
    zh, en = failure_text(known.facts["order_status"], known.facts["return_status"])
    at = _clock(known.facts["failed_at"])[:11]
    return f"{zh}：{at}", f"{en}: {at}"


def _received(known: OrderContext) -> BothLanguages:
    at = known.facts["received_at"]
    return ("尚未收货", "not received yet") if at is None else _both(_full(at))


def _by_cutoff(known: OrderContext, zh: str, en: str) -> BothLanguages:
    """The receipt cutoff in a sentence of each language."""
    in_chinese, in_english = deadline_text(known.bounds.receipt_cutoff)
    return zh.format(in_chinese), en.format(in_english)


def _late(known: OrderContext) -> BothLanguages:
    at, cutoff = known.facts["received_at"], known.bounds.receipt_cutoff
    if at is None:
        zh, en = deadline_text(cutoff)
        return f"尚未收货，{zh}截止", f"not received; the cutoff is {en}"
    zh, en = duration_text(at - cutoff)
    return f"收货比截止晚了 {zh}", f"received {en} after the cutoff"


def _link(known: OrderContext) -> BothLanguages:
    channel = {"app": _both("APP"), "other": ("其他渠道", "elsewhere")}.get(
        known.facts["link_channel"], ("未知", "unknown")
    )
    return (
        f"推广位ID {known.facts['p_id']}：{channel[0]}",
        f"promotion link ID {known.facts['p_id']}: {channel[1]}",
    )


def _elsewhere(known: OrderContext) -> BothLanguages:
    where = known.facts.get("elsewhere")
    return ("没有", "none") if where is None else _both(where)


def _links_required(known: OrderContext) -> BothLanguages:
    return {
        "any": ("不限渠道", "any channel"),
        "app_or_unknown": ("APP 或未知，不是其他渠道", "APP or unknown, not elsewhere"),
        "app": ("在官方 APP 生成", "made in the official APP"),
    }[known.terms.subsidy.links]


def _never(_: OrderContext) -> None:
    return None


def _ordinary(
    also: Callable[[OrderContext], bool], zh: str, en: str
) -> Callable[[OrderContext], BothLanguages]:
    return lambda known: (zh, en) if also(known) else ("不是比价订单", "not price comparison")


CLAUSE_TEXTS: dict[Clause, ClauseText] = {
    PAID_IN_WINDOW: ClauseText(
        ("任务期内付款", "Paid in the task window"),
        _paid,
        lambda known: _window(known.bounds.task_from, known.bounds.task_until),
        _not_in_window,
        lambda known: _if_in_window(_window(known.bounds.task_from, known.bounds.task_until)),
        short=("任务期外付款", "paid outside the window"),
    ),
    PAID_IN_MONTH: ClauseText(
        ("当月付款", "Paid in the month"),
        _paid,
        lambda known: _window(known.bounds.month_from, known.bounds.month_until),
        _not_in_month,
        _never,
    ),
    COMMISSIONABLE: ClauseText(
        ("有佣金商品", "Goods with commission"),
        _status,
        lambda _: ("不是未支付，也不是无佣金订单", "paid, and of goods with commission"),
        _without_commission,
        lambda _: ("若是多多进宝的有佣金商品", "Of goods that carry commission"),
        short=("无佣金", "no commission"),
    ),
    DIRECT: ClauseText(
        ("直推", "Direct"),
        _direct,
        _level_counts,
        lambda known: (
            ("直推状态未知：该等级只计直推", "not known to be direct: the level counts direct only")
            if known.facts["is_direct"] is None
            else ("非直推：该等级只计直推", "indirect: the level counts direct only")
        ),
        lambda _: ("若是直推订单", "As a direct order"),
        short=("非直推", "indirect"),
    ),
    NOT_VIRTUAL: ClauseText(
        ("不是虚拟商品", "Not virtual goods"),
        _goods,
        lambda _: ("不在条款列出的虚拟类型与类目内", "none of the virtual types and categories of the terms"),
        _virtual,
        lambda _: ("若是实物商品", "Of goods that are not virtual"),
        short=("虚拟商品", "virtual goods"),
    ),
    NOT_PRICE_COMPARE_FOR_TASK: ClauseText(
        ("比价", "Price comparison"),
        _price_compare,
        _ordinary(
            lambda known: known.terms.task.count_price_compare,
            "本期条款：比价订单也计入任务",
            "by these terms price comparison counts too",
        ),
        lambda _: ("比价订单", "price comparison"),
        lambda _: ("若不是比价订单", "Without price comparison"),
        short=("比价", "price comparison"),
    ),
    NOT_PRICE_COMPARE_FOR_SUBSIDY: ClauseText(
        ("不是比价订单", "Not price comparison"),
        _price_compare,
        _ordinary(
            lambda known: known.terms.subsidy.include_price_compare,
            "本期条款：比价订单也有补贴",
            "by these terms price comparison earns too",
        ),
        lambda _: ("比价订单没有补贴", "price comparison earns nothing"),
        _never,
    ),
    IN_CATEGORY: ClauseText(
        ("商品类目", "Category"),
        _categories,
        _categories_required,
        lambda known: (
            ("类目未知：任务只计指定类目", "categories unknown: the task counts some only")
            if known.facts["cat_ids"] is None
            else ("不在任务指定的类目内", "of no category that the task counts")
        ),
        lambda _: ("若属于任务指定的类目", "Of a category that the task counts"),
        short=("类目不符", "another category"),
    ),
    AT_LEAST_MINIMUM: ClauseText(
        ("最低金额", "Minimum amount"),
        _amount,
        _minimum_required,
        lambda known: (
            f"实付低于 {grouped_yuan(known.terms.task.min_order_fen or 0)}",
            f"below {grouped_yuan(known.terms.task.min_order_fen or 0)}",
        ),
        lambda known: (
            f"若实付不低于 {grouped_yuan(known.terms.task.min_order_fen or 0)}",
            f"With at least {grouped_yuan(known.terms.task.min_order_fen or 0)} paid",
        ),
        short=("低于最低金额", "below the minimum"),
    ),
    NOT_LIVE_ROOM_FOR_TASK: ClauseText(
        ("直播间", "Live room"),
        _live_room,
        _not_live_room(
            lambda known: known.terms.task.count_live_room,
            "本期条款：直播间订单也计入任务",
            "by these terms live-room orders count too",
        ),
        lambda _: ("直播间订单", "a live-room order"),
        lambda _: ("若不是直播间订单", "Outside a live room"),
        short=("直播间", "live room"),
    ),
    NOT_LIVE_ROOM_FOR_SUBSIDY: ClauseText(
        ("不是直播间订单", "Not a live-room order"),
        _live_room,
        _not_live_room(
            lambda known: known.terms.subsidy.include_live_room,
            "本期条款：直播间订单也有补贴",
            "by these terms live-room orders earn too",
        ),
        lambda _: ("直播间订单没有补贴", "a live-room order earns nothing"),
        _never,
    ),
    NOT_FAILED_BY_CUTOFF: ClauseText(
        ("截止前未退款、未处罚", "Not failed before the cutoff"),
        _failed,
        lambda known: _by_cutoff(known, "{}前没有", "none by {}"),
        _failed_short,
        _never,
        short=("退款或处罚", "refunded or punished"),
    ),
    NOT_FAILED_AT_ALL: ClauseText(
        ("未退款、未处罚", "Not failed"),
        _failed,
        lambda _: ("没有退款、审核失败或处罚", "no refund, failed audit or punishment"),
        _failed_short,
        _never,
    ),
    RECEIVED_IN_TIME: ClauseText(
        ("收货截止前确认收货", "Received before the cutoff"),
        _received,
        lambda known: _by_cutoff(known, "{}前", "by {}"),
        _late,
        lambda known: _by_cutoff(known, "若在 {}前确认收货", "Received by {}"),
        short=("收货过晚", "received too late"),
    ),
    APP_LINK: ClauseText(
        ("推广链接渠道", "Channel of the link"),
        _link,
        _links_required,
        lambda _: ("推广链接不在 APP 生成", "the link was not made in the APP"),
        _never,
    ),
    NOT_IN_OTHER_PROGRAMME: ClauseText(
        ("其他项目没有补贴", "No subsidy in another programme"),
        _elsewhere,
        lambda known: (
            ("没有在其他项目的最新公示中获得补贴", "no line in the newest notice of another programme")
            if known.terms.subsidy.exclusive
            else ("本期条款不限", "by these terms it may")
        ),
        lambda _: ("已在其他项目获得补贴", "another programme gives it a subsidy"),
        _never,
    ),
}
"""Every clause; a test holds that none is missing."""
