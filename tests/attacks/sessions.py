"""Forms that others send, sessions that others know, cookies, codes, and the way in."""

import json
import re
from http.client import HTTPConnection

from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from bounty.models import FROZEN
from tests.attacks.table import Table
from tests.attacks.world import Target
from tests.web.test_health import Served
from tests.web.world import EMAILS, PASSWORD

NEW = "another long and good one"


def forms_of_others(target: Target, table: Table) -> None:
    """Acts of somebody who is logged in, sent by a page that is not ours."""
    finance, mallory = target.visitor("finance"), target.visitor("promoter")
    theirs, ours = mallory.token(), finance.token()
    before = target.count("SELECT count(*) FROM audit_events")
    path, data = "/finance/tranches", {"settled_before": "2022-12-15"}
    for what, token in (
        ("without a token", None),
        ("with an empty token", ""),
        ("with another session's token", theirs),
        ("with a token that is cut", ours[:-1]),
        ("with a token that is changed", ours[:5] + ("A" if ours[5] != "A" else "B") + ours[6:]),
        ("with a made-up token", "IjEi.Zz.made-up"),
    ):
        given = data if token is None else data | {"csrf_token": token}
        table.tried(f"prepare a tranche {what}", finance.http.post(path, data=given).status_code, 400)
        headers = {} if token is None else {"X-CSRFToken": token}
        said = finance.http.post(path, data=data, headers=headers).status_code
        table.tried(f"prepare a tranche {what}, in a header", said, 400)
    said = finance.http.post(f"{path}?csrf_token={ours}", data=data).status_code
    table.tried("prepare a tranche with the token in the address", said, 400)
    for kind in ("text/plain", "application/json", "application/xml"):
        body = json.dumps(data | {"csrf_token": ours})
        said = finance.http.post(path, content=body, headers={"Content-Type": kind}).status_code
        table.tried(f"prepare a tranche by a body of {kind}", said, 400)
    finance.http.headers["Cookie"] = ""
    table.tried("log out without a token", finance.http.post("/logout").status_code, (400, 401))
    table.tried(
        "choose a language without a token", target.stranger().http.post("/language").status_code, 400
    )
    table.tried(
        "log in without a token", target.stranger().http.post("/login", data={"email": "x"}).status_code, 400
    )
    after = target.count("SELECT count(*) FROM audit_events")
    table.tried("all of these together: events in the audit", after - before, 0)
    headers = {"Origin": "https://evil.example"}
    page = target.visitor("finance").get("/finance/", headers=headers)
    table.tried("a page read by a foreign origin", page.headers.get("access-control-allow-origin"), None)
    policy = page.headers["content-security-policy"]
    table.tried("a page framed by a foreign one", "frame-ancestors 'none'" in policy, True)


def sessions(target: Target, table: Table) -> None:
    """Cookies that were known before, forged, stolen, or kept."""
    victim = target.stranger()
    victim.get("/login")
    known = dict(victim.http.cookies)
    victim.log_in(EMAILS["operator"])
    _replay(target, table, "a cookie that was set before its owner logged in", known)
    kept = dict(victim.http.cookies)
    assert kept
    for what, change in {
        "its last letter changed": lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        "its signature left out": lambda text: text.rpartition(".")[0],
        "its content twice": lambda text: text + text,
    }.items():
        _replay(target, table, f"a session's cookie with {what}", {"session": change(kept["session"])})
    content = {"_user_id": "1", "_fresh": True, "user_id": 1}
    for key in ("", "dev", "secret", "change-me", "bounty"):
        cookie = URLSafeTimedSerializer(key, salt="cookie-session").dumps(content)
        _replay(target, table, f"a session signed with the key {key!r}", {"session": str(cookie)})
    victim.post("/logout")
    _replay(target, table, "a stolen cookie after its owner logged out", kept)
    promoter = target.visitor("promoter")
    stolen = dict(promoter.http.cookies)
    promoter.post("/change", password=PASSWORD, new_password=NEW, new_password_confirm=NEW)
    _replay(target, table, "a stolen cookie after its owner changed the password", stolen)
    said = target.stranger().log_in(EMAILS["promoter"]).status_code
    table.tried("the old password after it was changed", said, 200)
    second = target.visitor("second@example.com")
    stolen = dict(second.http.cookies)
    assert target.shell("user", "role", "second@example.com", "finance").returncode == 0
    _replay(target, table, "a stolen cookie after its owner's role was changed", stolen)
    again = target.visitor("second@example.com")
    stolen = dict(again.http.cookies)
    assert target.shell("user", "disable", "second@example.com").returncode == 0
    _replay(target, table, "a stolen cookie after its owner was disabled", stolen)
    said = target.stranger().log_in("second@example.com").status_code
    table.tried("log in as an account that was disabled", said, 200)
    one = target.stranger()
    one.post("/login", email=EMAILS["operator"], password=PASSWORD, remember="y", submit="1")
    table.tried("a log-in that asks to be remembered", "remember_token" in one.http.cookies, False)
    for name in ("auth_token", "token", "session"):
        said = target.stranger().get(f"/finance/?{name}={kept['session']}").status_code
        table.tried(f"a session's cookie as {name} in the address", said, 302)
    _kept_by_nobody(target, table)


def _kept_by_nobody(target: Target, table: Table) -> None:
    operator = target.visitor("operator")
    for path in ("/operations/audit/", "/finance/payees/", "/notices"):
        said = operator.get(path).headers["cache-control"]
        table.tried(f"{path} kept by a cache on the way", said, "no-store")


