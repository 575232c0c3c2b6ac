"""Workers killed while they send: every message has its effect, once, whatever was sent twice."""

import base64
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from bounty.db import make_engine, snapshot, transaction
from bounty.models import Message
from bounty.notifications.delivery import CLAIM_SECONDS, DeliveryChannels, send_due
from bounty.notifications.mail import Mail
from bounty.notifications.outbox import announce
from bounty.notifications.webhook import webhook_of
from tests.factories import shanghai
from tests.faults.forks import Forks, Job
from tests.messages.receivers import SECRET, webhook_receiver

NOW = shanghai("2023-01-07 09:00:00")
MESSAGES = 120


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    server = Forks(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()


def work(database_url: str, url: str, certificate: str, now: int) -> None:
    """Send what is due, in whatever process this is."""
    os.environ["SSL_CERT_FILE"] = certificate
    webhook = webhook_of(url, f"whsec_{base64.b64encode(SECRET).decode()}", private=True)
    engine = make_engine(database_url)
    for _ in send_due(
        engine, DeliveryChannels(Mail("", "b@example.com", Path("/dev/null"), ""), webhook), lambda: now
    ):
        pass
    engine.dispose()


def left(engine: Engine) -> int:
    with snapshot(engine) as connection:
        query = select(func.count()).select_from(Message).where(Message.sent_at.is_(None))
        return connection.execute(query).scalar_one()


def test_who_is_killed_while_sending_loses_and_doubles_nothing(
    engine: Engine, database_url: str, tmp_path: Path, forks: Forks
) -> None:
    lot, now, killed = random.Random(7), NOW, 0
    with transaction(engine) as connection:
        for number in range(MESSAGES):
            announce(connection, "draft", str(number), {"number": number}, NOW)
    with webhook_receiver(tmp_path) as hook:
        while left(engine):
            job = Job(
                call="tests.messages.test_killed:work",
                given=[database_url, hook.url, str(hook.certificate), now],
            )
            workers = [forks.start(job) for _ in range(3)]
            if killed < 12:
                until, latest = len(hook.requests) + lot.randint(0, 12), time.monotonic() + 10
                while len(hook.requests) < until and time.monotonic() < latest:
                    time.sleep(0.0005)
                for worker in workers:
                    os.kill(worker, signal.SIGKILL)
            ended = [forks.wait(worker) for worker in workers]
            assert {each.code for each in ended} <= {0, -signal.SIGKILL}, ended
            killed += sum(each.code == -signal.SIGKILL for each in ended)
            now += CLAIM_SECONDS
        repeats = len(hook.requests) - MESSAGES
        print(f"{engine.dialect.name}: {MESSAGES} messages, {killed} workers killed, {repeats} sent twice")
        assert len(hook.effects) == MESSAGES
        assert set(hook.effects.values()) == {1}
        assert killed >= 3
        assert 0 < repeats < MESSAGES
