"""Pages that look ahead and back: the kept forecast, flags, held payouts, and what was known at a past moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import snapshot, transaction
from bounty.forecast.anomalies import flags_of, keep_flags
from bounty.forecast.period_forecast import keep_forecast, make_forecast
from bounty.rules.periods import Period
from tests.factories import Month, order_row, promoter, sn, terms_toml
from tests.payout.people import Codes
from tests.web.clients import KEYS, application, close, log_in, post, words_of
from tests.web.world import PASSWORD

NOW = "2022-12-25 12:00:00"
DECEMBER = Period(2022, 12)
FORECAST = "/operations/periods/2022-12/forecast"
FLAGS = "/operations/periods/2022-12/flags"
PEOPLE = (("op", "operator", None), ("op2", "operator", None), ("p", "promoter", 2), ("q", "promoter", 1))


@pytest.fixture
def clients(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[dict[str, FlaskClient]]:
    """A month after its window with a forecast: one promoter waits for one of two orders."""
    month = Month(engine, tmp_path, now=NOW)
    toml = terms_toml(levels={"V0": 'direct_only = true\ngmv_yuan = "300.00"\norders = 3'})
    month.begin(
        promoter(1), promoter(2), toml=toml.replace("[[subsidy", 'budget_yuan = "1.00"\n\n[[subsidy', 1)
    )
    month.orders(
        *(order_row(number=number, promoter_id=1, amount_fen=150_00) for number in range(1, 4)),
        *(order_row(number=number, promoter_id=2, amount_fen=150_00) for number in (4, 5)),
        *(order_row(number=number, promoter_id=2, amount_fen=20_00, received=None) for number in (6, 7)),
    )
    with snapshot(engine) as connection:
        made, flags = make_forecast(connection, DECEMBER, month.now), flags_of(connection, DECEMBER)
    with transaction(engine) as connection:
        keep_forecast(connection, made)
        keep_flags(connection, DECEMBER, flags, month.now)
        for name, role, promoter_id in PEOPLE:
            add_user(
                connection,
                email=f"{name}@example.com",
                name=name,
                role=role,
                password=PASSWORD,
                now=month.now,
                promoter_id=promoter_id,
            )
    app = application(database_url, NOW, tmp_path, require_approval=True)
    found = {}
    for name, *_ in PEOPLE:
        found[name] = app.test_client()
        assert log_in(found[name], f"{name}@example.com").status_code == 302
    yield found
    close(app)


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path, headers={"Accept-Language": "en"})
    assert answer.status_code == status, words_of(answer.text)[:500]
    return words_of(answer.text)


def test_the_forecast_names_who_needs_receipts_and_warns_of_the_budget(
    clients: dict[str, FlaskClient],
) -> None:
    whole = page(clients["op"], FORECAST)
    assert "the upper end passes it" in whole
    assert "simulated 400 times" in whole
    assert "the upper end passes the budget" in page(clients["op"], "/operations/periods/2022-12").lower()
    waiting = page(clients["op"], f"{FORECAST}?group=receipts")
    assert " 2 " in waiting
    assert "No promoter fits" in page(clients["op"], f"{FORECAST}?group=refunds")
    one = page(clients["op"], f"{FORECAST}/2")
    assert "The pending order below is the fewest" in one
    assert clients["op"].get(f"{FORECAST}.csv").text.count("\n") == 3
    page(clients["p"], FORECAST, 403)
    own = page(clients["p"], "/task")
    assert "the chance to pass this month is about" in own
    assert "Once the largest 1 of your 2 pending orders are received" in own


def test_a_person_holds_a_payout_the_promoter_sees_why_and_a_second_person_releases(
    clients: dict[str, FlaskClient], engine: Engine
) -> None:
    """Releasing takes a fresh code, which works once; without a second factor nobody releases."""
    page(clients["op"], FLAGS)
    holds = "/operations/periods/2022-12/holds"
    assert post(clients["op"], holds, promoter_id="2", reason="bursts", due_on="x").status_code == 409
    assert (
        post(clients["op"], holds, promoter_id="2", reason="bursts", due_on="2023-01-05").status_code == 303
    )
    own = page(clients["p"], "/task")
    assert "The subsidy is under review" in own
    assert "bursts" in own
    assert "under review" not in page(clients["q"], "/task")
    assert "Set up a second factor first" in page(clients["op"], FLAGS)
    assert post(clients["op"], f"{holds}/2", reason="fine").status_code == 409
    codes = {name: Codes(engine, f"{name}@example.com", KEYS["totp_key"]) for name in ("op", "op2")}
    assert "One-time code of your authenticator" in page(clients["op"], FLAGS)
    assert post(clients["op"], f"{holds}/2", reason="fine", code="000000").status_code == 409
    assert post(clients["op"], f"{holds}/2", reason="fine", code=codes["op"].fresh()).status_code == 303
    assert "a second person must agree" in page(clients["op2"], FLAGS)
    assert post(clients["op"], f"{holds}/2", reason="fine", code=codes["op"].fresh()).status_code == 409
    used = codes["op2"].fresh()
    assert post(clients["op2"], f"{holds}/1", reason="of nobody", code=used).status_code == 409
    assert post(clients["op2"], f"{holds}/2", reason="agreed", code=used).status_code == 409
    assert post(clients["op2"], f"{holds}/2", reason="agreed", code=codes["op2"].fresh()).status_code == 303
    assert "under review" not in page(clients["p"], "/task")


def test_pages_show_what_was_known_at_a_past_moment(clients: dict[str, FlaskClient]) -> None:
    early, now = "2022-12-25T11:59:59", "2022-12-25T12:00:00"
    results = "/operations/periods/2022-12/results"
    assert "0 passed" in page(clients["op"], f"{results}?as_of={early}")
    assert "1 passed" in page(clients["op"], f"{results}?as_of={now}")
    assert "2 orders" in page(clients["p"], f"/task?as_of={now}")
    assert "every condition holds" in page(clients["p"], f"/orders/{sn(4)}?as_of={now}")
    page(clients["q"], f"/orders/{sn(4)}?as_of={now}", 404)
    page(clients["p"], f"/orders/{sn(4)}?as_of={early}", 409)
    page(clients["p"], "/task?as_of=yesterday", 409)
