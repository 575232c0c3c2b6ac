"""The child process that reads a workbook: ``workbook_child.py FILE ENDING MEMORY SECONDS HEAD``.

It writes, one JSON value a line: for each visible sheet ``{"sheet": NAME}`` and its rows up to row HEAD, each
``[NUMBER, [TEXTS]]``, then ``{"heads": ""}``. Told the number of a sheet, from 0, on a line, it writes all rows of that
sheet and ``{"end": ""}``; or, at any point, ``{"broken": REASON}``. What breaks its bounds ends it, and nothing else
with it.
"""

import contextlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from bounty.files.workbook_rows import Sheet
from bounty.json_types import Json


def main(path: str, ending: str, memory: int, seconds: int, head: int) -> None:
    """Write the sheets' heads, then the rows of the requested sheet, within these bounds."""
    for kind, bound in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
        with contextlib.suppress(ValueError):  # a tighter bound holds already, or the system knows none
            resource.setrlimit(kind, (bound, bound))
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def write(value: Json) -> None:
        sys.stdout.buffer.write(encode(value).encode() + b"\n")

    try:
        sheets = reader_of(ending)(Path(path))
        for sheet in sheets:
            write({"sheet": sheet.name})
            for row in sheet.rows(head):
                write(row)
        write({"heads": ""})
        sys.stdout.buffer.flush()
        if chosen := sys.stdin.readline().strip():
            for row in sheets[int(chosen)].rows(None):
                write(row)
            write({"end": ""})
    except MemoryError:
        sys.exit(1)
    except BaseException as error:  # whatever a broken file makes the libraries do
        write({"broken": f"{type(error).__name__}: {error}"[:200]})


def reader_of(ending: str) -> Callable[[Path], list[Sheet]]:
    """The reader for a file's ending; the other one's library is not loaded."""
    if ending == ".xls":
        from bounty.files import xls_reader  # noqa: PLC0415

        return xls_reader.visible_sheets
    from bounty.files import xlsx_reader  # noqa: PLC0415

    return xlsx_reader.visible_sheets


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
