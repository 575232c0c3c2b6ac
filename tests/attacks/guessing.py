"""Passwords, codes, links and numbers that are guessed; accounts locked out by others; what an answer tells."""

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

from tests.attacks.table import Table
from tests.attacks.world import Target
from tests.web.clients import words_of
from tests.web.test_tries import WAIT
from tests.web.world import EMAILS, PASSWORD

OWNER = EMAILS["promoter"]
SPELLINGS = (
    OWNER,
    "Promoter@Example.com",
    "promoter@ｅxample.com",
    "promoter@ⓔxample.com",
    "promoter@example。com",
)
SIXTH = " ｐromoter@example．com "


def guesses(target: Target, table: Table) -> None:
    """Of one account, in many ways."""
    at_home = target.visitor("promoter")
    at_home.post("/logout")
    looked_at = sum(
        WAIT not in words_of(target.stranger().log_in(SPELLINGS[at % 5], f"wrong {at}").text)
        for at in range(25)
    )
    table.tried("25 wrong passwords in five spellings, from 25 addresses: looked at", looked_at, 5)
    for spelling in (*SPELLINGS, SIXTH):
        one = target.stranger()
        one.log_in(spelling)
        table.tried(f"then the right one, spelt {spelling!r}", "in" if one.is_in() else "waits", "waits")
    at_home.log_in(OWNER)
    table.tried("its owner locked out by these", "in" if at_home.is_in() else "out", "in")
    other = target.stranger()
    other.log_in(EMAILS["operator"])
    table.tried("somebody else locked out by these", "in" if other.is_in() else "out", "in")
    neighbour = "neighbour@example.com"
    clients = [target.stranger() for _ in range(30)]
    tokens = [client.token() for client in clients]

    def guess(at: int) -> bool:
        data = {"csrf_token": tokens[at], "email": neighbour, "password": f"wrong {at}", "submit": "1"}
        return WAIT in words_of(clients[at].http.post("/login", data=data).text)

    with ThreadPoolExecutor(30) as pool:
        waited = list(pool.map(guess, range(30)))
    table.tried("30 wrong passwords at once: looked at", waited.count(False), 5)
    for at in range(30):
        target.stranger("203.0.113.9").log_in(f"nobody{at}@example.com", "wrong")
    one = target.stranger("203.0.113.9")
    one.log_in(EMAILS["finance"])
    table.tried(
        "30 accounts from one address, then a right password", "in" if one.is_in() else "waits", "waits"
    )
    for at in range(30):
        target.stranger(f"10.0.0.{at}, 203.0.113.10").log_in(f"nobody{at}@example.com", "wrong")
    one = target.stranger("10.0.0.99, 203.0.113.10")
    one.log_in(EMAILS["finance"])
    table.tried(
        "the same with made-up addresses before the real one", "in" if one.is_in() else "waits", "waits"
    )
    for who in ("verify", "change"):
        holder = target.visitor("admin")
        more = (
            {}
            if who == "verify"
            else {
                "new_password": "another long and good one",
                "new_password_confirm": "another long and good one",
            }
        )
        for _ in range(5):
            holder.post(f"/{who}", password="wrong", **more)
        said = holder.post(f"/{who}", password=PASSWORD, **more)
        table.tried(
            f"five wrong passwords at /{who} within a session, then the right one",
            WAIT in words_of(said.text),
            True,
        )
        target.count("SELECT 1")
        _forget(target)
    target.second_factor("finance")
    _forget(target)
    one = target.stranger()
    one.log_in(EMAILS["finance"])
    for at in range(5):
        one.post("/tf-validate", code=f"{at:06d}")
    one.post("/tf-validate", code=target.codes["finance"].fresh())
    table.tried("five wrong codes, then the right one", "in" if one.is_in() else "out", "out")
    _forget(target)
    holder = target.visitor("finance")
    for at in range(6):
        holder.post("/finance/tranches/2/export", code=f"{at:06d}")
    said = holder.post("/finance/tranches/2/export", code=target.codes["finance"].fresh())
    table.tried("five wrong codes at an export, then the right one", said.status_code, 409)


def _forget(target: Target) -> None:
    """Begin anew, as after a day."""
    with target.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM tries")


