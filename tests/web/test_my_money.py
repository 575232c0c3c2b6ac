"""When a promoter's money comes, what all months come to, and whether the books know where to pay."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bounty.accounting.promoter_statement import PayeeState
from bounty.models.payees import PayeeMethod
from bounty.web.shared import payment_texts
from tests.factories import PROMOTER, sn
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import DECEMBER, EMAILS


@pytest.fixture
def client_of(paid_url: str, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """A promoter's pages, through the eyes of operations."""
    with ExitStack() as stack:

        def client(promoter_id: int = PROMOTER, when: str = DECEMBER, **settings: object) -> FlaskClient:
            app = application(paid_url, when, tmp_path, **settings)
            stack.callback(close, app)
            client = app.test_client()
            log_in(client, EMAILS["operator"])
            post(client, "/view-as", promoter_id=str(promoter_id))
            return client

        yield client


def shown(client: FlaskClient, path: str, language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return words_of(answer.text)


def fen(text: str) -> int:
    return int(re.sub(r"[^0-9−-]", "", text).replace("−", "-"))


def test_each_order_has_its_date_and_the_lapse_is_small_print(client_of: Callable[..., FlaskClient]) -> None:
    client = client_of()
    published = shown(client, "/months/2022-11/subsidy")
    assert "¥18.00" in published
    assert "¥900.00 × 20‰ 预计 佣金结算后发放，约 2022-12-20 ¥18.00" in published
    assert "¥31.00 × 20‰ 预计 收货并审核后，随佣金结算发放 ¥0.62" in published
    assert "2023-05-31 24 点前佣金仍未结算的，补贴作废。" in published
    assert "前结算 ¥" not in published
    english = shown(client, "/months/2022-11/subsidy", "en")
    assert "paid once its commission settles, about 20 Dec 2022" in english
    assert "What has not settled by 31 May 2023, end of day is void." in english
    assert "达标并公示后发放，约 2023-01-20" in shown(client, "/months/2022-12/subsidy")
    # The same days in the files, also of a month without a notice, and on the page of an order.
    days = {}
    for month in ("2022-11", "2022-12"):
        file = client.get(f"/months/{month}/subsidy.csv").data.decode("utf-8-sig")
        days[month] = [
            (row["state"], row["pays_on"]) for row in csv.DictReader(io.StringIO(file, newline=""))
        ]
    assert ("EXPECTED", "2023-01-20") in days["2022-12"]
    assert all(bool(day) == (state == "PAYABLE") for state, day in days["2022-11"] if state != "EXPECTED")
    assert "达标并公示后发放，约 2023-01-20" in shown(client, f"/orders/{sn(200)}")


def test_what_should_have_been_paid_before_today_comes_on_the_next_day_of_payment(
    client_of: Callable[..., FlaskClient],
) -> None:
    page = shown(client_of(when="2022-12-21 12:00:00"), "/months/2022-11/subsidy")
    assert "¥900.00 × 20‰ 预计 佣金结算后发放，约 2023-01-20 ¥18.00" in page
    assert "约 2022-12-20" not in page


@pytest.mark.parametrize("promoter_id", [PROMOTER, PROMOTER + 1, PROMOTER + 2])
def test_the_three_sums_are_all_that_the_notices_promise(
    client_of: Callable[..., FlaskClient], promoter_id: int
) -> None:
    client = client_of(promoter_id)
    page = shown(client, "/months/2022-12/subsidy")  # whatever month is looked at
    said = re.search(r"已发放 (\S+) 即将发放 (\S+) 待佣金结算 (\S+)", page)
    assert said
    file = client.get("/months/2022-11/subsidy.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(file, newline="")))
    assert sum(map(fen, said.groups())) == sum(fen(row["held_yuan"]) + fen(row["open_yuan"]) for row in rows)
    paid = client.get("/payments.csv").data.decode("utf-8-sig")
    assert fen(said[1]) == sum(fen(row["paid_yuan"]) for row in csv.DictReader(io.StringIO(paid, newline="")))


def test_without_a_payee_it_says_what_is_held_and_where_to_send_it(
    client_of: Callable[..., FlaskClient],
) -> None:
    client = client_of(PROMOTER + 2, contact="群主 pay@example.com")
    for path in ("/payments", "/subsidy"):
        assert "没有您的收款信息，¥4.50 暂扣；请把收款信息发到 群主 pay@example.com。" in shown(client, path)
    assert "Your payment details are not on file, and ¥4.50 is held; send them to" in shown(
        client, "/payments", "en"
    )
    nothing_yet = shown(client_of(PROMOTER + 3), "/payments")
    assert "没有您的收款信息：请在发放前发到 bounty@localhost。" in nothing_yet
    assert "收款账户：支付宝 138****0002" in shown(client_of(), "/payments")


@pytest.mark.parametrize("method", PayeeMethod)
def test_every_method_has_its_words(client_of: Callable[..., FlaskClient], method: PayeeMethod) -> None:
    state = PayeeState(method, "****0002", in_force=True, held_fen=0)
    with client_of().application.test_request_context():
        assert f"收款账户：{method.zh} ****0002" in payment_texts.payee(state, "bounty@localhost").text
