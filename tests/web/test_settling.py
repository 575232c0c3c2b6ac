"""Operations close a month in the browser: settle, approve, publish, and again with late data."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, func, insert, select, update

from bounty.accounts.service import add_user
from bounty.app import create_app
from bounty.checks.books import CHECKS
from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, FetchWindow, User
from bounty.money import read_yuan
from bounty.notices.differences import difference
from bounty.notices.period_status import period_status
from bounty.notices.results_query import by_tier, funnel, results_query
from bounty.web.shared.request_context import EXTENSION
from config import Settings
from tests.factories import PROMOTER, Month, bounty, order_row, promoter, shanghai, terms_toml
from tests.payout.people import KEY, PASSWORD, Codes

LEVELS = {"V0": 'direct_only = true\ngmv_yuan = "300.00"'}
ROLES = {
    "operator": "operator",
    "second": "operator",
    "finance": "finance",
    "admin": "admin",
    "promoter": "promoter",
}
SETTLING = "/operations/periods/2022-12/settling"
PAGES = (
    "/operations/periods",
    "/operations/periods/2022-12",
    "/operations/periods/2022-12/results",
    SETTLING,
    "/operations/periods/2022-12/changes",
    "/operations/periods/2022-12/results.csv",
    "/operations/periods/2022-12/nearest.csv",
    "/operations/periods/2022-12/changes.csv",
)
ACTS = ("settle", "check", "waive", "approve", "publish")


def sold(at: int, orders: int, *, first: int = 1, **fields: Any) -> list[dict[str, Any]]:
    """So many orders of ¥100.00 each, modified after the cutoff, of the promoter in this place."""
    return [
        order_row(
            number=1000 * at + first + nth,
            promoter_id=PROMOTER + at,
            modified="2023-01-12 09:00:00",
            **fields,
        )
        for nth in range(orders)
    ]


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """Five with a target of ¥300: 0 passes by a tier, 1 just, 2 lacks a tenth, 3 is far off, 4 sold nothing."""
    month = Month(engine, tmp_path)
    people = [promoter(PROMOTER + at, name=f"示例·{at} 号") for at in range(5)]
    toml = terms_toml(levels=LEVELS, caps="")
    month.begin(*people, toml=toml)
    month.orders(*sold(0, 5), *sold(1, 3), *sold(2, 2), *sold(2, 1, first=9, amount_fen=70_00), *sold(3, 1))
    with transaction(engine) as connection:
        for name, role in ROLES.items():
            add_user(
                connection,
                email=f"{name}@example.com",
                name=name,
                role=role,
                promoter_id=PROMOTER if role == "promoter" else None,
                password=PASSWORD,
                now=1,
            )
    return month


class Reader:
    """Somebody who is logged in."""

    def __init__(self, client: FlaskClient, codes: Codes | None = None) -> None:
        self.client, self.codes = client, codes

    def page(self, path: str = SETTLING) -> str:
        """What the page says, on one line."""
        answer = self.client.get(path)
        assert answer.status_code == 200, path
        return words_of(answer.text)

    def act(self, act: str, period: str = "2022-12", **fields: Any) -> tuple[int, str]:
        """Post a form of the page as it stands; the status, and what is said afterwards."""
        page = self.client.get(f"/operations/periods/{period}/settling").text
        if not re.search(
            'name="settlement_id"', page
        ):  # the draft's other form, on the page before publishing
            page += self.client.get(f"/operations/periods/{period}/publish").text
        shown = dict(re.findall(r'name="(settlement_id|content_sha256)" value="([^"]*)"', page))
        if self.codes and act in ("approve", "publish") and "code" not in fields:
            fields["code"] = self.codes.fresh()
        data = {**shown, "csrf_token": token_of(page), **fields}
        answer = self.client.post(f"/operations/periods/{period}/{act}", data=data)
        told = self.page() if answer.status_code == 303 else words_of(answer.text)
        return answer.status_code, told


def words_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


@pytest.fixture
def reader(month: Month, database_url: str) -> Iterator[Callable[..., Reader]]:
    with ExitStack() as stack:
        app = create_app(
            Settings(
                database_url=database_url,
                now=shanghai("2023-01-15 12:00:00"),
                require_approval=True,
                totp_key=KEY,
            )
        )
        stack.callback(app.extensions[EXTENSION].engine.dispose)

        def log_in(name: str) -> Reader:
            client = app.test_client()
            token = token_of(client.get("/login").text)
            fields = {"csrf_token": token, "email": f"{name}@example.com", "password": PASSWORD}
            assert client.post("/login", data=fields).status_code == 302
            return Reader(client, Codes(month.engine, f"{name}@example.com"))

        yield log_in


def acts_of(engine: Engine) -> list[str]:
    with snapshot(engine) as connection:
        acts = select(AuditEvent.act).where(AuditEvent.act.not_like("user.%")).order_by(AuditEvent.event_id)
        return list(connection.execute(acts).scalars())


def test_a_month_is_closed_by_two_people_and_corrected(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    assert "待核算" in operator.page()
    status, told = operator.act("settle")
    assert (status, "核算 1 已完成，成为草稿。" in told, f"{len(CHECKS)} 项，0 处不符" in told) == (
        303,
        True,
        True,
    )
    assert "¥21.00" in told  # 5 orders at 30 per mille, 3 at 20
    assert "请由另一人复核批准" in told
    status, told = operator.act("approve", settlement_id=1)
    assert (status, "经办人不能批准自己的草稿：请由另一人复核。" in told) == (409, True)
    status, told = operator.act("publish")
    assert (status, "还差 1 个账号批准" in told) == (409, True)
    status, told = second.act("approve")
    assert (status, "您已批准" in told, "已批准" in told) == (303, True, True)
    status, told = operator.act("publish")
    assert (status, "第 1 号公示已发布。" in told) == (303, True)

    # Again on the same facts: nothing, and it says so.
    before = acts_of(engine)
    status, told = operator.act("settle")
    assert (status, "数据没有带来变化：核算 1 仍然有效。" in told) == (303, True)
    assert [act for act in acts_of(engine)[len(before) :] if act != "books.check"] == []

    # Late: promoter 2 gains an order and passes, an order of promoter 1 is refunded so that they no longer do.
    month.orders(
        *sold(2, 1, first=20, paid="2022-12-06 12:00:00"),
        order_row(
            number=1001,
            promoter_id=PROMOTER + 1,
            status=4,
            verified="2023-01-09 12:00:00",
            modified="2023-01-13 09:00:00",
        ),
    )
    status, told = operator.act("settle")
    assert (status, "核算 2 已完成" in told) == (303, True)
    assert "新数据：当时还没有的订单、收货或结算 1 +1" in told
    assert "之后退款、审核失败或处罚 1 −1" in told
    assert second.act("approve")[0] == 303
    assert "第 2 号公示已发布。" in operator.act("publish")[1]
    assert acts_of(engine)[-4:] == ["settlement.make", "books.check", "settlement.approve", "notice.publish"]
    assert "已更正" in operator.page("/operations/periods/2022-12")


def test_approving_and_publishing_take_a_fresh_code_each(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator, second, finance = reader("operator"), reader("second"), reader("finance")
    operator.act("settle")
    assert second.codes is not None
    used = second.codes.present()
    for code in ("", "000000", "no code"):
        status, told = second.act("approve", code=code)
        assert (status, "验证码不对" in told) == (409, True)
    assert second.act("approve", code=used)[0] == 303
    month.orders(*sold(0, 1, first=40))
    operator.act("settle")
    status, told = second.act("approve", code=used)
    assert (status, "已经用过" in told) == (409, True)
    assert second.act("approve", code="000000")[0] == 409
    status, told = second.act("approve")  # the sixth
    assert (status, "登录失败次数过多" in told) == (409, True)
    with transaction(engine) as connection:
        connection.execute(
            update(User).where(User.email == "finance@example.com").values(tf_totp_secret=None)
        )
    status, told = finance.act("approve")
    assert (status, "先设置两步验证，才能办理这一步" in told, "/tf-setup" in told) == (409, True, True)
    assert acts_of(engine).count("settlement.approve") == 1


def test_causes_sum_to_the_difference_and_so_do_the_orders_listed(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator = reader("operator")
    operator.act("settle")
    month.orders(*sold(2, 2, first=20), *sold(0, 1, first=30, status=4, verified="2023-01-08 12:00:00"))
    month.orders(*sold(0, 1, status=4, verified="2023-01-09 12:00:00"))
    operator.act("settle")
    with snapshot(engine) as connection:
        stage = period_status(connection, month.period, month.now)
        found = difference(connection, month.period, stage.terms, stage.before, stage.newest)
    assert found.subsidy_fen != 0
    assert sum(cause.subsidy_fen for cause in found.causes) == found.subsidy_fen
    assert sum(cause.passed for cause in found.causes) == found.now_passed - found.was_passed == 1
    listed = rows_of(operator.client.get("/operations/periods/2022-12/changes.csv").data)
    assert sum(fen(row["moved_yuan"]) for row in listed) == found.subsidy_fen
    for cause in found.causes:
        of_cause = rows_of(
            operator.client.get(f"/operations/periods/2022-12/changes.csv?cause={cause.code}").data
        )
        assert (len(of_cause), sum(fen(row["moved_yuan"]) for row in of_cause)) == (
            cause.orders,
            cause.subsidy_fen,
        )
    assert f"{found.promoters} 人的结果有变化" in operator.page()
    changed = operator.client.get("/operations/periods/2022-12/results.csv?change=any").data
    assert len(rows_of(changed)) == found.promoters


def fen(yuan: str) -> int:
    return -read_yuan(yuan[1:]) if yuan.startswith("-") else read_yuan(yuan)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_what_is_expected_now_is_what_a_settlement_then_says(month: Month, engine: Engine) -> None:
    with snapshot(engine) as connection:
        stage = period_status(connection, month.period, month.now)
        now = connection.execute(results_query(stage.bounds, stage.terms).order_by("promoter_id")).all()
        tiers = by_tier(connection, stage.bounds, stage.terms, None)
        steps = funnel(connection, stage.bounds, stage.terms, None, month.now)
    settled = month.settle()
    with snapshot(engine) as connection:
        bounds, terms = stage.bounds, stage.terms
        then = connection.execute(
            results_query(bounds, terms, settled.settlement_id).order_by("promoter_id")
        ).all()
        assert by_tier(connection, bounds, terms, settled.settlement_id) == tiers
        assert funnel(connection, bounds, terms, settled.settlement_id, month.now) == steps
    assert now == then
    assert [(tier.rate_permille, tier.promoters, tier.basis_fen, tier.subsidy_fen) for tier in tiers] == [
        (20, 1, 300_00, 6_00),
        (30, 1, 500_00, 15_00),
    ]
    assert (steps.on_roster, steps.active, steps.passed, steps.at_risk) == (5, 4, 2, 1)
    assert [row.margin for row in now] == [6666, 0, -1000, -6667, -10000]


def test_on_pace_is_who_would_pass_by_going_on_so(month: Month, engine: Engine) -> None:
    month.orders(*sold(4, 2, received=None))
    with snapshot(engine) as connection:
        stage = period_status(connection, month.period, month.now)
        half = shanghai("2022-12-11 00:00:00")
        found = funnel(connection, stage.bounds, stage.terms, None, half)
    assert (found.on_pace, found.passed) == (4, 2)  # two more have half of it, pending included


def test_a_line_of_the_checklist_is_waived_with_a_reason_or_holds_the_notice_back(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    month.orders(order_row(number=9999, order_status=99))
    assert "处理 1 条隔离行，然后核算" in operator.page("/operations/periods/2022-12")
    operator.act("settle")
    status, told = second.act("approve")
    assert (status, "还不能：隔离行：1 条未处理。" in told) == (409, True)
    status, told = operator.act("waive", line="QUARANTINE", reason="  ")
    assert (status, "请写明放行理由" in told) == (409, True)
    status, told = operator.act("waive", line="CHECKS", reason="x")
    assert (status, "这一项不能放行" in told) == (409, True)
    status, told = operator.act("waive", line="QUARANTINE", reason="不属于本月")
    assert (status, "经办人不能为自己草稿的检查项放行" in told) == (409, True)
    status, told = second.act("waive", line="QUARANTINE", reason="不属于本月")
    assert (status, "放行： 不属于本月" in told or "放行：不属于本月" in told) == (303, True)
    assert second.act("approve")[0] == 303
    assert operator.act("publish")[0] == 303
    with snapshot(engine) as connection:
        kept = connection.execute(
            select(AuditEvent.reason, AuditEvent.actor).where(AuditEvent.act == "settlement.waive")
        ).all()
    assert kept == [("不属于本月", "second@example.com")]


def a_slice(engine: Engine, from_at: str, until_at: str) -> None:
    """A span that was fetched from the platform, and had nothing in it."""
    span = {"from_at": shanghai(from_at), "until_at": shanghai(until_at)}
    empty = {"rows_told": 0, "rows_held": 0, "pages": 0, "known_at": 0, "read_at": 0}
    with transaction(engine) as connection:
        connection.execute(
            insert(FetchWindow).values(kind="UPDATED", whose="all", done=True, **span, **empty)
        )


def test_where_orders_may_be_missing_the_notice_waits_or_a_second_person_answers_for_it(
    month: Month, engine: Engine, database_url: str, reader: Callable[..., Reader]
) -> None:
    operator, second, finance = reader("operator"), reader("second"), reader("finance")
    assert "平台订单齐全" not in operator.page(), "nothing was fetched: there is nothing to prove"
    a_slice(engine, "2022-12-01 00:00:00", "2022-12-20 00:00:00")
    a_slice(engine, "2022-12-22 00:00:00", "2023-01-11 00:00:00")
    status, told = operator.act("settle")
    gaps = "2 段缺口：2022-12-20 00:00 – 2022-12-22 00:00；2023-01-11 00:00 – 2023-01-11 00:01"
    assert (status, gaps in told) == (303, True)
    for one, act in ((second, "approve"), (operator, "publish")):
        status, told = one.act(act)
        assert (status, "还不能：平台订单齐全：2 段缺口" in told) == (409, True)
    shell = bounty(database_url, "publish", "2022-12", now="2023-01-15T12:00:00+08:00")
    assert (shell.returncode, "2 gaps" in shell.stderr, "bounty sync" in shell.stderr) == (1, True, True)
    assert "2 gaps" in bounty(database_url, "settle", "2022-12", now="2023-01-15T12:00:00+08:00").stdout

    status, told = operator.act("waive", line="COVERAGE", reason="平台维护，已用文件补齐")
    assert (status, "经办人不能为自己草稿的检查项放行" in told) == (409, True)
    status, told = second.act("waive", line="COVERAGE", reason=" ")
    assert (status, "请写明放行理由" in told) == (409, True)
    status, told = second.act("waive", line="COVERAGE", reason="平台维护，已用文件补齐")
    assert (status, "平台维护，已用文件补齐" in told) == (303, True)
    assert finance.act("approve")[0] == 303
    assert operator.act("publish")[0] == 303


def test_orders_that_are_all_covered_hold_nothing_back(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    a_slice(engine, "2022-12-01 00:00:00", "2023-01-11 00:01:00")
    operator.act("settle")
    assert "无缺口" in operator.page()
    assert second.act("approve")[0] == 303
    assert operator.act("publish")[0] == 303


def test_what_was_not_seen_is_not_approved_or_published(month: Month, reader: Callable[..., Reader]) -> None:
    operator, second = reader("operator"), reader("second")
    operator.act("settle")
    for act in ("approve", "publish"):
        status, told = second.act(act, content_sha256="0" * 64)
        assert (status, "已不是您看到的那一份" in told) == (409, True)
    assert second.act("approve", settlement_id=7)[0] == 409


def test_before_the_cutoff_the_page_says_when(month: Month, database_url: str, reader: Any) -> None:
    app = create_app(Settings(database_url=database_url, now=shanghai("2022-12-15 12:00:00")))
    client = app.test_client()
    fields = {"email": "operator@example.com", "password": PASSWORD}
    client.post("/login", data={"csrf_token": token_of(client.get("/login").text), **fields})
    status, told = Reader(client).act("settle")
    assert (status, "要到收货截止 2023-01-11" in told) == (409, True)
    page = Reader(client).page("/operations/periods/2022-12")
    assert "推广中" in page
    assert "进度达标" in page
    app.extensions[EXTENSION].engine.dispose()


def test_sums_equal_what_is_shown_and_filed(month: Month, reader: Callable[..., Reader]) -> None:
    operator = reader("operator")
    operator.act("settle")
    page = operator.page("/operations/periods/2022-12/results")
    assert "全部 5 行 ¥21.00" in page
    filed = rows_of(operator.client.get("/operations/periods/2022-12/results.csv").data)
    assert sum(fen(row["subsidy_yuan"]) for row in filed) == 21_00
    for choice, promoters in (("passed", 2), ("risk", 1), ("short", 2), ("ineligible", 0)):
        found = operator.client.get(f"/operations/periods/2022-12/results.csv?result={choice}").data
        assert len(rows_of(found)) == promoters, choice
    nearest = operator.client.get("/operations/periods/2022-12/nearest.csv").data
    assert [row["margin_bp"] for row in rows_of(nearest)] == ["0", "-1000", "6666", "-6667"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_the_same_number_of_queries_whatever_the_size(
    month: Month, reader: Callable[..., Reader], path: str
) -> None:
    operator = reader("operator")
    operator.act("settle")
    month.orders(*sold(3, 1, first=40))
    operator.act("settle")
    few = queries(operator, path)
    month.orders(*sold(3, 4, first=50), *sold(4, 5, first=60))
    operator.act("settle")
    assert queries(operator, path) == few <= 32


def queries(reader: Reader, path: str) -> int:
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("PRAGMA"):
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = reader.client.get(path)
        assert answer.status_code == 200
        assert answer.data
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return len(asked)


def test_who_may_not_is_refused_and_nothing_happens(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    reader("operator").act("settle")
    before = acts_of(engine)
    for name, forbidden in (
        ("promoter", (*PAGES, *ACTS)),
        ("finance", ("settle", "check", "waive", "publish")),
        ("admin", ACTS),
    ):
        somebody = reader(name)
        token = token_of(somebody.client.get("/rules").text)
        for path in forbidden:
            if path.startswith("/"):
                assert somebody.client.get(path).status_code == 403, path
            else:
                answer = somebody.client.post(
                    f"/operations/periods/2022-12/{path}", data={"csrf_token": token}
                )
                assert answer.status_code == 403, (name, path)
    assert acts_of(engine) == before
    with snapshot(engine) as connection:
        assert connection.execute(select(func.count()).select_from(AuditEvent)).scalar_one() > 0


def test_finance_may_be_the_second_person(month: Month, reader: Callable[..., Reader]) -> None:
    reader("operator").act("settle")
    status, told = reader("finance").act("approve")
    assert (status, "您已批准" in told) == (303, True)


def test_a_period_that_is_not_open_or_no_month_has_no_page(reader: Callable[..., Reader]) -> None:
    operator = reader("operator")
    assert operator.client.get("/operations/periods/2023-07").status_code == 409
    assert operator.client.get("/operations/periods/2023-13").status_code == 404


def test_while_the_data_is_not_fresh_nothing_can_be_approved_or_published(
    month: Month, engine: Engine, database_url: str, reader: Callable[..., Reader]
) -> None:
    # Of orders of December nothing is known after the cutoff; January's orders prove nothing.
    early = Month(engine, month.folder / "november", period="2022-11", now="2022-12-01 12:00:00")
    early.terms(terms_toml(levels=LEVELS, caps="", effective_from="2022-11"))
    early.open()
    path = "/operations/periods/2022-11"
    month.orders(order_row(number=7, paid="2022-11-05 12:00:00", received="2022-11-09 12:00:00"))
    operator, second = reader("operator"), reader("second")
    assert "导入截至 2022-12-10 24 点 的订单数据" in operator.page(path)
    operator.act("settle", "2022-11")
    for one in (operator, second):
        page = one.client.get(f"{path}/settling").text
        assert re.search(r"<button[^>]* disabled[^>]*>核对并公示|<button disabled[^>]*>批准", page)
        assert "检查清单未通过：数据已到收货截止。" in words_of(page)
    status, told = second.act("approve", "2022-11")
    assert (status, "还不能：数据已到收货截止" in told) == (409, True)
    assert operator.act("confirm-data", "2022-11", reason="  ")[0] == 409
    assert operator.act("confirm-data", "2022-11", reason="后台导出于 12 月 12 日")[0] == 303
    assert second.act("approve", "2022-11")[0] == 303
    assert operator.act("publish", "2022-11")[0] == 303


def test_late_facts_are_said_on_the_period_and_in_the_list_with_settle_again(
    month: Month, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    operator.act("settle")
    second.act("approve")
    operator.act("publish")
    path = "/operations/periods/2022-12"
    assert "公示之后" not in operator.page(path)
    assert "迟到" not in operator.page("/operations/periods")
    month.orders(
        *sold(2, 1, first=20, paid="2022-12-06 12:00:00")
    )  # ¥270.00 -> ¥370.00: passes at 20 per mille
    page = operator.page(path)
    assert "公示之后有新数据：再次核算" in page
    assert "1 单的判定或补贴会变，1 人的结果会变，补贴 +¥7.40" in page.replace("4 单的", "1 单的")
    assert "迟到数据 +¥7.40" in operator.page("/operations/periods")


def test_a_waived_line_is_amber_with_who_and_why_and_does_not_count_as_passed(
    month: Month, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    month.orders(order_row(number=9999, order_status=99))
    operator.act("settle")
    second.act("waive", line="QUARANTINE", reason="不属于本月")
    page = operator.page()
    assert "4 项中 3 项通过，1 项放行" in page
    assert "已放行" in page
    assert "放行：不属于本月 (second," in page
