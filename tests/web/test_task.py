"""My task: what it says at each time of a period, just as `bounty progress` does, and how many queries that takes."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select

from bounty.accounts.service import add_user
from bounty.db import transaction
from bounty.models import User
from bounty.money import shown_yuan
from tests.factories import PROMOTER, Month, Row, order_row, promoter, shanghai, terms_toml, violation
from tests.web.clients import application, close, words_of

V1, YOUNG, VIOLATOR, V9 = range(PROMOTER + 1, PROMOTER + 5)
MID = "2022-12-15 15:00:00"
JANUARY = "2023-01-05 12:00:00"
SETTLING = "2023-01-12 12:00:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 of the contract's terms: a V0 with an account, close to its targets, and others."""
    month = Month(engine, tmp_path, now="2022-11-25 09:00:00")
    month.begin(
        promoter(name="示例·林晓"),
        promoter(V1, level="V1"),
        promoter(YOUNG, level="V1", registered_on="2022-11-15"),
        promoter(VIOLATOR),
        promoter(V9, level="V9"),
        toml=terms_toml(effective_from="2022-11"),
    )
    month.now = shanghai(MID)
    return month


def counted_and_pending() -> list[Row]:
    """¥1,236.50 in 12 orders count, ¥318.00 in 4 are pending, 4 do not count; 18 would earn on ¥2,140.50."""
    counted = [order_row(number=at, amount_fen=10_000 if at < 11 else 13_650) for at in range(12)]
    pending = [
        order_row(number=20 + at, amount_fen=fen, paid="2022-12-14 12:00:00", received=None)
        for at, fen in enumerate((2_600, 5_210, 3_990, 38_600))
    ]
    return [
        *counted,
        *pending,
        order_row(number=30, amount_fen=20_000, is_direct=0),
        order_row(number=31, amount_fen=20_000, is_direct=0),
        order_row(number=32, amount_fen=9_980, type=94),
        order_row(number=33, amount_fen=13_900, status=4),
    ]


@pytest.fixture
def client_at(database_url: str, engine: Engine) -> Iterator[Callable[..., FlaskClient]]:
    """A promoter's browser, at a time."""
    with ExitStack() as stack:

        def client(now: str, promoter_id: int = PROMOTER) -> FlaskClient:
            app = application(database_url, now)
            stack.callback(close, app)
            of_promoter = select(User.fs_uniquifier).where(User.promoter_id == promoter_id)
            with transaction(engine) as connection:
                if connection.execute(of_promoter).first() is None:
                    add_user(
                        connection,
                        email=f"{promoter_id}@example.com",
                        name="林晓",
                        role="promoter",
                        promoter_id=promoter_id,
                        password="a long and good one",
                        now=shanghai(now),
                    )
                uniquifier = connection.execute(of_promoter).scalar_one()
            browser = app.test_client()
            with browser.session_transaction() as session:
                session["_user_id"], session["_fresh"] = uniquifier, True
                session["began"] = session["seen"] = shanghai(now)
            return browser

        yield client


def said_by(client: FlaskClient, path: str = "/task", language: str = "zh") -> str:
    """What a page says, without any blank in Chinese, with single ones in English."""
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    words = words_of(answer.text)
    return words if language == "en" else words.replace(" ", "")


