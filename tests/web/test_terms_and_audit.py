"""Terms as versions, and the record of who did what, as operations and finance see them."""

import html
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.audit.act_labels import ACTS
from bounty.db import transaction
from bounty.rules.terms import read_terms, terms_of
from bounty.web.operations import terms_form
from bounty.web.operations.audit import KINDS
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
    """Upload terms, and confirm them on the page in between; a refusal comes at once."""
    answer = post(client, "/operations/terms/", file=(io.BytesIO(content), name))
    if answer.status_code == 200 and 'name="seen"' in answer.text:
        answer = post(client, "/operations/terms/", **hidden_fields(answer.text))
    return answer.status_code, words_of(answer.text)


def hidden_fields(page: str) -> dict[str, str]:
    """What the form of a page in between sends."""
    found = re.findall(r'type="hidden" name="(seen|toml|programme)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def test_a_version_is_added_and_says_what_it_changes_key_by_key(people: dict[str, FlaskClient]) -> None:
    operator = people["operator"]
    assert upload(operator, SECOND.encode())[0] == 303
    assert "自 2023-01 期起" in words_of(operator.get("/operations/terms/").text)
    page = words_of(operator.get("/operations/terms/2").text)
    assert "effective_from 2022-12 2023-01" in page
    assert "task.order_cap_yuan 200.00 250.00" in page
    assert "每单最多计 ¥250.00" in page
    # Again: the same content would change nothing, and the page in between says so.
    status, page = upload(operator, SECOND.encode("utf-8-sig"))
    assert (status, "没有改动" in page) == (200, True)


def test_terms_are_seen_in_words_and_differences_before_they_are_added(
    people: dict[str, FlaskClient],
) -> None:
    operator = people["operator"]
    answer = post(operator, "/operations/terms/", file=(io.BytesIO(SECOND.encode()), "terms.toml"))
    page = words_of(answer.text)
    assert "加入这份条款？" in page
    assert "每单最多计入 200.00 250.00" in page
    assert "每单最多计 ¥250.00" in page
    assert "加入后不能修改或删除" in page
    assert operator.get("/operations/terms/2").status_code == 404  # nothing was added by looking


def test_terms_are_filled_in_as_a_form(people: dict[str, FlaskClient]) -> None:
    operator = people["operator"]
    page = operator.get("/operations/terms/form").text
    fields = form_fields(page)
    refused = post(operator, "/operations/terms/form", **fields | {"task-order_cap_yuan": "二百"})
    assert (refused.status_code, "order_cap_yuan" in refused.text) == (422, True)
    assert 'value="二百"' in refused.text
    filled = fields | {"-effective_from": "2023-01", "task-order_cap_yuan": "250.00"}
    between = post(operator, "/operations/terms/form", **filled)
    assert "每单最多计入 200.00 250.00" in words_of(between.text)
    assert "2 项不同" in words_of(between.text)
    assert post(operator, "/operations/terms/", **hidden_fields(between.text)).status_code == 303
    assert "task.order_cap_yuan 200.00 250.00" in words_of(operator.get("/operations/terms/2").text)
    assert people["finance"].get("/operations/terms/form").status_code == 403


def form_fields(page: str) -> dict[str, str]:
    """What a browser would send of the terms' form as it stands."""
    fields = {}
    for tag in re.findall(r"<input [^>]*>", page):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
        if name is None or name[1] in ("q", "back", "csrf_token"):
            continue
        if 'type="checkbox"' in tag and " checked" not in tag:
            continue
        fields[name[1]] = "" if value is None else html.unescape(value[1])
    for select in re.findall(r"<select.*?</select>", page, re.DOTALL):
        name = re.search(r'name="([^"]*)"', select)
        chosen = re.search(r'value="([^"]*)" selected', select) or re.search(r'value="([^"]*)"', select)
        assert name is not None
        assert chosen is not None
        fields[name[1]] = chosen[1]
    return fields


def test_a_form_begun_from_a_version_loses_none_of_its_terms() -> None:
    every: dict[str, Any] = {
        "name": "每一项",
        "effective_from": "2023-01a",
        "cycle": "half-month",
        "task": {
            "first_day": 1,
            "last_day": "end",
            "receipt_cutoff_days": 10,
            "order_cap_yuan": "200.00",
            "count_price_compare": False,
            "count_live_room": True,
            "category_ids": [8000],
            "min_order_yuan": "9.90",
        },
        "virtual": {"types": [94], "category_ids": [8724]},
        "levels": {"V2": {"direct_only": True, "min_tenure_months": 2, "orders": 3, "gmv_yuan": "10.00"}},
        "subsidy": {
            "basis": "commission",
            "include_price_compare": True,
            "include_live_room": True,
            "links": "app",
            "order_cap_yuan": "1.00",
            "promoter_cap_yuan": "9.00",
            "lapse_months": 7,
            "audited_by_day": 14,
            "settled_on_day": 21,
            "budget_yuan": "500.00",
            "exclusive": True,
            "tiers": [{"at": "1.00", "rate_permille": 5}],
        },
        "notice": {"published_by_day": 20, "appeals_until_day": 25, "appeal_days": 5},
    }
    terms = terms_of(every)
    keys = {part: set(every[part]) for part in ("task", "virtual", "subsidy", "notice")}
    for part, named in keys.items():
        fields = type(getattr(terms, part)).model_fields
        missing = {field.alias or name for name, field in fields.items()} - named
        assert missing == ({"receipt_cutoff_day"} if part == "task" else set()), (
            "name it above, and in the form"
        )
    again = terms_form.document_of(terms_form.form_of(every))
    assert again == every
    assert read_terms(terms_form.toml_of(again)) == terms


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
    assert "operator@example.com 运营 增加条款 2023-01" in page
    assert "全部 2 条" in page
    filed = (
        people["finance"].get("/operations/audit/audit.csv?kind=terms&who=account").data.decode("utf-8-sig")
    )
    header, *lines = filed.splitlines()
    assert header.startswith("event_id,happened_at,actor,role,act,subject,reason,before,after")
    assert len(lines) == 1
    assert "operator@example.com,operator,terms.add,2023-01" in lines[0]


def test_every_kind_of_act_can_be_chosen() -> None:
    assert {act.partition(".")[0] for act in ACTS} == {kind for kind, *_names in KINDS}


def test_the_audit_is_searched_by_person_and_subject(people: dict[str, FlaskClient]) -> None:
    found = words_of(people["operator"].get("/operations/audit/?q=finance@").text)
    assert "财务 登录" in found
    assert "operator@example.com 运营 登录" not in found
    assert "没有符合条件的记录" in words_of(people["operator"].get("/operations/audit/?q=nobody@").text)
