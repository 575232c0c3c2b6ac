"""The pages where there are two programmes: each period is told by its programme, and each reader gets to both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from bounty.db import make_engine, transaction
from bounty.roster.programmes import add_programme
from tests.factories import PROMOTER, Month, half_month_terms
from tests.web.clients import application, close, log_in, words_of
from tests.web.world import EMAILS, JANUARY, copied

SPRINT = "sprint:2022-12a"


@pytest.fixture(scope="module")
def app(small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The small site, with a published half-month of another programme."""
    folder = tmp_path_factory.mktemp("two")
    url = copied(small_site, folder)
    engine: Engine = make_engine(url)
    with transaction(engine) as connection:
        add_programme(connection, "sprint", "半月冲刺", 0)
    month = Month(engine, folder, period=SPRINT, now=JANUARY)
    month.terms(half_month_terms())
    month.open()
    month.settle()
    month.publish()
    engine.dispose()
    app = application(url, JANUARY, folder)
    yield app
    close(app)


def page(app: Flask, path: str, role: str | None = None, language: str = "zh") -> str:
    client = app.test_client()
    if role is not None:
        log_in(client, EMAILS[role])
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.data.decode(errors="replace")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("role", "path"),
    [
        (None, "/"),
        (None, f"/notices/{SPRINT}/1"),
        (None, f"/notices/{SPRINT}/1/statement.json"),
        (None, "/rules?programme=sprint"),
        ("promoter", f"/months/{SPRINT}/task"),
        ("promoter", f"/months/{SPRINT}/orders"),
        ("promoter", f"/months/{SPRINT}/subsidy"),
        ("promoter", "/history"),
        ("operator", "/operations/periods"),
        ("operator", f"/operations/periods/{SPRINT}"),
        ("operator", f"/operations/periods/{SPRINT}/settling"),
        ("operator", f"/operations/periods/{SPRINT}/results"),
        ("operator", f"/operations/roster/{SPRINT}/"),
        ("operator", f"/operations/roster/{SPRINT}/{PROMOTER}"),
        ("operator", "/operations/terms/"),
        ("finance", "/finance/"),
        ("finance", f"/finance/{SPRINT}/1/results"),
        ("finance", f"/finance/{SPRINT}/1/lines.csv"),
        ("finance", f"/finance/{SPRINT}/1/export.zip"),
    ],
)
def test_every_page_of_a_period_is_there_for_another_programmes(
    app: Flask, role: str | None, path: str, language: str
) -> None:
    assert page(app, path, role, language)


def test_a_promoter_gets_from_one_programme_to_the_other(app: Flask) -> None:
    main = page(app, "/task", "promoter")
    assert f'href="/months/{SPRINT}/task"' in main
    assert "半月冲刺 2022-12a" in words_of(main)
    sprint = page(app, f"/months/{SPRINT}/task", "promoter")
    assert "半月冲刺 2022年12月上半月期" in words_of(sprint)
    assert 'href="/months/2022-12/task"' in sprint


def test_public_pages_and_operators_name_the_programme(app: Flask) -> None:
    assert "半月冲刺 2022-12a" in words_of(page(app, "/"))
    assert "半月冲刺" in words_of(page(app, "/rules"))
    assert "当期（半个月）" in words_of(page(app, "/rules?programme=sprint"))
    assert "半月冲刺 2022-12a" in words_of(page(app, "/operations/periods", "operator"))
    assert '<option value="sprint">半月冲刺</option>' in page(app, "/operations/terms/", "operator")
    assert app.test_client().get("/rules?programme=no").status_code == 404
    assert app.test_client().get("/notices/nope:2022-12a/1").status_code == 404
