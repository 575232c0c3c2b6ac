"""A missed calendar is seen: in the list of periods, on the Schedule page, in the navigation, and by promoters."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.calendar.schedule_overview import keep_wake
from bounty.db import transaction
from tests.factories import PROMOTER, Month, command, plain_terms, promoter
from tests.web.clients import application, close, log_in, words_of

Site = Callable[[str, str], FlaskClient]


@pytest.fixture
def site(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Site]:
    """Who has a role, logged in at a wall time: November is open, December was to be frozen on 25 November."""
    month = Month(engine, tmp_path, period="2022-11", now="2022-10-26 09:00:00")
    month.begin(promoter(), toml=plain_terms(effective_from="2022-11"))
    with transaction(engine) as connection:
        for role in ("promoter", "operator", "finance"):
            add_user(
                connection,
                email=f"{role}@example.com",
                name=role,
                role=role,
                promoter_id=PROMOTER if role == "promoter" else None,
                password="correct horse battery",
                now=month.now,
            )
    with ExitStack() as stack:

        def visit(role: str, now: str) -> FlaskClient:
            app = application(database_url, now, tmp_path, calendar_backups=False)
            stack.callback(close, app)
            client = app.test_client()
            log_in(client, f"{role}@example.com")
            return client

        yield visit


def seen(client: FlaskClient, path: str, language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    return words_of(answer.text)


def test_the_list_of_periods_says_how_late_a_roster_is(site: Site) -> None:
    before = site("operator", "2022-11-25 08:59:59")
    assert "名单将于 11-25 冻结" in seen(before, "/operations/periods")
    late = site("operator", "2022-11-29 08:00:00")
    assert "逾期未冻结 名单应于 11-25 冻结，已晚 4 天 去冻结名单" in seen(late, "/operations/periods")
    assert "should have been frozen on 25 Nov, 4 days late" in seen(late, "/operations/periods", "en")
    rows = late.get("/operations/periods.csv?state=OVERDUE").data.decode("utf-8-sig").splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["2022-12", "OVERDUE"]]


def test_the_schedule_shows_what_is_overdue_and_whether_a_worker_looks(
    site: Site, engine: Engine, database_url: str
) -> None:
    client = site("operator", "2022-11-29 08:00:00")
    page = seen(client, "/operations/schedule")
    assert "冻结名单 2022-12 应于 2022-11-25 09:00 完成，已晚 3 天" in page
    assert "后台程序最近一次查看日程 从未" in page
    assert "接下来" in page
    with transaction(engine) as connection:
        keep_wake(connection, 0)
        keep_wake(connection, 1669680000)
    assert "后台程序最近一次查看日程 2022-11-29 08:00" in seen(client, "/operations/schedule")
    assert client.get("/operations/schedule").status_code == 200
    assert site("finance", "2022-11-29 08:00:00").get("/operations/schedule").status_code == 403


def test_the_navigation_counts_what_is_overdue(site: Site, database_url: str) -> None:
    at = "2022-11-25T09:00:00+08:00"
    assert command(database_url, at, "worker", "--once").exit_code == 0
    quiet = seen(site("operator", "2022-11-25 10:00:00"), "/operations/periods")
    assert "项逾期" not in quiet
    assert "项逾期" in seen(site("operator", "2022-12-25 10:00:00"), "/operations/periods")
    assert "项逾期" not in seen(site("promoter", "2022-12-25 10:00:00"), "/task")


def test_promoters_read_that_the_roster_is_late(site: Site) -> None:
    assert "通常在每月 25 日" in seen(site("promoter", "2022-11-24 12:00:00"), "/task")
    page = seen(site("promoter", "2022-11-29 08:00:00"), "/task")
    assert "名单本应于 11-25 冻结，现已延迟" in page
    assert "通常在每月 25 日" not in page


def test_slots_says_done_of_a_month_that_was_opened_by_hand(site: Site, database_url: str) -> None:
    opened = command(database_url, "2022-11-26T09:00:00+08:00", "open", "2022-12")
    assert opened.exit_code == 0, opened.output
    said = command(database_url, "2022-11-26T10:00:00+08:00", "slots").output
    line = next(line for line in said.splitlines() if "freeze 2022-12" in line)
    assert line.startswith("done")
    assert line.endswith("by hand")
