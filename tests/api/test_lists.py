"""Lists: every row once by following ``next``, with the figures of the pages; and no address that breaks them."""

import base64
import json
import re
from typing import Any

import pytest

from tests.api.conftest import Site
from tests.factories import sn

LISTS = {
    "promoter": [
        "/programmes",
        "/me/messages",
        "/me/periods",
        "/me/periods/2022-11/orders",
        "/me/periods/2022-11/subsidy-lines",
        "/me/payments",
        "/me/payments/1/lines",
    ],
    "operator": [
        "/periods",
        "/batches",
        "/programmes",
        "/quarantine",
        "/periods/2022-12/roster",
        "/periods/2022-11/progress",
        "/periods/2022-12/progress",
        "/notices",
        "/notices/2022-11/2/results",
        "/notices/2022-11/1/subsidy-lines",
    ],
    "finance": [
        "/periods",
        "/notices",
        "/notices/2022-11/1/results",
        "/notices/2022-11/2/subsidy-lines",
        "/tranches",
        "/tranches/1/payouts",
        "/tranches/2/lines",
        "/receipts",
        "/receipts/1/rows",
        "/reconciliation",
    ],
}


def rows_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    (rows,) = [value for value in answer.values() if isinstance(value, list)]
    return rows


@pytest.mark.parametrize(("who", "path"), [(who, path) for who, paths in LISTS.items() for path in paths])
def test_a_list_has_rows_and_says_as_of_when(site: Site, who: str, path: str) -> None:
    answered = site.ask(path, who)
    assert answered.status_code == 200, answered.text
    assert answered.json["as_of"] == "2022-12-15T15:00:00+08:00"
    assert rows_of(answered.json)
    assert answered.json["next"] is None


@pytest.mark.parametrize(("who", "path"), [(who, path) for who, paths in LISTS.items() for path in paths])
def test_a_list_goes_on_in_every_order(site: Site, who: str, path: str) -> None:
    """A row an answer, in every order that there is, each row is given once."""
    document = site.ask("/openapi.json", None).json
    template = next(
        each
        for each in document["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), f"/api/v1{path}")
        and "get" in document["paths"][each]
    )
    (sort,) = [each for each in document["paths"][template]["get"]["parameters"] if each["name"] == "sort"]
    sorts = sort["schema"]["anyOf"][0].get("enum") or [sort["schema"]["anyOf"][0]["const"]]
    whole = rows_of(site.ask(path, who).json)[:5]
    for order in sorts:
        given: list[dict[str, Any]] = []
        following = f"{path}?limit=1&sort={order}"
        while following and len(given) < 5:
            answered = site.ask(following, who)
            assert answered.status_code == 200, (following, answered.text)
            given += rows_of(answered.json)
            following = (answered.json["next"] or "").removeprefix("/api/v1")
        assert len(given) == len(whole)
        assert all(row not in given[:place] for place, row in enumerate(given))


def test_my_orders_add_up_to_my_progress(site: Site) -> None:
    rows = rows_of(site.ask("/me/periods/2022-12/orders", "promoter").json)
    progress = site.ask("/me/progress/2022-12", "promoter").json
    assert sum(row["counts_fen"] for row in rows) == progress["counted"]["gmv_fen"]
    assert sum(row["pending_fen"] for row in rows) == progress["pending"]["gmv_fen"]
    counted = rows_of(site.ask("/me/periods/2022-12/orders?verdict=counted", "promoter").json)
    assert len(counted) == progress["counted"]["orders"] > 0
    assert sn(200) in {row["order_sn"] for row in counted}


@pytest.mark.parametrize(
    "values",
    [
        [2, "x", "y"],
        [2, 5, 5],
        [2, 2**63, "y"],
        [2, 5, "\0"],
        [2, 5, "\ud800"],
        [2, 5],
        ["2", 5, "y"],
        [2, True, "y"],
        [2, 1.5, "y"],
        {},
        [[2], 5, "y"],
        [10**400, 5, "y"],
    ],
    ids=str,
)
def test_an_after_that_no_answer_gave_is_refused(site: Site, values: object) -> None:
    after = base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
    answered = site.ask("/me/periods/2022-11/orders", "promoter", query_string={"after": after})
    assert (answered.status_code, answered.json["code"]) == (422, "REFUSED")


@pytest.mark.parametrize(
    "query", ["sort=name", "verdict=x", "verdict=pending&verdict=not", "q=x", "after=%ff"]
)
def test_what_a_list_does_not_have_is_refused(site: Site, query: str) -> None:
    answered = site.ask(f"/me/periods/2022-11/orders?{query}", "promoter")
    assert answered.status_code == 422, answered.text


@pytest.mark.parametrize(
    "path",
    [
        "/me/orders/%00",
        "/me/orders/a%00b",
        "/me/orders/%ed%a0%80",
        f"/me/payments/{2**63}/lines",
        f"/me/payments/{10**30}/lines",
        "/me/payments/-1/lines",
        "/me/payments/one/lines?after=%19",
        "/me/periods/2023-01/orders",
        "/me/periods/2022-13/subsidy-lines",
    ],
)
def test_an_address_that_can_not_be_is_absent(site: Site, path: str) -> None:
    answered = site.ask(path, "promoter")
    assert (answered.status_code, answered.json["code"]) == (404, "NOT_FOUND")
