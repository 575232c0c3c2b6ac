"""What kind of file it is: its ending says what was meant, its first bytes what it is, and the two must agree."""

import codecs
import zipfile
from pathlib import Path
from typing import Final

from bounty.files.encoding import MARKS
from bounty.files.problems import refused

HEAD: Final = 4096
_TEXT: Final = "文本 / text"
_OLD_EXCEL: Final = "旧版或加密的 Excel / an old or encrypted Excel file"
TEXT_ENDINGS: Final = (".csv", ".txt")
WORKBOOK_ENDINGS: Final = (".xlsx", ".xlsm", ".xls")
TABLE_ENDINGS: Final = (*TEXT_ENDINGS, *WORKBOOK_ENDINGS)
ORDER_ENDINGS: Final = (".json", ".jsonl", *TABLE_ENDINGS)
_FITS: Final = {
    **dict.fromkeys(TEXT_ENDINGS, (_TEXT,)),
    ".xlsx": ("XLSX",),
    ".xlsm": ("XLSX",),
    ".xls": (_OLD_EXCEL,),
    ".json": ("JSON",),
    ".jsonl": ("JSON", _TEXT),
    ".zip": ("ZIP",),
}
_MAGIC: Final = (
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLD_EXCEL),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"SQLite format 3\0", "SQLite"),
    (b"{\\rtf", "RTF"),
)


def ending_of(path: Path, accepted: tuple[str, ...]) -> str:
    """The file's ending, once its content is known to be of that kind.

    accepted  of ORDER_ENDINGS
    Raises    RefusedFile: E-KIND for another ending or other content, E-EMPTY, E-FILE
    """
    ending = path.suffix.lower()
    if ending not in accepted:
        raise refused("ending", ending=ending or path.name, accepted=" / ".join(accepted))
    require_file(path)
    kind = _kind_of(path, _head_of(path))
    if kind not in _FITS[ending]:
        raise refused("other kind", ending=ending, kind=kind)
    return ending


def require_file(path: Path) -> None:
    """Refuse what is there and no regular file, such as a device, before a byte of it is read. Raises RefusedFile."""
    if path.exists() and not path.is_file():
        raise refused("not a file")


def _head_of(path: Path) -> bytes:
    """The first bytes that are not blank. Raises RefusedFile: E-EMPTY if there are none, E-FILE."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            for mark in MARKS:
                head = head.removeprefix(mark)
            while head and not head.strip():
                head = file.read(1 << 20)
    except OSError as error:
        raise refused("unreadable", reason=error.strerror or error) from None
    if not (head := head.lstrip()):
        raise refused("empty")
    return head


def _kind_of(path: Path, head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refused("utf-16")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(path)
    if head.startswith(b"<"):
        return "HTML / XML"
    return "JSON" if head.startswith((b"{", b"[")) else _TEXT


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return "残缺的 ZIP / a broken ZIP archive"
    if "xl/workbook.xml" in names:
        return "XLSX"
    return "XLSB" if "xl/workbook.bin" in names else "ZIP"
