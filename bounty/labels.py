"""Codes with their names in both languages."""

from enum import StrEnum
from typing import Self


class LabelledCode(StrEnum):
    """A text that is stored and exported as it is, with the names that people read.

    >>> class Colour(LabelledCode):
    ...     RED = "red", "红", "red"
    >>> str(Colour.RED), Colour.RED.names, Colour.labels()
    ('red', ('红', 'red'), {'red': ('红', 'red')})
    """

    zh: str
    en: str

    def __new__(cls, code: str, zh: str, en: str) -> Self:
        """A member from its code and its names."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.zh, member.en = zh, en
        return member

    @property
    def names(self) -> tuple[str, str]:
        """In Chinese and English."""
        return self.zh, self.en

    @classmethod
    def labels(cls) -> dict[str, tuple[str, str]]:
        """Code -> its names, in the order of the members."""
        return {str(each): each.names for each in cls}
