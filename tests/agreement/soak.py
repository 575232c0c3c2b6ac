"""Months by the thousand: engine, oracle and DuckDB must agree on each, on both databases.

    python -m tests.agreement.soak --months 1000 --orders 1000000

A month is a job: generated from its seed, judged by the oracle and by SQL in DuckDB, then taken by the engine into
empty books of either kind. Each writes one line of JSON to a file of records; what is there from the same commit isn't
run again, so that a soak can be stopped and go on. At the end `tests/SOAK.md` says how it went, failures too.
"""

import argparse
import gc
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import Engine, make_url

from bounty import schema
from bounty.db import make_engine
from tests import postgres
from tests.agreement import months, third
from tests.agreement.months import Case
from tests.agreement.verdict import Verdict, agree, in_figures, written

ROOT = Path(__file__).resolve().parents[2]
SAID = ROOT / "tests" / "SOAK.md"
HEADING = "## Months against the oracle"
RECORDS = ROOT / ".soak" / "months.jsonl"
FIRST_SEED = 1000
"""So that none is among those of the tests."""
LARGE_SEED = 1_000_000
LARGE_PROMOTERS, LARGE_ASKED = 1500, 300
"""Of the month with very many orders: its promoters, and those of them whose progress is held against the oracle's."""


@dataclass(slots=True)
class Record:
    """How a month went; a database that isn't in ``seconds`` did not agree, and ``failures`` says how."""

    commit: str
    seed: int
    promoters: int
    orders: int
    rows: int
    files: int
    lines: int
    seconds: dict[str, float] = field(default_factory=dict)
    """By who had an opinion: oracle, duckdb, sqlite, postgresql."""
    failures: list[str] = field(default_factory=list)


