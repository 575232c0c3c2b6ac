"""What nobody should send: hostile values for every parameter of every route find no fault of ours (5xx), and no answer
leads away from here.

The routes are those of the application; the parameters are those that the pages and their forms themselves have, found
by asking for them, with the names that any view reads.
"""

import base64
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.routing import Rule

from bounty.web.shared.access import allowed
from bounty.web.shared.health import METHODS
from tests import postgres
from tests.web.clients import application, close, log_in, token_of
from tests.web.test_routes import ARGUMENTS, LEAVING, SHUT, address
from tests.web.world import DECEMBER, EMAILS, PASSWORD, copied

DIGITS = (
    "9" * 19,
    "9" * 20,
    "1" * 400,
    str(2**63 - 1),
    str(2**63),
    "-1",
    "0",
    "007",
    "1e9",
    "٣",
    "１２",
    "1.5",
)
WORDS = (
    "\x00", "a\x00b", "\t/evil.example", "\r\nSet-Cookie: a=b", "\x1b[31m", "\x7f", "\u2028", "\u202e", "\ufeff",
    "\ud800", "\udfff0", "[" * 3_000, "{" * 3_000, "%", "_", "\\", "'", '"; DROP TABLE users; --',
    "%00", "%ff", "../../etc",
    "//evil.example", "/\\evil.example", "javascript:alert(1)", "a" * 70_000, "2022-13", "2022-99",
    "9999-12", "0000-00",
    "2022-12-99", "2022-12-15T99:99", "NaN", "Infinity", "=cmd|'/c calc'!A1", "\U0010ffff", "é",
    "e\u0301" * 500, "", " ",
)  # fmt: skip
FOLDED = [  # as ``after`` has it: base64 of JSON
    "W1tbW1tbW1tb" * 400, "WzIsbnVsbF0=", "WzIsIDFd", "WzIsInRleHQiXQ==", "WzIsOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OV0=",
    "WzIsIjk5OTk5OTk5OTk5OTk5OTk5OTk5OSJd", "WzFlOTk5XQ==", "WzIsdHJ1ZV0=", "4pyT", "WyJcdWQ4MDAiLDFd", "=", "*",
    "WzIsIlxcdWQ4MDAiXQ==", "WzIsIlx1ZDgwMCJd", "WzIsIlx1MDAwMCJd",
]  # fmt: skip
HOSTILE = (*DIGITS, *WORDS, *FOLDED)
EACH = 4
"""So many of them a parameter of a form or an address, taken in turn; of a page, which has dozens, one."""
FORM = "application/x-www-form-urlencoded"


# PostgreSQL refuses more values than SQLite does, by errors of its own.
@pytest.fixture(scope="module", params=["postgresql", pytest.param("sqlite", marks=pytest.mark.soak)])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("hostile")
    if request.param == "sqlite":
        url = copied(request.getfixturevalue("paid_books"), folder)
    else:
        url = postgres.fresh_database(template=request.getfixturevalue("paid_books_on_postgresql"))
    app = application(url, DECEMBER, folder)
    yield app
    close(app)
    if request.param == "postgresql":
        postgres.drop_database(url)


@pytest.fixture(scope="module")
def readers(app: Flask) -> dict[str, FlaskClient]:
    readers = {role: app.test_client() for role in ("promoter", "operator", "finance", "admin", "nobody")}
    for role in list(readers)[:-1]:
        assert log_in(readers[role], EMAILS[role]).status_code == 302
    return readers


def routes(app: Flask) -> list[Rule]:
    left_out = SHUT | LEAVING | {"security.logout"}
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint not in left_out]


def reader_of(app: Flask, rule: Rule, readers: dict[str, FlaskClient]) -> FlaskClient:
    roles = allowed(app, rule.endpoint)
    return readers[next((role for role in readers if role in roles), "nobody")]


