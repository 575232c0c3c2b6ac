"""ZIP archives as platforms deliver files: the one file in them that is meant, unpacked for as long as it is read."""

import errno
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from bounty.files.problems import refused
from bounty.files.workbook import ENTRY_LIMIT, RATIO_LIMIT, SIZE_LIMIT

T = TypeVar("T")
_SMALL: Final = 1 << 20
"""Bytes up to which a ratio says nothing."""
_BLOCK: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_UTF8_NAMES: Final = 0x800
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,
    ValueError,
    IndexError,
    OverflowError,
    EOFError,
)
"""What the libraries raise for archives that are broken; besides, OSErrors of no number or of a place before the first
byte."""


class Unzipped:
    """The one file of an archive that is of an accepted kind: unpacked until this is closed or forgotten.

    Other files, folders and what macOS adds are let be.

    accepted  endings
    Raises    RefusedFile E-KIND where there is none or several, it is encrypted or broken, and E-LIMIT for too large
    """

    def __init__(self, path: Path, accepted: tuple[str, ...]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bounty-zip-"))
        try:
            with zipfile.ZipFile(path) as archive:
                entry = _meant(archive, accepted)
                self.path = self._folder / f"content{_ending(entry)}"
                with archive.open(entry) as packed, self.path.open("wb") as file:
                    shutil.copyfileobj(packed, file, _BLOCK)
        except _BROKEN as error:
            raise refused("archive broken", reason=error) from None
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):  # as where the disk is full
                raise
            raise refused("archive broken", reason=error) from None

    def rows(self, rows: Iterator[T]) -> Iterator[T]:
        """The rows of the file, after which it is gone."""
        try:
            yield from rows
        finally:
            self.close()

    def close(self) -> None:
        """Remove what was unpacked."""
        shutil.rmtree(self._folder, ignore_errors=True)

    __del__ = close


def _ending(entry: zipfile.ZipInfo) -> str:
    return PurePosixPath(entry.filename).suffix.lower()


def _meant(archive: zipfile.ZipFile, accepted: tuple[str, ...]) -> zipfile.ZipInfo:
    entries = archive.infolist()
    if len(entries) > ENTRY_LIMIT:
        raise refused("archive too big", what=f"{len(entries)} 个文件 / files", limit=ENTRY_LIMIT)
    meant = [entry for entry in entries if _is_file(entry) and _ending(entry) in accepted]
    if len(meant) != 1:
        found = ", ".join(map(_name, meant or filter(_is_file, entries)))
        raise refused("archive contents", accepted=" / ".join(accepted), count=len(meant), found=found or "—")
    (entry,) = meant
    if entry.flag_bits & _ENCRYPTED:
        raise refused("archive encrypted")
    if entry.file_size > SIZE_LIMIT:
        raise refused("archive too big", what=f"{entry.file_size >> 20} MB", limit=f"{SIZE_LIMIT >> 20} MB")
    if entry.file_size > _SMALL and entry.file_size > RATIO_LIMIT * entry.compress_size:
        raise refused("archive too big", what=f"{_name(entry)} 压缩比 / ratio", limit=RATIO_LIMIT)
    return entry


def _is_file(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    return not entry.is_dir() and "__MACOSX" not in parts and not parts[-1].startswith(".")


def _name(entry: zipfile.ZipInfo) -> str:
    """An entry's name; Windows in Chinese writes names in GBK and does not say so."""
    if entry.flag_bits & _UTF8_NAMES:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return entry.filename
