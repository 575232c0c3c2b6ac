"""The pages where there are two programmes: each period is told by its programme, and each reader gets to both."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bounty.web.shared.access import allowed
from tests.factories import PROMOTER, sn
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.test_routes import ROLES, address, routes
from tests.web.world import DECEMBER, EMAILS, SPRINT_NAME, copied

FIRST, OPEN = "sprint:2022-11a", "sprint:2022-12a"
"""The periods of the programme of half-months: published, and open."""
KEY = re.compile(r"[a-z0-9-]+:\d{4}-\d\d[ab]?")
"""What no reader should see: a period as the database has it."""


@pytest.fixture(scope="module")
def app(paid_books_of_two: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("app-of-two")
    app = application(copied(paid_books_of_two, folder), DECEMBER, folder)
    promoter = app.test_client()
    log_in(promoter, EMAILS["promoter"])
    appeal = {"period": FIRST, "order_sn": sn(111), "words": "直推"}
    assert post(promoter, "/appeals/new", **appeal).status_code == 303
    assert post(promoter, "/appeals/new", period=OPEN, words="结果不对").status_code == 303
    yield app
    close(app)


@pytest.fixture(scope="module")
def readers(app: Flask) -> dict[str, FlaskClient]:
    readers = {role: app.test_client() for role in (*ROLES, "nobody")}
    for role in ROLES:
        log_in(readers[role], EMAILS[role])
    return readers


def page(reader: FlaskClient, path: str, language: str = "zh", status: int = 200) -> str:
    answer = reader.get(path, headers={"Accept-Language": language})
    assert answer.status_code == status, (path, answer.status_code)
    return answer.data.decode(errors="replace")


def pages_of(app: Flask, role: str) -> Iterator[str]:
    """The address of each page that a role may look at, for both periods where it is a period's."""
    for rule in routes(app):
        if "GET" not in (rule.methods or ()) or not {role, "everybody"} & allowed(app, rule.endpoint):
            continue
        if rule.endpoint.startswith("security.") or rule.rule.endswith((".csv", ".zip", ".xlsx", ".json")):
            continue
        for period in (FIRST, OPEN) if "period" in rule.arguments else (FIRST,):
            yield address(app, rule, **{name: period for name in rule.arguments if name == "period"})


def visible(text: str) -> str:
    """What a page shows or reads out: its text, and the attributes that people see or hear; no code of terms."""
    shown = re.sub(r'(?s)<textarea.*?</textarea>|<input type="hidden"[^>]*>|<option value="[^"]*"', "", text)
    return " ".join([words_of(shown), *re.findall(r'(?:aria-label|title|alt|value)="([^"]*)"', shown)])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_of_any_role_shows_a_period_as_the_database_has_it(
    app: Flask, readers: dict[str, FlaskClient], language: str
) -> None:
    """Each page of a second programme's period says whose it is."""
    wrong, named = [], 0
    for role, reader in readers.items():
        for path in [*pages_of(app, role), f"/orders/{sn(100)}?programme=sprint"]:
            answer = reader.get(path, headers={"Accept-Language": language}, buffered=True)
            if answer.mimetype != "text/html" or answer.status_code in (302, 303):
                continue
            shown = re.sub(r"https?://\S+", "", visible(answer.text))  # an address has the key
            named += "sprint:" in path and SPRINT_NAME in shown
            if KEY.search(shown) or (
                "sprint:" in path and answer.status_code < 400 and SPRINT_NAME not in shown
            ):
                wrong.append((role, path, answer.status_code, sorted(set(KEY.findall(shown)))))
    assert wrong == [], "\n".join(map(str, wrong))
    assert named > 20


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("nobody", "/"),
        ("nobody", f"/notices/{FIRST}/1"),
        ("nobody", f"/notices/{FIRST}/1/statement.json"),
        ("nobody", "/rules?programme=sprint"),
        ("promoter", f"/months/{OPEN}/task"),
        ("promoter", f"/months/{OPEN}/orders"),
        ("promoter", f"/months/{FIRST}/subsidy"),
        ("promoter", f"/orders/{sn(100)}?programme=sprint"),
        ("promoter", "/history?programme=sprint"),
        ("operator", "/operations/periods?programme=sprint"),
        ("operator", f"/operations/periods/{FIRST}"),
        ("operator", f"/operations/periods/{FIRST}/settling"),
        ("operator", f"/operations/periods/{FIRST}/results"),
        ("operator", f"/operations/roster/{OPEN}/"),
        ("operator", f"/operations/roster/{OPEN}/{PROMOTER}"),
        ("operator", "/operations/terms/?programme=sprint"),
        ("finance", "/finance/?programme=sprint"),
        ("finance", f"/finance/{FIRST}/1/results"),
        ("finance", f"/finance/{FIRST}/1/lines.csv"),
        ("finance", f"/finance/{FIRST}/1/export.zip"),
        ("finance", "/finance/tranches/1/lines?programme=sprint"),
        ("finance", f"/finance/promoters/{PROMOTER}/orders/{sn(100)}?programme=sprint"),
    ],
)
def test_every_page_of_a_period_is_there_for_another_programmes(
    readers: dict[str, FlaskClient], role: str, path: str, language: str
) -> None:
    assert page(readers[role], path, language)
