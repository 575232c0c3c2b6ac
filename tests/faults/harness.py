"""The harness of faults: every point of a flow is struck, the flow run again, and the books compared.

A flow is a few commands on books in a known state. A run without a strike finds its points. Then, for each point and
each strike that may happen there, on a copy of those books:

    command, struck ──> killed: whatever it is           ──> the command again ──> the same books and files,
                        refused: in one sentence, exit 1                           to the byte, as without a strike
                        done: all of it, exit 0
    and between the two the books are as before the command or as after it, never in between.

That is some ten thousand processes. So, unless ``thorough``, a statement is struck where it occurs first and last in
its flow, killed, and by one kind of error, in turns; each begin and end of a transaction by all of them.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from json import loads
from pathlib import Path
from tempfile import mkdtemp

from tests.faults.books import (
    APPROVER,
    State,
    copied,
    differences,
    empty_books,
    newest_tranche,
    removed,
    state_of,
)
from tests.faults.forks import Ended, Forks, Job
from tests.faults.strikes import STRAYED, Fault, begins_to_write, is_turning_point, strikes_at
from tests.faults.world import FORMULA, KNOWN, NOW, PERIOD, World

Files = dict[str, bytes]
Command = tuple[str, ...]
OUT = "{out}"
"""In a command: the folder of the run at hand."""
SHA256 = "{sha256}"
"""In a command: the hash of the newest tranche's content."""
KILLED = -9


@dataclass(frozen=True, slots=True)
class Flow:
    """A few commands on books in a known state."""

    name: str
    before: tuple[Command, ...]
    """What was done to empty books, undisturbed."""
    commands: tuple[Command, ...]
    when_done: str | None = None
    """What the commands say, refusing, where they were done already; null if they just do nothing."""


def flows_of(world: World) -> dict[str, Flow]:
    """The flows of a month, by name."""
    orders = ("import", "orders")
    tables: tuple[Command, ...] = (
        ("import", "promoters", world.path("promoters.csv")),
        ("import", "violations", world.path("violations.csv")),
        ("import", "links", world.path("links.csv")),
        ("import", "targets", world.path("targets.csv")),
    )
    files: tuple[Command, ...] = (
        (*orders, world.path("first.jsonl")),
        (*orders, world.path("second.json")),
        ("import", "promoters", world.path("newcomers.csv")),
    )
    opening: tuple[Command, ...] = (("terms", "add", world.path("terms.toml")), ("open", PERIOD))
    publish = ("publish", PERIOD)
    # Rows of the month wait in quarantine, which is answered for anew with each draft.
    waive = ("waive", PERIOD, "QUARANTINE", "--reason", "they stay out")
    settle = ("settle", PERIOD)
    late: tuple[Command, ...] = ((*orders, world.path("late.json")), settle, waive)
    export = ("export", PERIOD, "--out", OUT)
    first_export = ("export", PERIOD, "--notice", "1", "--out", OUT)
    imported = (*tables, *files)
    complete = ("confirm-data", PERIOD, "--through", "2023-01-11T00:00:00+08:00", "--reason", "all is in")
    settled = (*imported, *opening, complete, settle, waive)
    payable: tuple[Command, ...] = (
        *settled,
        publish,
        (*orders, world.path("settled.json")),
        ("payees", "import", world.path("payees.csv")),
    )
    prepare, approve = ("payout", "prepare"), ("payout", "approve", "1", "--sha256", SHA256, "--as", APPROVER)
    pay = ("payout", "export", "1", "--out", OUT)
    exported = (*payable, prepare, pay)
    marks = ("payout", "mark", f"P1-{KNOWN}", f"P1-{FORMULA}", "paid", "--reason", "回单")
    second_batch = str(len(tables) + 2)
    flows = (
        Flow("import tables", (), tables),
        Flow("import orders", tables, files),
        Flow("undo", imported, (("import", "undo", second_batch),), when_done="is undone already"),
        Flow("open", imported, opening),
        Flow("settle", (*imported, *opening), (settle,)),
        Flow("publish", settled, (publish,)),
        Flow("publish changes", (*settled, publish, *late), (publish,)),
        Flow("export", (*settled, publish), (export,)),
        Flow("export over another", (*settled, publish, *late, publish, first_export), (export,)),
        Flow("payout prepare", payable, (prepare,)),
        Flow("payout approve", (*payable, prepare), (approve,)),
        Flow("payout export", (*payable, prepare), (pay,)),
        Flow("payout receipt", exported, (("payout", "receipt", world.path("receipt.csv")),)),
        Flow("payout mark", exported, (marks,)),
    )
    return {flow.name: flow for flow in flows}


@dataclass(frozen=True, slots=True)
class Failure:
    """A strike that was not survived."""

    fault: Fault
    command: str
    why: str

    def __str__(self) -> str:
        return f"{self.fault.how} at point {self.fault.at} of `bounty {self.command}`: {self.fault.what}\n{self.why}"


