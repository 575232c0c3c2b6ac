"""A fork server: a warm process that holds no connection, from which each flow gets a real process of its own.

    a test ──pipe──> this file as a script ──fork──> commands, as the console script runs them
                     (imports done once)             └─ killed, stopped, or told that its disk is full

One line of JSON a request, one a reply. Threads and connections are not for forking: the server has neither.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from bounty.app import main
from tests.faults.plants import PLANTS
from tests.faults.strikes import Fault, Watch

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "of-the-one-account"
"""Of the account that the books have, from a line of standard input."""
LONGEST_SECONDS = 120
"""After so long a process is taken to hang, and ends."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a process does: commands one after the other until one is refused, or a call."""

    commands: list[list[str]] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    call: str | None = None
    """``module:function``, called with ``given``, in place of commands."""
    given: list[Any] = field(default_factory=list)
    fault: Fault | None = None
    plant: str | None = None
    """One of ``plants.PLANTS``: a mistake made in this process alone."""
    watch_files_in: str | None = None
    """A folder in which writing is a point too."""
    gate: str | None = None
    """A file; the process waits, ready to go, until it is there."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; ``state`` is running or stopped for one that has not."""

    state: Literal["ended", "running", "stopped"]
    code: int = 0
    """Its exit code; the signal, below 0, that ended it."""
    said: str = ""
    met: list[str] = field(default_factory=list)
    """The points it came to; empty where it was killed."""


class Forks:
    """The fork server, from a test's side."""

    def __init__(self, folder: Path) -> None:
        """Start it.

        folder  where its processes leave what they say
        """
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks", folder],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the server and what it started."""
        self._server.communicate(timeout=LONGEST_SECONDS)

    def start(self, job: Job) -> int:
        """A new process; its number."""
        return int(self._ask(do="start", job=asdict(job)))

    def wait(self, process: int, seconds: float = LONGEST_SECONDS + 10) -> Ended:
        """How a process ended, or how it stands after so many seconds; at once if it is stopped."""
        return Ended(**self._ask(do="wait", process=process, seconds=seconds))

    def resume(self, process: int) -> None:
        """Let a stopped process go on."""
        self._ask(do="resume", process=process)

    def run(self, job: Job) -> Ended:
        """A new process, and its end."""
        return self.wait(self.start(job))

    def _ask(self, **request: Any) -> Any:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        reply = self._server.stdout.readline()
        if not reply:
            raise RuntimeError("the fork server is gone")
        return json.loads(reply)


def serve(folder: Path) -> None:
    """Answer requests until the other side is gone; then end what still runs."""
    living: set[int] = set()
    ended: dict[int, dict[str, Any]] = {}

    def start(job: dict[str, Any]) -> int:
        process = os.fork()
        if process == 0:
            _be_a_child(job, folder / str(os.getpid()))
        living.add(process)
        return process

    def wait(process: int, seconds: float) -> dict[str, Any]:
        latest = time.monotonic() + seconds
        while process not in ended:
            found, status = os.waitpid(process, os.WNOHANG | os.WUNTRACED)
            if found and os.WIFSTOPPED(status):
                return {"state": "stopped"}
            if found:
                living.discard(process)
                ended[process] = _left(folder / str(process)) | {"code": os.waitstatus_to_exitcode(status)}
            elif time.monotonic() >= latest:
                return {"state": "running"}
            else:
                time.sleep(0.001)
        return ended[process]

    def resume(process: int) -> None:
        os.kill(process, signal.SIGCONT)

    answers: dict[str, Callable[..., Any]] = {"start": start, "wait": wait, "resume": resume}
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(answers[request.pop("do")](**request)), flush=True)
    for process in living:
        os.kill(process, signal.SIGKILL)


def _left(notes: Path) -> dict[str, Any]:
    """What a process said and noted before its end."""
    said, met = notes.with_suffix(".said"), notes.with_suffix(".met")
    left = {
        "state": "ended",
        # Who was killed at once has not come to say anything.
        "said": said.read_text(errors="replace") if said.exists() else "",
        "met": json.loads(met.read_text()) if met.exists() else [],
    }
    said.unlink(missing_ok=True)
    met.unlink(missing_ok=True)
    return left


def _be_a_child(job: dict[str, Any], notes: Path) -> None:
    """Do the job and end, whatever happens; never back into the server."""
    code = 70
    try:
        signal.alarm(LONGEST_SECONDS)
        nothing = os.open(os.devnull, os.O_RDONLY)
        said = os.open(notes.with_suffix(".said"), os.O_WRONLY | os.O_CREAT)
        for ours, theirs in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(ours, theirs)
        sys.stdin = StringIO(f"{PASSWORD}\n")  # for a command that logs in
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        try:
            code = _do(job, notes.with_suffix(".met"))
        except BaseException:  # as an interpreter does, whose last words are a traceback, and exit 1
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
    finally:
        os._exit(code)


def _do(job: dict[str, Any], met: Path) -> int:
    os.environ.update(job["environ"])
    fault = Fault(**job["fault"]) if job["fault"] else None
    watch = Watch(fault)
    watch.install(job["watch_files_in"])
    if job["plant"]:
        PLANTS[job["plant"]]()
    while job["gate"] and not Path(job["gate"]).exists():
        time.sleep(0.0005)
    if job["call"]:
        module, _, name = job["call"].partition(":")
        getattr(import_module(module), name)(*job["given"])
        return 0
    code = 0
    for arguments in job["commands"]:
        try:
            main.main(args=arguments, prog_name="bounty")
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        if code:
            break
    if fault is None:
        met.write_text(json.dumps(watch.met))
    return code


if __name__ == "__main__":
    gc.collect()
    gc.freeze()  # or each child's collector would touch, and so copy, everything that was imported
    serve(Path(sys.argv[1]))
