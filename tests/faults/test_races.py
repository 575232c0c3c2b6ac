"""Eight processes at once, on overlapping files of one month: one outcome, and a ninth never sees half of it."""

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests import oracle
from tests.agreement import months
from tests.agreement.months import Case
from tests.conftest import DATABASES
from tests.faults.books import State, copied, differences, empty_books, state_of
from tests.faults.forks import Ended, Forks, Job
from tests.faults.harness import Command
from tests.faults.strikes import Fault

pytestmark = pytest.mark.soak  # real processes by the hundred: minutes, and for a quiet machine

PROCESSES = 8
BAD_LINES = '{"order_sn": "221201-1", "order_status": 99}\n{"order_sn": NaN}\n'
FACTS = {"orders", "order_versions", "category_sets", "quarantine", "roster", "periods", "terms", "promoters"}
"""What is the same whoever came first, however often a month was settled meanwhile."""

Say = Callable[[object], None]


class Month:
    """The commands of one month on one copy of its books, by one process or by many at once."""

    numbers = count(1)

    def __init__(self, forks: Forks, case: Case, url: str, folder: Path) -> None:
        self.url, self._forks, self._case = url, forks, case
        self._folder = folder / f"month-{next(self.numbers)}"
        self._folder.mkdir()
        self.settle: Command = ("settle", case.period)
        self.publish: Command = ("publish", case.period)
        self.answer: tuple[Command, ...] = (
            (
                "confirm-data",
                case.period,
                "--through",
                oracle.instant_text(case.now),
                "--reason",
                "all is in",
            ),
            ("waive", case.period, "QUARANTINE", "--reason", "the bad rows stay out"),
        )
        """For what the checklist of a draft asks."""

    def alone(self, *commands: Command) -> Ended:
        """Commands one after the other."""
        return self._all_done([self._forks.start(self._job(commands))])[0]

    def at_once(self, *each: tuple[Command, ...], overtaken: bool = False) -> list[Ended]:
        """As many processes as there are lists of commands; they go when all are ready.

        overtaken   whether a publication may be refused, as another draft came before it, whose checklist is open
        """
        gate = self._folder / f"gate-{next(self.numbers)}"
        jobs = [replace(self._job(commands), gate=str(gate)) for commands in each]
        processes = [self._forks.start(job) for job in jobs]
        gate.touch()
        return self._all_done(processes, overtaken=overtaken)

    @contextmanager
    def with_a_reader(self, say: Say) -> Iterator[None]:
        """Another process reads all the while."""
        enough = self._folder / "enough"
        given = [self.url, self._case.period, str(self._folder / "read"), str(enough)]
        reader = replace(self._job(()), call="tests.faults.reader:read_until", given=given)
        process = self._forks.start(reader)
        try:
            yield
        finally:
            enough.touch()
            ended = self._forks.wait(process)
        assert ended.code == 0, ended.said
        say(f"torn readings: 0 of {ended.said.strip()}")

    @contextmanager
    def standing_still(self, command: Command, fault: Fault, plant: str) -> Iterator[None]:
        """Another process stands still in the middle of a command that has a mistake."""
        process = self._forks.start(replace(self._job((command,)), fault=fault, plant=plant))
        assert self._forks.wait(process).state == "stopped"
        try:
            yield
        finally:
            self._forks.resume(process)
            self._forks.wait(process)

    def exported(self) -> tuple[bytes, bytes]:
        """The two files of the newest notice."""
        out = self._folder / "out"
        self.alone(("export", self._case.period, "--out", str(out)))
        return (out / "results.csv").read_bytes(), (out / "subsidy_lines.csv").read_bytes()

    def _job(self, commands: tuple[Command, ...]) -> Job:
        now = oracle.instant_text(self._case.now)
        environ = {"BOUNTY_DATABASE_URL": self.url, "BOUNTY_NOW": now}
        return Job([list(command) for command in commands], environ)

    def _all_done(self, processes: list[int], *, overtaken: bool = False) -> list[Ended]:
        ended = [self._forks.wait(process) for process in processes]
        failed = [one.said for one in ended if one.code and not (overtaken and "Not yet: " in one.said)]
        assert failed == []
        return ended


def contents_said(ended: list[Ended]) -> set[str]:
    """The content hashes that processes named last."""
    return {re.findall(r"content sha256:(\w+)", one.said)[-1] for one in ended}


