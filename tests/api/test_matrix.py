"""Every address of the API for every kind of asker: by its role, own, another's and absent; nobody's session."""

import re
from typing import Any

import pytest
from werkzeug.routing import Rule

from bounty.web import API_VIEWS
from bounty.web.shared.access import EVERYBODY, allowed
from tests.api.conftest import TOKENS, Site
from tests.api.test_contract import row
from tests.factories import sn
from tests.web.clients import log_in
from tests.web.world import CANARY, CANARY_ORDERS, EMAILS, NEIGHBOUR

ARGUMENTS: dict[str, tuple[Any, Any]] = {
    "period": ("2022-11", "2023-05"),
    "order_sn": (sn(200), sn(999)),
    "tranche_id": (1, 999),
    "notice": (1, 999),
    "batch_id": (1, 999),
    "receipt_id": (1, 999),
}
"""Argument of an address -> one that there is, and one that there is not."""


def rules(site: Site) -> list[Rule]:
    """The routes of the API, as the application has them."""
    found = [rule for rule in site.app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    assert {rule.endpoint.partition(".")[0] for rule in found} == {"api"}
    return found


def address(rule: Rule, **other: Any) -> str:
    """Under ``/api/v1``, with things that there are, or others."""
    return re.sub(
        r"<(?:\w+:)?(\w+)>", lambda found: str(other.get(found[1], ARGUMENTS[found[1]][0])), rule.rule
    ).removeprefix("/api/v1")


def method(rule: Rule) -> str:
    (found,) = set(rule.methods or ()) - {"HEAD"}
    return found


def test_every_address_is_open_to_whom_it_says_and_closed_to_the_others(site: Site) -> None:
    wrong = []
    for rule in rules(site):
        roles = allowed(site.app, rule.endpoint)
        for who in (None, *TOKENS):
            answered = site.ask(address(rule), who, method(rule))
            role = None if who is None else TOKENS[who][0]
            if roles == EVERYBODY or role in roles:
                # The neighbour is not the one whose order is asked for; a push without a body is no JSON, and
                # November was settled on the same facts.
                right = answered.status_code in ((200, 404) if who == "neighbour" else (200, 415))
            else:
                right = answered.status_code == (401 if who is None else 403)
            if not right:
                wrong.append((rule.rule, who, answered.status_code))
    assert wrong == []


def test_what_there_is_not_is_absent_for_each_argument(site: Site) -> None:
    asked = 0
    for rule in rules(site):
        roles = allowed(site.app, rule.endpoint)
        for name in rule.arguments:
            who = next(who for who, (role, _) in TOKENS.items() if role in roles)
            answered = site.ask(address(rule, **{name: ARGUMENTS[name][1]}), who, method(rule))
            assert (answered.status_code, answered.json["code"]) == (404, "NOT_FOUND"), rule.rule
            asked += 1
    assert asked >= 10


def test_no_token_approves_publishes_exports_or_pays(site: Site) -> None:
    """A program may push orders, make a draft and try terms; and no view of the API reaches what is for people."""
    acts = {rule.rule for rule in rules(site) if method(rule) != "GET"}
    assert acts == {
        "/api/v1/orders",
        "/api/v1/periods/<period:period>/settle",
        "/api/v1/simulations",
    }
    names = {name for module in API_VIEWS for name in vars(module)}
    assert not names & {
        "approve",
        "approve_seen",
        "publish",
        "publish_checked",
        "export_tranche",
        "mark_by_hand",
    }


@pytest.mark.parametrize("role", EMAILS)
def test_a_session_of_the_pages_opens_nothing_here(site: Site, role: str) -> None:
    client = site.app.test_client()
    log_in(client, EMAILS[role])
    for rule in rules(site):
        if allowed(site.app, rule.endpoint) == EVERYBODY:
            continue
        answered: Any = client.open(f"/api/v1{address(rule)}", method=method(rule))
        assert (answered.status_code, answered.json["code"]) == (401, "UNAUTHORIZED"), rule.rule
        assert answered.headers["WWW-Authenticate"] == 'Bearer realm="bounty"'


def test_a_token_opens_no_page(site: Site) -> None:
    for who, path in {"promoter": "/task", "operator": "/operations/periods", "finance": "/finance/"}.items():
        client = site.app.test_client()
        answered = client.get(path, headers={"Authorization": f"Bearer {site.tokens[who]}"})
        assert answered.status_code == 302
        assert answered.location.startswith("/login")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer bounty_" + "x" * 43]
)
def test_what_is_no_token_is_challenged(site: Site, given: str) -> None:
    client = site.app.test_client()
    answered = client.get("/api/v1/me/periods", headers={"Authorization": given} if given else {})
    assert answered.status_code == 401
    error = ', error="invalid_token"' if given else ""
    assert answered.headers["WWW-Authenticate"] == f'Bearer realm="bounty"{error}'


def test_what_one_promoter_has_is_never_in_what_another_gets(site: Site) -> None:
    secrets = [CANARY, *(sn(number) for number in CANARY_ORDERS)]
    heard = {}
    for who in ("promoter", "operator"):
        texts = [
            site.ask(address(rule, period=period), who).text
            for rule in rules(site)
            if method(rule) == "GET"
            for period in ("2022-11", "2022-12")
        ]
        texts += [site.ask(f"/me/orders/{sn(number)}", who).text for number in CANARY_ORDERS[:1]]
        heard[who] = any(secret in text for text in texts for secret in secrets)
    assert heard == {"promoter": False, "operator": True}


def test_a_list_goes_on_until_every_row_was_given_once(site: Site) -> None:
    pushed = [row(number, p_id=f"{NEIGHBOUR}_1") for number in range(5_000, 5_230)]
    assert site.ask("/orders", "operator", "POST", json={"orders": pushed}).json["new"] == 230
    for query in ("", "?sort=amount_fen", "?sort=-subsidy_fen&verdict=counted"):
        given: list[str] = []
        following = f"/me/periods/2022-12/orders{query}"
        answers = 0
        while following:
            answered = site.ask(following, "neighbour").json
            assert "orders" in answered, (following, answered)
            given += [each["order_sn"] for each in answered["orders"]]
            following = (answered["next"] or "").removeprefix("/api/v1")
            answers += 1
        assert answers == 3
        assert len(given) == len(set(given))
        assert {each["order_sn"] for each in pushed} <= set(given)
