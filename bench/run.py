"""One measured call in a separate process: ``python -m bench.run MODULE:FUNCTION ARGUMENTS SERVER_PID``.

Prints one line of JSON: what the call returned, and what it took.
"""

import importlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_CORES = os.cpu_count() or 1
_LOOK_S = 0.1
"""Between two looks at the memory of a call's processes."""


def measure(target: str, arguments: dict[str, Any], server: int | None) -> dict[str, Any]:
    """Call ``MODULE:FUNCTION`` with arguments in this process.

    server   the process number of a database server whose CPU time belongs to the call
    Returns  result; wall_s; cpu_s (ours, of the processes that we started, and the server's); own_cpu_s
             without the server's; peak_mb of this process; others_share, the part of the machine's CPU that others took
             meanwhile
    """
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    served, busy, own, start = _server_cpu(server), _busy(), _own_cpu(), perf_counter()
    result = function(**arguments)
    wall_s = perf_counter() - start
    own_cpu_s = _own_cpu() - own
    cpu_s = own_cpu_s + _server_cpu(server) - served
    others_s = max(_busy() - busy - cpu_s, 0.0)
    return {
        "result": result,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "own_cpu_s": own_cpu_s,
        "peak_mb": _peak_mb(),
        "others_share": others_s / (wall_s * _CORES),
    }


def measured(target: str, server: int | None = None, **arguments: Any) -> dict[str, Any]:
    """Make the call in a new process; ``peak_mb`` is then of that process and all that it started, together.

    Raises RuntimeError with the process's output if it fails.
    """
    command = [sys.executable, "-m", "bench.run", target, json.dumps(arguments), str(server or 0)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        memory = Memory(process.pid)
        stdout, stderr = process.communicate()
        together_mb = memory.peak_mb()
    if process.returncode:
        raise RuntimeError(f"{target} failed:\n{stdout}{stderr}")
    found: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    return found | {"peak_mb": max(found["peak_mb"], together_mb)}


class Memory:
    """Looks at the resident memory of a process and of all that it started, ten times a second.

    Pages that several of them share are counted for each, so that the sum is never too small.
    """

    def __init__(self, pid: int) -> None:
        self._root, self._peak, self._over = psutil.Process(pid), 0, Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            with suppress(psutil.Error):
                sizes = [self._root.memory_info().rss]
                for child in self._root.children(recursive=True):
                    with suppress(psutil.Error):
                        sizes.append(child.memory_info().rss)
                self._peak = max(self._peak, sum(sizes))

    def peak_mb(self) -> float:
        """The most that was seen, MiB; looks no more."""
        self._over.set()
        self._thread.join()
        return self._peak / 2**20


def _own_cpu() -> float:
    """CPU seconds of this process and of those that it started, whether they have ended or still run (Spark's do)."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            spent = child.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def _server_cpu(server: int | None) -> float:
    """CPU seconds of a server: of its running processes and, through their parent, of those that have ended."""
    if not server:
        return 0.0
    parent = psutil.Process(server)
    while True:
        serving = parent.children(recursive=True)
        times = parent.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        try:
            spent = [child.cpu_times() for child in serving]
        except psutil.NoSuchProcess:
            continue
        # One that went meanwhile would be counted by nobody: as every step's own does at its end.
        if parent.children(recursive=True) == serving:
            return total + sum(one.user + one.system for one in spent)


def _busy() -> float:
    """CPU seconds of the whole machine."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    user, nice, system, _idle, _wait, irq, soft, steal = fields
    return (user + nice + system + irq + soft + steal) / _TICK


def _peak_mb() -> float:
    # Not ru_maxrss: that begins with the size of the process which started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]) or None)))