def facts(state: State) -> State:
    """The tables that do not depend on who came first."""
    return {table: rows for table, rows in state.items() if table in FACTS}


@pytest.fixture(scope="module")
def case() -> Case:
    """A month in which some pass and some do not."""
    return months.generate(5, promoters=12)


@pytest.fixture
def parts(case: Case, tmp_path: Path) -> list[Command]:
    """Imports of eight files: shuffled parts that overlap, each with the same bad rows."""
    rng = random.Random(8)
    lines = [json.dumps(row) + "\n" for row in case.rows]
    own = [rng.randrange(PROCESSES) for _ in lines]
    imports: list[Command] = []
    for part in range(PROCESSES):
        chosen = [line for line, owner in zip(lines, own, strict=True) if owner == part or rng.random() < 0.2]
        rng.shuffle(chosen)
        path = tmp_path / f"part-{part}.jsonl"
        path.write_text("".join(chosen) + BAD_LINES)
        imports.append(("import", "orders", str(path)))
    return imports


@pytest.fixture(params=DATABASES)
def month(request: pytest.FixtureRequest, forks: Forks, case: Case, tmp_path: Path) -> Callable[[], Month]:
    """Makes books on which the period is open and no order is in."""
    files = tmp_path / "files"
    months.write(case, files, random.Random(5))
    url = empty_books(request.param, tmp_path)
    tables = ("promoters", "violations", "links", "targets")
    Month(forks, case, url, tmp_path).alone(
        *(("import", kind, str(files / f"{kind}.csv")) for kind in tables),
        ("terms", "add", str(files / "terms.toml")),
        ("open", case.period),
    )
    return lambda: Month(forks, case, copied(url, tmp_path), tmp_path)


def test_eight_import_then_settle_then_publish_at_once(
    month: Callable[[], Month], parts: list[Command], say: Say
) -> None:
    serial = month()
    said = serial.alone(*parts, serial.settle, *serial.answer, serial.publish)
    expected = state_of(serial.url, origins=False)

    raced = month()
    with raced.with_a_reader(say):
        raced.at_once(*((part,) for part in parts))
        settled = raced.at_once(*[(raced.settle,)] * PROCESSES)
        raced.alone(*raced.answer)
        published = raced.at_once(*[(raced.publish,)] * PROCESSES)
    assert contents_said(settled) == contents_said(published) == contents_said([said])
    assert sum(" made\n" in one.said for one in settled) == 1
    assert sum(" published " in one.said for one in published) == 1
    assert differences(state_of(raced.url, origins=False), expected) == ""
    assert raced.exported() == serial.exported()
    assert all(file.count(b"\r\n") > 5 for file in raced.exported())
    raced.alone(("check",))
    say(f"outcomes: 1 of {PROCESSES} processes")


def test_eight_import_settle_and_publish_all_at_once(
    month: Callable[[], Month], parts: list[Command], say: Say
) -> None:
    """What is published on the way depends on who came first; what the last one says does not."""
    serial = month()
    said = serial.alone(*parts, serial.settle, *serial.answer, serial.publish)
    expected = facts(state_of(serial.url, origins=False))

    raced = month()
    with raced.with_a_reader(say):
        raced.at_once(*((part, raced.settle, *raced.answer, raced.publish) for part in parts), overtaken=True)
    at_last = raced.alone(raced.settle, *raced.answer, raced.publish)
    assert " stands already" in at_last.said  # the last of the eight has seen it all
    assert contents_said([at_last]) == contents_said([said])
    assert differences(facts(state_of(raced.url, origins=False)), expected) == ""
    assert raced.exported() == serial.exported()
    raced.alone(("check",))


def test_the_reader_finds_half_of_a_file(month: Callable[[], Month], parts: list[Command], say: Say) -> None:
    """A process that has committed too early stands still, and another reads."""
    met = month().alone(parts[0]).met
    place = next(place for place, what in enumerate(met) if what.startswith("UPDATE batches "))
    torn = month()
    with (
        torn.standing_still(parts[0], Fault(place, met[place], "stop"), "commit in the middle"),
        pytest.raises(AssertionError, match="look_at_orders"),
        torn.with_a_reader(say),
    ):
        pass
