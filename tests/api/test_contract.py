"""What the contract says of the API, against the shell's own answers."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import func, select

from bounty.db import snapshot
from bounty.models import AuditEvent, Batch, Quarantined
from tests.api.conftest import Shell, Site
from tests.factories import PROMOTER, sn
from tests.web.world import NEIGHBOUR


@pytest.mark.parametrize("period", ["2022-11", "2022-12"])
def test_my_progress_is_the_shells(site: Site, shell: Shell, period: str) -> None:
    answered = site.ask(f"/me/progress/{period}", "promoter")
    assert (answered.status_code, answered.mimetype) == (200, "application/json")
    assert answered.text == shell("progress", period, str(PROMOTER), "--json").rstrip("\n")
    assert json.loads(answered.text)["promoter_id"] == PROMOTER


@pytest.mark.parametrize("number", [100, 104, 200, 210, 212, 213, 214])
def test_my_orders_explanation_is_the_shells(site: Site, shell: Shell, number: int) -> None:
    answered = site.ask(f"/me/orders/{sn(number)}", "promoter")
    assert answered.status_code == 200
    assert answered.text == shell("explain", sn(number), "--json").rstrip("\n")


def test_anothers_order_is_as_absent_as_one_that_there_is_not(site: Site) -> None:
    answers = [site.ask(f"/me/orders/{order}", "promoter") for order in (sn(220), sn(999), sn(299), "x")]
    assert {answered.status_code for answered in answers} == {404}
    assert len({answered.text for answered in answers}) == 1
    assert site.ask(f"/me/orders/{sn(220)}", "neighbour").json["promoter_id"] == NEIGHBOUR


def test_an_order_is_explained_in_the_programme_that_is_asked_for(site: Site) -> None:
    main = site.ask(f"/me/orders/{sn(100)}", "promoter")
    assert site.ask(f"/me/orders/{sn(100)}?programme=main", "promoter").text == main.text
    nowhere = site.ask(f"/me/orders/{sn(100)}?programme=nowhere", "promoter")
    assert (nowhere.status_code, nowhere.json["code"]) == (404, "NOT_FOUND")


def test_a_period_that_is_not_open_is_absent(site: Site) -> None:
    for period in ("2023-01", "2022-13", "none"):
        answered = site.ask(f"/me/progress/{period}", "promoter")
        assert (answered.status_code, answered.mimetype) == (404, "application/problem+json")
        assert answered.json["code"] == "NOT_FOUND"


def row(number: int, **fields: Any) -> dict[str, Any]:
    """An order as the platform's list gives it."""
    return {
        "order_sn": sn(number),
        "p_id": f"{PROMOTER}_1",
        "order_status": 2,
        "order_amount": 1_234,
        "promotion_amount": 12,
        "type": 0,
        "cat_ids": [1, 2],
        "is_direct": 1,
        "price_compare_status": 0,
        "order_pay_time": 1670212800,
        "order_receive_time": 1670558400,
        "order_modify_at": 1670558400,
        **fields,
    }


def test_pushed_orders_are_counted_and_kept_as_a_files_are(site: Site, shell: Shell) -> None:
    good, other, bad = row(700), row(701, p_id="77777_1"), row(702, order_status=99)
    answered = site.ask("/orders", "operator", "POST", json={"orders": [good, other, bad, good]})
    assert answered.status_code == 200
    batch = answered.json["batch"]
    names = ("read", "new", "changed", "unchanged", "stale", "quarantined")
    assert {name: answered.json[name] for name in names} == {
        "read": 4,
        "new": 1,
        "changed": 0,
        "unchanged": 1,
        "stale": 0,
        "quarantined": 2,
    }
    with snapshot(site.engine) as connection:
        held = connection.execute(select(Batch.__table__).where(Batch.batch_id == batch)).one()
        assert (held.kind, held.file_name, held.rows_read) == ("orders", "(api) operator", 4)
        codes = connection.execute(select(Quarantined.code).where(Quarantined.batch_id == batch)).scalars()
        assert set(codes) == {"E-PROMOTER", "E-STATUS"}
        newest = select(AuditEvent.__table__).order_by(AuditEvent.event_id.desc()).limit(1)
        act = connection.execute(newest).one()
        assert (act.act, act.subject) == ("batch.import", f"batch {batch}")
        assert (act.actor.partition(": ")[2], act.user_id, act.role) == ("operator", None, "operator")
    # The same by a file: everything is held already.
    file = site.folder / "same.json"
    listed = {"order_list_get_response": {"order_list": [good, other, bad, good]}}
    file.write_text(json.dumps(listed), encoding="utf-8")
    said = shell("import", "orders", str(file))
    assert "read=4 new=0 changed=0 unchanged=2 stale=0 quarantined=2" in said
    again = site.ask(
        "/orders",
        "operator",
        "POST",
        json={"orders": [row(700, order_amount=1_235, order_modify_at=1670558500)]},
    )
    assert (again.json["new"], again.json["changed"]) == (0, 1)


