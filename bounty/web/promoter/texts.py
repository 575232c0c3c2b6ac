"""What a promoter's pages say of a month, a row and an order, in the reader's language."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from bounty.accounting.promoter_statement import MonthLine
from bounty.clock import midnight, shanghai_date
from bounty.platforms.pdd.order_facts import STORED
from bounty.progress.history import PromoterMonth
from bounty.progress.order_flags import OrderFlag
from bounty.progress.order_list import ListedOrder
from bounty.progress.service import Explanation, JudgedOrder
from bounty.roster.ineligibility_text import ineligibility_text
from bounty.rules import paydays
from bounty.rules.clause_texts import (
    CLAUSE_TEXTS,
    STATUSES,
    BothLanguages,
    duration_text,
    failure_text,
)
from bounty.rules.clauses import (
    NOT_FAILED_BY_CUTOFF,
    PAID_IN_MONTH,
    RECEIVED_IN_TIME,
    SUBSIDY_CLAUSES,
    OrderContext,
)
from bounty.rules.measure import COUNTED, PENDING
from bounty.rules.periods import Period
from bounty.web.period_names import period_label, period_title
from bounty.web.promoter.tables import CLAUSES
from bounty.web.shared.charts import Mark
from bounty.web.shared.formats import deadline, full_moment, moment, money, spelled_day
from bounty.web.shared.language import _, _p, in_language

_EARNING = {clause.code: CLAUSE_TEXTS[clause] for clause in SUBSIDY_CLAUSES}
Chip = tuple[str, str, str]
"""Kind (ok, wait, bad), word, and the reason beside it."""


def left(seconds: int) -> str:
    """A countdown; from a week on whole days, with today, as the pace line beside it counts them."""
    if seconds >= 7 * 86_400:
        return in_language(*duration_text(-(-seconds // 86_400) * 86_400, parts=1))
    return in_language(*duration_text(seconds, parts=2))


def month_name(month: PromoterMonth) -> str:
    """``2022年12月期``."""
    return in_language(period_title(month.period), period_label(month.period))


def state(month: PromoterMonth, now: int) -> tuple[str, str]:
    """The kind of the month's chip, and its word."""
    if month.published is not None:
        return "ok", _("已公示")
    if now < month.bounds.task_from:
        return "", _("未开始")
    if now < month.bounds.task_until:
        return "ok", _("推广中")
    if now < month.bounds.receipt_cutoff:
        return "wait", _("待收货截止")
    return "wait", _("核算中")


def steps(month: PromoterMonth, now: int) -> list[tuple[str, str, str]]:
    """Name, date and state (done, now, ahead) of each step of the month."""
    bounds, following = month.bounds, Period(month.period.year, month.period.month).plus(1)
    begun = now >= bounds.task_from
    if month.published is not None:
        present = 4
    elif now < bounds.task_until:
        present = 0
    elif now < bounds.receipt_cutoff:
        present = 1
    else:
        present = 3 if month.settled else 2
    published = spelled_day(midnight(following.day(month.terms.notice.published_by_day)))
    paid = spelled_day(midnight(following.day(month.terms.subsidy.settled_on_day)))
    settled = spelled_day(bounds.receipt_cutoff)
    named = [
        (_("推广"), deadline(bounds.task_until)),
        (_p("texts", "收货截止"), deadline(bounds.receipt_cutoff)),
        (_("核算"), _("%(settled)s 起", settled=settled)),
        (
            _p("notice", "公示"),
            _("%(published)s 前", published=published)
            if month.published is None
            else spelled_day(month.published.published_at),
        ),
        (_("补贴"), _("%(paid)s 起", paid=paid)),
    ]
    return [
        (name, note, "done" if at < present else "now" if at == present and begun else "ahead")
        for at, (name, note) in enumerate(named)
    ]


class OrderInstants(Protocol):
    """What tells when the subsidy of an order is paid; epoch seconds."""

    received_at: int | None
    verified_at: int | None
    settled_at: int | None


def pays_on(month: PromoterMonth, now: int) -> Callable[[OrderInstants], date | None]:
    """When each order's subsidy of a month is expected: of rows of ``promoter_statement.month_lines``. What should have
    been paid before today comes on the next day of payment."""
    following = Period(month.period.year, month.period.month).plus(1)
    published = (
        following.day(month.terms.notice.published_by_day)
        if month.published is None
        else shanghai_date(month.published.published_at)
    )

    def day(row: OrderInstants) -> date | None:
        received, audited, settled = (
            None if at is None else shanghai_date(at)
            for at in (row.received_at, row.verified_at, row.settled_at)
        )
        return paydays.pays_on(
            month.terms,
            not_before=max(published, shanghai_date(now)),
            received=received,
            audited=audited,
            settled=settled,
        )

    return day


