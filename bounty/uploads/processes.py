"""A process of its own for what takes minutes, and its progress in a small file beside the upload.

The database can't tell: the import holds its one write lock. The process holds a lock on the file for as long as it
lives, so that whoever looks knows whether it still does, after a restart of either too.
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
"""Bytes of the file: one write replaces all of it, so that nobody reads half of one."""


@dataclass(frozen=True, slots=True)
class ImportProcess:
    """How far a process has come."""

    stage: str
    """try or import."""
    rows: int = 0
    """Read so far."""
    expected: int | None = None
    """Rows there probably are; null where that can't be told beforehand."""
    alive: bool = True
    said: str = ""
    """Why it gave up, where it could still say so: BUSY for books that another writer kept too long."""

    @property
    def percent(self) -> int | None:
        """Of the rows, whole; 99 at most, since it is done only once the process is."""
        return min(99, self.rows * 100 // self.expected) if self.expected else None


def launch(
    path: Path, run: ImportProcess, command: Callable[[int], Sequence[str]], environment: Mapping[str, str]
) -> bool:
    """Start a process; False if the one before it still runs.

    path     the file of its progress
    command  what to start, given the number of the open file that holds the lock
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(descriptor):
            return False
        _write(descriptor, run)
        # A session of its own: it survives the end of the web process. The lock goes with the open file it inherits.
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
    threading.Thread(target=child.wait, daemon=True).start()  # so that it leaves no zombie
    return True


def run_of(path: Path) -> ImportProcess | None:
    """How far the process has come, or had when it ended; null where there never was one."""
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


class Report:
    """The process's own side: it says how far it has come."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # what it starts itself must not keep the lock
        self._descriptor = descriptor
        self._run = ImportProcess(**json.loads(os.pread(descriptor, _WIDTH, 0)))

    def told(self, rows: int) -> None:
        """So many rows were read."""
        self._run = replace(self._run, rows=rows)
        _write(self._descriptor, self._run)

    def gave_up(self, said: str) -> None:
        """It ends without having done what it was to do."""
        self._run = replace(self._run, said=said)
        _write(self._descriptor, self._run)


def _locked(descriptor: int) -> bool:
    for _ in range(5):  # who only looks holds the lock for an instant
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def _write(descriptor: int, run: ImportProcess) -> None:
    os.pwrite(descriptor, json.dumps(asdict(run)).encode().ljust(_WIDTH), 0)