def _replay(target: Target, table: Table, what: str, cookies: dict[str, str]) -> None:
    thief = target.stranger()
    thief.http.cookies.update(cookies)
    table.tried(what, "in" if thief.is_in() or thief.get("/finance/").status_code == 200 else "out", "out")


def second_factors(target: Target, table: Table) -> None:
    """The password alone, and codes that were used, guessed or another's."""
    target.second_factor("finance", "admin", "operator")
    one = target.stranger()
    one.log_in(EMAILS["finance"])
    for path in ("/finance/", "/finance/tranches/2", "/tokens/", "/change"):
        table.tried(f"the password without the code: {path}", one.get(path).status_code, (302, 401))
    said = one.post("/finance/tranches", settled_before="2022-12-15").status_code
    table.tried("the password without the code: prepare a tranche", said, (302, 401))
    said = one.post("/tf-setup", setup="authenticator").status_code
    table.tried(
        "the password without the code: set up another authenticator", "in" if one.is_in() else "out", "out"
    )
    table.tried(
        "the password without the code: take the second factor away",
        one.post("/tf-setup", setup="disable").status_code and one.is_in(),
        False,
    )
    used = target.codes["finance"].fresh()
    assert target.stranger().log_in(EMAILS["finance"], code=used).status_code == 302
    two = target.stranger()
    two.log_in(EMAILS["finance"], code=used)
    table.tried("a code that was used already", "in" if two.is_in() else "out", "out")
    three = target.stranger()
    three.log_in(EMAILS["finance"], code=target.codes["admin"].fresh())
    table.tried("another account's code", "in" if three.is_in() else "out", "out")
    admin = target.visitor("admin")
    sha = re.findall(r"content sha256:([0-9a-f]{64})", admin.get("/finance/tranches/2").text)[0]
    for what, code in (
        ("no code", ""),
        ("a wrong code", "000000"),
        ("another's code", target.codes["operator"].fresh()),
        ("a code in full-width digits", "１２３４５６"),
    ):
        said = admin.post("/finance/tranches/2/approve", content_sha256=sha, code=code).status_code
        table.tried(f"approve a tranche with {what}", said, 409)
    table.tried("all of these together: approvals", target.acts("payout.approve"), 0)


def production(target: Target, table: Table) -> None:
    """The site as it runs for real."""
    served = Served(target.site.database_url, target.folder)
    try:
        served.wait()
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request("GET", "/login", headers={"Host": "bounty.example", "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        answer.read()
        flags = (answer.headers["set-cookie"] or "").partition(";")[2].replace(" ", "").split(";")
        name = (answer.headers["set-cookie"] or "").partition("=")[0]
        table.tried("the cookie sent to another host", name, "__Host-session")
        for flag, why in (
            ("Secure", "over http"),
            ("HttpOnly", "read by a script"),
            ("SameSite=Lax", "from another site"),
        ):
            table.tried(f"the cookie {why}", flag in flags, True)
        table.tried("a host name that is not ours", served.ask("/login", Host="evil.example")[0], 400)
        table.tried(
            "an account's page by another host's name", served.ask("/finance/", Host="127.0.0.1:1")[0], 400
        )
        said = served.ask("/metrics")[0]
        table.tried("figures without the token", said, 404)
        table.tried("figures with a wrong token", served.ask("/metrics", Authorization="Bearer x")[0], 404)
        connection.request("GET", "/login", headers={"Host": "bounty.example", "X-Forwarded-Proto": "https"})
        strict = connection.getresponse().headers.get("strict-transport-security", "")
        table.tried("a first visit over http, later", "max-age" in strict, True)
        connection.close()
    finally:
        served.kill()
    key = "kJ3-2hS9_pQx7Lw0ZrT5vYc8BnM1aDfG"
    safe = {
        "BOUNTY_ENV": "production",
        "BOUNTY_SECRET_KEY": key,
        "BOUNTY_TOTP_KEY": key[::-1],
        "BOUNTY_PAYEE_KEY": key,
        "BOUNTY_ALLOWED_HOSTS": "x.example",
        "BOUNTY_PUBLIC_URL": "https://x.example",
    }
    for name, value in (
        ("BOUNTY_SECRET_KEY", ""),
        ("BOUNTY_SECRET_KEY", "a" * 64),
        ("BOUNTY_TOTP_KEY", "short"),
        ("BOUNTY_PAYEE_KEY", ""),
        ("BOUNTY_ALLOWED_HOSTS", ""),
        ("BOUNTY_PUBLIC_URL", "http://x.example"),
        ("BOUNTY_NOW", "2022-12-15T12:00:00+08:00"),
        ("FLASK_DEBUG", "1"),
    ):
        started = target.unsafe_start(safe | {name: value})
        table.tried(f"production with {name}={value[:8]}", started, "does not start")


def recorded(target: Target, table: Table) -> None:
    """What is written once, changed by who can write to the database past the program."""
    for name in sorted(each.__tablename__ for each in FROZEN):
        column = inspect(target.engine).get_columns(name)[-1]["name"]
        for statement in (f"UPDATE {name} SET {column} = {column}", f"DELETE FROM {name}"):
            with target.engine.connect() as connection:
                try:
                    changed = connection.exec_driver_sql(statement).rowcount
                    found = f"{changed} rows" if changed else "refused"
                except DBAPIError as refusal:
                    found = "refused" if re.search("written once|published", str(refusal)) else str(refusal)
                connection.rollback()
            table.tried(f"past the program: {statement}", found, "refused")
