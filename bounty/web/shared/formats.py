"""Amounts and instants as templates show them."""

from flask import Flask, g
from flask_wtf.csrf import generate_csrf

from bounty.clock import shanghai_date, shown
from bounty.money import grouped_yuan, shown_yuan
from bounty.rules.clause_texts import deadline_text
from bounty.web.shared.access import Person
from bounty.web.shared.language import t

NAVIGATION: dict[str, tuple[tuple[str, str, str], ...]] = {
    "promoter": (
        ("promoter.task", "我的任务", "My task"),
        ("promoter.orders", "订单", "Orders"),
        ("promoter.subsidy", "补贴", "Subsidy"),
        ("promoter.history", "历史", "History"),
        ("appeals.index", "申诉", "Appeals"),
    ),
    "operator": (
        ("period.index", "期次", "Periods"),
        ("imports.index", "导入", "Imports"),
        ("roster.index", "名单", "Roster"),
        ("results.newest", "结果", "Results"),
        ("settling.index", "核算与公示", "Settle and publish"),
        ("appeal_desk.index", "申诉", "Appeals"),
        ("payouts.index", "发放", "Payouts"),
        ("terms.index", "条款", "Terms"),
        ("outbox.index", "消息", "Messages"),
        ("audit.index", "审计", "Audit"),
    ),
    "finance": (
        ("payouts.index", "发放", "Payouts"),
        ("payees.index", "收款信息", "Payees"),
        ("receipts.index", "回单", "Bank return"),
        ("reconciling.index", "对账", "Reconcile"),
        ("adjustments.index", "调整", "Adjustments"),
        ("finance.index", "结果与补贴", "Results"),
        ("settling.index", "核算与公示", "Settle and publish"),
        ("terms.index", "条款", "Terms"),
        ("audit.index", "审计", "Audit"),
    ),
    "admin": (
        ("period.index", "期次", "Periods"),
        ("imports.index", "导入", "Imports"),
        ("roster.index", "名单", "Roster"),
        ("results.newest", "结果", "Results"),
        ("appeal_desk.index", "申诉", "Appeals"),
        ("payouts.index", "发放", "Payouts"),
        ("terms.index", "条款", "Terms"),
        ("outbox.index", "消息", "Messages"),
        ("audit.index", "审计", "Audit"),
    ),
}
"""Role -> endpoint, Chinese, English: what stands at the top of a page; the first is where a person begins."""
FOR_EVERYBODY = (("public.notices", "公示", "Notices"), ("public.rules", "规则", "Rules"))
"""What stands there behind it, and alone for who is not logged in."""


def money(fen: int) -> str:
    """Yuan with a sign and thousands.

    >>> money(123450), money(-5)
    ('¥1,234.50', '−¥0.05')
    """
    return grouped_yuan(fen)


def about(fen: int) -> str:
    """Whole yuan, rounded, for what is said to be about so much; small amounts to the fen.

    >>> about(7425), about(150_000), about(949)
    ('¥74', '¥1,500', '¥9.49')
    """
    return money(fen) if abs(fen) < 1000 else money((fen + 50) // 100 * 100).removesuffix(".00")


def day(instant: int) -> str:
    """Month and day in Shanghai.

    >>> day(1671551999)
    '12-20'
    """
    return shown(instant)[5:10]


def moment(instant: int) -> str:
    """Month, day, hour and minute in Shanghai.

    >>> moment(1671551999)
    '12-20 23:59'
    """
    return f"{shown(instant)[5:10]} {shown(instant)[11:16]}"


def full_moment(instant: int) -> str:
    """With the year too.

    >>> full_moment(1671551999)
    '2022-12-20 23:59'
    """
    return f"{shown(instant)[:10]} {shown(instant)[11:16]}"


def spelled_day(instant: int) -> str:
    """A day as people write it: ``11-25``, ``25 Nov``."""
    on = shanghai_date(instant)
    return t(f"{on:%m-%d}", f"{on.day} {on:%b}")


def navigation(person: Person | None) -> tuple[tuple[str, str, str], ...]:
    """What a person finds at the top: endpoint, Chinese, English."""
    return (*_own(person), *FOR_EVERYBODY)


def first_page() -> str | None:
    """The endpoint where the person who asks begins; null for who has no page of their own."""
    return next((endpoint for endpoint, *_ in _own(g.get("person"))), None)


def _own(person: Person | None) -> tuple[tuple[str, str, str], ...]:
    if person is None:
        return ()
    return NAVIGATION["promoter" if person.viewing_as else person.role]


def install(app: Flask, site_environment: str) -> None:
    """Give the templates the formats."""
    app.jinja_env.filters.update(
        yuan=shown_yuan,
        money=money,
        about=about,
        shanghai=shown,
        day=day,
        moment=moment,
        full_moment=full_moment,
        spelled_day=spelled_day,
    )
    app.jinja_env.globals.update(
        csrf_token=generate_csrf, until=deadline_text, navigation=navigation, environment=site_environment
    )
