"""Code pages, recognised strictly: UTF-8 with or without its mark, or GB18030 (and so GBK); never by replacing."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from bounty.files.problems import CONTROL, refused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK: Final = 1 << 20
MARKS: Final = (codecs.BOM_UTF8, b"\x84\x31\x95\x33")
"""How a file of UTF-8 or of GB18030 may begin to say so."""
_CONTROL_BYTES: Final = bytes([*range(9), 11, 12, *range(14, 32), 127])
_C1: Final = re.compile(b"\xc2[\x80-\x9f]")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class FileEncoding:
    """How a file's text is written."""

    name: str
    """utf-8, utf-8-sig (with its mark) or gb18030."""
    has_controls: bool
    """Whether control characters stand anywhere in it; only then need rows be searched for them."""


def detect_encoding(path: Path) -> FileEncoding:
    """Read the whole file once, or twice where it is not UTF-8, and tell its code page.

    Raises RefusedFile E-ENC, with line and byte, for UTF-16, for what is neither, and for a mixture; E-FILE.
    """
    with _guarded(), _open(path) as file:
        head = file.read(4096)
        if head.count(0) * 4 > len(head):
            raise refused("utf-16")  # without its mark, by which it would be known already
        marked = head.startswith(codecs.BOM_UTF8)
        try:
            return FileEncoding("utf-8-sig" if marked else "utf-8", _controls_of_utf8(file))
        except _BrokenAt as broken:
            at = broken.at
        if marked:
            raise refused("not utf-8", line=_line_of(file, at), byte=at + 1)
        return FileEncoding("gb18030", _controls_of_gb18030(file, at))


@contextmanager
def text_of(path: Path, codepage: FileEncoding) -> Iterator[IO[str]]:
    """The file's text without its mark, line ends as they stand; lines end with LF, CRLF or CR.

    Raises RefusedFile E-FILE where it can't be read, or is no longer what it was when its code page was recognised.
    """
    encoding = "gb18030" if codepage.name == "gb18030" else "utf-8"
    with _guarded(), _after_mark(path) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
        yield text


@contextmanager
def utf8_of(path: Path, codepage: FileEncoding) -> Iterator[IO[bytes]]:
    """The file's text without its mark, as UTF-8. Raises RefusedFile E-FILE as above."""
    with _guarded(), _after_mark(path) as file:
        yield io.BufferedReader(_Recoded(file), BLOCK) if codepage.name == "gb18030" else file


def _open(path: Path) -> io.BufferedReader:
    return io.BufferedReader(io.FileIO(path), BLOCK)


def _after_mark(path: Path) -> io.BufferedReader:
    """The file, opened at its first byte after a mark."""
    file = _open(path)
    head = file.peek(4)
    file.seek(next((len(mark) for mark in MARKS if head.startswith(mark)), 0))
    return file


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        raise refused("changed") from None
    except OSError as error:
        raise refused("unreadable", reason=error.strerror or error) from None


class _Recoded(io.RawIOBase):
    """GB18030 read as UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._decoder, self._ready = file, codecs.getincrementaldecoder("gb18030")(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer).cast("B")
        while not self._ready and (block := self._file.read(BLOCK)):
            self._ready = self._decoder.decode(block).encode()
        given, self._ready = self._ready[: len(room)], self._ready[len(room) :]
        room[: len(given)] = given
        return len(given)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK):
        yield block


def _decoded(file: IO[bytes], name: str) -> Iterator[tuple[bytes, str]]:
    """The file's blocks and their text. Raises _BrokenAt at the first byte that is of no character."""
    decoder, end = codecs.getincrementaldecoder(name)(), 0
    try:
        for block in _blocks(file):
            end += len(block)
            yield block, decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # What the decoder was given last, with what it had kept from before, ends where the reading has come to.
        raise _BrokenAt(end - len(error.object) + error.start) from None


class _BrokenAt(Exception):
    """The first byte that is of no character, counted from 0."""

    def __init__(self, at: int) -> None:
        self.at = at


def _controls_of_utf8(file: IO[bytes]) -> bool:
    """Whether there are control characters. Raises _BrokenAt where it is not UTF-8."""
    found, last = False, b""
    for block, _ in _decoded(file, "utf-8"):
        found = found or _controls_in(last + block)
        last = block[-2:]
    return found


def _controls_in(block: bytes) -> bool:
    if len(block.translate(None, _CONTROL_BYTES)) != len(block):
        return True
    return b"\xc2" in block and _C1.search(block) is not None


def _controls_of_gb18030(file: IO[bytes], not_utf8_at: int) -> bool:
    """Whether there are control characters.

    Raises RefusedFile E-ENC where it is not GB18030 either, or where some line can only be meant as UTF-8: bytes of
    UTF-8 pass for senseless GB18030 more often than not.
    """
    broken_at = None
    found = False
    try:
        for _, text in _decoded(file, "gb18030"):
            found = found or CONTROL.search(text) is not None
    except _BrokenAt as broken:
        broken_at = broken.at
    other = next((number for number, line in _lines(file) if _meant_as_utf8(line)), None)
    if other is not None:
        line = _line_of(file, not_utf8_at)
        raise refused("mixed encodings", line=line, byte=not_utf8_at + 1, other=other)
    if broken_at is not None:
        raise refused("encoding", line=_line_of(file, broken_at), byte=broken_at + 1)
    return found


def _meant_as_utf8(line: bytes) -> bool:
    """Whether a line reads better as UTF-8 than as GB18030: with fewer characters outside the common ones.

    Of a name in GBK the bytes can pass for one character of UTF-8 by chance (2 of 400,000 made-up names); so two
    are asked for. Of names of two to four characters in UTF-8 one in 85 is not recognised; a file has many.
    """
    if line.isascii():
        return False
    try:
        as_utf8 = line.decode()
    except UnicodeDecodeError:
        return False
    if sum(not sign.isascii() for sign in as_utf8) < 2:
        return False
    try:
        return _uncommon(as_utf8) < _uncommon(line.decode("gb18030"))
    except UnicodeDecodeError:
        return True


def _uncommon(text: str) -> int:
    """Characters outside GB 2312, the 7445 in everyday use."""
    return len(text) - len(text.encode("gb2312", "ignore").decode("gb2312"))


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Physical lines with their numbers; of one that is longer than a block, its end alone."""
    number, rest = 1, b""
    for block in _blocks(file):
        data = rest[-BLOCK:] + block
        # A CR at the end may be the first half of a CRLF.
        data, kept = (data[:-1], b"\r") if data.endswith(b"\r") else (data, b"")
        *lines, rest = _LINE_END.split(data)
        rest += kept
        for line in lines:
            yield number, line
            number += 1
    yield number, rest


def _line_of(file: IO[bytes], at: int) -> int:
    """The physical line in which a byte stands, counted from 1."""
    read, ends, last = 0, 0, b""
    for block in _blocks(file):
        before = block[: at - read]
        ends += before.count(b"\n") + before.count(b"\r") - (last + before).count(b"\r\n")
        read, last = read + len(block), before[-1:]
        if read >= at:
            break
    return ends + 1
