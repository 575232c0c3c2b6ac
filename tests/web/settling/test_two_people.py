"""Operations close a month in the browser: settle, approve and publish take two people and what they saw."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, func, select, update

from bounty.app import create_app
from bounty.checks.books import CHECKS
from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, User
from bounty.web.shared.request_context import EXTENSION
from config import Settings
from tests.factories import PROMOTER, Month, order_row, shanghai
from tests.payout.people import PASSWORD
from tests.web.settling.desk import ACTS, PAGES, Reader, acts_of, sold, token_of


def test_a_month_is_closed_by_two_people_and_corrected(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    assert "待核算" in operator.page()
    status, told = operator.act("settle")
    assert (status, "核算 1 已完成，待批准。" in told, f"{len(CHECKS)} 项，0 处不符" in told) == (
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
