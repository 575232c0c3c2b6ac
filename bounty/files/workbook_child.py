"""The child process that reads a workbook's first sheet: ``workbook_child.py FILE MEMORY SECONDS COLUMNS LENGTH``.

It writes one JSON list of texts a row, then ``{"end": ""}``; or ``{"wide": COLUMNS}`` or ``{"broken": REASON}``. What
breaks its bounds ends it, and nothing else with it. Of a text longer than LENGTH, as much is written as shows that.
"""

import contextlib
import datetime as dt
import json
import re
import resource
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import python_calamine

EXACT = 10**15
"""Above it a number has lost digits of the id that it was."""
_BLOCK = 4 << 20
_SHEET = re.compile(rb'<(?:\w+:)?sheet\b[^>]*?\w+:id="([^"]+)"')
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_ERROR = re.compile(rb'<(?:\w+:)?c\b([^>]*\bt="e"[^>]*)>(.*?)</(?:\w+:)?c>', re.DOTALL)
_ADDRESS = re.compile(rb'\br="([A-Z]+)([0-9]+)"')
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")


def main(path: str, memory: int, seconds: int, columns: int, length: int) -> None:
    """Write the rows of the first sheet, within these bounds."""
    for kind, bound in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
        with contextlib.suppress(ValueError):  # a tighter bound holds already, or the system knows none
            resource.setrlimit(kind, (bound, bound))
    write = sys.stdout.buffer.write
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    try:
        for row in rows_of(path, columns, length):
            write(encode(row).encode() + b"\n")
        write(b'{"end": ""}\n')
    except MemoryError:
        sys.exit(1)
    except BaseException as error:  # whatever a broken file makes the library do
        write(json.dumps({"broken": f"{type(error).__name__}: {error}"[:200]}).encode() + b"\n")


def rows_of(path: str, columns: int, length: int) -> Iterator[list[str] | dict[str, str]]:
    """The texts of each row of the first sheet, from row 1 on; cut after length + 1 characters."""
    sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    if sheet.width > columns:
        yield {"wide": str(sheet.width)}
        return
    errors = error_cells(path)
    first_column = sheet.start[1] if sheet.start else 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        texts = [TEXT_OF.get(type(cell), str)(cell) for cell in row]
        for column, text in errors.get(number, ()):
            texts[column - first_column] = text
        yield texts if sum(map(len, texts)) <= length else [text[: length + 1] for text in texts]


def number_text(number: float) -> str:
    """A number in plain digits, or with an exponent where it is above 10^15.

    >>> number_text(1000939.0), number_text(19.99), number_text(2.2121912345678902e17)
    ('1000939', '19.99', '2.212191234567890E+17')
    """
    if abs(number) > EXACT:
        return f"{number:.15E}"
    return str(int(number)) if number % 1 == 0 else repr(number)


def moment_text(moment: dt.datetime) -> str:
    """A date cell's instant; a sheet keeps it as a fraction of a day, which is off by less than a millisecond.

    >>> moment_text(dt.datetime(2022, 12, 20, 23, 59, 58, 999_999))
    '2022-12-20 23:59:59'
    """
    near = (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)
    return str(near if abs(near - moment) < dt.timedelta(milliseconds=1) else moment)


TEXT_OF: dict[type, Callable[[Any], str]] = {
    str: str,
    float: number_text,
    int: number_text,
    bool: lambda flag: "TRUE" if flag else "FALSE",
    dt.datetime: moment_text,
    dt.date: lambda day: f"{day} 00:00:00",
}
"""How a cell becomes text; any other, such as a time of day, by ``str``."""


def error_cells(path: str) -> dict[int, list[tuple[int, str]]]:
    """By row, the columns (from 0) and texts of cells that hold an error, which the library gives as blanks."""
    found: dict[int, list[tuple[int, str]]] = {}
    with zipfile.ZipFile(path) as archive, archive.open(first_sheet(archive)) as sheet:
        rest = b""
        while block := sheet.read(_BLOCK):
            block = rest + block
            end = block.rfind(b"row>") + 4
            block, rest = block[:end], block[end:]
            for cell in _ERROR.finditer(block) if b't="e"' in block else ():
                address, value = _ADDRESS.search(cell[1]), _VALUE.search(cell[2])
                if not address:
                    raise ValueError("an error cell without its address")
                column = 0
                for letter in address[1]:
                    column = column * 26 + letter - 64
                text = value[1].decode() if value else "#ERROR"
                found.setdefault(int(address[2]), []).append((column - 1, text))
    return found


def first_sheet(archive: zipfile.ZipFile) -> str:
    """The name of the part that holds the first sheet."""
    sheet = _SHEET.search(archive.read("xl/workbook.xml"))
    for relation in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels")):
        if sheet and b'Id="' + sheet[1] + b'"' in relation:
            target = re.search(rb'Target="([^"]+)"', relation)
            if target:
                name = PurePosixPath("/xl") / target[1].decode()
                return str(name).lstrip("/")
    raise ValueError("no first sheet")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