BROKEN: list[tuple[bytes, int, str]] = [
    (b"", 400, "E-JSON"),
    (b"{", 400, "E-JSON"),
    (b"[]", 400, "E-JSON"),
    (b'{"orders": []} {}', 400, "E-JSON"),
    (b'{"orders": [{"a": }]}', 400, "E-JSON"),
    (b'{"orders": ' + b"[" * 100_000, 400, "E-JSON"),
    (b'{"orders": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 200, ""),
    (b'{"orders": [], "orders": []}', 400, "E-DUPKEY"),
    (b'{"orders": [], "more": 1}', 422, "E-FIELD"),
    (b'{"\\ud800": []}', 400, "E-JSON"),
    (b'{"orders": NaN}', 422, "E-FIELD"),
    (b"{}", 422, "E-FIELD"),
    (b'{"orders": null}', 422, "E-FIELD"),
    (b"\xff\xfe", 400, "E-ENC"),
    (b'{"orders": [' + b"{}," * 1_000 + b"{}]}", 422, "E-LIMIT"),
    (b'{"orders": [{"order_sn": "1-1"}]}', 422, "E-KIND"),
]


@pytest.mark.parametrize(("body", "status", "code"), BROKEN, ids=range(len(BROKEN)))
def test_a_body_that_can_not_be_is_refused_and_nothing_happens(
    site: Site, body: bytes, status: int, code: str
) -> None:
    with snapshot(site.engine) as connection:
        before = connection.execute(select(func.count()).select_from(Batch)).scalar_one()
    answered = site.ask("/orders", "operator", "POST", data=body, content_type="application/json")
    assert answered.status_code == status
    if status != 200:
        assert answered.mimetype == "application/problem+json"
        assert (answered.json["code"], answered.json["status"]) == (code, status)
        with snapshot(site.engine) as connection:
            after = connection.execute(select(func.count()).select_from(Batch)).scalar_one()
        assert after == before


@pytest.mark.parametrize(
    "text",
    [
        '{"is_direct": 1, "order_sn": "1-1", "order_sn": "1-2"}',
        '{"is_direct": 1, "order_sn": NaN}',
        '{"is_direct": 1, "order_sn": "1-\\ud800"}',
        '{"is_direct": 1, "deep": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"is_direct": 1, "order_amount": 1e400}',
        "7",
    ],
    ids=["doubled key", "NaN", "half character", "deep", "huge", "no object"],
)
def test_a_row_that_can_not_be_waits_in_quarantine(site: Site, text: str) -> None:
    body = f'{{"orders": [{text}]}}'
    answered = site.ask("/orders", "operator", "POST", data=body, content_type="application/json")
    assert (answered.status_code, answered.json["read"], answered.json["quarantined"]) == (200, 1, 1)


def test_a_body_of_another_type_or_beyond_the_bound_is_refused(site: Site) -> None:
    form = site.ask("/orders", "operator", "POST", data={"orders": "[]"})
    assert (form.status_code, form.json["code"]) == (415, "MEDIA_TYPE")
    large = site.ask("/orders", "operator", "POST", data=b" " * 10_000_001, content_type="application/json")
    assert (large.status_code, large.json["code"]) == (413, "TOO_LARGE")


def test_other_methods_and_addresses_are_problems_too(site: Site) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        answered = site.ask("/orders", "operator", method)
        assert (answered.status_code, answered.json["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert answered.headers["Allow"] == "POST"
    none = site.ask("/none-such", None)
    assert (none.status_code, none.mimetype, none.json["code"]) == (
        404,
        "application/problem+json",
        "NOT_FOUND",
    )


def test_problems_are_in_the_language_asked_for(site: Site) -> None:
    english = site.ask("/none-such", None)
    chinese = site.ask("/none-such", None, headers={"Accept-Language": "zh"})
    assert english.json["detail"] == "There is no such address."
    assert chinese.json["detail"] == "没有这个地址。"
    assert english.json["code"] == chinese.json["code"]


def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    path = "/me/progress/2022-12"
    first = site.ask(path, "promoter")
    again = site.ask(path, "promoter", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    site.ask("/orders", "operator", "POST", json={"orders": [row(720)]})
    changed = site.ask(path, "promoter", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_a_parameter_that_there_is_not_is_refused(site: Site) -> None:
    answered = site.ask("/me/progress/2022-12?promoter_id=5", "promoter")
    assert (answered.status_code, answered.json["code"]) == (422, "E-QUERY")


def test_the_document_needs_no_token_and_is_made_of_the_code(site: Site) -> None:
    answered = site.ask("/openapi.json", None)
    assert answered.status_code == 200
    assert answered.json["openapi"] == "3.1.0"
    served = {
        rule.rule.removeprefix("/api/v1").replace("<period:", "<").replace("<", "{").replace(">", "}")
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.openapi"
    }
    assert {path.removeprefix("/api/v1") for path in answered.json["paths"]} == {
        path.replace("int:", "") for path in served
    }
    names = [each["operationId"] for path in answered.json["paths"].values() for each in path.values()]
    assert len(names) == len(set(names)) == len(served)
    referred = set(re.findall(r"#/components/schemas/(\w+)", answered.text))
    assert referred == set(answered.json["components"]["schemas"])