def links(target: Target, table: Table) -> None:
    """Resets, invitations and what their answers tell."""
    answers = set()
    for at in range(25):
        said = target.stranger().post("/reset", email=SPELLINGS[at % 5])
        answers.add(
            (said.status_code, words_of(said.text.replace(OWNER, "").replace(SPELLINGS[at % 5].lower(), "")))
        )
    mails = "SELECT count(*) FROM outbox WHERE kind = 'account'"
    table.tried("25 resets of one account from 25 addresses: mails", target.count(mails), 3)
    for email in ("nobody@example.com", "x", "a@b", "promoter@example.com\r\nBcc: evil@evil.example"):
        said = target.stranger().post("/reset", email=email)
        answers.add((said.status_code, words_of(said.text.replace(email, ""))))
    table.tried(
        "resets of accounts that there are not: other answers",
        sorted({status for status, _ in answers}),
        ([200], [200, 400]),
    )
    table.tried("these too: mails", target.count(mails), 3)
    _forget(target)
    known, unknown = (_seconds(target, email) for email in (EMAILS["operator"], "nobody@example.com"))
    near = abs(known - unknown) < 0.5 * max(known, unknown)
    table.tried(
        "the time that a reset takes tells whether there is an account",
        "no" if near else f"{known:.3f} {unknown:.3f} s",
        "no",
    )
    known, unknown = (_log_in_seconds(target, email) for email in (EMAILS["operator"], "nobody@example.com"))
    near = abs(known - unknown) < 0.5 * max(known, unknown)
    table.tried(
        "the time that a log-in takes tells whether there is an account",
        "no" if near else f"{known:.3f} {unknown:.3f} s",
        "no",
    )
    _forget(target)
    for header in ("Host", "X-Forwarded-Host", "Forwarded"):
        one = target.stranger()
        token = one.token()
        one.http.post(
            "/reset", data={"csrf_token": token, "email": EMAILS["admin"]}, headers={header: "evil.example"}
        )
        _forget(target)
    target.shell(
        "worker",
        "--once",
        BOUNTY_UPLOADS=str(target.folder / "uploads"),
        BOUNTY_PUBLIC_URL="https://bounty.example:9443",
        BOUNTY_CALENDAR_BACKUPS="0",
    )
    sent = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in (target.folder / "mails").glob("*.eml")
    ]
    texts = [mail.get_content() for mail in sent]
    resets = [text for text in texts if "/reset/" in text]
    table.tried(
        "a reset asked for under another host's name: links that lead there",
        (bool(resets), sum("evil" in text for text in texts)),
        [(True, 0)],
    )
    link = next(
        found[1]
        for mail, words in zip(sent, texts, strict=True)
        if mail["To"] == EMAILS["admin"] and (found := re.search(r"(/reset/\S+)", words))
    )
    for what, given in (
        ("changed", link[:-1] + ("A" if link[-1] != "A" else "B")),
        ("cut", link[:-8]),
        ("made up", "/reset/WyIxIl0.x.y"),
    ):
        said = target.stranger().post(given, password="another long one", password_confirm="another long one")
        one = target.stranger()
        one.log_in(EMAILS["admin"], "another long one")
        table.tried(f"a reset's link that is {what}", "in" if one.is_in() else "out", "out")
    for mode in sorted(
        {oct(path.stat().st_mode & 0o777) for path in (target.folder / "mails").glob("*.eml")}
    ):
        table.tried("a mail with a link read by another account of the machine", mode, "0o600")
    new = "a new one that is long"
    assert target.stranger().post(link, password=new, password_confirm=new).status_code == 302
    third = "a third one that is long"
    target.stranger().post(link, password=third, password_confirm=third)
    one = target.stranger()
    one.log_in(EMAILS["admin"], third)
    table.tried("a reset's link used twice", "in" if one.is_in() else "out", "out")
    for name in ("0" * 43, "' OR 1=1 --", "%"):
        table.tried(
            f"an invitation guessed: {name}",
            target.stranger().get(f"/invitation/{name}").status_code,
            (404, 400, 409, 410),
        )
    for number in (2**63, 10**22, -1):
        table.tried(
            f"an upload guessed: {number}",
            target.visitor("operator").get(f"/operations/imports/uploads/{number}").status_code,
            404,
        )


def _seconds(target: Target, email: str) -> float:
    took = []
    for _ in range(6):
        one = target.stranger()
        data = {"csrf_token": one.token(), "email": email}
        began = time.perf_counter()
        one.http.post("/reset", data=data)
        took.append(time.perf_counter() - began)
        _forget(target)
    return statistics.median(took)


def _log_in_seconds(target: Target, email: str) -> float:
    took = []
    for _ in range(6):
        one = target.stranger()
        data = {"csrf_token": one.token(), "email": email, "password": "wrong", "submit": "1"}
        began = time.perf_counter()
        one.http.post("/login", data=data)
        took.append(time.perf_counter() - began)
        _forget(target)
    return statistics.median(took)