def fields_of(page: str) -> set[str]:
    """The names of what a page's forms and links send."""
    links = re.findall(r'href="[^"?]*\?([^"#]*)"', page)
    named = {part.partition("=")[0] for link in links for part in html.unescape(link).split("&")}
    return named | set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', page)) - {"csrf_token"}


def in_turn(number: int) -> list[str]:
    """The values for the so manieth parameter."""
    return [HOSTILE[(number + at * 13) % len(HOSTILE)] for at in range(EACH)]


def sent(text: str) -> str:
    """As a hostile client writes it into an address."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def is_wrong(response: Any) -> bool:
    """Whether an answer is a fault, or leads away."""
    return response.status_code >= 500 or not re.match(r"/(?![/\\\s])", response.location or "/")


def test_a_page_asked_for_with_anything_answers(app: Flask, readers: dict[str, FlaskClient]) -> None:
    wrong, number = [], 0
    for rule in routes(app):
        if "GET" not in (rule.methods or ()):
            continue
        client, path = reader_of(app, rule, readers), address(app, rule)
        page = client.get(path, buffered=True)
        names = {"next", "after"} | (fields_of(page.text) if page.mimetype == "text/html" else set())
        for name in sorted(names):
            number += 1
            folded = [FOLDED[(number + at) % len(FOLDED)] for at in range(EACH)]
            for value in folded if name == "after" else in_turn(number)[:1]:
                response = client.get(f"{path}?{name}={sent(value)}", buffered=True)
                if is_wrong(response):
                    wrong.append((path, name, value[:30], response.status_code))
    assert wrong == []
    assert number > 200


def test_an_address_with_anything_in_it_answers(app: Flask, readers: dict[str, FlaskClient]) -> None:
    wrong, number = [], 0
    for rule in routes(app):
        for name in rule.arguments:
            path = address(app, rule)
            given = quote(str(ARGUMENTS[name]))
            before, found, behind = (
                path.rpartition(f"/{given}") if rule.rule.endswith(">") else path.partition(f"/{given}")
            )
            assert found, (rule.rule, name)
            number += 1
            for value in (*DIGITS, *in_turn(number)):
                method = "GET" if "GET" in (rule.methods or ()) else "POST"
                client = reader_of(app, rule, readers)
                response = client.open(f"{before}/{sent(value)}{behind}", method=method, buffered=True)
                if is_wrong(response):
                    wrong.append((rule.rule, name, value[:30], response.status_code))
    assert wrong == []


def test_a_form_with_anything_in_it_answers(app: Flask, readers: dict[str, FlaskClient]) -> None:
    """Each field of each form, the others as they stand; and each on its own."""
    tokens = {id(client): token_of(client.get("/rules").text) for client in readers.values()}
    forms: dict[str, set[str]] = {}
    for rule in routes(app):
        if "GET" in (rule.methods or ()):
            page = reader_of(app, rule, readers).get(address(app, rule), buffered=True)
            if page.mimetype == "text/html":
                for action, form in re.findall(
                    r'(?s)<form[^>]*action="([^"?]*)[^"]*"(.*?)</form>', page.text
                ):
                    forms.setdefault(action, set()).update(fields_of(form))
    wrong, number = [], 0
    for rule in routes(app):
        if "POST" not in (rule.methods or ()):
            continue
        client, path = reader_of(app, rule, readers), address(app, rule)
        # Together the two that most views read: each on its own would double the requests, to more than a minute.
        for names in (*((name,) for name in sorted(forms.get(path, set()))), ("reason", "back")):
            number += 1
            for value in in_turn(number):
                given = "".join(f"&{quote(name)}={sent(value)}" for name in names)
                body = f"csrf_token={quote(tokens[id(client)])}{given}"
                response = client.post(path, data=body, content_type=FORM, buffered=True)
                if is_wrong(response):
                    wrong.append((path, names, value[:30], response.status_code))
    assert wrong == []
    assert number > 50


AWAY = ["\t/evil.example", "/\t/evil.example", "\r\n/evil.example", "//evil.example", "/\\evil.example", "https://evil.example/",
        "/none-such", "/\r\nSet-Cookie: a=b", "javascript:alert(1)", "/\x01/evil.example", "rules", ""]  # fmt: skip


@pytest.mark.parametrize("back", AWAY)
def test_nothing_leads_but_to_a_page_of_ours(app: Flask, back: str) -> None:
    client = app.test_client()
    token = token_of(client.get("/rules").text)
    said = client.post("/language", data={"csrf_token": token, "language": "en", "back": back})
    assert (said.status_code, said.location) in ((303, "/"), (400, None))
    data = {"csrf_token": token, "email": EMAILS["finance"], "password": PASSWORD, "next": back}
    said = client.post("/login", data=data)
    assert (said.status_code, said.location) in ((302, "/"), (400, None))


@pytest.mark.parametrize("back", ["/rules", "/notices?q=%E4%B8%AD&sort=-period", "/finance/"])
def test_a_page_of_ours_is_led_to(app: Flask, back: str) -> None:
    client = app.test_client()
    token = token_of(client.get("/rules").text)
    said = client.post("/language", data={"csrf_token": token, "language": "en", "back": back})
    assert (said.status_code, said.location) == (303, back)
    data = {"csrf_token": token, "email": EMAILS["finance"], "password": PASSWORD, "next": back}
    assert client.post("/login", data=data).location == back


def test_the_attack_by_the_page_that_there_is_not(app: Flask) -> None:
    """``/%09/evil.example`` once showed a page whose choice of a language led to ``//evil.example``."""
    client = app.test_client()
    page = client.get("/%09/evil.example")
    assert page.status_code == 400
    found = re.search(r'name="back" value="([^"]*)"', page.text)
    data = {
        "csrf_token": token_of(client.get("/rules").text),
        "language": "en",
        "back": found[1] if found else "/",
    }
    assert client.post("/language", data=data).location in ("/", None)


