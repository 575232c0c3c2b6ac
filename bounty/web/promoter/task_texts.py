"""The sentences of a promoter's task: what is missing, what would bring it home, and where the pace leads."""

from collections.abc import Callable

from markupsafe import Markup

from bounty.clock import shanghai_date
from bounty.progress.bring_home import LOOKED_AT, BringHome
from bounty.progress.next_tier import NextTier
from bounty.progress.pace import TargetProgress
from bounty.progress.task import Task
from bounty.rules.terms_text import percent
from bounty.web.promoter.texts import orders as orders_word
from bounty.web.shared.formats import about, deadline, money, spelled_day
from bounty.web.shared.language import t


def html(zh: str, en: str, **values: object) -> Markup:
    """A sentence with markup of its own; the values are escaped."""
    return Markup(t(zh, en)).format(**values)  # noqa: S704 (the texts are this module's)


def measures(gmv_fen: int | None, orders: int | None, *, rough: bool = False) -> Markup:
    """``¥41.70 与 3 单``, in bold; what is 0 or null is left out."""
    parts = []
    if gmv_fen:
        parts.append(Markup("<b>{}</b>").format(about(gmv_fen) if rough else money(gmv_fen)))
    if orders:
        parts.append(Markup("<b>{:,} {}</b>").format(orders, orders_word(orders)))
    return html(" 与 ", " and ").join(parts)


def _both(task: Task, figure: Callable[[TargetProgress], int]) -> tuple[int | None, int | None]:
    """A figure of the GMV target and of the orders target; null where there is no such target."""
    return (
        None if task.gmv is None else figure(task.gmv),
        None if task.orders is None else figure(task.orders),
    )


def missing(task: Task) -> Markup:
    """What is missing even with every pending order."""
    return measures(*_both(task, lambda each: each.missing))


def target(task: Task) -> Markup:
    """What is to be reached."""
    return measures(*_both(task, lambda each: each.target))


def lead(task: Task, now: int) -> Markup:
    """The sentence that matters: how far an eligible promoter is; blank for whose pass was taken back."""
    bounds = task.month.bounds
    if not task.days.gone:
        return html(
            "{day} 开始，目标 {target}",
            "{day} is the first day; the target is {target}",
            day=spelled_day(bounds.task_from),
            target=target(task),
        )
    if task.passed:
        return _passed(task, now)
    if task.month.void is not None:
        return Markup()
    if not task.reachable:
        return _out_of_reach(task)
    if task.would_pass:
        return html(
            "待收货的订单在 <b>{end}</b>前收货即达标"
            + ("" if now < bounds.receipt_cutoff else "；截止已过，等待数据同步"),
            "Passed once the pending orders are received by <b>{end}</b>"
            + ("" if now < bounds.receipt_cutoff else "; the cutoff has passed, and data may still come in"),
            end=deadline(bounds.receipt_cutoff),
        )
    days = task.days.left
    return html(
        "还差 {missing}（含待收货）；剩 {days} 天，每天约 {a_day}",
        "Missing: {missing} (with pending ones); {days} "
        + ("day" if days == 1 else "days")
        + " left, about {a_day} a day",
        missing=missing(task),
        days=days,
        a_day=measures(*_both(task, lambda each: each.needed_per_day), rough=True),
    )


def _passed(task: Task, now: int) -> Markup:
    if task.month.published is not None:
        return html("已达标", "Passed")
    if now < task.month.bounds.receipt_cutoff:
        return html(
            "已达标：收货截止前若有退款、处罚，会重新计算",
            "Passed so far: a refund or punishment before the cutoff would still change it",
        )
    return html("已达标：以公示为准", "Passed so far: the notice has the last word")


def _out_of_reach(task: Task) -> Markup:
    with_pending = ("（已含待收货）", " (pending ones included)") if task.pending.orders else ("", "")
    return html(
        '<b class="bad">本期不能再达标</b>：任务期已结束，还差 {missing}' + with_pending[0] + "。",
        '<b class="bad">Passing is no longer possible this month</b>: the task window is over, and what was '
        "missing is {missing}" + with_pending[1] + ".",
        missing=missing(task),
    )