def chip(row: ListedOrder, known: OrderContext, now: int) -> Chip:
    """What a listed order counts as, and why, as short as a table has room for."""
    if row.verdict == COUNTED:
        assert row.received_at is not None
        return (
            "ok",
            _("已计入"),
            _("%(moment)s 收货", moment=moment(row.received_at)),
        )
    if row.verdict == PENDING:
        cutoff = deadline(known.bounds.receipt_cutoff)
        if now >= known.bounds.receipt_cutoff:
            why = _("%(cutoff)s前的收货尚未同步", cutoff=cutoff)
        else:
            why = _("%(cutoff)s前收货即计入", cutoff=cutoff)
        return "wait", _p("lower case", "待收货"), why
    if row.verdict == RECEIVED_IN_TIME.code and row.received_at is None:
        cutoff = deadline(known.bounds.receipt_cutoff)
        why = _("%(cutoff)s前没有收货记录", cutoff=cutoff)
        return "bad", _("未按时收货"), why
    plain = CLAUSES[row.verdict][1]
    return "bad", _("不计入"), in_language(*plain.why_not(known))


def percent(share: int) -> str:
    """Hundredths of a percent, to a tenth, rounded down.

    >>> percent(6182), percent(15_000)
    ('61.8%', '150%')
    """
    return f"{share // 100}.{share % 100 // 10}%".replace(".0%", "%")


def day_mark(mark: Mark) -> str:
    """A day below a chart."""
    if mark.today:
        return _("今天 %(day)s", day=mark.day)
    return _("%(day)s 日", day=mark.day) if mark.end else str(mark.day)


def flag(code: OrderFlag) -> str:
    """What is unknown of an order, odd, or in conflict."""
    return in_language(*code.names)


def fact_name(name: str) -> str:
    """What a fact of a received row is called."""
    return in_language(*FACT_NAMES[name])


class IneligibleMonth(Protocol):
    """What a row of ``history.months`` says of a promoter who is not eligible."""

    reason: str
    level: str | None
    derivation: str
    """JSON; see ``Derivation``."""


def ineligible(row: IneligibleMonth) -> str:
    """Why a month of the history was without the promoter."""
    return in_language(*ineligibility_text(row.reason, row.level, json.loads(row.derivation), None))


def why_nothing(row: ListedOrder, known: OrderContext, month: PromoterMonth) -> str:
    """Why a listed order of an eligible promoter earns nothing: the clause that fails, the cap, or the target."""
    if row.unearned and row.unearned not in (row.verdict, PAID_IN_MONTH.code):
        return in_language(*_EARNING[row.unearned].why_not(known))
    if row.unearned:
        return ""  # the verdict beside it says the same
    if row.earned_fen > 0 and month.published is None:
        return _("本期补贴已到个人上限")
    if month.published is not None and month.published.passed:
        if row.earned_fen > 0 and month.published.subsidy_fen == month.terms.subsidy.promoter_cap_fen:
            return _("本期补贴已到个人上限")
        return _("不在公示的补贴里")
    return _p("history", "未达标") if month.published is not None else _("不能再达标")


def unearned(row: ListedOrder) -> str:
    """Why a listed order earns nothing, by the clause that fails."""
    return in_language(*_EARNING[row.unearned].name) if row.unearned else ""


FACT_NAMES: dict[str, BothLanguages] = {fact.name: (fact.zh, fact.en) for fact in STORED}

_YES_NO: dict[int, BothLanguages] = {0: ("否", "no"), 1: ("是", "yes")}
_VALUES: dict[str, dict[int, BothLanguages]] = {
    "order_status": STATUSES,
    "is_direct": _YES_NO,
    "price_compare_status": _YES_NO,
    "return_status": {0: ("无", "none"), 1: ("处理中", "under way"), 2: ("已完成", "completed")},
}


def fact(name: str, value: str | int | None) -> str:
    """A fact of a received row, as people say it."""
    if value is None:
        return _("无")
    if isinstance(value, str):
        return value
    if name.endswith("_fen"):
        return money(value)
    if name.endswith("_at"):
        return full_moment(value)
    named = _VALUES.get(name, {}).get(value)
    return str(value) if named is None else in_language(*named)


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """The head of an order's page."""

    chips: list[tuple[str, str]]
    """Kind and word."""
    title: str
    if_only: str | None
    """What would have made it count, to be followed by what it would have counted."""
    others: int
    """How many further task clauses fail."""
    pending: bool
    """Whether only the receipt is missing: then its clause waits rather than fails."""


