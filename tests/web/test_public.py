"""What everybody may see: the board of notices, one notice with all that it rests on, and the rules with answers."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.db import snapshot
from bounty.notices.period_summaries import period_summaries
from tests.factories import (
    PROMOTER,
    Month,
    link,
    order_row,
    plain_terms,
    promoter,
    rows_of,
    target,
    violation,
)
from tests.web.clients import application, close, words_of

Opened = Callable[..., FlaskClient]


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Opened]:
    """A visitor at an instant: ``opened("2023-01-16 12:00:00", public_list=False)``."""
    apps = []

    def client(now: str, **settings: object) -> FlaskClient:
        apps.append(application(database_url, now, tmp_path, **settings))
        return apps[-1].test_client()

    yield client
    for app in apps:
        close(app)


def page(client: FlaskClient, path: str, language: str = "zh") -> str:
    """A page as a person reads it, asked for twice."""
    headers = {"Accept-Language": language}
    first, again = client.get(path, headers=headers), client.get(path, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert words_of(first.text) == words_of(again.text)
    return words_of(first.text)


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022, open: five promoters, of whom two are ineligible, and 4 orders paid in it."""
    month = Month(engine, tmp_path)
    month.table("promoters", *(promoter(PROMOTER + at) for at in range(4)), promoter(1, level="V9"))
    month.table("violations", violation(PROMOTER + 3))
    month.table("targets", target(PROMOTER + 1, orders="2"))
    month.terms(plain_terms())
    month.open()
    month.orders(
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, paid="2022-12-25 12:00:00", received="2022-12-28 12:00:00"),
        order_row(number=4, amount_fen=4, promoter_id=PROMOTER + 1, p_id=f"{PROMOTER + 1}_4"),
        order_row(number=8, amount_fen=8, promoter_id=PROMOTER + 2, paid="2022-12-25 12:00:00"),
        order_row(number=16, amount_fen=16, paid="2022-11-25 12:00:00"),
        order_row(number=32, order_status=99),
    )
    return month


def corrected(month: Month) -> None:
    """A second notice: an order arrives late, and two links turn out to be of elsewhere."""
    month.orders(order_row(number=64, amount_fen=64, promoter_id=PROMOTER + 1, p_id=f"{PROMOTER + 1}_64"))
    month.table("links", link(f"{PROMOTER + 1}_64", "other"), link(f"{PROMOTER}_107021838", "other"))
    month.settle()
    month.publish()


def test_an_empty_site_says_what_will_appear(opened: Opened) -> None:
    client = opened("2022-12-15 12:00:00")
    assert "还没有期次" in page(client, "/")
    assert "No period is open yet" in page(client, "/", "en")
    assert "截至 2022-12-15 12:00" in page(client, "/")
    assert "2022-12 期还没有适用的条款" in page(client, "/rules")
    assert "No terms hold in 2022-12 yet" in page(client, "/rules", "en")


def test_a_period_without_a_notice_says_when_there_will_be_one(month: Month, opened: Opened) -> None:
    told = page(opened("2022-12-15 12:00:00"), "/notices")
    assert "任务期 12-01 至 12-20 24 点" in told
    assert "还没有公示：01-10 24 点收货截止" in told
    assert "达标" not in told


def test_the_public_is_told_the_state_but_not_of_a_draft(month: Month, opened: Opened) -> None:
    def state(now: str) -> str:
        found = re.search(r"2022-12 (\S+) (?:还没有|第)", page(opened(now), "/"))
        assert found
        return found[1]

    assert state("2022-12-20 23:59:59") == "推广中"
    assert state("2022-12-21 00:00:00") == "待收货截止"
    assert state("2023-01-10 23:59:59") == "待收货截止"
    assert state("2023-01-11 00:00:00") == "待核算"
    month.settle()
    assert state("2023-01-15 12:00:00") == "待核算"
    month.publish()
    assert state("2023-01-15 12:00:00") == "已公示"
    corrected(month)
    assert state("2023-01-15 12:00:00") == "已更正"


def test_the_state_that_operations_see_follows_from_the_clock_and_what_was_done(month: Month) -> None:
    def seen(now: int = month.now) -> str:
        with snapshot(month.engine) as connection:
            (period,) = period_summaries(connection, now)
        assert (period.on_roster, period.eligible) == (5, 3)
        return period.state

    assert seen(month.now - 10 * 86_400) == "AWAITING_RECEIPTS"
    assert seen() == "READY_TO_SETTLE"
    month.settle()
    assert seen() == "DRAFT"
    month.publish()
    assert seen() == "PUBLISHED"
    month.orders(order_row(number=64, amount_fen=64))
    assert seen() == "PUBLISHED"
    month.settle()
    assert seen() == "DRAFT"
    month.publish()
    assert seen() == "CORRECTED"


def test_a_notice_tells_its_sums_its_rule_and_how_to_verify_it(month: Month, opened: Opened) -> None:
    settled = month.settle()
    month.publish()
    client = opened("2023-01-16 12:00:00")
    told = page(client, "/notices/2022-12/1")
    assert (
        "名单 5 人 有资格 3 人 达标 1 人 补贴合计（预计） ¥0.03 2 单" in told
    )  # 1 + 2: the others' target is two orders
    assert re.search(r"合计 5 3 1 \d ¥0.0\d 2 ¥0.03", told)
    assert "当月 1 日 0 点至 20 日 24 点" in told
    assert "这是本期的第一号公示" in told
    assert "Notice" in page(client, "/notices/2022-12/1", "en")
    command = re.search(r"printf '%s\\n%s\\n%s\\n' (\w+) (\w+) (\w+) \| sha256sum", told)
    assert command
    content = hashlib.sha256("".join(f"{line}\n" for line in command.groups()).encode()).hexdigest()
    assert content == settled.content_sha256
    assert content in told


