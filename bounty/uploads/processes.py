"""Background processes for imports that take minutes, and a small progress file for each.

The progress is not in the database, because the import holds the only write lock. The process holds a lock on the
progress file while it runs, so a reader can see whether it is alive, also after a restart of the web process.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_WIDTH = 400
"""Size of the progress file, bytes. One write replaces the whole file, so a reader never sees a part of an update."""


@dataclass(frozen=True, slots=True)
class ImportProcess:
    """The progress of a background process. The field names are also the keys of the progress file."""

    stage: str
    """``try`` (dry run), ``import``, or ``figures``, whose rows are figures."""
    rows: int = 0
    """Number of rows read so far."""
    expected: int | None = None
    """Estimated number of rows; None if it cannot be estimated."""
    alive: bool = True
    """Whether the process is running."""
    said: str = ""
    """Why the process stopped early: ``BUSY`` if another writer held the database too long, ``UNFINISHED`` if
    another large file is not in whole or another process imports this one; blank otherwise."""

    @property
    def percent(self) -> int | None:
        """Percentage of rows read, at most 99 because the process still has to commit; None if unknown."""
        return min(99, self.rows * 100 // self.expected) if self.expected else None


def launch(
    path: Path, run: ImportProcess, command: Callable[[int], Sequence[str]], environment: Mapping[str, str]
) -> bool:
    """Start a background process; returns False if the previous one is still running.

    path     the progress file
    command  builds the command line from the number of the open file descriptor that holds the lock
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(descriptor):
            return False
        _write(descriptor, run)
        # A new session, so the child survives the end of the web process. It inherits the descriptor and the lock.
        child = subprocess.Popen(  # noqa: S603 - our own console script
            command(descriptor),
            env=dict(environment),
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    threading.Thread(target=child.wait, daemon=True).start()  # reap the child when it ends
    return True


def run_of(path: Path) -> ImportProcess | None:
    """The progress of the current or last process of a progress file; None if there was none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        text = os.pread(descriptor, _WIDTH, 0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            alive = False
        except BlockingIOError:
            alive = True
    finally:
        os.close(descriptor)
    return replace(ImportProcess(**json.loads(text)), alive=alive) if text.strip() else None


class ProgressReport:
    """Writes the progress file from within the background process."""

    def __init__(self, descriptor: int) -> None:
        """
        descriptor   the inherited file descriptor of the progress file, which holds the lock
        """
        os.set_inheritable(descriptor, False)  # child processes of this one must not keep the lock
        self._descriptor = descriptor
        self._run = ImportProcess(**json.loads(os.pread(descriptor, _WIDTH, 0)))

    def on_progress(self, rows: int, expected: int | None = None) -> None:
        """Record the number of rows read so far, and of how many where that was not known before."""
        self._run = replace(self._run, rows=rows, expected=expected or self._run.expected)
        _write(self._descriptor, self._run)

    def stopped(self, reason: str) -> None:
        """Record why the process ends before its work is done."""
        self._run = replace(self._run, said=reason)
        _write(self._descriptor, self._run)


def _locked(descriptor: int) -> bool:
    """Try to lock a progress file exclusively; returns whether it worked."""
    for _ in range(5):  # a reader holds the lock only for a moment
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def _write(descriptor: int, run: ImportProcess) -> None:
    os.pwrite(descriptor, json.dumps(asdict(run)).encode().ljust(_WIDTH), 0)