def verdict_of(why: Explanation, row: ListedOrder | None, line: MonthLine | None, now: int) -> OrderVerdict:
    """Whether an order counts and earns, in a sentence.

    row, line   of ``order_list.listed_orders`` and ``promoter_statement.month_lines``; null where there is none
    """
    failing = [judged for judged in why.task if not judged.holds]
    facts, cutoff = why.known.facts, why.known.bounds.receipt_cutoff
    pending = [judged.clause.code for judged in failing] == ["RECEIVED_IN_TIME"] and facts[
        "received_at"
    ] is None
    if pending and row is not None and row.verdict != PENDING:  # the notice is out: it waits in vain
        pending = False
    earns = row is not None and row.subsidy_fen > 0
    if_only: str | None
    if not failing:
        chips = [("ok", _("已计入任务"))]
        at = full_moment(facts["received_at"])
        title, if_only = (
            _("已于 %(at)s 收货，计入任务", at=at),
            None,
        )
    elif pending:
        chips = [("wait", _p("lower case", "待收货"))]
        if now < cutoff:
            time = left(cutoff - now)
            title = _("待收货：还剩 %(time)s", time=time)
        else:
            title = _("收货截止已过，尚未收到收货记录")
        if_only = in_language(*(CLAUSE_TEXTS[failing[0].clause].if_only(why.known) or ("", "")))
    else:
        chips = [("bad", _("不计入任务"))]
        plain = CLAUSE_TEXTS[failing[0].clause]
        title = in_language(*plain.why_not(why.known))
        hint = plain.if_only(why.known)
        if any(judged.clause is NOT_FAILED_BY_CUTOFF for judged in failing):  # whatever else may change
            title = _("%(why_not)s，不能再计入", why_not=title)
            hint = None
        if_only = None if hint is None else in_language(*hint)
    if line is not None and line.state in ("VOID", "TAKEN_BACK"):
        chips.append(("bad", _("补贴作废")))
    elif earns:
        word = _("补贴照算") if failing and not pending else _("有补贴")
        chips.append(("ok", word))
    else:
        chips.append(("", _("无补贴")))
    return OrderVerdict(chips, title[:1].upper() + title[1:], if_only, max(len(failing) - 1, 0), pending)


def failing_first(clauses: tuple[JudgedOrder, ...]) -> list[JudgedOrder]:
    """The clauses with those that fail on top."""
    return sorted(clauses, key=lambda judged: judged.holds)


def clause_words(judged: JudgedOrder, known: OrderContext) -> tuple[str, str, str]:
    """A clause's name, the order's fact, and what is required."""
    plain = CLAUSE_TEXTS[judged.clause]
    return in_language(*plain.name), in_language(*plain.fact(known)), in_language(*plain.required(known))


@dataclass(frozen=True, slots=True)
class Event:
    """Something in an order's life."""

    at: int
    kind: str
    """done, bound, late or ahead."""
    name: str
    note: str


def events(why: Explanation, month: PromoterMonth | None, row: ListedOrder | None, now: int) -> list[Event]:
    """What happened to an order, with the cutoff and the notice between, in the order of time."""
    facts, bounds = why.known.facts, why.known.bounds
    found: list[Event] = []

    def happened(
        at: int | None, label: BothLanguages, note: BothLanguages = ("", ""), kind: str = "done"
    ) -> None:
        if at is not None:
            found.append(Event(at, "ahead" if at > now else kind, in_language(*label), in_language(*note)))

    paid, received, failed = facts["paid_at"], facts["received_at"], facts["failed_at"]
    happened(facts["created_at"], ("下单", "Ordered"))
    if paid is not None and bounds.task_from <= paid < bounds.task_until:
        happened(paid, ("付款", "Paid"), ("在任务期内", "in the task window"))
    else:
        happened(paid, ("付款", "Paid"), ("不在任务期内", "outside the task window"), "late")
    in_time = received is not None and received < bounds.receipt_cutoff
    missed = ("", "") if in_time or now < bounds.receipt_cutoff else ("此时仍未收货", "not received by then")
    happened(bounds.receipt_cutoff, ("收货截止", "Receipt cutoff"), missed, "bound")
    if received is None or in_time:
        happened(received, ("确认收货", "Received"))
    else:
        zh, en = duration_text(received - bounds.receipt_cutoff)
        happened(received, ("确认收货", "Received"), (f"晚 {zh}", f"{en} late"), "late")
    if failed is not None:
        happened(failed, failure_text(facts["order_status"], facts["return_status"]), kind="late")
    if facts["verified_at"] != failed:
        happened(facts["verified_at"], ("平台审核", "Verified by the platform"))
    happened(facts["settled_at"], ("佣金结算", "Commission settled"))
    if month is not None and month.published is not None and row is not None:
        number, given = month.published.notice, money(row.subsidy_fen)
        happened(
            month.published.published_at,
            (f"公示第 {number} 号", f"Notice {number}"),
            (f"补贴 {given}", f"subsidy {given}"),
        )
    return sorted(found, key=lambda event: event.at)


def status(row: ListedOrder) -> str:
    """The platform's state of a listed order."""
    return in_language(*STATUSES[row.order_status]) if row.order_status in STATUSES else str(row.order_status)
