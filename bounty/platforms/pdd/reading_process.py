"""The process that reads a large file of orders, so that reading and writing have a processor each:
``reading_process.py FILE``, with the header mapping as JSON on standard input.

It writes pickles to standard output: lists of rows, an order's as a bare tuple, and at the end an ``_End``.
"""

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Final

from bounty.errors import BountyError, RefusedFile
from bounty.files.header_mapping import HeaderMapping
from bounty.files.problems import BadRow
from bounty.platforms.pdd.order_files import OrderFile, open_orders
from bounty.platforms.pdd.order_row import OrderRow

LARGE_BYTES: Final = 16 << 20
"""Size from which a file is read by a process of its own: some 70,000 rows, which take longer than starting it."""
_ROWS_AT_A_TIME: Final = 1_000

_Refusal = tuple[str, str, str]
"""Code and texts of a RefusedFile."""
_End = tuple[set[int], list[tuple[str, str]], _Refusal | str | None]
"""What is known of a file once its rows were read: its entries, its notes, and why reading ended early; a text is of
the operating system."""


def rows_from_child(path: Path, mapping: HeaderMapping, file: OrderFile) -> Iterator[OrderRow | BadRow]:
    """The rows of a file, read by a process of their own; the entries and notes of ``file`` are filled in at the end.

    path, mapping   as ``open_orders`` had them for the file

    Raises RefusedFile as the file's own rows do, and BountyError if the file can't be read or the process is killed.
    """
    # -I: only what is installed can be imported there, nothing from the folder or the environment.
    command = [sys.executable, "-I", __file__, str(path.absolute())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:  # noqa: S603
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError), child.stdin as given:
                given.write(json.dumps(dict(mapping)).encode())
            entries, notes, refusal = yield from _until_end(child.stdout)
        finally:
            child.kill()
    file.entries.update(entries)
    file.notes.extend(notes)
    if isinstance(refusal, str):
        raise BountyError(f"can't be read: {refusal}.")
    if refusal is not None:
        raise RefusedFile(*refusal)


def _until_end(stream: IO[bytes]) -> Generator[OrderRow | BadRow, None, _End]:
    while True:
        try:
            part: list[tuple[object, ...] | BadRow] | _End = pickle.load(stream)  # noqa: S301 - the child's
        except (EOFError, pickle.UnpicklingError) as error:
            raise BountyError(
                "The process that read the file was ended, so the rest was not imported: import the file again.",
                "读取文件的进程被终止，其余部分没有导入：请重新导入这份文件。",
            ) from error
        if isinstance(part, tuple):
            return part
        for row in part:
            yield row if isinstance(row, BadRow) else OrderRow._make(row)


def main(path: str) -> None:
    """Write the rows of a file to standard output."""
    file = open_orders(Path(path), json.load(sys.stdin))
    stream, rows = sys.stdout.buffer, file.rows()
    refusal: _Refusal | str | None = None
    try:
        while some := _some_of(rows):
            pickle.dump(some, stream, protocol=5)
    except RefusedFile as error:
        refusal = (error.code, error.zh.removeprefix(f"{error.code} "), error.en)
    except BrokenPipeError:
        os._exit(1)  # whoever wanted the rows is gone; nothing is left to say, nor to flush
    except OSError as error:
        refusal = error.strerror or str(error)
    end: _End = (file.entries, file.notes, refusal)
    pickle.dump(end, stream, protocol=5)
    stream.flush()


def _some_of(rows: Iterator[OrderRow | BadRow]) -> list[tuple[object, ...] | BadRow]:
    return [row if isinstance(row, BadRow) else tuple(row) for row in islice(rows, _ROWS_AT_A_TIME)]


if __name__ == "__main__":
    main(sys.argv[1])