@dataclass(slots=True)
class Report:
    """What came of the strikes at a flow."""

    flow: str
    kind: str
    struck: Counter[str] = field(default_factory=Counter)
    """Strike -> how many happened."""
    idle: int = 0
    """Strikes without an effect: a full disk on which nothing had to grow."""
    failures: list[Failure] = field(default_factory=list)

    def __str__(self) -> str:
        total = self.struck.total()
        hows = ", ".join(f"{how} {number}" for how, number in self.struck.items())
        said = f"faults survived: {total - len(self.failures)} of {total} ({self.flow}, {self.kind}: {hows})"
        return "\n".join([said, *map(str, self.failures)])


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a flow stands between two commands."""

    url: str
    files: Path
    state: State
    content: Files


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a flow, undisturbed."""

    command: Command
    before: Stop
    after: Stop
    points: list[str]
    """Where it can be struck, in the order in which it comes there."""


@dataclass(frozen=True, slots=True)
class Course:
    """A flow as it goes undisturbed, and what is to be different in the processes that are struck."""

    flow: Flow
    steps: list[Step]
    plant: str | None
    """A mistake, made on purpose."""
    report: Report

    def failed(self, step: Step, fault: Fault, why: list[str]) -> None:
        """Note what a strike came to; nothing is wrong without a why."""
        self.report.struck[fault.how] += 1
        if why:
            self.report.failures.append(Failure(fault, " ".join(step.command[:2]), "\n".join(why)))


class Lab:
    """Books of one kind, strikes at flows, and the verdicts."""

    def __init__(self, forks: Forks, kind: str, folder: Path) -> None:
        self._forks, self._kind, self._folder = forks, kind, folder

    def survive(
        self,
        flow: Flow,
        *,
        thorough: bool = False,
        only: Callable[[str, str], bool] | None = None,
        plant: str | None = None,
    ) -> Report:
        """Strike at a flow's points.

        thorough  every strike at every point, and the whole flow again after it
        only      these strikes, by the point and how, wherever they may happen
        plant     a mistake in the struck processes, made on purpose
        """
        with self._course(flow, plant) as course:
            for step, fault in chosen(course.steps, self._kind, everywhere=thorough or only is not None):
                if only is None or only(fault.what, fault.how):
                    self._strike(course, step, fault, whole=thorough)
        return course.report

    def overtaken(self, flow: Flow, *, plant: str | None = None, patience: float = 0.3) -> Report:
        """Stop a process as its transaction begins, first writes and ends, and let another do the same meanwhile.

        The other waits for the lock, or does it all, before the first one goes on: both are done, and it is done once.

        patience  seconds that the other gets
        """
        with self._course(flow, plant) as course:
            for step in course.steps:
                for place in turns_of(step.points):
                    self._overtake(course, step, Fault(place, step.points[place], "stop"), patience)
        return course.report

    @contextmanager
    def _course(self, flow: Flow, plant: str | None) -> Iterator[Course]:
        url, files = empty_books(self._kind, self._folder), self._copy_of(None)
        self._done(self._job(flow.before, url, files))
        stops, steps = [Stop(url, files, state_of(url), _files_in(files))], []
        for command in flow.commands:
            before = stops[-1]
            url, files = copied(before.url, self._folder), self._copy_of(before.files)
            self._done(self._job([command], url, files))
            stops.append(Stop(url, files, state_of(url), _files_in(files)))
            steps.append(Step(command, before, stops[-1], self._points(command, before, stops[-1], plant)))
        yield Course(flow, steps, plant, Report(flow.name, self._kind))
        for stop in stops:
            removed(stop.url)

    def _points(self, command: Command, before: Stop, after: Stop, plant: str | None) -> list[str]:
        url, out = copied(before.url, self._folder), self._copy_of(before.files)
        met = self._done(replace(self._job([command], url, out), plant=plant)).met
        assert not differences(state_of(url), after.state), "it goes wrong without a strike"
        removed(url)
        return met

    def _strike(self, course: Course, step: Step, fault: Fault, *, whole: bool) -> None:
        url, out = copied(step.before.url, self._folder), self._copy_of(step.before.files)
        job = self._job([step.command], url, out)
        ended = self._forks.run(replace(job, fault=fault, plant=course.plant))
        why = [
            *_faults_of_ending(ended, fault, step, state_of(url)),
            *_faults_of_files(_files_in(out), step),
        ]
        if fault.how == "no page left" and ended.code == 0 and not why:
            course.report.idle += 1
        else:
            after = step.after
            if whole:
                job, after = self._job(course.flow.commands, url, out), course.steps[-1].after
            again = self._forks.run(job)
            why += _faults_of_repetition(again, course.flow, after, state_of(url), _files_in(out))
            course.failed(step, fault, why)
        removed(url)
        shutil.rmtree(out)

    def _overtake(self, course: Course, step: Step, fault: Fault, patience: float) -> None:
        url, out = copied(step.before.url, self._folder), self._copy_of(step.before.files)
        job = replace(self._job([step.command], url, out), plant=course.plant)
        first = self._forks.start(replace(job, fault=fault))
        assert self._forks.wait(first).state == "stopped"
        second = self._forks.start(job)
        self._forks.wait(second, patience)
        self._forks.resume(first)
        why = [
            f"one of the two ended with {ended.code}: {ended.said[-2000:]}"
            for ended in map(self._forks.wait, (first, second))
            if ended.code != 0
        ]
        if difference := differences(state_of(url), step.after.state):
            why.append(f"the two left other books than one:\n{difference}")
        course.failed(step, fault, why)
        removed(url)

    def _job(self, commands: Iterable[Command], url: str, out: Path) -> Job:
        given = {OUT: lambda: str(out), SHA256: lambda: newest_tranche(url)}
        written = [[given[word]() if word in given else word for word in command] for command in commands]
        environ = {"BOUNTY_DATABASE_URL": url, "BOUNTY_NOW": NOW}
        return Job(written, environ, watch_files_in=str(out))

    def _done(self, job: Job) -> Ended:
        ended = self._forks.run(job)
        assert ended.code == 0, ended.said
        return ended

    def _copy_of(self, files: Path | None) -> Path:
        folder = Path(mkdtemp(dir=self._folder))
        return folder if files is None else shutil.copytree(files, folder, dirs_exist_ok=True)


