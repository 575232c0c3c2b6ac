"""Cells that show a value in a spreadsheet and yet hold none that can be read: marked, so that they are never blank.

A marked cell is a text that no grammar accepts: a character that Unicode keeps for no text (U+FDD0), the case of the
catalogue, the same character, and what is shown of the cell. The mark is part of the row's raw content, so that the row
is still bad when it is read again.
"""

import re
from typing import Final

from bounty.files.problems import Fault

SHOWN: Final = 200
"""Characters kept of what a marked cell holds."""
FORMULA: Final = "formula"
MERGED: Final = "merged"
XML: Final = "xml"
LONG_FIELD: Final = "long field"
LONG_ROW: Final = "long row"
_MARK: Final = "\ufdd0"
_MARKED: Final = re.compile(
    f"{_MARK}({FORMULA}|{MERGED}|{XML}|{LONG_FIELD}|{LONG_ROW}){_MARK}(.*)", re.DOTALL
)


def marked(case: str, shown: str) -> str:
    """A marked cell.

    case    FORMULA, MERGED, XML, LONG_FIELD or LONG_ROW
    shown   what stands in the cell, for a person
    """
    return f"{_MARK}{case}{_MARK}{shown[:SHOWN]}"


def case_of(cell: str) -> str | None:
    """The case of a marked cell; None for any other.

    >>> case_of(marked(FORMULA, "=A1")), case_of("=A1")
    ('formula', None)
    """
    found = _MARKED.fullmatch(cell) if cell.startswith(_MARK) else None
    return found[1] if found else None


def shown_of(cell: str) -> str:
    """What a person is shown of a cell, marked or not.

    >>> shown_of(marked(FORMULA, "=A1")), shown_of("A1")
    ('=A1', 'A1')
    """
    found = _MARKED.fullmatch(cell) if cell.startswith(_MARK) else None
    return found[2] if found else cell


def require_unmarked(cell: str) -> None:
    """Raise the Fault of a marked cell."""
    if case := case_of(cell):
        raise Fault(case)
