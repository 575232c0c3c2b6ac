"""Which pending orders bring the target home, for one measure and for two; how many are enough; the tier above."""

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import transaction
from bounty.progress.bring_home import enough
from bounty.progress.order_list import rate_reached
from bounty.rules.terms import read_terms
from tests.factories import PROMOTER, Month, Row, order_row, promoter, sn, terms_toml
from tests.web.clients import application, close, log_in, words_of

MIDDLE, JANUARY, LATE = "2022-12-15 12:00:00", "2023-01-05 12:00:00", "2023-01-11 00:00:00"
V1 = PROMOTER + 1
LEVELS = {
    "V0": 'direct_only = true\ngmv_yuan = "500.00"\norders = 4',
    "V1": 'direct_only = false\ngmv_yuan = "500.00"',
}
Clients = Callable[..., FlaskClient]


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path, now="2022-11-25 09:00:00")
    month.begin(promoter(), promoter(V1, level="V1"), toml=terms_toml(levels=LEVELS))
    with transaction(engine) as connection:
        for promoter_id in (PROMOTER, V1):
            add_user(
                connection,
                email=f"{promoter_id}@example.com",
                name="林晓",
                role="promoter",
                promoter_id=promoter_id,
                password="correct horse battery",
                now=month.now,
            )
    return month


@pytest.fixture
def client_at(month: Month, database_url: str, tmp_path: Path) -> Iterator[Clients]:
    with ExitStack() as stack:

        def client(now: str, promoter_id: int = PROMOTER) -> FlaskClient:
            app = application(database_url, now, tmp_path)
            stack.callback(close, app)
            client = app.test_client()
            log_in(client, f"{promoter_id}@example.com")
            return client

        yield client