def chosen(steps: list[Step], kind: str, *, everywhere: bool) -> Iterator[tuple[Step, Fault]]:
    """The strikes at the points of a flow."""
    points = [(step, place, what) for step in steps for place, what in enumerate(step.points)]
    last = {what: number for number, (_, _, what) in enumerate(points)}
    first = {what: number for number, (_, _, what) in reversed(list(enumerate(points)))}
    turn = 0
    for number, (step, place, what) in enumerate(points):
        kill, *errors = strikes_at(what, kind)
        if everywhere or is_turning_point(what):
            hows = [kill, *errors]
        elif number in (first[what], last[what]):
            hows = [kill, errors[turn % len(errors)]] if errors else [kill]
            turn += 1
        else:
            hows = []
        for how in hows:
            yield step, Fault(place, what, how)


def turns_of(points: list[str]) -> tuple[int, int, int, int]:
    """The places where a command asks to be the one that writes, then reads, first writes, and commits."""
    begin = next(place for place, what in enumerate(points) if begins_to_write(what))
    commit = points.index("COMMIT", begin)
    write = next(place for place in range(begin + 1, commit) if not points[place].startswith("SELECT"))
    return begin, begin + 1, write, commit


def _files_in(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _faults_of_ending(ended: Ended, fault: Fault, step: Step, found: State) -> Iterator[str]:
    """What is wrong with how a struck process ended and the books that it left."""
    if ended.code == STRAYED:
        yield "the run before it met another statement here"
    elif fault.how == "kill":
        if ended.code != KILLED:
            yield f"it was not killed but ended with {ended.code}: {ended.said[-2000:]}"
    elif ended.code == 0:
        if difference := differences(found, step.after.state):
            yield f"it says that all is done, and it is not:\n{difference}"
    elif ended.code != 1 or "Traceback" in ended.said or "Error: " not in ended.said:
        yield f"no refusal in one sentence, but exit {ended.code}: {ended.said[-2000:]}"
    if found not in (step.before.state, step.after.state):
        yield f"half of the command is there:\n{differences(found, step.before.state)}"


def _faults_of_files(files: Files, step: Step) -> Iterator[str]:
    """What is wrong with the files that a struck process left: each is whole, and so is what a manifest describes."""
    for name, content in files.items():
        whole = (step.before.content.get(name), step.after.content.get(name))
        if not name.startswith(".") and content not in whole:
            yield f"half of {name} is there"
    if "manifest.json" in files:
        for file in loads(files["manifest.json"])["files"]:
            if sha256(files.get(file["name"], b"")).hexdigest() != file["sha256"]:
                yield f"manifest.json stands beside another {file['name']} than it describes"


def _faults_of_repetition(ended: Ended, flow: Flow, after: Stop, found: State, files: Files) -> Iterator[str]:
    """What is wrong once the commands were run again, undisturbed."""
    done_already = flow.when_done is not None and flow.when_done in ended.said
    if ended.code != 0 and not done_already:
        yield f"running again ended with {ended.code}: {ended.said[-2000:]}"
    if difference := differences(found, after.state):
        yield f"running again left other books:\n{difference}"
    if files != after.content:
        yield f"running again left other files: {sorted(files)}"
