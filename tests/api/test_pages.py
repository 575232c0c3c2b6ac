"""The page on which people make, see and revoke their tokens."""

import re
from typing import Any

import pytest

from tests.api.conftest import Site
from tests.factories import PROMOTER
from tests.web.clients import log_in, post, words_of
from tests.web.world import EMAILS, NEIGHBOUR


def client_of(site: Site, role: str) -> Any:
    client = site.app.test_client()
    log_in(client, EMAILS[role])
    return client


def asks(site: Site, token: str, path: str) -> int:
    client = site.app.test_client()
    return client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize(
    ("role", "path"), [("promoter", "/me/periods"), ("operator", "/batches"), ("finance", "/tranches")]
)
def test_a_token_is_made_shown_once_used_and_revoked(site: Site, role: str, path: str) -> None:
    client = client_of(site, role)
    made = post(client, "/tokens/", name="my app", days="30")
    assert made.status_code == 200
    (token,) = re.findall(r"bounty_[A-Za-z0-9_-]{43}", made.text)
    assert asks(site, token, path) == 200
    page = client.get("/tokens/").text
    assert token not in page
    assert "my app" in page
    number = max(map(int, re.findall(r"/tokens/(\d+)/revoke", page)))
    assert post(client, f"/tokens/{number}/revoke").status_code == 303
    assert asks(site, token, path) == 401


def test_an_operator_issues_one_for_a_promoters_vendor_and_the_promoter_can_revoke_it(site: Site) -> None:
    made = post(client_of(site, "operator"), "/tokens/", name="vendor", days="90", promoter_id=str(PROMOTER))
    (token,) = re.findall(r"bounty_[A-Za-z0-9_-]{43}", made.text)
    assert asks(site, token, "/me/periods") == 200
    promoter = client_of(site, "promoter")
    number = max(map(int, re.findall(r"/tokens/(\d+)/revoke", promoter.get("/tokens/").text)))
    assert post(promoter, f"/tokens/{number}/revoke").status_code == 303
    assert asks(site, token, "/me/periods") == 401


def test_anothers_token_is_not_there(site: Site) -> None:
    operator = client_of(site, "operator")
    post(operator, "/tokens/", name="theirs", days="90", promoter_id=str(NEIGHBOUR))
    number = max(map(int, re.findall(r"/tokens/(\d+)/revoke", operator.get("/tokens/").text)))
    for role in ("promoter", "finance"):
        client = client_of(site, role)
        assert f"/tokens/{number}/revoke" not in client.get("/tokens/").text
        assert post(client, f"/tokens/{number}/revoke").status_code == 404


def test_a_promoter_can_name_no_other(site: Site) -> None:
    made = post(client_of(site, "promoter"), "/tokens/", name="x", days="90", promoter_id=str(NEIGHBOUR))
    (token,) = re.findall(r"bounty_[A-Za-z0-9_-]{43}", made.text)
    answered = site.app.test_client().get(
        "/api/v1/me/progress/2022-12", headers={"Authorization": f"Bearer {token}"}
    )
    assert answered.json is not None
    assert answered.json["promoter_id"] == PROMOTER


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": "0"},
        {"days": "366"},
        {"days": "x"},
        {"name": " "},
        {"promoter_id": "x"},
        {"promoter_id": "5"},
    ],
)
def test_what_can_not_be_is_a_sentence_on_the_page(site: Site, wrong: dict[str, str]) -> None:
    fields = {"name": "x", "days": "90"} | wrong
    refused = post(client_of(site, "operator"), "/tokens/", **fields)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert "bounty_" not in words_of(refused.text)
