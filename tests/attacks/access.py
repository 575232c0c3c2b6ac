"""Pages, orders, payments and files of others; addresses that are written in other ways; acts of another role."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from bounty.appeals.service import ask
from bounty.db import transaction
from bounty.rules.periods import Period
from bounty.web.shared.access import EVERYBODY, allowed
from tests.attacks.table import Table
from tests.attacks.world import Target, Visitor
from tests.factories import shanghai, sn
from tests.web.clients import application, close
from tests.web.test_routes import ASKING, OTHERS, address, routes
from tests.web.world import CANARY, CANARY_ORDERS, DECEMBER, NEIGHBOUR

SECRETS = (CANARY, *(sn(number) for number in CANARY_ORDERS))
ROLES = ("promoter", "operator", "finance", "admin")


@contextmanager
def _application(target: Target) -> Iterator[Flask]:
    """For the list of its routes alone."""
    app = application(target.site.database_url, DECEMBER, target.folder)
    yield app
    close(app)


def every_route(target: Target, table: Table) -> None:
    """Each route that is closed to a role, asked for by it, with the token of its forms."""
    with _application(target) as app:
        for role in (*ROLES, "nobody"):
            who = target.stranger() if role == "nobody" else target.visitor(role)
            token = who.token()
            for method in ("GET", "POST"):
                right = 403 if role != "nobody" else 302 if method == "GET" else 401
                found: dict[int, int] = {}
                for rule in routes(app):
                    roles = allowed(app, rule.endpoint)
                    is_open = roles == EVERYBODY and rule.endpoint not in ASKING
                    if method not in (rule.methods or ()) or is_open or role in roles or roles == EVERYBODY:
                        continue
                    data = {"csrf_token": token} if method == "POST" else None
                    status = who.http.request(method, address(app, rule), data=data).status_code
                    found[status] = found.get(status, 0) + 1
                closed = sum(found.values())
                if closed:
                    table.tried(
                        f"{method} each of {closed} routes closed to {role}", found, [{right: closed}]
                    )


def _silent(who: Visitor, path: str, searched: str = "") -> str:
    """Whether an answer has nothing of the neighbour's, but for the words that were searched for."""
    said = who.get(path).text
    return "theirs" if any(each in said for each in SECRETS if each != searched) else "nothing of theirs"


def others(target: Target, table: Table) -> None:
    """What belongs to another promoter."""
    with transaction(target.engine) as connection:
        ask(connection, NEIGHBOUR, Period(2022, 11), sn(120), CANARY, shanghai(DECEMBER))
    who = target.visitor("promoter")
    for path in (
        f"/orders/{OTHERS}",
        f"/orders/{sn(120)}",
        f"/orders/{OTHERS}?promoter_id={NEIGHBOUR}",
        "/appeals/1",
        "/payments/3",
    ):
        table.tried(f"promoter: GET {path}, another's", who.get(path).status_code, 404)
    for path in (
        "/payments/1",
        "/payments/2",
        "/payments/1/lines.csv",
        "/payments/2/lines.csv",
        "/payments.csv",
        "/orders.csv",
        "/months/2022-11/orders.csv",
        "/months/2022-11/subsidy.csv",
        "/history.csv",
        "/appeals/appeals.csv",
        "/notices/2022-11/1",
        "/notices/2022-11/1/passed.csv",
        "/notices/2022-11/1/statement.json",
    ):
        for query in ("", f"?promoter_id={NEIGHBOUR}&promoter={NEIGHBOUR}"):
            table.tried(f"promoter: GET {path}{query}", _silent(who, path + query), "nothing of theirs")
    for given in (CANARY, sn(220), "%", "_", "' OR 1=1 --"):
        table.tried(
            f"promoter: search of orders for {given}",
            _silent(who, f"/orders?q={given}", given),
            "nothing of theirs",
        )
    table.tried(
        "promoter: answer another's appeal", who.post("/appeals/1", words="x", number="1").status_code, 404
    )
    before = target.acts("appeal.ask")
    who.post("/appeals/new", order_sn=sn(120), period="2022-11", words="x")
    who.post("/appeals/new", order_sn=sn(120), period="2022-11", words="x", promoter_id=str(NEIGHBOUR))
    table.tried("promoter: appeal for another's order", target.acts("appeal.ask"), before)
    for role in ("promoter", "finance"):
        one = target.visitor(role)
        said = one.post("/view-as", promoter_id=str(NEIGHBOUR)).status_code
        table.tried(f"{role}: view as the neighbour", said, 403)
    viewing = target.visitor("operator")
    viewing.post("/view-as", promoter_id=str(NEIGHBOUR))
    said = viewing.post("/appeals/new", order_sn=sn(120), period="2022-11", words="x").status_code
    table.tried("operator viewing as a promoter: appeal in their name", said, 403)
    said = viewing.post("/messages", notice="y").status_code
    table.tried("operator viewing as a promoter: choose their mails", said, 403)
    table.tried(
        "operator: the payers' files of a tranche",
        viewing.get("/finance/tranches/1/tranche.zip").status_code,
        403,
    )
    admin = target.visitor("admin")
    table.tried(
        "admin: the payers' files of a tranche", admin.get("/finance/tranches/1/tranche.zip").status_code, 403
    )
    finance = target.visitor("finance")
    said = finance.get("/finance/tranches/2/tranche.zip").status_code
    table.tried("finance: the files of a tranche before its export", said, 404)
    said = finance.get(f"/finance/promoters/{NEIGHBOUR}/orders/{sn(100)}").status_code
    table.tried("finance: an order under another promoter's number", said, 404)
    accounts = finance.get("/finance/payees/payees.csv").text + finance.get("/finance/payees/").text
    table.tried("finance: a payee's whole account in a list", "13800000002" in accounts, False)


def spellings(target: Target, table: Table) -> None:
    """Closed addresses, written in other ways."""
    who = target.visitor("promoter")
    for path in (
        "/finance",
        "/finance//",
        "//finance/",
        "/FINANCE/",
        "/./finance/",
        "/task/../finance/",
        "/finance/%2e",
        "/%66inance/",
        "/finance/;x=1",
        "/finance/?promoter",
        "/finance%2f",
        "/finance%00/",
        "/task/%2e%2e/finance/",
    ):
        found = "open" if who.get(path).status_code == 200 else "closed"
        table.tried(f"promoter: GET {path}", found, "closed")
    for path in (
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/fs-static/x",
        "/instance/secret_key",
        "/.git/config",
        "/config.py",
    ):
        table.tried(f"nobody: GET {path}", target.stranger().get(path).status_code, (404, 400, 302, 308))
    for method, path in (("HEAD", "/finance/"), ("HEAD", "/operations/audit/audit.csv")):
        table.tried(f"promoter: {method} {path}", who.http.request(method, path).status_code, 403)
    finance = target.visitor("finance")
    headers = {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST", "X-Method-Override": "POST"}
    said = finance.get("/finance/tranches/2/export?_method=POST", headers=headers).status_code
    table.tried("finance: export by GET that calls itself POST", said, 405)
    for path in ("/logout", "/language", "/view-as"):
        table.tried(f"operator: act by GET {path}", target.visitor("operator").get(path).status_code, 405)
    table.tried("nobody: GET /metrics", target.stranger().get("/metrics").status_code, 404)
    headers = {"X-Original-URL": "/finance/", "X-Rewrite-URL": "/finance/", "X-Forwarded-Prefix": "/finance"}
    text = who.get("/", headers=headers).text
    table.tried("promoter: another address in X-Original-URL", "/finance/notices.csv" in text, False)
