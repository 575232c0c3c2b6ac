"""The navigation of operators and administrators: four groups, with the number of what waits beside each entry."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, g
from sqlalchemy import Connection

from bounty.calendar.due import open_counts
from bounty.calendar.schedule_overview import overdue_slots
from bounty.web.shared.access import Person
from bounty.web.shared.request_context import now, reading, site

_OPERATIONS = ("operator", "admin")


@dataclass(frozen=True, slots=True)
class WaitingCounts:
    """How much waits for operations; each count reads an index of what is open."""

    overdue: int
    """Slots of the calendar that were missed, and rosters that should be frozen."""
    quarantined: int
    """Rows in quarantine."""
    appeals: int
    """Appeals that operations have to answer."""
    undelivered: int
    """Messages that were given up."""


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A page in a group."""

    endpoint: str
    zh: str
    en: str
    count: int = 0
    """How much waits there; 0 shows nothing."""
    count_zh: str = ""
    """What is counted, after the number."""
    count_en: str = ""


@dataclass(frozen=True, slots=True)
class NavigationGroup:
    """Pages under one heading."""

    zh: str
    en: str
    entries: tuple[NavigationEntry, ...]

    @property
    def waiting(self) -> int:
        """How much waits on its pages together."""
        return sum(entry.count for entry in self.entries)


def install(app: Flask) -> None:
    """Give templates the groups, and the number of what is overdue."""
    app.jinja_env.globals.update(navigation_groups=navigation_groups)

    @app.context_processor
    def _counts() -> dict[str, Callable[[], int]]:
        return {"overdue": lambda: counts().overdue}


def navigation_groups(person: Person | None) -> tuple[NavigationGroup, ...]:
    """The groups of operators and administrators; nothing for others, and while they view as a promoter."""
    if person is None or person.viewing_as or person.role not in _OPERATIONS:
        return ()
    waits = counts()
    accounts = (NavigationEntry("accounts.index", "账号", "Accounts"),) if person.role == "admin" else ()
    settling = NavigationEntry("settling.index", "核算与公示", "Settle and publish")
    return (
        NavigationGroup(
            "月度",
            "Month",
            (
                NavigationEntry("period.index", "期次", "Periods"),
                NavigationEntry("roster.index", "名单", "Roster"),
                NavigationEntry("results.newest", "结果", "Results"),
                *((settling,) if person.role == "operator" else ()),
                NavigationEntry("schedule.index", "日程", "Schedule", waits.overdue, "项逾期", "overdue"),
            ),
        ),
        NavigationGroup(
            "数据",
            "Data",
            (
                NavigationEntry("imports.index", "导入", "Imports"),
                NavigationEntry(
                    "quarantine.index", "隔离区", "Quarantine", waits.quarantined, "行待处理", "rows wait"
                ),
                NavigationEntry("search.index", "查找", "Search"),
            ),
        ),
        NavigationGroup(
            "人员",
            "People",
            (
                NavigationEntry(
                    "appeal_queue.index", "申诉", "Appeals", waits.appeals, "件待答复", "to be answered"
                ),
                NavigationEntry(
                    "outbox.index", "消息", "Messages", waits.undelivered, "条未送达", "not delivered"
                ),
                NavigationEntry("webhooks.index", "接收方", "Endpoints"),
                NavigationEntry("roster.invitations", "邀请推手", "Invite promoters"),
                *accounts,
            ),
        ),
        NavigationGroup(
            "发放与记录",
            "Payouts, records",
            (
                NavigationEntry("payouts.index", "发放", "Payouts"),
                NavigationEntry("terms.index", "条款", "Terms"),
                NavigationEntry("audit.index", "审计", "Audit"),
                NavigationEntry("public.notices", "公示", "Notices"),
                NavigationEntry("public.rules", "规则", "Rules"),
            ),
        ),
    )


def counts() -> WaitingCounts:
    """How much waits for the account of the request, counted once; nothing for an account that can't act on it."""
    person = g.get("person")
    if person is None or person.viewing_as or person.role not in _OPERATIONS:
        return WaitingCounts(0, 0, 0, 0)
    if "waiting_counts" not in g:
        with reading() as connection:
            g.waiting_counts = _counted(connection)
    found: WaitingCounts = g.waiting_counts
    return found


def _counted(connection: Connection) -> WaitingCounts:
    overdue = len(overdue_slots(connection, site().settings.calendar, now()))
    return WaitingCounts(overdue, *open_counts(connection, now()))
