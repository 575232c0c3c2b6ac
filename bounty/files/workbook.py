"""Workbooks (.xlsx): the zip directory is judged first, then a child process with bounded memory and time reads it."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bounty.files.cells import COLUMN_LIMIT, FIELD_LIMIT
from bounty.files.csv_records import Record
from bounty.files.problems import refused

ENTRY_LIMIT: Final = 64
SIZE_LIMIT: Final = 200 << 20
"""Bytes that all entries declare together."""
RATIO_LIMIT: Final = 100
"""Times its packed size that an entry may unpack to; a bomb that was tried had 240."""
CHILD_MEMORY: Final = 1536 << 20
"""Bytes of address space; a sheet of 200 MB took 0.6 GB."""
CHILD_SECONDS: Final = 120
_SMALL: Final = 1 << 20
"""Bytes up to which an entry's ratio says nothing."""
_ENCRYPTED: Final = 0x1
_CHILD: Final = Path(__file__).with_name("workbook_child.py")
_UNWANTED: Final = (
    ("vbaProject", "宏 / macros"),
    ("xl/externalLinks/", "外部链接 / links to other workbooks"),
    ("xl/embeddings/", "嵌入的文件 / embedded files"),
)


def sheet_records(path: Path) -> Iterator[Record]:
    """The rows of a workbook's first sheet, blank ones too, so that each has its place.

    Cells are text: a number in plain digits, or with an exponent where it is above 10^15 and so has lost digits; a
    date as ``2022-12-20 23:59:59``; an error as ``#N/A``.
    Raises RefusedFile E-LIMIT and E-KIND, when the first row is asked for or where the workbook breaks.
    """
    _judge_directory(path)
    # -I: only what is installed can be imported there, nothing from the folder or the environment.
    command = [sys.executable, "-I", str(_CHILD), str(path)]
    command += map(str, (CHILD_MEMORY, CHILD_SECONDS, COLUMN_LIMIT, FIELD_LIMIT))
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as child:  # noqa: S603
        try:
            yield from _records_from(child)
        finally:
            child.kill()


def _records_from(child: subprocess.Popen[bytes]) -> Iterator[Record]:
    """What the child writes, line by line, up to its last word."""
    decode = msgspec.json.Decoder(list[str] | dict[str, str]).decode
    assert child.stdout is not None
    for place, line in enumerate(child.stdout, 1):
        try:
            told = decode(line)
        except msgspec.DecodeError:
            break  # it was stopped in the middle of a row
        if isinstance(told, list):
            yield Record(place, told or [""], line.rstrip(b"\n").decode())
        elif "end" in told:
            return
        elif "wide" in told:
            raise refused("too many columns", count=told["wide"], limit=COLUMN_LIMIT)
        else:
            raise refused("workbook broken", reason=told["broken"])
    limit = f"{CHILD_MEMORY >> 20} MB, {CHILD_SECONDS} s"
    raise refused("workbook too big", what="所需内存或时间 / memory or time needed", limit=limit)


def _judge_directory(path: Path) -> None:
    """Refuse, before a byte of it is unpacked, a workbook that is too big or holds more than data."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise refused("workbook broken", reason=error) from None
    if len(entries) > ENTRY_LIMIT:
        raise refused("workbook too big", what=f"{len(entries)} 个部件 / parts", limit=ENTRY_LIMIT)
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED:
            raise refused("workbook parts", part="加密内容 / encrypted content")
        if part := next((words for sign, words in _UNWANTED if sign in entry.filename), None):
            raise refused("workbook parts", part=part)
        if entry.file_size > _SMALL and entry.file_size > RATIO_LIMIT * entry.compress_size:
            raise refused("workbook too big", what=f"{entry.filename} 压缩比 / ratio", limit=RATIO_LIMIT)
    if (size := sum(entry.file_size for entry in entries)) > SIZE_LIMIT:
        raise refused("workbook too big", what=f"{size >> 20} MB", limit=f"{SIZE_LIMIT >> 20} MB")