def test_a_number_that_no_book_holds_is_no_page_and_a_log_in_is_a_form(
    app: Flask, readers: dict[str, FlaskClient]
) -> None:
    promoter, nobody = readers["promoter"], app.test_client()
    for path in ("/payments/" + "9" * 20, "/payments/" + "9" * 19, "/appeals/" + "9" * 23):
        assert promoter.get(path).status_code == 404
    assert promoter.get("/payments?after=" + "W" * 6_000).status_code in (400, 409)
    for folded in FOLDED:
        assert promoter.get(f"/payments?after={folded}").status_code in (200, 400, 409), folded
    deep = base64.urlsafe_b64encode(b"[" * 3_000).decode()
    assert promoter.get(f"/payments?after={deep}").status_code in (400, 409)
    token = token_of(nobody.get("/rules").text)
    said = nobody.post(
        "/login", data='{"email": "\\ud800@example.com", "password": "\\ud800"}', content_type="application/json",
        headers={"X-CSRFToken": token, "Accept": "application/json"},
    )  # fmt: skip
    assert said.status_code == 400


def test_figures_have_labels_of_fixed_sets_only(small_site: Path, tmp_path: Path) -> None:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path, metrics_token="of the test")
    client = app.test_client()
    for at in range(50):
        client.open(f"/none-such-{at}", method=f"MADE{at}")
        client.open("/rules", method=f"UP{at}")
        client.get(f"/orders/{at}", headers={"Host": f"made-up-{at}.example"})
    figures = client.get("/metrics", headers={"Authorization": "Bearer of the test"}).text
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(figures):
        for sample in family.samples:
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    assert labels["method"] <= METHODS | {"other"}
    assert labels["route"] <= {rule.rule for rule in app.url_map.iter_rules()} | {"none"}
    assert all(len(status) == 3 and status.isdigit() for status in labels["status"])
    close(app)
