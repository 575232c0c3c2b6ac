"""A promoter's task page as gunicorn serves it, beside its floor: the same template rendered from constants.

    product()   the application, over a database
    floor()     the template that the page renders, with what it was given once; no session, no database
    measure()   both, asked for over 1, 10 and 50 connections at a time; and the page's time in the database

A person's session is a cookie made with the key that both are started with. The floor answers with the same bytes but
for the form's token.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import psutil
from flask import Flask, g, request, session, template_rendered
from sqlalchemy import select

from bench.data import epoch
from bench.watch import watch
from bounty.accounts.service import add_user
from bounty.app import create_app
from bounty.db import make_engine, snapshot, transaction
from bounty.models import User
from config import Settings

CONNECTIONS = (1, 10, 50)
NOW = "2022-12-15T15:00:00+08:00"
"""An instant in the task window, when the page has the most content."""
PATH = "/task"
WORKERS, THREADS = 2, 4
RATIO_GOAL, P99_GOAL_MS = 1.5, 10.0
KEY = "a key of the bench's own, which signs nothing else"
"""Of sessions and payees."""


def settings_of(url: str, now: str = NOW) -> Settings:
    """The application's settings for a database, its clock standing at an instant."""
    return Settings(database_url=url, now=epoch(now), secret_key=KEY, totp_key=KEY, payee_key=KEY)


def product() -> Flask:
    """For gunicorn: the application with the database of ``BENCH_URL``."""
    return create_app(settings_of(os.environ["BENCH_URL"]))


def floor() -> Callable[..., Any]:
    """For gunicorn: the template with the values that the page had once for the session of ``BENCH_COOKIE``."""
    app = product()
    rendered: list[tuple[Any, dict[str, Any]]] = []

    def note(_app: Flask, template: Any, context: dict[str, Any], **_more: Any) -> None:
        rendered.append((template, context))

    with template_rendered.connected_to(note, app):
        answer = app.test_client(use_cookies=False).get(PATH, headers={"Cookie": os.environ["BENCH_COOKIE"]})
    assert answer.status_code == 200, answer.status
    (template, given), headers = rendered[-1], list(answer.headers.items())
    person = given["principal"]

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        with app.request_context(environ):
            g.person = person
            body = template.render({**given, "g": g, "request": request, "session": session}).encode()
        start_response("200 OK", [*(pair for pair in headers if pair[0] != "Content-Length")])
        return [body]

    return serve


def cookie_of(url: str, promoter_id: int | None, role: str = "promoter", now: str = NOW) -> str:
    """The session cookie of an account, a promoter's or of the staff; creates the account if necessary."""
    engine = make_engine(url)
    email = f"{promoter_id or role}@bench.example"
    with transaction(engine) as connection:
        if connection.execute(select(User.id).where(User.email == email)).first() is None:
            add_user(
                connection, email=email, name="示例", role=role, promoter_id=promoter_id,
                password="made up for the bench", now=epoch(NOW),
            )  # fmt: skip
    with snapshot(engine) as connection:
        uniquifier = connection.execute(select(User.fs_uniquifier).where(User.email == email)).scalar_one()
    engine.dispose()
    app = create_app(settings_of(url))
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    kept = {"_user_id": uniquifier, "_fresh": True, "began": epoch(now), "seen": epoch(now)}
    return f"session={serializer.dumps(kept)}"


