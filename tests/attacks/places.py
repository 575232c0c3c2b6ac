"""Where an answer leads, and what stands in an address, a form or a request that nobody should send."""

import socket
from contextlib import closing
from itertools import count
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from bounty.web.shared.health import METHODS
from tests.attacks.table import Table
from tests.attacks.world import REQUIRED, Target
from tests.web.test_hostile import AWAY, DIGITS, FOLDED, WORDS, sent
from tests.web.world import DECEMBER, EMAILS, PASSWORD, served

METRICS = "for the figures of the tests, which are no secret"


def redirects(target: Target, table: Table) -> None:
    """Places that are not ours, or no pages."""
    one = target.stranger()
    for back in (
        *AWAY,
        "/%09/evil.example",
        "///evil.example",
        "/%5cevil.example",
        "https:evil.example",
        "/rules@evil.example",
    ):
        said = one.post("/language", language="en", back=back)
        found = _place(said.status_code, said.headers.get("location"))
        table.tried(f"choose a language and go back to {back!r}", found, ("/", "400"))
        two = target.stranger()
        said = two.post("/login", email=EMAILS["finance"], password=PASSWORD, next=back)
        found = _place(said.status_code, said.headers.get("location"))
        table.tried(f"log in and go on to {back!r}", found, ("/", "400"))
    for path in (
        "/%09/evil.example",
        "/%0d%0aLocation:%20//evil.example",
        "/%5cevil.example",
        "//evil.example",
        "/%2f/evil.example",
    ):
        said = one.get(path)
        found = _place(said.status_code, said.headers.get("location"))
        table.tried(f"the address {path}", found in ("400", "404") or urlsplit(found).netloc == "", True)
    said = one.get("/finance/", headers={"Host": "evil.example"})
    table.tried(
        "a page asked for under another host's name leads there",
        "evil" in said.headers.get("location", ""),
        False,
    )


def _place(status: int, location: str | None) -> str:
    return str(status) if location is None else location


def parameters(target: Target, table: Table) -> None:
    """Values that are none, for numbers, places in a list, filters and bodies."""
    who = {role: target.visitor(role) for role in ("promoter", "operator", "finance")}
    places = [
        ("promoter", "/payments/{}"),
        ("promoter", "/appeals/{}"),
        ("promoter", "/orders/{}"),
        ("finance", "/finance/tranches/{}"),
        ("operator", "/operations/periods/{}"),
        ("operator", "/notices/{}/1"),
        ("finance", "/finance/{}/1/results"),
    ]
    turns = count()
    for value in (*DIGITS, *(word for word in WORDS if len(word) < 5_000)):
        role, place = places[next(turns) % len(places)]
        status = who[role].get(place.format(sent(value))).status_code
        table.tried(
            f"{place} with {value[:24]!r}",
            "a page or a refusal" if status < 500 else str(status),
            "a page or a refusal",
        )
    for folded in (*FOLDED, "W" * 6_000):
        status = who["promoter"].get(f"/payments?after={folded}").status_code
        table.tried(
            f"a place in a list: {folded[:24]}",
            "a page or a refusal" if status < 500 else str(status),
            "a page or a refusal",
        )
    for name in ("q", "sort", "per", "period", "verdict", "promoter", "state", "from", "to", "language"):
        value = sent(WORDS[next(turns) % len(WORDS)][:2_000])
        status = who["operator"].get(f"/operations/imports/uploads?{name}={value}&{name}=2").status_code
        table.tried(f"a filter {name} given twice, once with {value[:20]}", status < 500, True)
    one = target.stranger()
    token = one.token()
    headers = {"X-CSRFToken": token, "Accept": "application/json", "Content-Type": "application/json"}
    for body in (
        '{"email": "\\ud800@example.com", "password": "\\ud800"}',
        "[" * 100_000,
        '{"email": 1}',
        "null",
        '{"email": {"a": 1}}',
        '{"email": "a", "email": "b", "password": NaN}',
    ):
        said = one.http.post("/login", content=body, headers=headers)
        table.tried(f"a log-in by JSON {body[:30]}", said.status_code < 500 and not one.is_in(), True)
    said = who["promoter"].http.post(
        "/language",
        data={"csrf_token": who["promoter"].token(), "language": "en", "back": "/a\r\nSet-Cookie: x=y"},
    )
    table.tried("a header by a line's end in a form", "x" in said.cookies, False)
    big = who["operator"].http.post(
        "/language", data={"csrf_token": who["operator"].token(), "language": "x" * 3_000_000}
    )
    table.tried("a form of 3 MB", big.status_code, (400, 413))
    many = who["operator"].http.post(
        "/operations/terms/", data={"csrf_token": "x"} | {f"f{at}": "1" for at in range(20_000)}
    )
    table.tried("a form of 20,000 fields", many.status_code, (400, 413))


RAW = {
    "two lengths": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nabcde",
    "a length and chunks": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "a negative length": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length in words": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "a header that is folded": b"GET /rules HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
    "a header without a name": b"GET /rules HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "a space before the colon": b"GET /rules HTTP/1.1\r\nHost : x\r\n\r\n",
    "no such protocol": b"GET /rules HTTP/9.9\r\nHost: x\r\n\r\n",
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a line without end": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "300 headers": b"GET /rules HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X-%d: 1\r\n" % at for at in range(300))
    + b"\r\n",
}


def requests(target: Target, table: Table) -> None:
    """Requests that are none, and methods that are made up."""
    parts = urlsplit(target.site.url)
    for what, raw in RAW.items():
        with closing(socket.create_connection((parts.hostname, parts.port), timeout=60)) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            said = connection.makefile("rb").readline()
        status = int(said.split()[1]) if said.startswith(b"HTTP/1.1 ") else 0
        table.tried(
            f"a request with {what}",
            status if status not in (400, 414, 431, 505, 501, 0) else "refused",
            "refused",
        )
    with served(
        target.site.database_url, target.folder, DECEMBER, **REQUIRED, BOUNTY_METRICS_TOKEN=METRICS
    ) as site:
        one = target.stranger()
        one.http.base_url = site.url
        bearer = {"Authorization": f"Bearer {METRICS}"}
        one.get("/rules")
        one.http.request("NONE", "/rules")
        one.get("/none-such")
        before = len(one.get("/metrics", headers=bearer).text)
        for at in range(600):
            one.http.request(f"MADE{at}", f"/none-such-{at}")
            one.http.request(f"UP{at}", "/rules", headers={"User-Agent": f"x{at}", "Host": f"h{at}.example"})
        text = one.get("/metrics", headers=bearer).text
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    table.tried(
        "1,200 made-up methods: more bytes of figures",
        "few" if len(text) - before < 5_000 else len(text) - before,
        "few",
    )
    table.tried("these: other names of methods", sorted(labels["method"] - METHODS - {"other"}), [[]])
    table.tried(
        "these: made-up addresses as routes", sum("none-such" in route for route in labels["route"]), 0
    )
    for method in ("TRACE", "CONNECT", "OPTIONS", "PROPFIND", "PUT", "DELETE"):
        status = target.visitor("finance").http.request(method, "/finance/tranches").status_code
        table.tried(
            f"finance: {method} /finance/tranches", status, (405, 400, 200 if method == "OPTIONS" else 405)
        )
