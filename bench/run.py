"""One measured call in a separate process: ``python -m bench.run MODULE:FUNCTION ARGUMENTS SERVER_PID``.

Prints one line of JSON: what the call returned, and what it took.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_CORES = os.cpu_count() or 1


def measure(target: str, arguments: dict[str, Any], server: int | None) -> dict[str, Any]:
    """Call ``MODULE:FUNCTION`` with arguments in this process.

    server   the process number of a database server whose CPU time belongs to the call
    Returns  result; wall_s; cpu_s (ours and the server's); own_cpu_s; peak_mb of this process; others_share, the part
             of the machine's CPU that others took meanwhile
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
    """Make the call in a new process. Raises RuntimeError with the process's output if it fails."""
    command = [sys.executable, "-m", "bench.run", target, json.dumps(arguments), str(server or 0)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{target} failed:\n{done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


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
