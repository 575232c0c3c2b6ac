"""The sentences of a promoter's task: what is missing, what would bring it home, and where the pace leads."""

from collections.abc import Callable

from markupsafe import Markup

from bounty.clock import shanghai_date
from bounty.progress.bring_home import LOOKED_AT, BringHome
from bounty.progress.next_tier import NextTier
from bounty.progress.pace import A_DAY, TargetProgress
from bounty.progress.task import Task
from bounty.rules.terms_text import percent
from bounty.web.shared.formats import about, deadline, money, spelled_day
from bounty.web.shared.language import _, _n, _np, bold, listed

PACE_KNOWN = 2 * A_DAY
"""How old data may be for a pace to be shown, in seconds: orders come in at least once a day."""


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
    bad, end = Markup('<b class="bad">'), Markup("</b>")
    if task.pending.orders:
        return _(
            "%(bad)s本期不能再达标%(end)s：任务期已结束，还差 %(missing)s（已含待收货）。",
            bad=bad,
            end=end,
            missing=missing(task),
        )
    return _(
        "%(bad)s本期不能再达标%(end)s：任务期已结束，还差 %(missing)s。",
        bad=bad,
        end=end,
        missing=missing(task),
    )


def pace(task: Task, now: int) -> str:
    """How far before or behind an even pace it is today, and where the pace leads; blank outside the window. Of old
    data it shows no pace, only how old it is."""
    if not task.days.gone or not task.days.left:
        return ""
    as_of = task.month.as_of
    if as_of is not None and now - as_of > PACE_KNOWN:
        days = (shanghai_date(now) - shanghai_date(as_of)).days
        return _n("订单数据 %(num)s 天没有更新：之后付款和收货的订单还没有算进来，进度以更新后为准。", days)
    ahead, forecast = [], []
    if task.gmv:
        ahead.append((task.gmv.ahead, money(abs(task.gmv.ahead))))
        forecast.append(about(task.gmv.forecast))
    if task.orders:
        ahead.append((task.orders.ahead, _n("%(num)s 单", abs(task.orders.ahead))))
        forecast.append(_n("%(num)s 单", task.orders.forecast))
    first = shanghai_date(task.month.bounds.task_from).day
    return listed((_ahead(ahead), _forecast(task, first, forecast)), ";")


def _ahead(measured: list[tuple[int, str]]) -> str:
    """How far the month is ahead of an even pace or behind it.

    measured   for each target the difference, below 0 behind, and the same as an amount
    """
    (first, amount), *second = measured
    if not second:
        if first >= 0:
            return _("含待收货比今日节奏快 %(amount)s", amount=amount)
        return _("含待收货比今日节奏慢 %(amount)s", amount=amount)
    ((orders, many),) = second
    if first >= 0:
        if orders >= 0:
            return _("含待收货比今日节奏快 %(gmv)s、快 %(orders)s", gmv=amount, orders=many)
        return _("含待收货比今日节奏快 %(gmv)s、慢 %(orders)s", gmv=amount, orders=many)
    if orders >= 0:
        return _("含待收货比今日节奏慢 %(gmv)s、快 %(orders)s", gmv=amount, orders=many)
    return _("含待收货比今日节奏慢 %(gmv)s、慢 %(orders)s", gmv=amount, orders=many)


def _forecast(task: Task, first: int, amounts: list[str]) -> str:
    """Where the speed of the days so far leads.

    first     the first day of the window, 1..31
    amounts   what each target comes to
    """
    today, last = first + task.days.gone - 1, shanghai_date(task.month.bounds.task_until - 1).day
    if len(amounts) == 1:
        return _(
            "照 %(first)s–%(today)s 日的速度，到 %(last)s 日约 %(amount)s。",
            first=first,
            today=today,
            last=last,
            amount=amounts[0],
        )
    return _(
        "照 %(first)s–%(today)s 日的速度，到 %(last)s 日约 %(gmv)s、%(orders)s。",
        first=first,
        today=today,
        last=last,
        gmv=amounts[0],
        orders=amounts[1],
    )


def bring_home(found: BringHome, task: Task) -> str:
    """What is missing without the pending orders, and which of them would be enough."""
    waiting, needed, any_of = found.waiting, found.needed, found.any_of
    lack, many = measures(found.gmv_fen, found.orders), f"{waiting:,}"
    if needed is None:
        if task.would_pass:
            return _n(
                "还差 %(lack)s（不含待收货）；%(num)s 单待收货，须收货超过 %(most)s 单才够",
                waiting,
                lack=lack,
                most=LOOKED_AT,
            )
        return _n(
            "还差 %(lack)s（不含待收货）；%(num)s 单待收货，全部收货后仍差 %(rest)s",
            waiting,
            lack=lack,
            rest=missing(task),
        )
    if needed == waiting:
        if waiting == 1:
            return _("还差 %(lack)s（不含待收货）；1 单待收货，收货就够", lack=lack)
        return _("还差 %(lack)s（不含待收货）；%(waiting)s 单待收货，全部收货才够", lack=lack, waiting=many)
    # More than one order is pending; the English differs by how many are needed.
    if needed == any_of:
        largest = bold(_np("task_texts", "%(num)s 单", needed))
        return _n(
            "还差 %(lack)s（不含待收货）；%(waiting)s 单待收货，最大的 %(largest)s收货就够",
            needed,
            lack=lack,
            waiting=many,
            largest=largest,
        )
    some = bold(_n("任意 %(num)s 单", needed))
    return _n(
        "还差 %(lack)s（不含待收货）；%(waiting)s 单待收货，最大的 %(any_of)s 单中%(some)s收货就够",
        needed,
        lack=lack,
        waiting=many,
        any_of=any_of,
        some=some,
    )


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
    missing_there = measures(found.gmv_fen, found.orders)
    if not found.more_fen:
        return _("再有 %(missing)s（目标的 %(at)s）：补贴 %(rate)s‰", missing=missing_there, at=at, rate=rate)
    return _(
        "再有 %(missing)s（目标的 %(at)s）：补贴 %(rate)s‰，现有订单约多 %(more)s",
        missing=missing_there,
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
