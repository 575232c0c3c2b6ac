"""What the checklist holds back, what is waived, and what is confirmed."""

import re
from collections.abc import Callable

from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.models import AuditEvent
from tests.factories import Month, bounty, order_row, terms_toml
from tests.web.settling.desk import LEVELS, Reader, a_slice, words_of


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
