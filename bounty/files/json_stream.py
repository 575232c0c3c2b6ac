"""Large JSON text, read piece by piece: a window moves over it, and no more than a window is ever held.

What stands between the pieces is checked here; a piece itself (``value``, ``elements``) is only cut out, with its
brackets and quotes balanced, and is for its reader to judge.
"""

import re
from collections.abc import Iterator
from typing import IO, Final

import msgspec

from bounty.errors import RefusedFile
from bounty.files.problems import refused

WINDOW: Final = 1 << 20
"""Bytes read at a time, and the most that one piece may have."""
_KEYS: Final = 1000
"""Keys of one object; an order has sixty."""
_BLANK: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^\s,\]}]++")
_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_FIRST_KEY: Final = re.compile(rb'\{[ \t\r\n]*+"[^"\\]*+"')
_TO_NEXT_OBJECT: Final = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
_list_of_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Document:
    """A position in a JSON text in UTF-8. Every method raises RefusedFile E-JSON where the text is not what it asks
    for, and E-LIMIT for a piece that is too long."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._window, self._at, self._before = file, b"", 0, 0

    def peek(self) -> bytes:
        """The next byte that is not blank; empty at the end."""
        while True:
            self._at = self._blank_until(self._at)
            if self._at < len(self._window) or not self._read_on():
                return self._window[self._at : self._at + 1]

    def take(self, sign: bytes) -> None:
        """Go past a sign that must come next."""
        if self.peek() != sign:
            raise self.broken(f"{sign.decode()} expected")
        self._at += 1

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; the caller goes past each one's value before the next."""
        seen: set[str] = set()
        self.take(b"{")
        more = self.peek() != b"}"
        while more:
            key = self._key()
            if key in seen:
                raise refused("document key", key=key)
            if len(seen) == _KEYS:
                raise refused("not bodies")
            seen.add(key)
            self.take(b":")
            yield key
            if more := self.peek() == b",":
                self._at += 1
        self.take(b"}")

    def items(self) -> Iterator[int]:
        """Indexes, from 0, of the list that comes next; the caller goes past each item before the next."""
        index = 0
        self.take(b"[")
        more = self.peek() != b"]"
        while more:
            yield index
            index += 1
            if more := self.peek() == b",":
                self._at += 1
        self.take(b"]")

    def value(self) -> bytes:
        """The value that comes next, as it stands."""
        if not self.peek():
            raise self.broken("cut off")
        while (end := self._end_of_value()) is None:
            if len(self._window) - self._at > WINDOW:
                raise refused("document limit", byte=self._before + self._at + 1, limit=WINDOW)
            if not self._read_on():
                raise self.broken("cut off")
        start, self._at = self._at, end
        return self._window[start:end]

    def elements(self) -> Iterator[bytes]:
        """The items of the list that comes next, as they stand.

        Most are found many at a time: where one object ends and the next begins with the same key as the first, the
        text before is tried as a whole; only if it is a list by itself was that a joint between items.
        """
        joint, failures = b"", 0
        for _ in self.items():
            if joint and failures < 3:
                many = self._whole_items_up_to(joint)
                failures += many is None
                yield from many or ()
            value = self.value()
            gap, head = _TO_NEXT_OBJECT.match(self._window, self._at), _FIRST_KEY.match(value)
            if not joint and gap and head:
                joint = b"}" + gap[0] + head[0]
            yield value

    def finish(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            raise self.broken("more follows")

    def _whole_items_up_to(self, joint: bytes) -> list[bytes] | None:
        """Items up to the last joint in the window, going past it; None if they are not items after all."""
        # The next body of a list of bodies begins with another key; its joints are not this list's.
        end = self._window.find(b'_response"', self._at)
        last = self._window.rfind(joint, self._at, end if end >= 0 else len(self._window))
        if last < 0:
            return []
        try:
            items = _list_of_raws(b"[" + self._window[self._at : last + 1] + b"]")
        except (msgspec.DecodeError, RecursionError):
            return None
        self._at = last + 1
        self.take(b",")
        return [bytes(item) for item in items]

    def _key(self) -> str:
        if self.peek() != b'"':
            raise self.broken("a key expected")
        try:
            key: str = msgspec.json.decode(self.value(), type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self.broken("a key expected") from None
        return key

    def _end_of_value(self) -> int | None:
        """Where the value that begins here ends; None if not within the window."""
        first = self._window[self._at : self._at + 1]
        if first in (b"{", b"["):
            return self._end_of_brackets()
        found = (_STRING if first == b'"' else _SCALAR).match(self._window, self._at)
        if first != b'"' and found and found.end() == len(self._window) and self._read_on():
            return self._end_of_value()
        if first != b'"' and not found:
            raise self.broken("a value expected")
        return found.end() if found else None

    def _end_of_brackets(self) -> int | None:
        depth, at = 0, self._at
        while True:
            sign = self._window[at : at + 1]
            if sign in (b"", b'"'):
                return None  # the text, or a string in it, goes on beyond the window
            depth += 1 if sign in (b"{", b"[") else -1
            at += 1
            if not depth:
                return at
            found = _TO_BRACKET.match(self._window, at)
            at = found.end() if found else at

    def _blank_until(self, at: int) -> int:
        found = _BLANK.match(self._window, at)
        return found.end() if found else at

    def _read_on(self) -> bool:
        """Move the window on, keeping what is ahead; False at the end of the text."""
        block = self._file.read(WINDOW)
        if block:
            self._before += self._at
            self._window, self._at = self._window[self._at :] + block, 0
        return bool(block)

    def broken(self, reason: str) -> RefusedFile:
        """The refusal of the text for what is wrong about here."""
        return refused("document broken", byte=self._before + self._at + 1, reason=reason)
