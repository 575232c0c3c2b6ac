"""Cells and money: text read as the contract reads it, and fen written as people read them."""

import unicodedata
from collections.abc import Mapping

CsvRow = Mapping[str, str]
"""One row of a CSV file: header to cell, both text."""


def parsed(cell: str) -> str:
    """A cell as it is understood: NFKC and trimmed. Names are not parsed; they stay as they are."""
    return unicodedata.normalize("NFKC", cell).strip()


def fen(yuan: str) -> int:
    """Whole fen of a text of yuan with at most two decimals.

    >>> fen("200.00"), fen("0.5"), fen("7")
    (20000, 50, 700)
    """
    whole, _, part = parsed(yuan).partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def yuan(amount_fen: int) -> str:
    """Yuan with exactly two decimals.

    >>> yuan(123450), yuan(7)
    ('1234.50', '0.07')
    """
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number, ties to the even one; both arguments are not negative.

    >>> half_even(276500, 1000), half_even(445500, 1000), half_even(19900, 1000)
    (276, 446, 20)
    """
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1):
        whole += 1
    return whole