def shown(client: FlaskClient, path: str = "/task", language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return words_of(answer.text)


def sold(counted: tuple[int, ...], waiting: tuple[int, ...], promoter_id: int = PROMOTER) -> list[Row]:
    """Orders of so many fen that count, and that wait for their receipt."""
    first = 1 if promoter_id == PROMOTER else 500
    place: dict[str, Any] = {"promoter_id": promoter_id, "p_id": f"{promoter_id}_1"}
    return [
        *(order_row(number=first + n, amount_fen=fen, **place) for n, fen in enumerate(counted)),
        *(
            order_row(number=first + 50 + n, amount_fen=fen, received=None, paid="2022-12-05 12:00:00", **place)
            for n, fen in enumerate(waiting)
        ),
    ]  # fmt: skip


def test_any_one_of_the_large_ones_is_enough(month: Month, client_at: Clients) -> None:
    month.orders(*sold((150_00, 150_00, 158_30), (41_69, 90_00, 41_70, 9_00, 60_00)))
    page = shown(client_at(JANUARY))
    assert "还差 ¥41.70 与 1 单 （不含待收货）；5 单待收货，最大的 3 单中 任意 1 单 收货就够" in page
    assert f"示例 商品, 一件 ¥90.00 {sn(52)} · 付款 31 天" in page
    english = shown(client_at(JANUARY), language="en")
    assert (
        "¥41.70 and 1 order missing without pending ones; 5 orders wait for receipt; any one of the 3"
        in english
    )


def test_the_list_has_the_numbers_the_file_and_what_may_be_done(month: Month, client_at: Clients) -> None:
    month.orders(*sold((150_00, 150_00, 158_30), (41_69, 90_00, 41_70)))
    client = client_at(JANUARY)
    page = shown(client, "/months/2022-12/bring-home")
    assert "任意 1 单" in page
    assert "01-10 24 点前确认收货才计入任务" in page
    assert "不要代为确认" in page
    largest_first = [sn(52), sn(53), sn(51)]
    assert " ".join(largest_first) in page
    file = client.get("/months/2022-12/bring-home.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(file, newline="")))
    assert [row["order_sn"] for row in rows] == largest_first
    assert [row["counts_yuan"] for row in rows] == ["90.00", "41.70", "41.69"]


@pytest.mark.parametrize(
    ("counted", "waiting", "promoter_id", "sentence"),
    [
        # V0 is asked for both: one order has the money, and two are missing
        ((200_00, 200_00), (150_00, 60_00, 50_00), PROMOTER, "最大的 3 单中 任意 2 单 收货就够"),
        ((200_00, 200_00), (60_00, 45_00, 1_00), PROMOTER, "最大的 2 单 收货就够"),
        ((200_00, 200_00), (60_00, 45_00), PROMOTER, "全部收货才够"),
        ((200_00, 200_00), (60_00,), PROMOTER, "全部收货后仍差 ¥40.00 与 1 单"),
        # V1 only for the money: two orders are as good as four
        (
            (200_00, 200_00),
            (60_00, 45_00, 1_00),
            V1,
            "还差 ¥100.00 （不含待收货）；3 单待收货，最大的 2 单 收货就够",
        ),
    ],
)
def test_both_targets_are_asked_where_there_are_two(
    month: Month,
    client_at: Clients,
    counted: tuple[int, ...],
    waiting: tuple[int, ...],
    promoter_id: int,
    sentence: str,
) -> None:
    month.orders(*sold(counted, waiting, promoter_id))
    assert sentence in shown(client_at(MIDDLE, promoter_id))


def test_it_is_there_only_while_it_helps(month: Month, client_at: Clients) -> None:
    month.orders(*sold((150_00, 150_00), (20_00,)))
    assert "收货清单" in shown(client_at(MIDDLE))
    assert "收货清单" not in shown(client_at(JANUARY))  # not enough, and none can be added
    month.orders(*sold((), (200_00, 150_00)), order_row(number=70, amount_fen=1_00))
    assert "收货清单" in shown(client_at(JANUARY))
    assert "收货清单" not in shown(client_at(LATE))
    assert "现在没有待收货的订单" in shown(client_at(LATE), "/months/2022-12/bring-home")
    month.orders(*(order_row(number=80 + n, amount_fen=150_00) for n in range(4)))
    assert "收货清单" not in shown(client_at(JANUARY))  # passed


def test_no_smaller_choice_is_enough_and_any_of_so_many_is() -> None:
    cases = [(gmv, orders, counts) for counts in ((), (5,), (9, 6, 4, 1), (5, 5, 5, 2)) for gmv in range(0, 22, 3)
             for orders in range(4)]  # fmt: skip
    for gmv, orders, counts in cases:
        needed, any_of = enough(gmv, orders, counts)
        fit = [
            some
            for many in range(max(orders, 1), len(counts) + 1)
            for some in itertools.combinations(counts, many)
            if sum(some) >= gmv
        ]
        assert needed == (min(map(len, fit)) if fit else None)
        if needed is not None:
            assert all(sum(some) >= gmv for some in itertools.combinations(counts[:any_of], needed))
            rest = itertools.combinations(counts[: any_of + 1], needed)
            assert any_of == len(counts) or any(sum(some) < gmv for some in rest)


def test_the_tier_above_says_what_is_missing_and_what_it_is_worth(month: Month, client_at: Clients) -> None:
    month.orders(*sold((150_00, 150_00, 150_00, 150_00), (20_00,)))
    page = shown(client_at(MIDDLE))
    # 750.00 and 6 orders are 150%; of 620.00 10 per mille more is 6.20
    assert "再有 ¥130.00 与 1 单 （目标的 150%）：补贴 30‰，现有订单约多 ¥6.20" in page
    assert "¥130.00 and 1 order more (150% of the target): 30‰, about ¥6.20 more" in shown(
        client_at(MIDDLE), language="en"
    )
    assert "目标的 150%" not in shown(client_at(JANUARY))  # none can be added
    month.orders(*sold((), (20_00, 150_00)))
    assert "待收货的都收货后达到目标的 150%" in shown(client_at(JANUARY))


def test_the_tier_reached_is_the_one_that_a_settlement_gives(month: Month, engine: Engine) -> None:
    terms = read_terms(terms_toml(levels=LEVELS))
    assert [rate_reached(terms, gmv, orders, 500_00, 4) for gmv, orders in (
        (499_99, 9), (500_00, 3), (500_00, 4), (749_99, 6), (750_00, 5), (750_00, 6),
    )] == [None, None, 20, 20, 20, 30]  # fmt: skip
    assert rate_reached(terms, 0, 7, None, 5) == 20
    assert rate_reached(terms, 0, 8, None, 5) == 30
