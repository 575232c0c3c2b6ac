"""Bad input as data: a whole file that can't be read is a ``RefusedFile``, one row of a good file a ``BadRow``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from bounty.errors import RefusedFile
from bounty.files.problem_texts import PROBLEM_TEXTS, ProblemText

VALUE_SHOWN: Final = 200
"""Characters of a bad value that are kept for showing; the whole of it stands in the row's raw content."""
RAW_KEPT: Final = 1 << 20
"""Characters kept of a row that is itself out of bounds, such as the rest of a file after an unclosed quote."""
CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tab, LF and CR."""
SUBSTITUTE: Final = "\x1a"
"""ASCII's own stand-in for a character that can't be. It is a control character too, so a row that is kept with it in
place of NUL, which PostgreSQL can't store, is still bad when it is read again."""


class RowError(NamedTuple):
    """One thing that is wrong with a row; as a BadRow's fields of the same names."""

    column: str | None
    value: str | None
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be taken in, with what would be right: the first of its errors, and the others.

    place         where it begins: line (CSV, JSONL), 1-based row (XLSX), 1-based ordinal of the order (JSON)
    column        the header or field that is wrong; None where the row as a whole is
    value         the value as it stood, its first 200 characters; None where it is missing or the whole row is wrong
    code, zh, en  from the catalogue
    raw           the row's content; with the file's header it can be read again
    subject       the order number or the natural key, where it could be read
    promoter_id   where it could be read
    paid_at       epoch seconds, of an order whose pay time could be read
    content       what it says, whatever the layout of its file; None where that is the raw content
    others        what else is wrong with it, in the order of the columns
    """

    place: int
    column: str | None
    value: str | None
    code: str
    zh: str
    en: str
    raw: str
    subject: str | None = None
    promoter_id: int | None = None
    paid_at: int | None = None
    content: str | None = None
    others: tuple[RowError, ...] = ()

    @property
    def errors(self) -> tuple[RowError, ...]:
        """All that is wrong with it."""
        return (RowError(self.column, self.value, self.code, self.zh, self.en), *self.others)


class Fault(ValueError):
    """What is wrong with a value: the case in the catalogue, and the facts of the case."""

    def __init__(self, case: str, **facts: object) -> None:
        super().__init__(case)
        self.case, self.facts = case, facts


def problem_text(case: str, **facts: object) -> ProblemText:
    """The text for a person, with the facts filled in.

    case    a case of the catalogue, or a code for its first case
    Raises  KeyError for a case or a fact that is not there
    """
    if not facts:
        return _plain(case)
    code, zh, en = PROBLEM_TEXTS[case]
    shown = {name: " ".join(storable(str(fact))[:VALUE_SHOWN].split()) for name, fact in facts.items()}
    return ProblemText(code, zh.format(**shown), en.format(**shown))


@cache  # a file of many bad rows says the same of each
def _plain(case: str) -> ProblemText:
    code, zh, en = PROBLEM_TEXTS[case]
    return ProblemText(code, zh.format(), en.format())


def refused(case: str, **facts: object) -> RefusedFile:
    """The refusal of a whole file, ready to be raised."""
    return RefusedFile(*problem_text(case, **facts))


def row_error(case: str, column: str | None, value: str | None, **facts: object) -> RowError:
    """One error of a row by its case in the catalogue, or by a code. Its texts can be stored by both databases."""
    where, shown = (None if text is None else storable(text)[:VALUE_SHOWN] for text in (column, value))
    return RowError(where, shown, *problem_text(case, **facts))


def bad_row(
    case: str,
    *,
    place: int,
    raw: str,
    column: str | None = None,
    value: str | None = None,
    subject: str | None = None,
    promoter_id: int | None = None,
    paid_at: int | None = None,
    content: str | None = None,
    **facts: object,
) -> BadRow:
    """A row with one error, by its case in the catalogue, or by a code. Its texts can be stored by both databases."""
    error = row_error(case, column, value, **facts)
    return BadRow(place, *error, storable(raw), subject, promoter_id, paid_at, content)


def row_of_errors(
    errors: Sequence[RowError],
    *,
    place: int,
    raw: str,
    subject: str | None = None,
    promoter_id: int | None = None,
    paid_at: int | None = None,
    content: str | None = None,
) -> BadRow:
    """A bad row with all its errors, at least one."""
    first, *others = errors
    return BadRow(place, *first, storable(raw), subject, promoter_id, paid_at, content, tuple(others))


def storable(text: str) -> str:
    """The text, with half characters as their escapes and without NUL, since no database takes those."""
    if "\0" in text:
        text = text.replace("\0", SUBSTITUTE)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text
