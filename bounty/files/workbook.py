"""Workbooks (.xlsx, .xlsm, .xls): judged by what they would unpack to, then read by a child process with bounded memory
and time, within a bound for what it writes.
"""

import contextlib
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bounty.files.csv_records import Record
from bounty.files.problems import refused
from bounty.files.xlsx_reader import parts_read

HEAD_ROWS: Final = 20
"""The header is one of so many first rows."""
ENTRY_LIMIT: Final = 10_000
SIZE_LIMIT: Final = 200 << 20
"""Bytes that all entries which are read declare together; of a .xls, its size."""
RATIO_LIMIT: Final = 100
"""Times its packed size that an entry may unpack to; a bomb that was tried had 240."""
CHILD_MEMORY: Final = 1536 << 20
"""Bytes of address space at most."""
CHILD_SECONDS: Final = 120
_SMALL: Final = 1 << 20
"""Bytes up to which an entry's ratio says nothing."""
_BASE_MEMORY: Final = 192 << 20
"""Bytes of address space for a workbook of nothing; the interpreter itself takes about 60 MB."""
_ENCRYPTED: Final = 0x1
_CHILD: Final = Path(__file__).with_name("workbook_child.py")
_MACROS: Final = ("vbaProject", "宏 / macros")
_UNWANTED: Final = (
    _MACROS,
    ("xl/externalLinks/", "外部链接 / links to other workbooks"),
    ("xl/embeddings/", "嵌入的文件 / embedded files"),
)
_MOST_TEXT: Final = 32 << 20
_TEXT_RATIO: Final = 20
"""Bytes of text that any workbook may give, and how many more for each of its own: cells may share one long text, and
1,000 rows of 15 such cells made 900 MB of a file of 58 KB. Real files give 3 to 10 for each."""


@dataclass(frozen=True, slots=True)
class SheetHead:
    """The first rows of a visible sheet; blank ones are left out."""

    name: str
    rows: list[Record]


Choose = Callable[[list[SheetHead]], tuple[int, Record]]


def sheet_records(path: Path, ending: str, choose: Choose) -> Iterator[Record]:
    """The header of the sheet that is meant, then the rows after it; blank rows are left out, ``raw`` is blank.

    Cells are text: a number at 15 significant digits, or with an exponent where it is above 10^15 and so has lost
    digits; a date as ``2022-12-20 23:59:59``; an error as ``#N/A``; and what holds no value is marked (marked_cells).

    choose   the sheet that is meant, by its place in the heads, and its header
    Raises   RefusedFile E-LIMIT and E-KIND, when the first row is read or where the workbook breaks, and
             whatever ``choose`` raises
    """
    unpacked = path.stat().st_size if ending == ".xls" else _judge_directory(path, ending)
    if unpacked > SIZE_LIMIT:
        raise refused("workbook too big", what=f"{unpacked >> 20} MB", limit=f"{SIZE_LIMIT >> 20} MB")
    # -I: only what is installed can be imported there, nothing from the folder or the environment.
    command = [sys.executable, "-I", str(_CHILD), str(path), ending]
    command += map(str, (*_bounds(unpacked), HEAD_ROWS))
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing) as child:  # noqa: S603
        try:
            place, header = choose(_heads_from(child))
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError), child.stdin as requests:
                requests.write(f"{place}\n".encode())
            yield header
            yield from _records_after(header.place, child, _MOST_TEXT + _TEXT_RATIO * path.stat().st_size)
        finally:
            child.kill()


def _bounds(unpacked: int) -> tuple[int, int]:
    """Memory in bytes and seconds of processor time for a workbook that unpacks to so many bytes.

    A small file has no claim on the whole of either. Text in memory takes up to 6 times its place in the file.
    """
    seconds = 10 + unpacked // (2 << 20)
    return min(CHILD_MEMORY, _BASE_MEMORY + 6 * unpacked), min(CHILD_SECONDS, seconds)


def _heads_from(child: subprocess.Popen[bytes]) -> list[SheetHead]:
    heads: list[SheetHead] = []
    for line, _ in _messages(child):
        if not isinstance(line, dict):
            place, cells = line
            heads[-1].rows.append(Record(place, cells, ""))
        elif "sheet" in line:
            heads.append(SheetHead(line["sheet"], []))
        else:
            return heads
    raise AssertionError("the child's lines end with a word of their own")


def _records_after(header_place: int, child: subprocess.Popen[bytes], most_text: int) -> Iterator[Record]:
    text = 0
    for line, size in _messages(child):
        if isinstance(line, dict):
            return
        place, cells = line
        if place > header_place:
            text += size
            if text > most_text:
                what = f"{text >> 20} MB 文字 / of text"
                raise refused("workbook too big", what=what, limit=f"{most_text >> 20} MB")
            yield Record(place, cells, "")


def _messages(child: subprocess.Popen[bytes]) -> Iterator[tuple[tuple[int, list[str]] | dict[str, str], int]]:
    """What the child writes, each with its length in bytes.

    Raises RefusedFile where the workbook is broken, or the child ended too soon.
    """
    decode = msgspec.json.Decoder(tuple[int, list[str]] | dict[str, str]).decode
    assert child.stdout is not None
    for line in child.stdout:
        try:
            message = decode(line)
        except msgspec.DecodeError:
            break  # it was stopped in the middle of a line
        if isinstance(message, dict) and "broken" in message:
            raise refused("workbook broken", reason=message["broken"])
        yield message, len(line)
    limit = f"{CHILD_MEMORY >> 20} MB, {CHILD_SECONDS} s"
    raise refused("workbook too big", what="所需内存或时间 / memory or time needed", limit=limit)


def _judge_directory(path: Path, ending: str) -> int:
    """Refuse, before a byte of it is unpacked, a workbook that holds more than data, or unpacks to too much.

    Bytes that the parts which are read unpack to.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise refused("workbook broken", reason=error) from None
    if len(entries) > ENTRY_LIMIT:
        raise refused("workbook too big", what=f"{len(entries)} 个部件 / parts", limit=ENTRY_LIMIT)
    unwanted = [pair for pair in _UNWANTED if not (ending == ".xlsm" and pair is _MACROS)]
    read = parts_read([entry.filename for entry in entries])
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED:
            raise refused("workbook parts", part="加密内容 / encrypted content")
        if part := next((words for sign, words in unwanted if sign in entry.filename), None):
            raise refused("workbook parts", part=part)
        if (
            entry.filename in read
            and entry.file_size > _SMALL
            and entry.file_size > RATIO_LIMIT * entry.compress_size
        ):
            raise refused("workbook too big", what=f"{entry.filename} 压缩比 / ratio", limit=RATIO_LIMIT)
    return sum(entry.file_size for entry in entries if entry.filename in read)
