"""Cells and money: text read as the contract reads it, and fen written as people read them."""

import unicodedata
from collections.abc import Mapping

CsvRow = Mapping[str, str]
"""One row of a CSV file: header to cell, both text."""


def parsed(cell: str) -> str:
    """A cell as it is understood: NFKC, and without blanks and unseen marks at its ends. Names are not parsed; they
    stay as they are."""
    text = unicodedata.normalize("NFKC", cell)
    while text and (text[0].isspace() or unicodedata.category(text[0]) == "Cf"):
        text = text[1:]
    while text and (text[-1].isspace() or unicodedata.category(text[-1]) == "Cf"):
        text = text[:-1]
    return text


def bare_id(cell: str) -> str:
    """An id without what keeps it text in a sheet, its hyphens plain.

    >>> bare_id("'221205\u20131"), bare_id('="1000939_1"'), bare_id("`1000939")
    ('221205-1', '1000939_1', '1000939')
    """
    text = parsed(cell)
    if text[:2] == '="' and text[-1] == '"':
        text = parsed(text[2:-1])
    elif text[:1] in ("'", "`"):
        text = parsed(text[1:])
    for hyphen in "\u2010\u2011\u2013\u2212":
        text = text.replace(hyphen, "-")
    return text


def fen(yuan: str) -> int:
    """Whole fen of a text of yuan with at most two decimals.

    >>> fen("200.00"), fen("0.5"), fen("7")
    (20000, 50, 700)
    """
    whole, _, part = parsed(yuan).lstrip("¥ ").rstrip("元 ").replace(",", "").partition(".")
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