@contextmanager
def served(target: str, url: str, cookie: str) -> Iterator[tuple[int, psutil.Process]]:
    """The port at which gunicorn serves the application or the floor, and the process of gunicorn."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        number, port = listening.fileno(), listening.getsockname()[1]
        command = [
            *(sys.executable, "-m", "gunicorn", "--bind", f"fd://{number}", "--worker-class", "gthread"),
            *("--workers", str(WORKERS), "--threads", str(THREADS), "--worker-connections", "200"),
            *("--keep-alive", "30", "--log-level", "error", f"bench.pages:{target}()"),
        ]
        env = {**os.environ, "BENCH_URL": url, "BENCH_COOKIE": cookie}
        process = subprocess.Popen(command, env=env, pass_fds=[number])
        try:
            _wait(port, cookie)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(port: int, cookie: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("GET", PATH, headers={"Cookie": cookie})
            answer = connection.getresponse()
            assert answer.status == 200, (answer.status, answer.read(2000))
        except ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("gunicorn did not come up")


async def _ask(port: int, cookie: str, many: int, taken: list[float]) -> None:
    """Request the page several times over one connection, one request after the other."""
    asked = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(many):
        start = time.perf_counter()
        writer.write(asked)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        assert head.startswith("http/1.1 200"), head
        if "transfer-encoding: chunked" in head:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            await reader.readexactly(int(head.partition("content-length: ")[2].split("\r")[0]))
        taken.append((time.perf_counter() - start) * 1000)
    writer.close()
    await writer.wait_closed()


def load(port: int, cookie: str, connections: int, requests: int) -> list[float]:
    """Milliseconds of each request, with several concurrent connections."""
    taken: list[float] = []

    async def all_of_them() -> None:
        each = max(requests // connections, 1)
        await asyncio.gather(*(_ask(port, cookie, each, taken) for _ in range(connections)))

    asyncio.run(all_of_them())
    return taken


def _cpu_s(*processes: psutil.Process) -> float:
    total = 0.0
    for process in processes:
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def under_load(url: str, promoter_id: int, requests: int, database_process: int | None) -> dict[str, Any]:
    """The page and its floor in turn, at each number of connections: milliseconds, requests a second, CPU a request.

    database_process   of a database server, whose CPU time belongs to the page
    """
    cookie = cookie_of(url, promoter_id)
    found: dict[str, Any] = {}
    with served("product", url, cookie) as mine, served("floor", url, cookie) as least:
        for connections in CONNECTIONS:
            for name, (port, process) in (("page", mine), ("floor", least)):
                counted = [
                    process,
                    *([psutil.Process(database_process)] if database_process and name == "page" else []),
                ]
                load(port, cookie, connections, requests // 10)
                cpu, start = _cpu_s(*counted), time.perf_counter()
                taken = sorted(load(port, cookie, connections, requests))
                wall = time.perf_counter() - start
                found.setdefault(str(connections), {})[name] = {
                    "p50": taken[len(taken) // 2],
                    "p99": taken[len(taken) * 99 // 100],
                    "a_second": len(taken) / wall,
                    "cpu_ms": (_cpu_s(*counted) - cpu) * 1000 / len(taken),
                }
    for both in found.values():
        both["ratio"] = both["page"]["cpu_ms"] / both["floor"]["cpu_ms"]
    return found


def in_database(url: str, promoter_id: int, requests: int) -> dict[str, Any]:
    """Total milliseconds of a page's statements, and their number."""
    cookie = cookie_of(url, promoter_id)
    app = create_app(settings_of(url))
    engine = app.extensions["bounty.books"].engine
    spent = watch(engine)
    client, taken = app.test_client(use_cookies=False), []
    for _ in range(requests):
        spent.empty()
        answer = client.get(PATH, headers={"Cookie": cookie})
        assert answer.status_code == 200, answer.status
        taken.append(spent.ms)
    engine.dispose()
    taken.sort()
    return {
        "ms": {"p50": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100]},
        "statements": spent.statements,
        "bytes": len(answer.data),
    }


def lines_of(found: dict[str, Any]) -> list[str]:
    """The results of a size on a database, as rows of a table."""
    rows = [
        "| task page | connections | p50 ms | p99 ms | a second | CPU ms | floor p50 ms | floor CPU ms | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, one in found.items():
        for connections, both in one["under_load"].items():
            page, least = both["page"], both["floor"]
            rows.append(
                f"| {name} | {connections} | {page['p50']:.1f} | {page['p99']:.1f} | {page['a_second']:.0f} "
                f"| {page['cpu_ms']:.1f} | {least['p50']:.1f} | {least['cpu_ms']:.1f} | {both['ratio']:.2f} |"
            )
    for name, one in found.items():
        inside = one["in_database"]
        rows.append(
            f"\nIn the database, {name}: p50 {inside['ms']['p50']:.2f} ms, p99 {inside['ms']['p99']:.2f} ms "
            f"of {inside['statements']} statements; {inside['bytes']:,} bytes."
        )
    return rows


def goals_of(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """(goal, figure, whether the goal is reached)."""
    ratio = found["median promoter"]["under_load"]["1"]["ratio"]
    p99 = found["busiest promoter"]["in_database"]["ms"]["p99"]
    return [
        ("task page, median promoter: at most 1.5 x its floor", f"{ratio:.2f}", ratio <= RATIO_GOAL),
        (
            "task page, busiest promoter: p99 in the database at most 10 ms",
            f"{p99:.2f} ms",
            p99 <= P99_GOAL_MS,
        ),
    ]
