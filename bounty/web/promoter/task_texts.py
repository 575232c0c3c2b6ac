"""The sentences of a promoter's task: what is missing, what would bring it home, and where the pace leads."""

from collections.abc import Callable

from bounty.clock import shanghai_date
from bounty.progress.bring_home import LOOKED_AT, BringHome
from bounty.progress.next_tier import NextTier
from bounty.progress.pace import TargetProgress
from bounty.progress.task import Task
from bounty.rules.terms_text import percent
from bounty.web.shared.formats import about, deadline, money, spelled_day
from bounty.web.shared.language import _, _n, _np, bold


def measures(gmv_fen: int | None, orders: int | None, *, rough: bool = False) -> str:
    """``¥41.70 与 3 单``, in bold; what is 0 or null is left out."""
    gmv = bold(about(gmv_fen) if rough else money(gmv_fen)) if gmv_fen else None
    some = bold(_n("%(num)s 单", orders)) if orders else None
    if gmv and some:
        return _("%(gmv)s 与 %(orders)s", gmv=gmv, orders=some)
    return gmv or some or ""


def _both(task: Task, figure: Callable[[TargetProgress], int]) -> tuple[int | None, int | None]:
    """A figure of the GMV target and of the orders target; null where there is no such target."""
    return (
        None if task.gmv is None else figure(task.gmv),
        None if task.orders is None else figure(task.orders),
    )


def missing(task: Task) -> str:
    """What is missing even with every pending order."""
    return measures(*_both(task, lambda each: each.missing))


def target(task: Task) -> str:
    """What is to be reached."""
    return measures(*_both(task, lambda each: each.target))


def lead(task: Task, now: int) -> str:
    """The sentence that matters: how far an eligible promoter is; blank for whose pass was taken back."""
    bounds = task.month.bounds
    if not task.days.gone:
        return _("%(day)s 开始，目标 %(target)s", day=spelled_day(bounds.task_from), target=target(task))
    if task.passed:
        return _passed(task, now)
    if task.month.void is not None:
        return ""
    if not task.reachable:
        return _out_of_reach(task)
    if task.would_pass:
        return _would_pass(task, now)
    return _n(
        "还差 %(missing)s（含待收货）；剩 %(num)s 天，每天约 %(a_day)s",
        task.days.left,
        missing=missing(task),
        a_day=measures(*_both(task, lambda each: each.needed_per_day), rough=True),
    )


def _would_pass(task: Task, now: int) -> str:
    cutoff = task.month.bounds.receipt_cutoff
    end = bold(deadline(cutoff))
    if now < cutoff:
        return _("待收货的订单在 %(end)s前收货即达标", end=end)
    return _("待收货的订单在 %(end)s前收货即达标；截止已过，等待数据同步", end=end)


def _passed(task: Task, now: int) -> str:
    if task.month.published is not None:
        return _("已达标")
    if now < task.month.bounds.receipt_cutoff:
        return _("已达标：收货截止前若有退款、处罚，会重新计算")
    return _("已达标：以公示为准")


def _out_of_reach(task: Task) -> str:
    lost = bold(_("本期不能再达标"), "bad")
    if task.pending.orders:
        return _("%(lost)s：任务期已结束，还差 %(missing)s（已含待收货）。", lost=lost, missing=missing(task))
    return _("%(lost)s：任务期已结束，还差 %(missing)s。", lost=lost, missing=missing(task))


def pace(task: Task) -> str:
    """How far before or behind an even pace it is today, and where the pace leads; blank outside the window."""
    if not task.days.gone or not task.days.left:
        return ""
    ahead, forecast = [], []
    if task.gmv:
        ahead.append(_ahead(task.gmv.ahead, money(abs(task.gmv.ahead))))
        forecast.append(about(task.gmv.forecast))
    if task.orders:
        ahead.append(_ahead(task.orders.ahead, _n("%(num)s 单", abs(task.orders.ahead))))
        forecast.append(_n("%(num)s 单", task.orders.forecast))
    first = shanghai_date(task.month.bounds.task_from).day
    return _(
        "含待收货比今日节奏%(ahead)s；照 %(first)s–%(today)s 日的速度，到 %(last)s 日约 %(forecast)s。",
        ahead=_gmv_and_orders(ahead),
        forecast=_gmv_and_orders(forecast),
        first=first,
        today=first + task.days.gone - 1,
        last=shanghai_date(task.month.bounds.task_until - 1).day,
    )


def _gmv_and_orders(measured: list[str]) -> str:
    if len(measured) == 1:
        return measured[0]
    return _("%(gmv)s、%(orders)s", gmv=measured[0], orders=measured[1])


def _ahead(difference: int, amount: str) -> str:
    if difference >= 0:
        return _("快 %(amount)s", amount=amount)
    return _("慢 %(amount)s", amount=amount)


def bring_home(found: BringHome, task: Task) -> str:
    """Which of the pending orders would do."""
    return _n(
        "还差 %(missing)s（不含待收货）；%(num)s 单待收货，%(enough)s",
        found.waiting,
        missing=measures(found.gmv_fen, found.orders),
        enough=_enough(found, task),
    )


def _enough(found: BringHome, task: Task) -> str:
    needed, any_of = found.needed, found.any_of
    if needed is None:
        if task.would_pass:
            return _("须收货超过 %(most)s 单才够", most=LOOKED_AT)
        return _("全部收货后仍差 %(rest)s", rest=missing(task))
    if needed == found.waiting:
        if found.waiting == 1:
            return _("收货就够")
        return _("全部收货才够")
    if needed == any_of:
        largest = bold(_np("task_texts", "%(num)s 单", needed))
        return _n("最大的 %(largest)s收货就够", needed, largest=largest)
    some = bold(_n("任意 %(num)s 单", needed))
    return _n("最大的 %(any_of)s 单中%(some)s收货就够", needed, some=some, any_of=any_of)


def next_tier(found: NextTier) -> str:
    """What is missing for the tier above, and what it is worth on the orders so far."""
    at, rate, more = percent(found.at), found.rate_permille, bold(money(found.more_fen))
    if not found.gmv_fen and not found.orders:
        return _(
            "待收货的都收货后达到目标的 %(at)s：补贴 %(rate)s‰，现有订单约多 %(more)s",
            at=at,
            rate=rate,
            more=more,
        )
    return _(
        "再有 %(missing)s（目标的 %(at)s）：补贴 %(rate)s‰，现有订单约多 %(more)s",
        missing=measures(found.gmv_fen, found.orders),
        at=at,
        rate=rate,
        more=more,
    )


def days_since(paid_at: int, now: int) -> str:
    """How long ago an order was paid, in days of the calendar."""
    days = (shanghai_date(now) - shanghai_date(paid_at)).days
    if not days:
        return _("今天付款")
    return _n("付款 %(num)s 天", days)