class Books:
    """Empty books of one kind, the same again and again: an engine remembers the statements that it has compiled."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._path = folder / "books.sqlite"
        self._template = f"sqlite:///{folder / 'template.sqlite'}"
        if kind == "postgresql":
            self._template = postgres.fresh_database()
        engine = make_engine(self._template)
        schema.upgrade(engine)
        engine.dispose()
        self.engine: Engine = make_engine(f"sqlite:///{self._path}")
        if kind == "postgresql":
            self.engine = make_engine(postgres.fresh_database(template=self._template))

    def emptied(self) -> Engine:
        """The engine, on books without a row."""
        self.engine.dispose()
        if self.engine.dialect.name == "postgresql":
            postgres.renew_database(self.engine.url.render_as_string(hide_password=False), self._template)
            return self.engine
        for left in self._path.parent.glob(f"{self._path.name}*"):
            left.unlink()
        shutil.copyfile(str(make_url(self._template).database), self._path)
        return self.engine


class Soak:
    """What one process needs for many months."""

    def __init__(self, commit: str) -> None:
        self._commit = commit
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="bounty-soak-", dir=memory if memory.is_dir() else None))
        self._books = {kind: Books(kind, self._folder) for kind in ("sqlite", "postgresql")}

    def judge(self, seed: int, orders: int | None) -> Record:
        """One month; with so many orders, or as many as its seed gives."""
        case = months.generate(seed, promoters=4 + seed % 11 if orders is None else LARGE_PROMOTERS)
        if orders is not None:
            case = months.multiplied(case, orders, random.Random(seed))
        folder = self._folder / f"month-{seed}"
        folder.mkdir()
        try:
            return self._judged(case, folder, None if orders is None else LARGE_ASKED)
        finally:
            shutil.rmtree(folder)

    def _judged(self, case: Case, folder: Path, asked: int | None) -> Record:
        began = time.monotonic()
        verdict = written(case, folder / "files", random.Random(case.seed), asked)
        record = Record(
            self._commit,
            case.seed,
            promoters=len(verdict.settlement.results),
            orders=len({row["order_sn"] for row in case.rows}),
            rows=sum(len(file.rows) for file in verdict.files),
            files=len(verdict.files),
            lines=len(verdict.settlement.lines),
            seconds={"oracle": round(time.monotonic() - began, 3)},
        )
        _timed(record, "duckdb", lambda: _held_against_the_third(case, verdict, folder))
        for kind, books in self._books.items():
            engine = books.emptied()
            _timed(record, kind, lambda engine=engine: agree(engine, case, verdict))  # type: ignore[misc]
        return record

    def close(self) -> None:
        """Leave nothing behind."""
        for books in self._books.values():
            books.emptied().dispose()
        shutil.rmtree(self._folder)


def _held_against_the_third(case: Case, verdict: Verdict, folder: Path) -> None:
    assert third.opinion(case, folder) == in_figures(verdict.settlement), "DuckDB says otherwise"


def _timed(record: Record, who: str, opinion: Callable[[], None]) -> None:
    """Note how long an opinion took, or in what it differs."""
    began = time.monotonic()
    try:
        opinion()
    except (
        Exception
    ) as difference:  # whatever it is, it is a month that does not agree, and the next is waiting
        record.failures.append(f"{who}: {type(difference).__name__}: {difference}"[:2000])
    else:
        record.seconds[who] = round(time.monotonic() - began, 3)


_soaks: list[Soak] = []


def _begin(commit: str) -> None:
    os.environ["PYTEST_XDIST_WORKER"] = f"soak{os.getpid()}"  # names of databases
    _soaks.append(Soak(commit))
    gc.freeze()  # what is imported stays, and need not be looked at again and again


def _judge(seed: int, orders: int | None) -> Record:
    return _soaks[0].judge(seed, orders)


def _end(_: int) -> None:
    time.sleep(0.2)  # so that every process gets one
    while _soaks:
        _soaks.pop().close()


def soak(
    seeds: list[int], orders: int | None, commit: str, processes: int, minutes: float
) -> Iterator[Record]:
    """Judge months; after so many minutes none is begun."""
    latest = time.monotonic() + minutes * 60
    with ProcessPoolExecutor(processes, initializer=_begin, initargs=(commit,)) as pool:
        waiting = [pool.submit(_judge, seed, orders) for seed in seeds]
        for done in as_completed(waiting):
            if not done.cancelled():
                yield done.result()
            if time.monotonic() > latest:
                for one in waiting:
                    one.cancel()
        list(pool.map(_end, range(processes)))


def said(records: list[Record], commit: str, *, months: int, orders: int) -> str:
    """The section of SOAK.md; of so many months, and one more with so many orders, it says what is missing."""
    small = [one for one in records if one.seed < LARGE_SEED]
    large = [one for one in records if one.seed >= LARGE_SEED]
    lines = [
        HEADING,
        "",
        f"`make soak`, commit {commit[:12]}, on {_machine()}; {time.strftime('%F', time.gmtime())}.",
        "",
        "A month is generated from its seed, thick with edges, and written in files of every kind; compared with the",
        "oracle are the counts of every import, results.csv and subsidy_lines.csv to the byte, and every promoter's",
        "progress; the books' own checks must find nothing. DuckDB, in SQL from the raw rows, is the third opinion.",
        "",
        "| months | seeds | promoters | orders | rows read | files | lines | SQLite | PostgreSQL | DuckDB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(group) for group in (small, large) if group),
        "",
        "Seconds, in all (and the longest month):",
        "",
        "| months | oracle | DuckDB | SQLite | PostgreSQL |",
        "|---|---|---|---|---|",
        *(_times(group) for group in (small, large) if group),
    ]
    if len(small) < months:
        lines += ["", f"{months - len(small):,} of the {months:,} months have not been run."]
    if not large and orders:
        lines += ["", f"The month of {orders:,} orders has not been run."]
    failures = [f"- seed {one.seed}: {failure}" for one in records for failure in one.failures]
    lines += ["", "Nothing differed." if not failures else "What differed:", *failures]
    return "\n".join(lines) + "\n"


def _row(group: list[Record]) -> str:
    def agreed(who: str) -> str:
        return f"{sum(who in one.seconds for one in group):,} of {len(group):,}"

    seeds = f"{min(one.seed for one in group)}-{max(one.seed for one in group)}"
    sums = [
        sum(getattr(one, name) for one in group) for name in ("promoters", "orders", "rows", "files", "lines")
    ]
    cells = [
        f"{len(group):,}",
        seeds if len(group) > 1 else str(group[0].seed),
        *(f"{number:,}" for number in sums),
    ]
    return f"| {' | '.join([*cells, agreed('sqlite'), agreed('postgresql'), agreed('duckdb')])} |"


def _times(group: list[Record]) -> str:
    cells = [f"{len(group):,}"]
    for who in ("oracle", "duckdb", "sqlite", "postgresql"):
        seconds = [one.seconds[who] for one in group if who in one.seconds]
        cells.append(f"{sum(seconds):,.0f} ({max(seconds, default=0):,.1f})")
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} shared cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def write_section(text: str) -> None:
    """Put the section into SOAK.md, in the place of the one before; other sections stay."""
    old = SAID.read_text(encoding="utf-8") if SAID.exists() else "# Soak\n"
    before, _, rest = old.partition(HEADING)
    _, mark, after = rest.partition("\n## ")
    SAID.write_text(f"{before.rstrip()}\n\n{text}{mark}{after}", encoding="utf-8")


def held(path: Path, commit: str) -> list[Record]:
    """The records of a commit."""
    if not path.exists():
        return []
    records = [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return [one for one in records if one.commit == commit]


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Run from the command line; 1 if anything differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=1000)
    parser.add_argument(
        "--orders", type=int, default=1_000_000, help="in one month more; 0 for no such month"
    )
    parser.add_argument("--minutes", type=float, default=1e6, help="after which no month is begun")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--records", type=Path, default=RECORDS)
    options = parser.parse_args()
    commit = _commit()
    options.records.parent.mkdir(parents=True, exist_ok=True)
    done = {one.seed for one in held(options.records, commit)}
    seeds = [seed for seed in range(FIRST_SEED, FIRST_SEED + options.months) if seed not in done]
    large = [] if LARGE_SEED in done or not options.orders else [LARGE_SEED]
    postgres.start_server()
    try:
        with options.records.open("a", encoding="utf-8") as file:
            for which, orders in ((seeds, None), (large, options.orders)):
                processes = min(options.processes, len(which)) or 1
                for record in soak(which, orders, commit, processes, options.minutes) if which else ():
                    print(json.dumps(asdict(record)), file=file, flush=True)
    finally:
        postgres.stop_server()
    records = held(options.records, commit)
    write_section(said(records, commit, months=options.months, orders=options.orders))
    print(SAID.read_text(encoding="utf-8"))
    return int(any(one.failures for one in records))


if __name__ == "__main__":
    sys.exit(main())
