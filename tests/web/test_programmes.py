"""The pages where there are two programmes: each period is told by its programme, and each reader gets to both."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import make_engine, transaction
from bounty.roster.programmes import add_programme, rename_programme
from bounty.web.shared.access import allowed
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter, shanghai, sn
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.test_routes import ROLES, address, routes
from tests.web.world import DECEMBER, EMAILS, JANUARY, PASSWORD, SPRINT_NAME, copied

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


RENAMED = "下沉冲刺"


def test_a_renamed_programme_has_its_new_name_on_every_page_and_in_no_file_that_was_published(
    paid_books_of_two: Path, tmp_path: Path
) -> None:
    """Names are for people: the public notice, the task, the lines of a tranche. What a notice froze has the code."""
    url = copied(paid_books_of_two, tmp_path)
    frozen = (
        f"/notices/{FIRST}/1/statement.json",
        f"/finance/{FIRST}/1/export.zip",
        f"/finance/{FIRST}/1/lines.csv",
    )
    told = {
        "nobody": ("/notices", f"/notices/{FIRST}/1", "/rules?programme=sprint"),
        "promoter": (
            "/months/2022-12/task",
            f"/months/{OPEN}/task",
            f"/orders/{sn(100)}?programme=sprint",
            "/payments/1",
        ),
        "operator": ("/operations/periods", f"/operations/periods/{FIRST}", "/operations/schedule"),
        "finance": ("/finance/", "/finance/tranches/1/lines", f"/finance/{FIRST}/1/results"),
    }
    app = application(url, DECEMBER, tmp_path)
    readers = {role: app.test_client() for role in told}
    for role in ("promoter", "operator", "finance"):
        log_in(readers[role], EMAILS[role])

    def published() -> list[Any]:
        answers = [readers["finance"].get(path).data for path in frozen]
        archive = ZipFile(io.BytesIO(answers[1]))  # of which each download has its own time
        return [answers[0], {name: archive.read(name) for name in archive.namelist()}, answers[2]]

    before = published()
    engine = make_engine(url)
    with transaction(engine) as connection:
        assert rename_programme(connection, "sprint", RENAMED, shanghai(DECEMBER))
    engine.dispose()
    for role, paths in told.items():
        for path in paths:
            # The terms have a name of their own, which they froze.
            shown = visible(page(readers[role], path)).replace(f"{SPRINT_NAME}补贴", "")
            assert RENAMED in shown, (role, path)
            assert SPRINT_NAME not in shown, (role, path)
    assert published() == before
    close(app)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_order_page_says_which_notice_keeps_an_exclusive_programme_from_paying(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    """The clause fails with the notice as its fact, linked; for the other order it holds, and main asks nothing."""
    main = Month(engine, tmp_path, now=JANUARY)
    main.begin(promoter())
    main.orders(order_row(number=1, amount_fen=100_00), order_row(number=2, amount_fen=50_00, type=94))
    with transaction(engine) as connection:
        add_programme(connection, "mega", "618 大促", 0)
        for role, promoter_id in (("promoter", PROMOTER), ("finance", None)):
            add_user(
                connection,
                email=f"{role}@example.com",
                name=role,
                role=role,
                promoter_id=promoter_id,
                password=PASSWORD,
                now=0,
            )
    main.settle()
    main.publish()
    mega = Month(engine, tmp_path / "mega", period="mega:2022-12", now=JANUARY)
    mega.folder.mkdir()
    toml = plain_terms().replace("types = [94]", "types = []")
    mega.terms(toml.replace("[subsidy]\n", "[subsidy]\nexclusive = true\n"))
    mega.open()
    mega.settle()
    mega.publish()
    app = application(database_url, JANUARY, tmp_path)
    own, desk = app.test_client(), app.test_client()
    log_in(own, "promoter@example.com")
    log_in(desk, "finance@example.com")
    for reader, at in ((own, "/orders/"), (desk, f"/finance/promoters/{PROMOTER}/orders/")):
        kept = page(reader, f"{at}{sn(1)}?programme=mega")
        failing = re.findall(r'(?s)<tr class="failing">.*?</tr>', kept)
        assert [words_of(row) for row in failing] == [
            "✕ 其他项目没有补贴 主项目 2022-12 第 1 号公示 没有在其他项目的最新公示中获得补贴"
        ]
        assert 'href="/notices/2022-12/1"' in failing[0]
        free = page(reader, f"{at}{sn(2)}?programme=mega")
        assert 'class="failing"' not in free
        assert "其他项目没有补贴 没有 没有在其他项目的最新公示中获得补贴" in words_of(free)
        assert "其他项目没有补贴 没有 本期条款不限" in words_of(page(reader, f"{at}{sn(1)}?programme=main"))
        assert "main, notice 1" not in kept
        assert "Main programme 2022-12, notice 1" in words_of(
            page(reader, f"{at}{sn(1)}?programme=mega", "en")
        )
    close(app)


def test_the_form_of_terms_is_there_for_each_programme(readers: dict[str, FlaskClient]) -> None:
    links = re.findall(
        r'href="(/operations/terms/form[^"]*)">([^<]*)<', page(readers["operator"], "/operations/terms/")
    )
    assert links == [
        ("/operations/terms/form?programme=main", "用表单填写：主项目"),
        ("/operations/terms/form?programme=sprint", f"用表单填写：{SPRINT_NAME}"),
    ]
    form = page(readers["operator"], links[1][0])
    assert 'value="half-month" selected' in form
    assert 'name="programme" value="sprint"' in form or '<option value="sprint" selected' in form