def test_a_correction_tells_what_changed_and_why_and_the_causes_make_the_sum(
    month: Month, opened: Opened
) -> None:
    month.settle()
    month.publish()
    corrected(month)
    client = opened("2023-01-16 12:00:00")
    told = page(client, "/notices/2022-12/2")
    assert "与第 1 号相比，2 人的结果有变，补贴合计 +¥0.01" in told  # 4 more, of the second promoter; 3 less
    assert re.search(r"更正：\S+ 2 −¥0.03", told)
    assert re.search(r"新数据：\S+ 1 ¥0.00", told)
    assert re.search(r"本人的结果因其他订单而变 1 \+¥0.04", told)
    assert "合计 4 +¥0.01" in told
    first = page(client, "/notices/2022-12/1")
    assert "已被更正" in first
    assert "看第 2 号" in first
    board = page(client, "/notices")
    assert board.index("第 2 号公示") < board.index("第 1 号")


def test_who_passed_is_listed_by_masked_ids_and_never_more(month: Month, opened: Opened) -> None:
    month.settle()
    month.publish()
    client = opened("2023-01-16 12:00:00")
    for path in ("/", "/notices", "/notices/2022-12/1", "/notices/2022-12/1/passed.csv"):
        text = client.get(path).text
        assert str(PROMOTER) not in text
        assert "示例" not in text
    assert "1 10***39 V0 1000‰" in page(client, "/notices/2022-12/1")
    (row,) = rows_of(client.get("/notices/2022-12/1/passed.csv").data)
    assert row == {"place": "1", "masked_id": "10***39", "level": "V0", "rate_permille": "1000"}
    assert "10***39" in page(client, f"/notices/2022-12/1?q={PROMOTER}")
    assert "没有符合条件的行" in page(client, f"/notices/2022-12/1?q={PROMOTER + 1}")


def test_a_long_list_has_pages_whose_addresses_hold_no_id(
    engine: Engine, tmp_path: Path, opened: Opened
) -> None:
    month = Month(engine, tmp_path)
    month.begin(*(promoter(PROMOTER + at) for at in range(60)))
    month.orders(
        *(order_row(number=at, promoter_id=PROMOTER + at, p_id=f"{PROMOTER + at}_1") for at in range(60))
    )
    month.settle()
    month.publish()
    client = opened("2023-01-16 12:00:00")
    first = client.get("/notices/2022-12/1?level=V0")
    (address,) = re.findall(r'href="([^"]*after=[^"]*)"', first.text)
    second = words_of(client.get(address.replace("&amp;", "&")).text)
    assert "第 2 页，共 2 页" in second
    assert "60 10***98 V0 1000‰" in second
    assert len(rows_of(client.get("/notices/2022-12/1/passed.csv?level=V0").data)) == 60
    assert str(PROMOTER + 49) not in address


def test_an_address_with_a_text_for_a_place_is_refused(month: Month, opened: Opened) -> None:
    month.settle()
    month.publish()
    after = base64.urlsafe_b64encode(b'[2,"x"]').decode()
    assert opened("2023-01-16 12:00:00").get(f"/notices/2022-12/1?after={after}").status_code == 400


def test_a_setting_hides_the_list(month: Month, opened: Opened) -> None:
    month.settle()
    month.publish()
    client = opened("2023-01-16 12:00:00", public_list=False)
    assert "达标名单" not in page(client, "/notices/2022-12/1")
    assert "达标 1 人" in page(client, "/notices/2022-12/1")
    assert client.get("/notices/2022-12/1/passed.csv").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/notices/2022-12/2", "/notices/2022-13/1", "/notices/2023-01/1", "/notices/2022-12/2/passed.csv"],
)
def test_a_notice_that_there_is_not_is_no_page(month: Month, opened: Opened, path: str) -> None:
    month.settle()
    month.publish()
    assert opened("2023-01-16 12:00:00").get(path).status_code == 404


def test_a_filter_that_there_is_not_is_refused_on_the_page_and_in_the_file(
    month: Month, opened: Opened
) -> None:
    month.settle()
    month.publish()
    client = opened("2023-01-16 12:00:00")
    for path in ("/notices/2022-12/1?level=V7", "/notices/2022-12/1/passed.csv?sort=name"):
        assert client.get(path).status_code == 400


def test_the_rules_are_those_in_force_and_their_questions_are_answered(month: Month, opened: Opened) -> None:
    client = opened("2022-12-15 12:00:00")
    told = page(client, "/rules")
    for question in (
        "为什么没有参与资格？",
        "什么是直推？",
        "补贴什么时候到账？",
        "什么是虚拟商品？",
        "目标由来是什么？",
    ):
        assert question in told
    assert "订单类型为 94" in told
    assert "Why am I not eligible?" in page(client, "/rules", "en")


def test_names_in_the_terms_are_text_on_the_page(engine: Engine, tmp_path: Path, opened: Opened) -> None:
    month = Month(engine, tmp_path)
    month.begin(toml=plain_terms(name="<script>alert(1)</script>"))
    assert "<script>alert" not in opened("2022-12-15 12:00:00").get("/rules").text
    assert "&lt;script&gt;" in opened("2022-12-15 12:00:00").get("/rules").text


def test_every_amount_of_queries_is_fixed(month: Month, opened: Opened, statements: list[str]) -> None:
    month.settle()
    month.publish()
    client = opened("2023-01-16 12:00:00")
    counts = {}
    for path in ("/", "/rules", "/notices/2022-12/1"):
        statements.clear()
        assert client.get(path).status_code == 200
        counts[path] = len(statements)
    assert counts == {"/": 5, "/rules": 4, "/notices/2022-12/1": 7}
