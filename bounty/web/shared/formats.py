"""Template filters for amounts and instants, and the navigation."""

from flask import Flask, g
from flask_wtf.csrf import generate_csrf

from bounty.audit.service import NOBODY
from bounty.clock import shanghai_date, shown
from bounty.money import grouped_yuan, shown_yuan
from bounty.roster.eligibility import Ineligibility
from bounty.rules.clause_texts import deadline_text
from bounty.web.shared.access import Person
from bounty.web.shared.cards import cards
from bounty.web.shared.language import _, in_language, language

NAVIGATION: dict[str, tuple[tuple[str, str, str], ...]] = {
    "promoter": (
        ("promoter.task", "我的任务", "My task"),
        ("promoter.orders", "订单", "Orders"),
        ("promoter.subsidy", "补贴", "Subsidy"),
        ("messages.index", "消息", "Messages"),
        ("promoter.history", "历史", "History"),
        ("appeals.index", "申诉", "Appeals"),
    ),
    "operator": (("today.index", "今天", "Today"),),
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
    "admin": (("today.index", "今天", "Today"),),
}
"""Role -> navigation entries (endpoint, Chinese, English). The first entry is the role's start page. What
else operators and administrators have is in groups (``web/operations/navigation.py``)."""
FOR_EVERYBODY = (("public.notices", "公示", "Notices"), ("public.rules", "规则", "Rules"))
"""Navigation entries after those of the role; the only ones without a log-in."""


def money(fen: int) -> str:
    """Whole fen as yuan with the currency sign and thousands separators.

    >>> money(123450), money(-5)
    ('¥1,234.50', '−¥0.05')
    """
    return grouped_yuan(fen)


def about(fen: int) -> str:
    """An approximate amount: whole fen rounded to whole yuan; amounts below 10 yuan are not rounded.

    >>> about(7425), about(150_000), about(949)
    ('¥74', '¥1,500', '¥9.49')
    """
    return money(fen) if abs(fen) < 1000 else money((fen + 50) // 100 * 100).removesuffix(".00")


def short_money(fen: int) -> str:
    """An amount short enough to stand above a bar, in the reader's language: ``¥950``, ``¥1.13万``, ``¥11.3k``."""
    yuan = fen / 100
    if abs(yuan) < (unit := int(_("10000"))):
        return f"¥{yuan:,.0f}"
    return f"¥{yuan / unit:,.2f}万" if language() == "zh" else f"¥{yuan / unit:,.1f}k"


def day(instant: int) -> str:
    """An instant's month and day in Shanghai.

    >>> day(1671551999)
    '12-20'
    """
    return shown(instant)[5:10]


def moment(instant: int) -> str:
    """An instant's month, day, hour and minute in Shanghai.

    >>> moment(1671551999)
    '12-20 23:59'
    """
    return f"{shown(instant)[5:10]} {shown(instant)[11:16]}"


def full_moment(instant: int) -> str:
    """An instant's year, month, day, hour and minute in Shanghai.

    >>> full_moment(1671551999)
    '2022-12-20 23:59'
    """
    return f"{shown(instant)[:10]} {shown(instant)[11:16]}"


def spelled_day(instant: int) -> str:
    """An instant's Shanghai date in the reader's language: ``11-25``, ``25 Nov``."""
    on = shanghai_date(instant)
    return f"{on:%m-%d}" if language() == "zh" else f"{on.day} {on:%b}"


def deadline(instant: int) -> str:
    """The end of a window in the reader's language: ``12-10 24 点``, ``10 Dec, end of day``."""
    return in_language(*deadline_text(instant))


def dated_deadline(instant: int) -> str:
    """The same with its year, for what may be far off: ``2027-04-30 24 点``."""
    return in_language(*deadline_text(instant, year=True))


def navigation(person: Person | None) -> tuple[tuple[str, str, str], ...]:
    """A person's navigation entries: (endpoint, Chinese, English)."""
    return (*_own(person), *FOR_EVERYBODY)


def first_page() -> str | None:
    """The endpoint of the person's start page; None without a log-in."""
    return next((endpoint for endpoint, *_rest in _own(g.get("person"))), None)


def _own(person: Person | None) -> tuple[tuple[str, str, str], ...]:
    if person is None:
        return ()
    return NAVIGATION["promoter" if person.viewing_as else person.role]


def actor(name: str) -> str:
    """Who acted, as the audit names them, in the reader's language: an account's e-mail, the shell or the program."""
    if name == NOBODY.name:
        return _("程序")
    shell, _colon, user = name.partition(": ")
    return _("命令行：%(user)s", user=user) if shell == "command line" else name


def ineligible(code: str) -> str:
    """The name of a reason why a promoter may not take part."""
    return in_language(*Ineligibility.labels().get(code, (code, code)))


def install(app: Flask, site_environment: str) -> None:
    """Register the filters and globals of the templates."""
    app.jinja_env.filters.update(
        yuan=shown_yuan,
        money=money,
        about=about,
        short_money=short_money,
        shanghai=shown,
        day=day,
        moment=moment,
        full_moment=full_moment,
        spelled_day=spelled_day,
        deadline=deadline,
        dated_deadline=dated_deadline,
        ineligible=ineligible,
        actor=actor,
        cards=cards,
    )
    app.jinja_env.globals.update(
        csrf_token=generate_csrf, until=deadline_text, navigation=navigation, environment=site_environment
    )
