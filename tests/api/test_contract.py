"""What the contract says of the API, against the shell's own answers."""

import gzip
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
    said = answered.json
    assert said.pop("as_of") == "2022-12-15T15:00:00+08:00"
    assert said == json.loads(shell("explain", sn(number), "--json"))


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


def test_a_body_within_the_bound_is_read_whole(site: Site) -> None:
    body = b'{"orders": []}'.ljust(10_000_000)
    answered = site.ask("/orders", "operator", "POST", data=body, content_type="application/json")
    assert (answered.status_code, answered.json["read"]) == (200, 0)


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
        if rule.endpoint.startswith("api.") and rule.endpoint not in ("api.openapi", "api.page")
    }
    assert {path.removeprefix("/api/v1") for path in answered.json["paths"]} == {
        path.replace("int:", "") for path in served
    }
    names = [each["operationId"] for path in answered.json["paths"].values() for each in path.values()]
    assert len(names) == len(set(names)) == len(served)
    referred = set(re.findall(r"#/components/schemas/(\w+)", answered.text))
    assert referred == set(answered.json["components"]["schemas"])


def test_a_long_answer_comes_by_gzip_to_whom_takes_it(site: Site) -> None:
    path = "/periods/2022-11/progress"
    plain = site.ask(path, "operator")
    packed = site.ask(path, "operator", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert plain.headers.get("Content-Encoding") is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data)
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert packed.headers["ETag"] == plain.headers["ETag"]
    refused = site.ask(path, "operator", headers={"Accept-Encoding": "gzip;q=0"})
    assert refused.headers.get("Content-Encoding") is None
    unchanged = site.ask(
        path, "operator", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    )
    assert (unchanged.status_code, unchanged.data) == (304, b"")


def test_a_simulation_is_the_shells_and_writes_nothing(site: Site, shell: Shell) -> None:
    terms = shell("terms", "show", "2022-11")
    file = site.folder / "tried.toml"
    file.write_text(terms, encoding="utf-8")
    body = {"terms": terms, "periods": "2022-11..2022-12"}
    answered = site.ask("/simulations", "operator", "POST", json=body)
    assert answered.status_code == 200, answered.text
    said = json.loads(shell("simulate", str(file), "--periods", "2022-11..2022-12", "--json"))
    assert answered.json["simulations"] == said
    for key in ("same", "same"):
        again = site.ask("/simulations", "operator", "POST", json=body, headers={"Idempotency-Key": key})
        assert again.json["simulations"] == said
    other = site.ask(
        "/simulations",
        "operator",
        "POST",
        json=body | {"periods": "2022-11"},
        headers={"Idempotency-Key": "same"},
    )
    assert (other.status_code, other.json["code"]) == (422, "KEY_REUSED")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "E-JSON"),
        (b"[]", 400, "E-JSON"),
        (b'{"terms": "", "terms": ""}', 400, "E-DUPKEY"),
        (b'{"terms": NaN, "periods": "2022-11"}', 400, "E-JSON"),
        (b'{"terms": 5, "periods": "2022-11"}', 422, "E-FIELD"),
        (b'{"terms": "", "periods": "2022-11", "more": 1}', 422, "E-FIELD"),
        (b'{"terms": "\\u0000", "periods": "2022-11"}', 422, "E-FIELD"),
        (b'{"periods": "2022-11"}', 422, "E-FIELD"),
        (b'{"terms": "", "periods": "2022-11"}', 422, "REFUSED"),
    ],
    ids=range(9),
)
def test_a_simulation_that_can_not_be_is_refused(site: Site, body: bytes, status: int, code: str) -> None:
    answered = site.ask("/simulations", "operator", "POST", data=body, content_type="application/json")
    assert (answered.status_code, answered.json["code"]) == (status, code)


def test_a_period_is_settled_as_by_the_shell_and_no_further(site: Site, shell: Shell) -> None:
    early = site.ask("/periods/2022-12/settle", "operator", "POST")
    assert (early.status_code, early.json["code"]) == (422, "REFUSED")
    settled = site.ask("/periods/2022-11/settle", "operator", "POST", headers={"Idempotency-Key": "settle"})
    assert settled.status_code == 200
    said = json.loads(shell("settle", "2022-11", "--json"))
    told = settled.json
    assert told.pop("as_of") == "2022-12-15T15:00:00+08:00"
    assert told == {name: said[name] for name in told} | {"changed": told["changed"]}
    again = site.ask("/periods/2022-11/settle", "operator", "POST", headers={"Idempotency-Key": "settle"})
    assert again.data == settled.data
    assert site.ask("/periods/2023-05/settle", "operator", "POST").status_code == 404


def test_an_import_says_how_it_stands(site: Site) -> None:
    pushed = site.ask(
        "/orders", "operator", "POST", json={"orders": [row(730), row(731, order_status=99)]}
    ).json
    said = site.ask(f"/batches/{pushed['batch']}", "operator").json
    assert (said["rows_read"], said["rows_quarantined"], said["waiting"], said["kind"]) == (2, 1, 1, "orders")
    assert said["by"].endswith("operator")


def test_the_page_for_people_names_every_operation_and_needs_nothing_of_others(site: Site) -> None:
    page = site.ask("/", None)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    document = site.ask("/openapi.json", None).json
    for path in document["paths"]:
        assert path in page.text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page.text
    outside = re.findall(r'(?:src|href)="(https?:[^"]+)"', page.text)
    assert outside == []


def test_every_answer_says_as_of_when(site: Site) -> None:
    document = site.ask("/openapi.json", None).json
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, each in methods.items():
            schema = each["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition(
                "/"
            )[2]
            assert "as_of" in schemas[schema]["required"], (method, path)