def pace(task: Task) -> str:
    """How far before or behind an even pace it is today, and where the pace leads; blank outside the window."""
    if not task.days.gone or not task.days.left:
        return ""
    ahead, forecast = [], []
    if task.gmv:
        ahead.append(_ahead(task.gmv.ahead, money(abs(task.gmv.ahead))))
        forecast.append(about(task.gmv.forecast))
    if task.orders:
        many = abs(task.orders.ahead)
        ahead.append(_ahead(task.orders.ahead, f"{many} {orders_word(many)}"))
        forecast.append(f"{task.orders.forecast} {orders_word(task.orders.forecast)}")
    first = shanghai_date(task.month.bounds.task_from).day
    last = shanghai_date(task.month.bounds.task_until - 1).day
    today = first + task.days.gone - 1
    return t(
        f"含待收货比今日节奏{'、'.join(ahead)}；照 {first}–{today} 日的速度，到 {last} 日约 {'、'.join(forecast)}。",
        f"With pending ones, against today's pace: {', '.join(ahead)}; at the speed of days {first}–{today} it comes "
        f"to about {' and '.join(forecast)} by day {last}.",
    )


def _ahead(difference: int, amount: str) -> str:
    if difference >= 0:
        return t(f"快 {amount}", f"ahead by {amount}")
    return t(f"慢 {amount}", f"behind by {amount}")


def bring_home(found: BringHome, task: Task) -> Markup:
    """Which of the pending orders would do."""
    begins_zh = "还差 {missing}（不含待收货）；{waiting} 单待收货，"
    begins_en = (
        "{missing} missing without pending ones; {waiting} "
        + ("order waits" if found.waiting == 1 else "orders wait")
        + " for receipt; "
    )
    zh, en = _enough(found, task)
    return html(
        begins_zh + zh,
        begins_en + en,
        missing=measures(found.gmv_fen, found.orders),
        waiting=found.waiting,
        needed=found.needed,
        any_of=found.any_of,
        rest=missing(task),
        most=LOOKED_AT,
    )


def _enough(found: BringHome, task: Task) -> tuple[str, str]:
    if found.needed is None:
        if task.would_pass:
            return "须收货超过 {most} 单才够", "more than {most} of them are needed"
        return "全部收货后仍差 {rest}", "even with all of them received, {rest} would be missing"
    if found.needed == found.waiting:
        if found.waiting == 1:
            return "收货就够", "it is enough"
        return "全部收货才够", "all of them are needed"
    one = found.needed == 1
    if found.needed == found.any_of:
        return (
            "最大的 <b>{needed} 单</b>收货就够",
            "the <b>largest one</b> is enough" if one else "the <b>{needed} largest</b> are enough",
        )
    return (
        "最大的 {any_of} 单中<b>任意 {needed} 单</b>收货就够",
        "<b>any one</b> of the {any_of} largest is enough"
        if one
        else "<b>any {needed}</b> of the {any_of} largest are enough",
    )


def next_tier(found: NextTier) -> Markup:
    """What is missing for the tier above, and what it is worth on the orders so far."""
    values = {
        "missing": measures(found.gmv_fen, found.orders),
        "at": percent(found.at),
        "rate": found.rate_permille,
        "more": money(found.more_fen),
    }
    if not found.gmv_fen and not found.orders:
        return html(
            "待收货的都收货后达到目标的 {at}：补贴 {rate}‰，现有订单约多 <b>{more}</b>",
            "Once the pending orders are received, {at} of the target is reached: {rate}‰, about <b>{more}</b> more "
            "on the orders so far",
            **values,
        )
    return html(
        "再有 {missing}（目标的 {at}）：补贴 {rate}‰，现有订单约多 <b>{more}</b>",
        "{missing} more ({at} of the target): {rate}‰, about <b>{more}</b> more on the orders so far",
        **values,
    )


def days_since(paid_at: int, now: int) -> str:
    """How long ago an order was paid, in days of the calendar."""
    days = (shanghai_date(now) - shanghai_date(paid_at)).days
    if not days:
        return t("今天付款", "paid today")
    return t(f"付款 {days} 天", f"paid {days} {'day' if days == 1 else 'days'} ago")
