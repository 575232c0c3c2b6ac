"""Storms over the web: pages, pushes, commands and workers at once, and the processes of each are killed meanwhile.

Every act is repeated until it was acknowledged. The books are then those of the same acts one after the other: the same
rows, the same hash of the draft, and clean checks; no page ever answered 5xx.
"""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from sqlalchemy import text

from bounty.db import make_engine, snapshot
from tests.api.conftest import copy_of, filled, tokens_of  # noqa: F401 - a fixture
from tests.api.test_contract import row
from tests.attacks.world import Visitor
from tests.conftest import SQLITE_AND_IN_SOAK_BOTH
from tests.factories import PROMOTER, SCRIPT, environment, write_jsonl
from tests.faults.books import State, copied, differences, state_of
from tests.web.world import DECEMBER, EMAILS, PAYEE_KEY, serving

AT = f"{DECEMBER.replace(' ', 'T')}+08:00"
APART = {"tries", "api_answers", "api_token_uses", "api_tokens", "worker_wakes", "outbox"}
"""Tables of who tried and asked what when, which say nothing of the month."""
PAGES = (
    "/operations/periods",
    "/operations/periods/2022-12",
    "/operations/imports/",
    "/operations/roster/2022-12/",
    "/notices",
)
Act = Callable[["Storm"], bool]


