"""Killed in the middle: what was going on is as if it had never begun, and doing it again finishes it, once."""

import fcntl
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import Engine, make_url, select

from bounty import importer, schema
from bounty.checks import books
from bounty.db import Base, make_engine, snapshot, transaction
from bounty.models import Notice, Settlement
from tests.factories import SCRIPT, Month, Row, bounty, environment, order_row, promoter, write_jsonl

ROWS = 60_000
PROMOTERS = range(1000, 1200)
NOW = "2023-01-15T12:00:00+08:00"
PROCESSES = 8
PATIENCE = 120
"""Seconds after which something that was to happen is taken not to."""


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition gives, as soon as that is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.001)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def made_up(number: int) -> Row:
    """An order of many: some told twice, some bad, some of a promoter whom nobody knows."""
    odd = {"order_status": 99} if number % 5003 == 0 else {}
    return order_row(
        number=number // 2 if number % 7 == 0 else number,
        promoter_id=PROMOTERS[number % len(PROMOTERS)] if number % 4999 else 7,
        amount_fen=number % 20011,
        modified=1670558400 + number,
        **odd,
    )


@pytest.fixture(scope="module")
def orders_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the importer's chunks: 60,000 rows, a line each."""
    return write_jsonl(tmp_path_factory.mktemp("many") / "orders.jsonl", map(made_up, range(1, ROWS + 1)))


def with_promoters(engine: Engine, folder: Path) -> Month:
    month = Month(engine, folder)
    month.table("promoters", *map(promoter, PROMOTERS))
    return month


@pytest.fixture(scope="module")
def undisturbed(
    orders_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, list[str]]]:
    """What an import that nobody disturbs prints and leaves."""
    folder = tmp_path_factory.mktemp("undisturbed")
    engine = make_engine(f"sqlite:///{folder / 'books.sqlite'}")
    schema.upgrade(engine)
    month = with_promoters(engine, folder)
    counts = importer.import_file(engine, "orders", orders_file, month.now).counts
    left = contents(engine)
    engine.dispose()
    return str(counts), left


def contents(engine: Engine) -> dict[str, list[str]]:
    """Every row of the tables that orders fill, as text and in order, without what tells batches apart."""
    left = {}
    with snapshot(engine) as connection:
        for name in ("orders", "order_versions", "quarantine", "category_sets"):
            table = Base.metadata.tables[name]
            columns = [
                column for column in table.columns if not column.name.endswith(("batch_id", "quarantine_id"))
            ]
            rows = connection.execute(select(*columns), execution_options={"yield_per": 10_000})
            left[name] = sorted(json.dumps([_plain(value) for value in row]) for row in rows)
    return left


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def rows_told(screen: int) -> Iterator[int]:
    """The numbers of rows that a progress bar shows, as it shows them."""
    shown = ""
    while True:
        shown = shown[-200:] + os.read(screen, 4096).decode(errors="ignore")
        if found := re.findall(r"([0-9,]+) rows", shown):
            yield int(found[-1].replace(",", ""))


