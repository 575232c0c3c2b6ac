"""Terms as versions, and the record of who did what, as operations and finance see them."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.db import transaction
from tests.factories import Month, plain_terms, promoter
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import PASSWORD

NOW = "2022-12-15 12:00:00"
FIRST, SECOND = (
    plain_terms(effective_from="2022-12"),
    plain_terms(effective_from="2023-01", order_cap_yuan="250.00"),
)


@pytest.fixture
def people(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[dict[str, FlaskClient]]:
    """An operator and finance, logged in, over an open December."""
    month = Month(engine, tmp_path, now=NOW)
    month.begin(promoter(), toml=FIRST)
    with transaction(engine) as connection:
        for role in ("operator", "finance"):
            add_user(
                connection,
                email=f"{role}@example.com",
                name=role,
                role=role,
                password=PASSWORD,
                now=month.now,
            )
    app = application(database_url, NOW, tmp_path)
    clients = {}
    for role in ("operator", "finance"):
        clients[role] = app.test_client()
        assert log_in(clients[role], f"{role}@example.com").status_code == 302
    yield clients
    close(app)


def upload(client: FlaskClient, content: bytes, name: str = "terms.toml") -> tuple[int, str]:
    answer = post(client, "/operations/terms/", file=(io.BytesIO(content), name))
    return answer.status_code, words_of(answer.text)


def test_a_version_is_added_and_says_what_it_changes_key_by_key(people: dict[str, FlaskClient]) -> None:
    operator = people["operator"]
    assert upload(operator, SECOND.encode())[0] == 303
    assert "自 2023-01 期起" in words_of(operator.get("/operations/terms/").text)
    page = words_of(operator.get("/operations/terms/2").text)
    assert "effective_from 2022-12 2023-01" in page
    assert "task.order_cap_yuan 200.00 250.00" in page
    assert "每单最多计 ¥250.00" in page
    # Again: the same content changes nothing, and says so.
    assert upload(operator, SECOND.encode("utf-8-sig"))[0] == 303
    assert "没有改动" in words_of(operator.get("/operations/terms/").text)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (SECOND.replace('"250.00"', "250").encode(), "order_cap_yuan"),
        (SECOND.replace("2023-01", "2022-12").encode(), "already open"),
        ("name = '名'".encode("gb18030"), "UTF-8"),
        (b"x" * 70_000, "过大"),
        (b"= 1", "TOML"),
    ],
)
def test_terms_that_can_not_be_are_refused_on_the_page(
    people: dict[str, FlaskClient], content: bytes, says: str
) -> None:
    status, page = upload(people["operator"], content)
    assert status == 422
    assert says in page
    assert people["operator"].get("/operations/terms/2").status_code == 404


def test_the_versions_are_filtered_sorted_and_filed(people: dict[str, FlaskClient]) -> None:
    upload(people["operator"], SECOND.encode())
    page = words_of(people["finance"].get("/operations/terms/?sort=terms_id").text)
    assert page.index("第 1 版") < page.index("第 2 版")
    assert "全部 2 行" in page
    unused = people["finance"].get("/operations/terms/?held=no").text
    assert "第 2 版" in unused
    assert "第 1 版" not in unused
    header, *lines = (
        people["finance"].get("/operations/terms/terms.csv?held=yes").data.decode("utf-8-sig").splitlines()
    )
    assert header == "terms_id,name,effective_from,periods,first_period,last_period,added_at,sha256"
    (line,) = lines
    number, name, *held = line.split(",")
    assert (number, held[:4]) == ("1", ["2022-12", "1", "2022-12", "2022-12"])
    assert name in words_of(people["finance"].get("/operations/terms/1").text)
    assert people["finance"].get("/operations/terms/terms.csv?sort=name").status_code == 400


def test_finance_reads_terms_and_adds_none(people: dict[str, FlaskClient]) -> None:
    assert people["finance"].get("/operations/terms/1").status_code == 200
    assert upload(people["finance"], SECOND.encode())[0] == 403


def test_the_audit_tells_who_did_what_and_that_the_chain_holds(people: dict[str, FlaskClient]) -> None:
    upload(people["operator"], SECOND.encode())
    page = words_of(people["finance"].get("/operations/audit/?kind=terms").text)
    assert "链条完整" in page
    assert "operator@example.com operator terms.add 2023-01" in page
    assert "全部 2 条" in page
    filed = (
        people["finance"].get("/operations/audit/audit.csv?kind=terms&who=account").data.decode("utf-8-sig")
    )
    header, *lines = filed.splitlines()
    assert header.startswith("event_id,happened_at,actor,role,act,subject,reason,before,after")
    assert len(lines) == 1
    assert "operator@example.com,operator,terms.add,2023-01" in lines[0]


def test_the_audit_is_searched_by_person_and_subject(people: dict[str, FlaskClient]) -> None:
    found = words_of(people["operator"].get("/operations/audit/?q=finance@").text)
    assert "user.login" in found
    assert "operator@example.com operator user.login" not in found
    assert "没有符合条件的记录" in words_of(people["operator"].get("/operations/audit/?q=nobody@").text)
