"""Tokens of the API: none, others', ended, of another role, and keys that are used again."""

from typing import Any

import httpx
from sqlalchemy import select, text

from bounty.accounts.service import disable
from bounty.db import snapshot, transaction
from bounty.models import ApiToken
from bounty.tokens.service import issue
from bounty.web.shared.access import EVERYBODY, allowed
from tests.api.conftest import TOKENS, tokens_of
from tests.api.test_contract import row
from tests.api.test_matrix import address
from tests.attacks.table import Table
from tests.attacks.world import REQUIRED, Target
from tests.factories import PROMOTER, shanghai, sn
from tests.web.clients import application, close
from tests.web.world import CANARY, DECEMBER, EMAILS, served

NOW = shanghai(DECEMBER)


def tokens(target: Target, table: Table) -> None:
    """Whoever asks without right."""
    one = target.stranger()
    held = tokens_of(target.engine)

    def ask(path: str, token: str | None, method: str = "GET", **more: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return one.http.request(method, f"/api/v1{path}", headers=headers | more.pop("headers", {}), **more)

    app = application(target.site.database_url, DECEMBER, target.folder)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    for who in (None, *TOKENS):
        found: dict[int, int] = {}
        for rule in rules:
            roles = allowed(app, rule.endpoint)
            if roles == EVERYBODY or (who is not None and TOKENS[who][0] in roles):
                continue
            method = "POST" if "POST" in (rule.methods or ()) else "GET"
            status = ask(address(rule), None if who is None else held[who], method).status_code
            found[status] = found.get(status, 0) + 1
        right = {(401 if who is None else 403): sum(found.values())}
        table.tried(f"{sum(found.values())} addresses that are closed to {who or 'nobody'}", found, [right])
    close(app)
    for path in (
        "/me/orders/" + sn(220),
        "/me/payments/3/lines",
        "/me/orders/" + sn(220) + "?promoter_id=1000940",
    ):
        table.tried(
            f"promoter's token: {path}, another's", ask(path, held["promoter"]).status_code, (404, 422)
        )
    for path in (
        "/me/periods/2022-12/orders",
        "/me/payments",
        "/me/periods/2022-11/subsidy-lines?promoter_id=1000940",
    ):
        table.tried(
            f"promoter's token: {path} has another's", CANARY in ask(path, held["promoter"]).text, False
        )
    for given in (
        "",
        "Bearer",
        "Bearer x",
        "Basic eDp5",
        f"bearer{held['finance']}",
        f"Bearer {held['finance'][:-1]}",
        f"Bearer {held['finance']}x",
        f"Bearer {held['finance'].upper()}",
        "Bearer bounty_" + "x" * 43,
        "Bearer ' OR 1=1 --",
        "Bearer \x00",
    ):
        if "\x00" in given:
            continue
        status = one.http.get("/api/v1/tranches", headers={"Authorization": given}).status_code
        table.tried(f"authorisation {given[:24]!r}", status, 401)
    for query in (
        f"?token={held['finance']}",
        f"?access_token={held['finance']}",
        f"?auth_token={held['finance']}",
    ):
        table.tried(
            f"a token in the address, {query[:12]}", one.http.get(f"/api/v1/tranches{query}").status_code, 401
        )
    for role in EMAILS:
        status = target.visitor(role).get("/api/v1/tranches").status_code
        table.tried(f"a session of {role} at the API", status, 401)
    for who, path in {"promoter": "/task", "operator": "/operations/periods", "finance": "/finance/"}.items():
        status = one.http.get(path, headers={"Authorization": f"Bearer {held[who]}"}).status_code
        table.tried(f"a token of {who} at a page", status, 302)
    _ended(target, table, ask)
    with snapshot(target.engine) as connection:
        kept = " ".join(map(str, connection.execute(text("SELECT * FROM api_tokens")).all()))
        kept += " ".join(map(str, connection.execute(text("SELECT after FROM audit_events")).all()))
    table.tried("tokens read from the database", sum(token in kept for token in held.values()), 0)
    _keys(target, table, ask, held)
    with served(
        target.site.database_url, target.folder, DECEMBER, **REQUIRED, BOUNTY_API_CALLS_PER_MINUTE="20"
    ) as site:
        one.http.base_url = site.url
        statuses = [ask("/tranches", held["finance"]).status_code for _ in range(45)]
        table.tried("45 calls of a token that may make 20 a minute: refused some", 429 in statuses, True)


def _ended(target: Target, table: Table, ask: Any) -> None:
    with transaction(target.engine) as connection:
        mine = issue(connection, name="x", role="operator", promoter_id=None, days=1, now=NOW)
        gone = issue(connection, name="y", role="operator", promoter_id=None, days=1, now=NOW - 2 * 86_400)
        user = connection.execute(
            text(f"SELECT user_id FROM users WHERE email = '{EMAILS['operator']}'")
        ).scalar_one()
        of_account = issue(
            connection, name="z", role="operator", promoter_id=None, days=9, now=NOW, user_id=user
        )
    assert ask("/batches", mine.token).status_code == 200
    assert target.shell("token", "revoke", str(mine.token_id)).returncode == 0
    table.tried("a token that was revoked", ask("/batches", mine.token).status_code, 401)
    table.tried("a token that has expired", ask("/batches", gone.token).status_code, 401)
    said = target.visitor("promoter").post(f"/tokens/{of_account.token_id}/revoke").status_code
    table.tried("revoke another's token", said, 404)
    target.second_factor("finance", "promoter")

    def wanted(role: str, as_role: str) -> tuple[str, int | None]:
        """What a form gives whose fields ask for another's."""
        fields = {"name": "x", "days": "30", "promoter_id": "1000940", "role": as_role}
        said = target.visitor(role).post("/tokens/", **fields, code=target.codes[role].fresh())
        assert said.status_code == 200, said.status_code
        with snapshot(target.engine) as connection:
            newest = select(ApiToken.role, ApiToken.promoter_id).order_by(ApiToken.token_id.desc()).limit(1)
            found = connection.execute(newest).one()
            return found.role, found.promoter_id

    table.tried(
        "finance issues itself an operator's token", wanted("finance", "operator"), [("finance", None)]
    )
    own = wanted("promoter", "finance")
    table.tried("a promoter issues a token for another's data", own, [("promoter", PROMOTER)])
    for days in ("0", "-1", "9999", "１", "1e2"):
        said = (
            target.visitor("finance")
            .post("/tokens/", name="x", days=days, code=target.codes["finance"].fresh())
            .status_code
        )
        table.tried(f"a token for {days} days", said, (400, 409, 422))
    with transaction(target.engine) as connection:
        disable(connection, EMAILS["operator"], NOW)
    table.tried("a token of an account that was disabled", ask("/batches", of_account.token).status_code, 401)


def _keys(target: Target, table: Table, ask: Any, held: dict[str, str]) -> None:
    def push(who: str, key: str | None, body: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        found: httpx.Response = ask("/orders", held[who], "POST", json=body, headers=headers)
        return found

    assert push("operator", "first", {"orders": [row(900)]}).status_code == 200
    before = target.count("SELECT count(*) FROM orders")
    table.tried(
        "a key used again with other rows", push("operator", "first", {"orders": [row(901)]}).status_code, 422
    )
    for key in ("", "x" * 201, "with blank"):
        table.tried(f"a key {key[:12]!r}", push("operator", key, {"orders": [row(903)]}).status_code, 400)
    for who in ("promoter", "finance"):
        table.tried(
            f"{who}'s token pushes orders", push(who, f"{who}-1", {"orders": [row(904)]}).status_code, 403
        )
    bodies: tuple[Any, ...] = (
        {},
        [],
        {"orders": {}},
        {"orders": "x"},
        {"orders": [1]},
        {"orders": [[]]},
        {"orders": [row(905)] * 10_001},
    )
    for body in bodies:
        status = push("operator", f"bad-{len(str(body))}", body).status_code
        table.tried(
            f"orders that are none: {str(body)[:20]}", status, (200, 400, 413, 422)
        )  # 200: kept as bad rows
    table.tried("all of these together: more orders", target.count("SELECT count(*) FROM orders") - before, 0)