def test_in_mid_month_it_says_what_is_missing(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    month.orders(*counted_and_pending())
    said = said_by(client_at(MID))
    for sentence in (
        "2022年12月期·V0（12-01快照）·有资格·数据截至2022-12-1515:00",
        "直推GMV目标¥2,000.00¥1,236.50今日应到¥1,500已计入61.8%待收货¥318.00，合计77.7%",
        "直推订单目标20单12单今日应到15单已计入60%待收货4单，合计80%",
        "还差¥445.50与4单（含待收货）；剩6天，每天约¥74与1单",
        "两项都达到才算达标。含待收货比今日节奏快¥54.50、快1单；照1–15日的速度，到20日约¥2,073、21单。",
        "预计补贴¥42.81若达标：18单¥2,140.50的20‰",
        "再有¥1,445.50与14单（目标的150%）：补贴30‰，现有订单约多¥21.41",
        "距推广截止5天9小时12-2024点前付款",
        "距收货截止27天01-1024点前收货",
        "剩余每天需¥74.25",
        "目标由来：条款对该等级的固定目标。",
        "名单冻结后（通常在每月25日），这里显示下一期的资格与目标。",
    ):
        assert sentence in said
    english = said_by(client_at(MID), language="en")
    assert (
        "Missing: ¥445.50 and 4 orders (with pending ones); 6 days left, about ¥74 and 1 order a day"
        in english
    )


def test_old_data_tells_no_pace(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    month.orders(*counted_and_pending())
    said = said_by(client_at("2022-12-18 09:00:00"))
    assert "订单数据3天没有更新：之后付款和收货的订单还没有算进来，进度以更新后为准。" in said
    assert "节奏" not in said


def test_the_orders_beside_it_add_up_to_it(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    month.orders(*counted_and_pending())
    said = said_by(client_at(MID))
    assert "全部20已计入12待收货4不计入4" in said
    assert "不计入4单：非直推2虚拟商品1退款或处罚1" in said
    assert "全部20单¥2,379.30¥1,236.50另有待收货¥318.00¥42.81" in said


def test_it_says_what_progress_says(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    month.orders(*counted_and_pending())
    answer = month.progress()
    said = said_by(client_at(MID))
    yuan = {name: shown_yuan(answer[name]["gmv_fen"]) for name in ("counted", "pending")}
    assert f"合计¥{float(yuan['counted']):,.2f}{answer['counted']['orders']}¥{yuan['pending']}" in said
    assert f"目标¥{answer['targets']['gmv_fen'] // 100:,}.00" in said


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("2022-11-28 12:00:00", "12-01开始，目标¥2,000.00与20单"),
        ("2022-12-01 00:00:00", "还差¥2,000.00与20单（含待收货）；剩20天，每天约¥100与1单"),
        ("2022-12-20 23:59:59", "剩1天，每天约¥2,000"),
        (JANUARY, "本期不能再达标：任务期已结束，还差¥2,000.00与20单。"),
        (SETTLING, "本期不能再达标：任务期已结束，还差¥2,000.00与20单。"),
    ],
)
def test_without_an_order_it_says_so_at_every_time(
    month: Month, client_at: Callable[..., FlaskClient], at: str, sentence: str
) -> None:
    said = said_by(client_at(at))
    assert sentence in said
    assert "还没有订单数据" in said
    assert "还没有计入或待收货的订单；有了订单，这里按付款日显示。" in said
    assert "约多¥0.00" not in said


def enough(received: str | None) -> list[Row]:
    """20 orders of ¥100."""
    return [order_row(number=at, paid="2022-12-19 12:00:00", received=received) for at in range(20)]


def test_what_is_ordered_is_enough_once_it_is_received(
    month: Month, client_at: Callable[..., FlaskClient]
) -> None:
    month.orders(*enough(None))
    assert "待收货的订单在01-1024点前收货即达标" in said_by(client_at(JANUARY))


def test_passed_then_published(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    month.orders(*enough("2022-12-25 12:00:00"))
    assert "已达标：收货截止前若有退款、处罚，会重新计算" in said_by(client_at(JANUARY))
    month.now = shanghai(SETTLING)
    month.settle()
    assert "已达标：以公示为准" in said_by(client_at(SETTLING))
    month.publish()
    said = said_by(client_at("2023-01-13 12:00:00"))
    assert "已达标，补贴¥40.00公示计入¥2,000.00、20单；20单有补贴，比例20‰。" in said
    assert "全部20单¥2,000.00¥2,000.00¥40.00" in said


@pytest.mark.parametrize(
    ("promoter_id", "reason", "remedy"),
    [
        (YOUNG, "注册未满2个月：2022-11-15注册", "满2个月：2023-01-15，最早可参与2023-02期。"),
        (V9, "等级V9不在本期条款内（本期为V0、V1）", "等级变动后，从下一次快照的期次起重新判断。"),
    ],
)
def test_who_does_not_take_part_learns_why_and_from_when(
    month: Month, client_at: Callable[..., FlaskClient], promoter_id: int, reason: str, remedy: str
) -> None:
    said = said_by(client_at(MID, promoter_id))
    assert f"本期没有参与资格：{reason}{remedy}" in said
    assert "还差" not in said


def test_a_violation_is_named(engine: Engine, tmp_path: Path, client_at: Callable[..., FlaskClient]) -> None:
    month = Month(engine, tmp_path, now="2022-11-25 09:00:00")
    month.table("promoters", promoter())
    month.table("violations", violation(cleared_on="2023-01-03"))
    month.terms(terms_toml())
    month.open()
    said = said_by(client_at(MID))
    assert "2022-11-11有违规记录：站内导流2023-01-03解除，最早可参与2023-02期。" in said


def test_a_level_with_one_target_has_one_meter(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    said = said_by(client_at(MID, V1))
    assert "GMV目标¥3,000.00" in said
    assert "历史月均" in said
    assert "直推" not in said
    assert "两项都达到" not in said


def test_the_next_period_is_there_as_soon_as_it_is_frozen(
    month: Month, client_at: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    Month(month.engine, tmp_path / "next", period="2023-01", now="2022-12-25 09:00:00").open()
    said = said_by(client_at("2022-12-26 12:00:00"))
    assert "下一期2023-01名单冻结于2022-12-2509:00有资格V0；目标¥2,000.00与20单" in said
    assert "下一期2023-02名单冻结后" in said_by(client_at(JANUARY))


def test_a_period_that_is_not_theirs_is_not_there(
    month: Month, client_at: Callable[..., FlaskClient]
) -> None:
    client = client_at(MID)
    assert client.get("/months/2022-12/task").status_code == 200
    for period in ("2023-01", "2022-13", "x"):
        assert client.get(f"/months/{period}/task").status_code == 404


def test_the_number_of_queries_is_fixed(month: Month, client_at: Callable[..., FlaskClient]) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        client, numbers = client_at(MID), []
        for rows in ([order_row(received=None)], counted_and_pending()):
            month.orders(*rows)
            asked.clear()
            said_by(client)
            numbers.append(
                len([statement for statement in asked if not statement.startswith(("BEGIN", "PRAGMA"))])
            )
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert numbers[0] == numbers[1] <= 10  # with the programmes, the unread messages and the forecast


def test_above_the_promoter_cap_the_newest_orders_earn_nothing(
    engine: Engine, tmp_path: Path, client_at: Callable[..., FlaskClient]
) -> None:
    month = Month(engine, tmp_path, now="2022-11-25 09:00:00")
    month.begin(toml=terms_toml(caps='promoter_cap_yuan = "5.00"'))
    month.now = shanghai(MID)
    month.orders(*(order_row(number=at, paid=f"2022-12-0{at} 12:00:00") for at in range(1, 5)))
    said = said_by(client_at(MID))
    assert "若达标：3单¥300.00的20‰" in said
    assert "预计补贴¥5.00" in said
    assert "全部4单¥400.00¥400.00¥5.00" in said
    assert re.findall(r"12-0912:00收货(¥[0-9.]+|无)", said) == ["无", "¥1.00", "¥2.00", "¥2.00"]