@dataclass
class Storm:
    """One copy of the books, the site over it, and those who act on it."""

    url: str
    folder: Path
    listening: socket.socket
    token: str
    lot: random.Random
    server: "subprocess.Popen[bytes] | None" = None
    answers: list[int] = field(default_factory=list)
    """The status of every answer of the site."""
    killed: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def serve(self) -> None:
        self.server = serving(
            self.listening, self.url, self.folder, DECEMBER, BOUNTY_BACKUPS=str(self.folder / "kept")
        )

    def stop(self) -> None:
        assert self.server is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def command(self, *words: str | Path) -> bool:
        """Run a command, which may be killed; whether it came to its end."""
        variables = {
            "BOUNTY_UPLOADS": str(self.folder / "uploads"),
            "BOUNTY_PAYEE_KEY": PAYEE_KEY,
            "BOUNTY_CALENDAR_BACKUPS": "0",
        }
        env = environment(self.url, AT, BOUNTY_BACKUPS=str(self.folder / "kept"), **variables)
        process = subprocess.Popen(
            [SCRIPT, *map(str, words)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        with self._lock:
            self._running.append(process)
        _, said = process.communicate()
        with self._lock:
            self._running.remove(process)
        assert process.returncode in (0, -signal.SIGKILL) or b"busy" in said, said
        return process.returncode == 0

    def kill_something(self) -> None:
        """The site with all its workers, or a command."""
        with self._lock:
            running = list(self._running)
        self.killed += 1
        if running and self.lot.random() < 0.6:
            self.lot.choice(running).kill()
        else:
            self.stop()
            self.serve()

    def took(self, answer: httpx.Response, *right: int) -> bool:
        self.answers.append(answer.status_code)
        return answer.status_code in right


def pushed(number: int) -> Act:
    """A push of orders, under a key of its own."""

    def act(storm: Storm) -> bool:
        body = {"orders": [row(3_000 + number * 10 + at) for at in range(10)]}
        headers = {"Authorization": f"Bearer {storm.token}", "Idempotency-Key": f"storm-{number}"}
        said = httpx.post(
            f"{storm.address}/api/v1/orders", json=body, headers=headers, timeout=60, trust_env=False
        )
        return storm.took(said, 200)

    return act


def imported(number: int) -> Act:
    """A file by the shell, whose rows others push too."""

    def act(storm: Storm) -> bool:
        path = storm.folder / f"orders-{number}.jsonl"
        if not path.exists():
            write_jsonl(path, [row(3_000 + number * 5 + at) for at in range(25)])
        return storm.command("import", "orders", path)

    return act


def put_right(number: int) -> Act:
    """A target changed in the form of a page."""

    def act(storm: Storm) -> bool:
        visitor = Visitor(storm.address, "127.0.0.1")
        try:
            visitor.log_in(EMAILS["operator"])
            said = visitor.post(
                f"/operations/roster/2022-12/{PROMOTER + number % 3}", why=f"商定 {number}", ineligible="",
                gmv_yuan=f"{700 + number}.00", orders="6",
            )  # fmt: skip
            return storm.took(said, 303)
        finally:
            visitor.http.close()

    return act


def prepared(storm: Storm) -> bool:
    """The tranche of the page of payouts, which stays as it is."""
    visitor = Visitor(storm.address, "127.0.0.1")
    try:
        visitor.log_in(EMAILS["finance"])
        return storm.took(visitor.post("/finance/tranches", settled_before="2022-12-15"), 303)
    finally:
        visitor.http.close()


def worked(storm: Storm) -> bool:
    return storm.command("worker", "--once")


def acts(size: int) -> list[Act]:
    """So many pushes, and others in proportion."""
    # One target each: of two for one promoter the later would win.
    return [
        *map(pushed, range(size)), *map(imported, range(size // 2)), *map(put_right, range(3)),
        prepared, *[worked] * (size // 8 + 1),
    ]  # fmt: skip


def until_done(storm: Storm, act: Act) -> None:
    """Again until it was acknowledged, as people and programs do."""
    for _ in range(60):
        with contextlib.suppress(
            httpx.TransportError, AssertionError if storm.killed else httpx.TransportError
        ):
            if act(storm):
                return
        time.sleep(0.1)
    raise AssertionError(f"{act} was never acknowledged")


def read(storm: Storm) -> None:
    """Somebody looks at pages all the while."""
    while not storm.over.is_set():
        visitor = Visitor(storm.address, "127.0.0.1")
        with contextlib.suppress(httpx.TransportError, AssertionError):
            visitor.log_in(EMAILS["operator"])
            for page in PAGES:
                storm.took(visitor.get(page), 200)
        visitor.http.close()


def kept_of(url: str) -> tuple[State, str]:
    """What the books hold, and the order versions' own hash of a month's orders."""
    state = {name: rows for name, rows in state_of(url, origins=False).items() if name not in APART}
    # A request has a number drawn at random.
    state["audit_events"] = sorted(re.sub(r"\('request', '\w+'\)", "", row) for row in state["audit_events"])
    engine = make_engine(url)
    with snapshot(engine) as connection:
        query = text("SELECT count(*), count(DISTINCT order_sn), sum(order_amount_fen) FROM order_versions")
        facts = str(tuple(connection.execute(query).one()))
    engine.dispose()
    return state, facts


def draft_of(storm: Storm) -> str:
    """The hash of December's draft, after the cutoff, and that the checks are clean."""
    env = environment(storm.url, "2023-01-12T10:00:00+08:00", BOUNTY_BACKUPS=str(storm.folder / "kept"))
    for words in (("settle", "2022-12"), ("check",), ("audit", "verify")):
        done = subprocess.run([SCRIPT, *words], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout[-500:], done.stderr)
        if words[0] == "settle":
            (sha256,) = re.findall(r"content sha256:([0-9a-f]{64})", done.stdout)
    return str(sha256)


@pytest.fixture(params=SQLITE_AND_IN_SOAK_BOTH)
def storms(
    request: pytest.FixtureRequest,
    filled: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> Iterator[Callable[[str], Storm]]:
    """Copies of one state of the books, each with a site over it."""
    with ExitStack() as stack:
        base = copy_of(filled, request.param, tmp_path)
        engine = make_engine(base)
        token = tokens_of(engine)["operator"]
        engine.dispose()

        def begin(name: str) -> Storm:
            folder = tmp_path / name
            folder.mkdir()
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            storm = Storm(copied(base, folder), folder, listening, token, random.Random(name))
            storm.command("worker", "--once")  # what the calendar has due is the same for all
            storm.serve()
            stack.callback(storm.stop)
            urlopen(f"{storm.address}/static/icon.svg", timeout=120).close()
            return storm

        yield begin


@pytest.mark.parametrize(("size", "kills"), [(2, 1), pytest.param(8, 4, marks=pytest.mark.soak)])
def test_a_storm_leaves_the_books_of_a_quiet_day(
    storms: Callable[[str], Storm], size: int, kills: int, record_property: Callable[[str, object], None]
) -> None:
    quiet, storm = storms("quiet"), storms("storm")
    for act in acts(size):
        until_done(quiet, act)
    every = acts(size)
    storm.lot.shuffle(every)
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        reader = pool.submit(read, storm)
        doing = [pool.submit(until_done, storm, act) for act in every]
        for _ in range(kills):
            time.sleep(storm.lot.uniform(1.0, 3.0))
            if not all(each.done() for each in doing):
                storm.kill_something()
        for each in doing:
            each.result()
        storm.over.set()
        reader.result()
    seconds = time.monotonic() - began
    faults = [status for status in storm.answers + quiet.answers if status >= 500]
    answers = f"{len(storm.answers)} answers, {len(faults)} of them 5xx"
    said = f"{len(every)} acts, {storm.killed} kills, {answers}, {seconds:.0f} s"
    record_property("storm", json.dumps(said))
    print(said)
    assert faults == []
    found, expected = kept_of(storm.url), kept_of(quiet.url)
    assert differences(found[0], expected[0]) == ""
    assert found[1] == expected[1]
    assert draft_of(storm) == draft_of(quiet)
    assert storm.killed >= kills // 2
