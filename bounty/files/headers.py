"""Headers that a file lacks: the error, with the headers that were found and the ones probably meant."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bounty.errors import RefusedFile
from bounty.files.problems import problem_text

_FOUND_SHOWN: Final = 30
"""So many found headers are named."""
_ALIKE: Final = 0.6
"""How alike two names must be for a suggestion, from 0 to 1; 实付金额 and 实付金额(元) come to 0.73."""


@dataclass(frozen=True, slots=True)
class MissingHeaders:
    """The columns that a header lacks, and the headers by which they may be meant."""

    columns: list[str]
    found: list[str]
    """The headers that are no column's, in the file's order."""
    near: dict[str, str]
    """Column -> the header that is most like it, where one is like it at all."""


class HeaderRefused(RefusedFile):
    """A row that is no header, or not a whole one.

    recognised   how many of the required columns it has: the row with the most is the header that was meant
    missing      what it lacks, if that is why
    """

    def __init__(
        self, case: str, recognised: int, missing: MissingHeaders | None = None, **facts: object
    ) -> None:
        super().__init__(*problem_text(case, **facts))
        self.recognised, self.missing = recognised, missing


def missing_headers(required: Sequence[str], header: Iterable[str]) -> HeaderRefused:
    """The refusal of a header that lacks some of the required columns.

    required   their names
    header     the names that stand there
    """
    found = [name for name in header if name]
    missing = [name for name in required if name not in found]
    spare = [name for name in found if name not in required]
    near = {name: like for name in missing if (like := _like(name, spare))}
    lack = MissingHeaders(missing, list(dict.fromkeys(spare)), near)
    recognised = len(required) - len(missing)
    facts = {"columns": ", ".join(missing), "found": ", ".join(found[:_FOUND_SHOWN])}
    if not near:
        return HeaderRefused("missing headers", recognised, lack, **facts)
    meant_zh = "；".join(f"“{like}”是否就是“{name}”" for name, like in near.items())
    meant_en = "; ".join(f"did you mean “{name}” by “{like}”" for name, like in near.items())
    return HeaderRefused("near headers", recognised, lack, meant_zh=meant_zh, meant_en=meant_en, **facts)


def _like(name: str, spare: list[str]) -> str | None:
    """The header among these that is most like a name."""
    by_fold = {other.casefold(): other for other in spare}
    found = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=_ALIKE)
    return by_fold[found[0]] if found else None