def test_an_import_killed_half_way_leaves_nothing_and_is_finished_by_running_it_again(
    engine: Engine,
    database_url: str,
    tmp_path: Path,
    orders_file: Path,
    undisturbed: tuple[str, dict[str, list[str]]],
) -> None:
    with_promoters(engine, tmp_path)
    empty = contents(engine)
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = [SCRIPT, "import", "orders", str(orders_file)]
    env = environment(database_url, NOW, TERM="xterm")
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=terminal) as victim:
        half_way = next(rows for rows in rows_told(screen) if rows >= ROWS // 3)
        victim.send_signal(signal.SIGKILL)
        assert victim.communicate()[0] == b""
        assert victim.returncode == -signal.SIGKILL
    os.close(screen)
    os.close(terminal)
    assert ROWS // 3 <= half_way < ROWS
    assert contents(engine) == empty

    counts, left = undisturbed
    finished = bounty(database_url, "import", "orders", orders_file, now=NOW)
    assert (finished.returncode, finished.stdout) == (0, f"{orders_file} {counts}\n")
    found = contents(engine)
    for name, rows in left.items():
        assert found[name] == rows, name
    assert len(left["order_versions"]) > ROWS * 0.99
    assert len(left["quarantine"]) == ROWS // 4999 + ROWS // 5003
    again = bounty(database_url, "import", "orders", orders_file, now=NOW).stdout
    assert f"new=0 changed=0 unchanged={ROWS - len(left['quarantine'])} stale=0" in again
    with snapshot(engine) as connection:
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []


# Eight at once

OF_THIS_DATABASE = (
    "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def is_writing(database_url: str) -> bool:
    """Whether somebody is in a writing transaction."""
    path = make_url(database_url).database
    if not database_url.startswith("sqlite"):
        return _locks(database_url, "granted") > 0
    with closing(sqlite3.connect(str(path), timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def all_wait(processes: list[subprocess.Popen[str]], database_url: str) -> bool:
    """Whether all of these wait for their turn to write; on SQLite, whether they have the database open."""
    path = make_url(database_url).database
    if not database_url.startswith("sqlite"):
        return _locks(database_url, "NOT granted") == len(processes)
    opened = [{file.path for file in psutil.Process(process.pid).open_files()} for process in processes]
    return all(str(path) in paths for paths in opened)


def _locks(database_url: str, condition: str) -> int:
    conninfo = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    query = f"SELECT count(*) FROM pg_locks WHERE {OF_THIS_DATABASE} AND {condition}"
    with psycopg.connect(conninfo) as connection:
        (count,) = connection.execute(query.encode()).fetchall()
    return int(count[0])


def start(database_url: str, *arguments: str) -> subprocess.Popen[str]:
    env = environment(database_url, NOW)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.Popen([SCRIPT, *arguments], env=env, **pipes)


def said_by(processes: list[subprocess.Popen[str]]) -> list[list[str]]:
    """The lines that each wrote, once it is done, and well."""
    lines = []
    for process in processes:
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (0, "")
        lines.append(out.splitlines())
    return lines


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    assert (process.communicate()[0], process.returncode) == ("", -signal.SIGKILL)


def test_of_eight_that_settle_and_publish_at_once_with_one_killed_there_is_one_result(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    month = with_promoters(engine, tmp_path)
    month.orders(*map(made_up, range(1, ROWS // 6)))
    month.begin(*map(promoter, PROMOTERS))

    victim = start(database_url, "settle", "2022-12")
    wait_until(lambda: is_writing(database_url), "the first to write")
    victim.send_signal(signal.SIGSTOP)  # there it stays, with its lock, until the others wait for it
    assert is_writing(database_url), "the first was done too soon to be killed in the middle"
    others = [start(database_url, "settle", "2022-12") for _ in range(PROCESSES - 1)]
    wait_until(lambda: all_wait(others, database_url), "the others to wait")
    killed(victim)
    settled = said_by(others)
    again = "settlement 1 of 2022-12 stands already, on the same facts"
    assert sorted(lines[0] for lines in settled) == [
        "settlement 1 of 2022-12 made",
        *[again] * (PROCESSES - 2),
    ]
    assert {lines[1] for lines in settled} == {f"content sha256:{month.settle().content_sha256}"}

    confirm = ("confirm-data", "2022-12", "--through", "2023-01-11", "--reason", "all is in")
    waive = ("waive", "2022-12", "QUARANTINE", "--reason", "they stay out")
    for answer in (confirm, waive):
        said_by([start(database_url, *answer)])
    with transaction(engine):  # nobody else writes meanwhile
        publishing = [start(database_url, "publish", "2022-12") for _ in range(PROCESSES)]
        wait_until(lambda: all_wait(publishing, database_url), "all to wait")
        killed(publishing.pop())
    published = said_by(publishing)
    again = "notice 1 of 2022-12 stands already, with the same content (settlement 1)"
    assert sorted(lines[0] for lines in published) == [
        "notice 1 of 2022-12 published (settlement 1)",
        *[again] * (PROCESSES - 2),
    ]
    assert {lines[1] for lines in published} == {lines[1] for lines in settled}

    with snapshot(engine) as connection:
        assert connection.execute(select(Settlement.settlement_id)).scalars().all() == [1]
        assert connection.execute(select(Notice.period, Notice.notice)).all() == [("2022-12", 1)]
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []
