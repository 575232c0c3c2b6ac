"""Money: conversion between fen and ``Money``, the rounding, and the text format.

Computations and the database use whole fen (int); ``Money`` is for amounts with a currency.
"""

import re
from decimal import Decimal
from typing import Final

from moneyed import CNY, Money

YUAN_GRAMMAR: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


def fen_of(money: Money) -> int:
    """Convert an amount to whole fen.

    Raises ValueError for a currency other than CNY, a fraction of a fen, NaN and infinity.

    >>> fen_of(Money("12.34", "CNY"))
    1234
    """
    if money.currency != CNY:
        raise ValueError(f"{money.currency} is not CNY")
    if not money.amount.is_finite():
        raise ValueError(f"{money.amount} is not an amount")
    fen = money.amount * 100
    if fen != fen.to_integral_value():
        raise ValueError(f"{money.amount} has a part of a fen")
    return int(fen)


def money_of(fen: int) -> Money:
    """Convert whole fen to an amount.

    >>> money_of(1234)
    Money('12.34', 'CNY')
    """
    return Money(Decimal(fen).scaleb(-2), CNY)


def read_yuan(text: str) -> int:
    """Parse yuan, as files write them (``[0-9]{1,12}(\\.[0-9]{1,2})?``), to whole fen.

    Raises ValueError for any other text; it never rounds.

    >>> read_yuan("200.00"), read_yuan("0.5"), read_yuan("7")
    (20000, 50, 700)
    """
    if not YUAN_GRAMMAR.fullmatch(text):
        raise ValueError(f"{text!r} is not yuan with at most two decimals")
    yuan, _, part = text.partition(".")
    return int(yuan) * 100 + int(part.ljust(2, "0"))


def shown_yuan(fen: int) -> str:
    """Whole fen as yuan with two decimals and without separators, as files write them.

    >>> shown_yuan(123450), shown_yuan(-5)
    ('1234.50', '-0.05')
    """
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def grouped_yuan(fen: int) -> str:
    """Yuan with a sign, thousands and two decimals, for sentences.

    >>> grouped_yuan(123450), grouped_yuan(-5)
    ('¥1,234.50', '−¥0.05')
    """
    yuan, _, part = shown_yuan(abs(fen)).partition(".")
    return f"{'−' if fen < 0 else ''}¥{int(yuan):,}.{part}"


class ShownYuan(dict[int, str]):
    """Cache of ``shown_yuan`` for millions of amounts, most of which repeat.

    >>> ShownYuan()[123450]
    '1234.50'
    """

    _CACHE_LIMIT = 200_000

    def __missing__(self, fen: int) -> str:
        if len(self) >= self._CACHE_LIMIT:
            self.clear()
        self[fen] = text = shown_yuan(fen)
        return text


def share(amount: Money, permille: int) -> Money:
    """A per-mille share of an amount, rounded to whole fen, ties to the even fen (docs/promises.md, Subsidy).

    amount    CNY, whole fen, never negative
    permille  0..1000, whole
    Raises    ValueError for another currency, part of a fen, or a rate out of range.

    >>> share(money_of(990), 450), share(money_of(790), 350)
    (Money('4.46', 'CNY'), Money('2.76', 'CNY'))
    """
    fen = fen_of(amount)
    if not 0 <= permille <= 1000 or fen < 0:
        raise ValueError(f"a share of {permille} per mille of {amount} is not defined")
    whole, rest = divmod(fen * permille, 1000)
    return money_of(whole + (1 if rest > 500 or (rest == 500 and whole % 2) else 0))
