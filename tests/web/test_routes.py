"""Every address for every role: open to whom it says, closed to everybody else, and nothing of others' is there.

The routes are those of the application itself: one that says to nobody that it is open, or whose arguments the table
below doesn't know, fails here.
"""

import html
import io
import re
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.routing import Rule

from bounty.appeals.attachments import AttachmentLimits, CheckedFile, attach
from bounty.appeals.service import answer, ask
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.db.types import Base
from bounty.models import AuditEvent, User
from bounty.roster.overrides import EntryState, override
from bounty.rules.periods import Period
from bounty.web.shared.access import EVERYBODY, allowed
from bounty.web.shared.attachments import SANDBOX
from bounty.web.shared.headers import POLICY
from tests.factories import PROMOTER, shanghai, sn
from tests.web.clients import application, close, log_in, token_of
from tests.web.world import CANARY, CANARY_ORDERS, DECEMBER, EMAILS, NEIGHBOUR, copied

ROLES = ("promoter", "operator", "finance", "admin")
SHUT = {"security.two_factor_rescue", "security.wan_verify", "security.wan_verify_response"}
"""The library's, which nobody needs."""
LEAVING = {
    "security.two_factor_token_validation",
    "security.tf_select",
    "security.mf_recovery",
    "security.wan_signin",
    "security.wan_signin_response",
}
"""Steps of the log-in, which send away or log out whoever asks for them without need; its tests hold them."""
BEARING = {"health.metrics"}
"""Is there for whoever bears its token, which the tests of it hold."""
ASKING = {
    "security.change_password",
    "security.verify",
    "security.two_factor_setup",
    "security.wan_register",
    "security.wan_register_response",
    "security.wan_delete",
    "security.mf_recovery_codes",
}
"""The library's that ask for a log-in themselves."""
EVIDENCE = CheckedFile("合同.pdf", "application/pdf", b"%PDF-1.7 %%EOF")
COLLEAGUE = "同事9d2e41c7"
"""What everybody of the staff is called here."""
OWN, OTHERS, ABSENT = sn(200), sn(220), sn(999)
"""An order of the promoter who asks, one of the neighbour's, and one that there is not."""
ARGUMENTS: dict[str, Any] = {
    "period": "2022-11",
    "number": 1,
    "notice": 1,
    "terms_id": 1,
    "token": "none-such",
    "filename": "bounty.css",
    "order_sn": OWN,
    "promoter_id": NEIGHBOUR,
    "appeal_id": 1,
    "entry": 1,
    "batch_id": 1,
    "stage": "try",
    "change": "disable",
    "kind": "orders",
    "settlement_id": 1,
    "message": "msg_none",
    "tranche_id": 1,
    "token_id": 1,
    "endpoint_id": 1,
    "receipt_id": 1,
}
"""What stands in an address; the small site has most of it."""
PERIODS = (ARGUMENTS["period"], "sprint:2022-11a")
"""A published one of each programme."""
PERSONAL = {"order_sn": (OWN, OTHERS, ABSENT), "appeal_id": (1, 2, 999)}
"""Of whose there is an own, another's and none such."""
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def app(paid_books_of_two: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("routes")
    app = application(copied(paid_books_of_two, folder), DECEMBER, folder)
    engine, now = app.extensions["bounty.books"].engine, shanghai(DECEMBER)
    with transaction(engine) as connection:
        for promoter_id, number, words in ((PROMOTER, 111, "直推"), (NEIGHBOUR, 120, CANARY)):
            appeal_id = ask(connection, promoter_id, Period(2022, 11), sn(number), words, now)
            attach(connection, folder / "uploads", appeal_id, [EVIDENCE], AttachmentLimits(1, 1), now)
        connection.execute(update(User).where(User.role != "promoter").values(name=COLLEAGUE))
        query = select(User.id).where(User.email == EMAILS["operator"])
        operator = Actor(EMAILS["operator"], connection.execute(query).scalar_one(), "operator")
    with transaction(acting(engine, operator)) as connection:
        override(connection, Period(2022, 12), PROMOTER, EntryState(None, 70_000, 7), "与推手商定", now)
        answer(connection, 1, 1, "DECLINED", "不是直推", now)
    yield app
    close(app)


@pytest.fixture(scope="module")
def readers(app: Flask) -> dict[str, FlaskClient]:
    """Role -> who is logged in with it; and nobody."""
    readers = {role: app.test_client() for role in (*ROLES, "nobody")}
    for role in ROLES:
        log_in(readers[role], EMAILS[role])
    return readers


def routes(app: Flask) -> list[Rule]:
    """The pages' routes; those of the API are for bearers of tokens, and held by its own matrix (tests/api)."""
    return [
        rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in SHUT | LEAVING | BEARING and not rule.endpoint.startswith("api.")
    ]


def address(app: Flask, rule: Rule, **given: Any) -> str:
    """Where a route is, with the table's arguments or others."""
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        values = {name: ARGUMENTS[name] for name in rule.arguments} | given
        return adapter.build(rule.endpoint, values, method=min((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def addresses(app: Flask, rule: Rule) -> list[str]:
    """Where a route is; of one that has a period, for each programme."""
    if "period" not in rule.arguments:
        return [address(app, rule)]
    return [address(app, rule, period=period) for period in PERIODS]


def refused(response: Any, role: str, method: str) -> bool:
    """Whether an answer says that one may not."""
    if role != "nobody":
        return response.status_code == 403
    if method == "GET":
        return response.status_code == 302 and response.location.startswith("/login")
    return response.status_code == 401


def words_without_number(page: str) -> str:
    return re.sub(r"[0-9a-f]{16}|value=\"[^\"]*\"", "", page)


def test_every_route_says_to_whom_it_is_open_and_has_its_arguments_in_the_table(app: Flask) -> None:
    undeclared = [rule.rule for rule in routes(app) if not allowed(app, rule.endpoint)]
    assert undeclared == []
    assert all(not allowed(app, endpoint) for endpoint in SHUT)
    unknown = {name for rule in routes(app) for name in rule.arguments} - set(ARGUMENTS)
    assert unknown == set()


def test_a_page_is_open_to_whom_it_says_and_closed_to_the_others(
    app: Flask, readers: dict[str, FlaskClient]
) -> None:
    wrong = []
    for rule in routes(app):
        if "GET" not in (rule.methods or ()):
            continue
        roles = allowed(app, rule.endpoint)
        for path, (role, client) in product(addresses(app, rule), readers.items()):
            response = client.get(path, buffered=True)
            may = role in roles or (roles == EVERYBODY and (role != "nobody" or rule.endpoint not in ASKING))
            if may == refused(response, role, "GET") or response.status_code >= 500:
                wrong.append((path, role, response.status_code))
    assert wrong == []


def test_an_act_is_open_to_whom_it_says_and_needs_the_forms_token(
    app: Flask, readers: dict[str, FlaskClient]
) -> None:
    """Those who may are asked for without the token, so that nothing happens."""
    engine = app.extensions["bounty.books"].engine
    tokens = {role: token_of(client.get("/rules").text) for role, client in readers.items()}
    with snapshot(engine) as connection:
        before = connection.execute(select(func.count()).select_from(AuditEvent)).scalar_one()
    wrong: list[tuple[str, str, str, int]] = []
    for rule in routes(app):
        roles = allowed(app, rule.endpoint)
        methods = sorted(set(UNSAFE) & (rule.methods or set()))
        for method, path in product(methods, addresses(app, rule)):
            for role, client in readers.items():
                may = roles == EVERYBODY or role in roles
                without = client.open(path, method=method)
                if without.status_code != 400 and (may or not refused(without, role, method)):
                    wrong.append((method, path, role, without.status_code))
                if not may:
                    response = client.open(path, method=method, data={"csrf_token": tokens[role]})
                    if not refused(response, role, method):
                        wrong.append((method, path, role, response.status_code))
    assert wrong == []
    with snapshot(engine) as connection:
        assert connection.execute(select(func.count()).select_from(AuditEvent)).scalar_one() == before


def test_what_is_anothers_is_as_absent_as_what_there_is_not(
    app: Flask, readers: dict[str, FlaskClient]
) -> None:
    client, asked = readers["promoter"], 0
    for rule in routes(app):
        for name, (own, others, absent) in PERSONAL.items():
            if name not in rule.arguments or "promoter" not in allowed(app, rule.endpoint):
                continue
            asked += 1
            with client.get(address(app, rule, **{name: own})) as mine_is:
                assert mine_is.status_code == 200, rule.rule
            theirs = client.get(address(app, rule, **{name: others}))
            none = client.get(address(app, rule, **{name: absent}))
            assert (theirs.status_code, none.status_code) == (404, 404), rule.rule
            mine, there = (
                words_without_number(page.text).replace(str(sn), "")
                for page, named in ((theirs, others), (none, absent))
            )
            assert mine == there, rule.rule
    assert asked >= 2


def test_every_mine_isis_kept_by_nobody_and_loads_from_here_alone(
    app: Flask, readers: dict[str, FlaskClient]
) -> None:
    paths = [address(app, rule) for rule in routes(app) if "GET" in (rule.methods or ())]
    for path in [*paths, "/none-such", "/notices/2022-13/1"]:
        for role in ("nobody", "operator"):
            response = readers[role].get(path, buffered=True)
            sent_in = response.status_code == 200 and "/files/" in path
            assert response.headers["Content-Security-Policy"] == (SANDBOX if sent_in else POLICY), path
            assert response.headers["X-Content-Type-Options"] == "nosniff", path
            if not path.startswith("/static/"):
                assert response.headers["Cache-Control"] == "no-store", path
            if response.mimetype == "text/html":
                assert not re.search(r"<[^>]+ (?:style|on[a-z]+)=", response.text), path
                assert not re.search(r"<script(?![^>]* src=)", response.text), path
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none'")


def test_an_upload_has_a_bound(small_site: Path, tmp_path: Path) -> None:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path, upload_megabytes=1)
    client = app.test_client()
    log_in(client, EMAILS["operator"])
    token = token_of(client.get("/rules").text)
    acts = [
        rule
        for rule in routes(app)
        if "POST" in (rule.methods or ()) and "operator" in allowed(app, rule.endpoint)
    ]
    assert acts
    for rule in acts:
        response = client.post(
            address(app, rule),
            data=b"0" * 1_100_000,
            content_type="multipart/form-data; boundary=b",
            headers={"X-CSRFToken": token},
        )
        assert response.status_code == 413, rule.rule
    close(app)


@pytest.mark.parametrize(
    "back", ["https://example.net/", "//example.net/", "/\\example.net", "\\\\example.net", ""]
)
def test_the_choice_of_a_language_leads_nowhere_else(app: Flask, back: str) -> None:
    client = app.test_client()
    token = token_of(client.get("/rules").text)
    said = client.post("/language", data={"csrf_token": token, "language": "en", "back": back})
    assert (said.status_code, said.location) == (303, "/")
    assert "Notices" in client.get("/notices", headers={"Accept-Language": "zh"}).text


CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")
CODE = re.compile(r"\b[A-Z]{2,}_[A-Z_]{2,}\b|\bis_direct\b|\brequire_approval\b")
"""What the program calls a clause, a state or a fact, where people read its name."""


FILE_HEADERS = {"imports.index"}
"""Lists the headers of files, which are Chinese for every reader."""


def read_by_people(page: str) -> str:
    """The text of a page without scripts, commands, and the button that names the other language."""
    page = re.sub(r"<(script|style|pre|code|textarea)\b.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r'<button[^>]*name="language".*?</button>', " ", page, flags=re.DOTALL)
    page = re.sub(r'<span\s+class="face".*?</span>', " ", page, flags=re.DOTALL)  # the first letter of a name
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def chinese_data(app: Flask) -> set[str]:
    """Every Chinese word that is in the database: what people typed or imported stays as it is."""
    with snapshot(app.extensions["bounty.books"].engine) as connection:
        cells = [
            cell
            for table in Base.metadata.sorted_tables
            for row in connection.execute(table.select())
            for cell in row
            if isinstance(cell, str)
        ]
    return {word for cell in cells for word in CHINESE.findall(cell)}


def test_every_page_is_in_the_readers_language(app: Flask, readers: dict[str, FlaskClient]) -> None:
    """No Chinese but data on an English page, and no code on a Chinese one."""
    # The name of a language where mails choose one, and the remark that a payer prints.
    data = chinese_data(app) | {"中文", "推广服务费"}
    wrong = []
    for rule in routes(app):
        roles = allowed(app, rule.endpoint)
        if "GET" not in (rule.methods or ()) or not roles or rule.endpoint in FILE_HEADERS:
            continue
        client = next(client for role, client in readers.items() if role in roles or roles == EVERYBODY)
        for language in ("zh", "en"):
            client.set_cookie("language", language)
            response = client.get(address(app, rule), buffered=True)
            if response.status_code != 200 or response.mimetype != "text/html":
                continue
            words = read_by_people(response.text)
            found = set(CODE.findall(words)) if language == "zh" else set(CHINESE.findall(words)) - data
            if found:
                wrong.append((rule.rule, language, sorted(found)))
        client.delete_cookie("language")
    assert wrong == []


def everything(client: FlaskClient, paths: list[str], most: int = 200) -> Iterator[tuple[str, str]]:
    """What a reader can reach by links from some addresses: each answer's text, archives opened."""
    waiting, seen = list(paths), set(paths)
    while waiting:
        path = waiting.pop(0)
        response = client.get(path, buffered=True)
        if response.mimetype == "application/zip" or response.data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
                yield (
                    path,
                    "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist()),
                )
            continue
        yield path, response.data.decode("utf-8", "replace")
        if response.location:
            found = [response.location]
        else:
            found = (
                re.findall(r'(?:href|action|src)="(/[^"#]*)', response.text)
                if response.mimetype == "text/html"
                else []
            )
        for link in (each.replace("&amp;", "&") for each in found):
            if link.startswith("/") and link not in seen and len(seen) < most:
                seen.add(link)
                waiting.append(link)


def test_what_one_promoter_has_is_never_in_what_another_gets(app: Flask) -> None:
    """Their name, their goods, their orders' numbers; staff get to hear them."""
    secrets = [CANARY, *(sn(number) for number in CANARY_ORDERS)]
    paths = [path for rule in routes(app) if "GET" in (rule.methods or ()) for path in addresses(app, rule)]
    heard: dict[str, set[str]] = {}
    for role in ("nobody", "promoter", "finance"):
        client = app.test_client()
        if role != "nobody":
            log_in(client, EMAILS[role])
        heard[role] = {
            path for path, text in everything(client, paths) if any(each in text for each in secrets)
        }
    assert heard["nobody"] == set()
    assert heard["promoter"] == set()
    assert heard["finance"] != set()


def test_who_of_the_staff_decided_is_never_told_to_promoters(app: Flask) -> None:
    """They see what operations decided and why; operations see who."""
    paths = [address(app, rule) for rule in routes(app) if "GET" in (rule.methods or ())]
    names = [COLLEAGUE, EMAILS["operator"], "second@example.com", EMAILS["finance"], EMAILS["admin"]]
    told: dict[str, set[str]] = {}
    decided = False
    for role in ("nobody", "promoter", "operator"):
        client = app.test_client()
        if role != "nobody":
            log_in(client, EMAILS[role])
        told[role] = set()
        for path, text in everything(client, paths):
            if any(name in text for name in names):
                told[role].add(path)
            decided |= role == "promoter" and "与推手商定" in text
    assert decided
    assert told["nobody"] == set()
    assert told["promoter"] == set()
    assert told["operator"] != set()
