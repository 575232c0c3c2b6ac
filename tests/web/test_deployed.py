"""What the site sends when it is set up as deploy/ says: mails and webhook messages over TLS, and the link in a mail
through nginx. A private certificate authority is named by SSL_CERT_FILE, and without it nothing is delivered."""

import base64
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import Engine, select, update

from bounty import clock
from bounty.accounts.service import add_user
from bounty.db import snapshot, transaction
from bounty.models import Message
from bounty.notifications.outbox import announce
from tests.factories import SCRIPT, environment
from tests.messages.receivers import SECRET, MailServer, Receiver, mail_server, webhook_receiver
from tests.web.clients import token_of
from tests.web.test_health import KEY
from tests.web.test_slow_clients import Front, front, nginx  # noqa: F401 - a fixture

OWNER = "owner@example.com"


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[tuple[Receiver, str]]:
    """A webhook behind nginx, which has the certificate, and its address there."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    with webhook_receiver(folder, plain=True) as receiver, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        server = (
            f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {receiver.certificate}; "
            f"ssl_certificate_key {folder / 'key.pem'}; location / {{ proxy_pass http://127.0.0.1:"
            f"{urlsplit(receiver.url).port}; proxy_set_header Host $host; }} }}\n"
        )
        with nginx(folder, server):
            yield receiver, f"https://localhost:{port}/hook?of=bounty"


@pytest.fixture
def mails(hook: tuple[Receiver, str]) -> Iterator[MailServer]:
    """A mail server with STARTTLS at an address that the program does not take for this machine itself; its certificate
    is the webhook's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(hook[0].certificate, hook[0].certificate.with_name("key.pem"))
    with mail_server("127.0.0.2", context) as server:
        yield server


def work(database_url: str, folder: Path, url: str, mail: str, **more: str) -> str:
    """What the worker says, in a process of its own with production's settings."""
    env = environment(
        database_url,
        BOUNTY_ENV="production", BOUNTY_ALLOWED_HOSTS="bounty.example", BOUNTY_PUBLIC_URL="https://bounty.example",
        BOUNTY_SECRET_KEY=KEY, BOUNTY_TOTP_KEY=KEY[::-1], BOUNTY_PAYEE_KEY=KEY, BOUNTY_UPLOADS=str(folder / "uploads"),
        BOUNTY_WEBHOOK_URL=url, BOUNTY_WEBHOOK_SECRET=f"whsec_{base64.b64encode(SECRET).decode()}",
        BOUNTY_WEBHOOK_PRIVATE="1", BOUNTY_MAIL_SERVER=mail, BOUNTY_MAIL_SENDER="bounty@example.com",
        BOUNTY_CALENDAR_BACKUPS="0", **more,
    )  # fmt: skip
    done = subprocess.run([SCRIPT, "worker", "--once"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def waiting(engine: Engine) -> dict[str, str | None]:
    """Channel -> the last error of the messages that wait."""
    with snapshot(engine) as connection:
        rows = connection.execute(
            select(Message.channel, Message.last_error).where(Message.sent_at.is_(None))
        )
        return {row.channel: row.last_error for row in rows}


def test_a_reset_and_an_event_arrive_over_tls_and_the_link_leads_through_nginx(
    front: Front,  # noqa: F811
    hook: tuple[Receiver, str],
    mails: MailServer,
    engine: Engine,
    database_url: str,
    tmp_path: Path,
) -> None:
    receiver, url = hook
    with transaction(engine) as connection:
        add_user(
            connection,
            email=OWNER,
            name="周",
            role="operator",
            password="a long and good one",
            now=clock.now(),
        )
        announce(connection, "draft", "1", {"number": 1}, clock.now())
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    trusting.check_hostname = False  # the certificate is of this machine, the site is called bounty.example
    with closing(HTTPSConnection("127.0.0.1", front.port, timeout=60, context=trusting)) as browser:
        browser.request("GET", "/reset", headers={"Host": "bounty.example"})
        answer = browser.getresponse()
        page, cookie = answer.read().decode(), (answer.headers["set-cookie"] or "").partition(";")[0]
        body = urlencode({"csrf_token": token_of(page), "email": OWNER})
        headers = {"Host": "bounty.example", "Cookie": cookie, "Referer": "https://bounty.example/reset",
                   "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
        browser.request("POST", "/reset", body, headers)
        answer = browser.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    # Nobody here knows these certificates, and so nothing is delivered.
    work(database_url, tmp_path, url, mails.address)
    errors = waiting(engine)
    assert "CERTIFICATE_VERIFY_FAILED" in (errors["webhook"] or "")
    assert "CERTIFICATE_VERIFY_FAILED" in (errors["mail"] or "")
    assert (receiver.requests, mails.taken) == ([], [])
    with transaction(engine) as connection:
        connection.execute(update(Message).values(next_try_at=1))
    work(database_url, tmp_path, url, mails.address, SSL_CERT_FILE=str(receiver.certificate))
    assert waiting(engine) == {}
    assert {each["type"] for each in receiver.told} >= {"bounty.draft"}
    assert set(receiver.effects.values()) == {1}  # each signed, and once
    (mail,) = [each for each in mails.about(OWNER) if "/reset/" in each.get_content()]
    assert mails.encrypted == len(mails.taken)
    link = re.search(r"https://bounty\.example(/reset/\S+)", mail.get_content())
    assert link
    status, page = front.ask(link[1])
    assert (status, 'name="password"' in page) == (200, True)
