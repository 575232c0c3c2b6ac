"""Idempotency-Key: one effect, however often, from however many, and wherever the process is killed."""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from bounty.db import snapshot, transaction
from bounty.models import ApiAnswer, Batch
from bounty.tokens.service import issue
from tests.api.conftest import Site
from tests.api.test_contract import row
from tests.factories import environment, shanghai
from tests.web.world import DECEMBER


def batches(site: Site) -> int:
    with snapshot(site.engine) as connection:
        return connection.execute(select(func.count()).select_from(Batch)).scalar_one()


def push(site: Site, key: str, *rows: dict[str, Any], who: str = "operator") -> Any:
    body = json.dumps({"orders": rows})
    return site.ask(
        "/orders",
        who,
        "POST",
        data=body,
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


def test_the_same_request_again_gets_the_same_answer_and_nothing_happens(site: Site) -> None:
    before = batches(site)
    first, again = push(site, "again", row(800)), push(site, "again", row(800))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.data == again.data
    assert first.json["new"] == 1
    assert batches(site) == before + 1


def test_another_request_with_the_key_is_refused(site: Site) -> None:
    push(site, "used", row(801))
    before = batches(site)
    other = push(site, "used", row(802))
    assert (other.status_code, other.json["code"]) == (422, "KEY_REUSED")
    assert batches(site) == before


def test_a_refused_request_leaves_its_key_free(site: Site) -> None:
    refused = site.ask(
        "/orders",
        "operator",
        "POST",
        data=b"{}",
        content_type="application/json",
        headers={"Idempotency-Key": "free"},
    )
    assert refused.status_code == 422
    assert push(site, "free", row(803)).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 201, "with blank", "键"])
def test_a_key_that_can_not_be_is_refused(site: Site, key: str) -> None:
    answered = push(site, key, row(804))
    assert (answered.status_code, answered.json["code"]) == (400, "E-KEY")


def test_of_64_threads_at_once_one_takes_effect(site: Site) -> None:
    before = batches(site)
    with ThreadPoolExecutor(64) as threads:
        answers = list(threads.map(lambda _: push(site, "all", row(805), row(806)), range(64)))
    assert {answered.status_code for answered in answers} <= {200, 409}
    done = [answered.data for answered in answers if answered.status_code == 200]
    assert len(set(done)) == 1
    assert json.loads(done[0])["new"] == 2
    assert batches(site) == before + 1


CHILD = """
import os, signal, sys, time
from bounty.app import create_app
from bounty.web.api import acts

point, token, key, body = sys.argv[1:]
real_effect, real_once = acts.import_opened, acts.once

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def effect(*arguments):
    done = real_effect(*arguments)
    if point == "before the commit":
        os.kill(os.getpid(), signal.SIGKILL)
    if point == "in the middle":
        print("running", flush=True)
        time.sleep(600)
    return done

def once(*arguments, **named):
    answer = real_once(*arguments, **named)
    if point == "before the answer":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

acts.import_opened, acts.once = effect, once
site = create_app().test_client()
if point.startswith("after "):
    import threading
    warm = {"Authorization": "Bearer " + token, "Idempotency-Key": key + "-warm"}
    began = time.perf_counter()
    site.post("/api/v1/orders", data='{"orders": []}', content_type="application/json", headers=warm)
    took = 2 * (time.perf_counter() - began)
    threading.Timer(float(point[6:]) * took, die).start()
headers = {"Authorization": "Bearer " + token, "Idempotency-Key": key}
site.post("/api/v1/orders", data=body, content_type="application/json", headers=headers)
if point.startswith("after "):
    die()
"""
"""A process of the site that gets one request, and is killed or stands still at a point of it."""


def started(site: Site, point: str, key: str, *rows: dict[str, Any]) -> subprocess.Popen[str]:
    body = json.dumps({"orders": rows})
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, point, site.tokens["operator"], key, body],
        env=environment(site.database_url, f"{DECEMBER.replace(' ', 'T')}+08:00"),
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("point", ["before the commit", "before the answer"])
def test_killed_and_sent_again_there_is_one_effect(site: Site, point: str) -> None:
    number, key = (810, "commit") if point == "before the commit" else (811, "answer")
    before = batches(site)
    with started(site, point, key, row(number)) as killed:
        assert killed.wait(120) == -signal.SIGKILL
    assert batches(site) == before + (point == "before the answer")
    answers = [push(site, key, row(number)) for _ in range(3)]
    assert [answered.status_code for answered in answers] == [200, 200, 200]
    assert len({answered.data for answered in answers}) == 1
    assert answers[0].json["new"] == 1
    assert batches(site) == before + 1


def test_while_another_process_runs_it_the_key_is_told_to_wait(site: Site) -> None:
    before = batches(site)
    with started(site, "in the middle", "held", row(812)) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "running\n"
        waiting = push(site, "held", row(812))
        other.kill()
    assert (waiting.status_code, waiting.json["code"]) == (409, "STILL_RUNNING")
    assert waiting.headers["Retry-After"] == "1"
    after = push(site, "held", row(812))
    assert (after.status_code, after.json["new"]) == (200, 1)
    assert batches(site) == before + 1


def test_the_key_of_another_token_is_another_key(site: Site) -> None:
    with transaction(site.engine) as connection:
        second = issue(
            connection, name="second", role="operator", promoter_id=None, days=1, now=shanghai(DECEMBER)
        )
    site.tokens["second"] = second.token
    first, others = push(site, "shared", row(813)), push(site, "shared", row(814), who="second")
    assert (first.status_code, others.status_code) == (200, 200)
    with snapshot(site.engine) as connection:
        held = select(func.count()).select_from(ApiAnswer).where(ApiAnswer.key == "shared")
        assert connection.execute(held).scalar_one() == 2


KILLS = 12
"""For each database; a process of the site begins anew each time, which takes some seconds."""


@pytest.mark.soak
def test_killed_at_any_moment_and_sent_again_there_is_one_effect(site: Site) -> None:
    """A process is killed after 0 to 100 % of the time that a request takes, over and over; N of N one effect."""
    before = batches(site)
    for number in range(KILLS):
        key, rows = f"any {number}".replace(" ", "-"), [row(6_000 + 10 * number + each) for each in range(10)]
        with started(site, f"after {number / KILLS}", key, *rows) as killed:
            assert killed.wait(300) == -signal.SIGKILL
        answers = [push(site, key, *rows) for _ in range(2)]
        assert [answered.status_code for answered in answers] == [200, 200]
        assert answers[0].data == answers[1].data
        assert answers[0].json["new"] == 10
        assert batches(site) == before + 2 * (number + 1)  # one to see how long a request takes
