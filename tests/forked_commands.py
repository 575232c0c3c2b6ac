"""Commands of the console script, each in a process of its own, forked from one that has loaded the program.

Loading it takes most of a second, and the tests start many hundred commands. A forked one is a process like any other:
it has its own memory, environment, files and exit code, and can be killed.

    python -m tests.forked_commands SOCKET    listens there, and forks a process for each request
"""

import atexit
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import rmtree

_LENGTH = 4
"""Bytes of a request's length, which come before it."""


def run(
    arguments: Iterable[str | Path], env: dict[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what it was killed by is not known, so that its exit code is then -9.

    typed   what stands on its standard input
    """
    words = [*map(str, arguments)]
    with (
        socket.socket(socket.AF_UNIX) as connection,
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(typed.encode())
        given.seek(0)
        connection.connect(str(_server()))
        request = json.dumps({"words": words, "env": env, "folder": str(Path.cwd())}).encode()
        files = [file.fileno() for file in (given, out, err)]
        socket.send_fds(connection, [len(request).to_bytes(_LENGTH)], files)
        connection.sendall(request)
        code = connection.recv(_LENGTH)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(words, int.from_bytes(code) if code else -signal.SIGKILL, *texts)


@cache
def _server() -> Path:
    """The socket of this process's server, which is started with the first command."""
    folder = Path(tempfile.mkdtemp(prefix="bounty-commands-"))
    path = folder / "socket"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked_commands", str(path)],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def stop() -> None:
        server.kill()
        server.communicate()
        rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    assert server.stdout is not None
    assert server.stdout.readline() == b"listening\n", "the server of forked commands did not start"
    return path


def _listen(path: str) -> None:
    for module in pkgutil.iter_modules(import_module("bounty.cli").__path__, "bounty.cli."):
        import_module(module.name)
    # What commands load only when they need it.
    for name in ("alembic.command", "bounty.accounts.identity", "psycopg", "sqlalchemy.dialects.sqlite"):
        import_module(name)
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a process with threads must not be forked"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forked
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("listening", flush=True)
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:  # until the tests end
            connection, _ = listening.accept()
            if os.fork():
                connection.close()
            else:
                listening.close()
                _answer(connection)


def _answer(connection: socket.socket) -> None:
    """Run what a connection asks for, send back its exit code, and end this process."""
    length, files, _, _ = socket.recv_fds(connection, _LENGTH, 3)
    wanted, content = int.from_bytes(length), b""
    while len(content) < wanted:
        content += connection.recv(wanted - len(content))
    request = json.loads(content)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    sys.argv = ["bounty", *request["words"]]
    code = _run_main()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(code.to_bytes(_LENGTH))
    os._exit(code)


def _run_main() -> int:
    main = import_module("bounty.app").main
    try:
        main(prog_name="bounty")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except BaseException:  # as the interpreter does with what nobody caught
        traceback.print_exc()
    return 1


if __name__ == "__main__":
    _listen(sys.argv[1])
