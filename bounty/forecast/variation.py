"""One number of the terms, varied: ``subsidy.order_cap_yuan=10..40:5`` as terms for each of its values."""

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bounty.errors import BountyError
from bounty.rules.terms import Terms, terms_of

MOST_VALUES = 100
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,4})?"
_FORM = re.compile(rf"([^=\s]+)=({_NUMBER})\.\.({_NUMBER}):({_NUMBER})")
_TEXT_KEYS = ("at", "factor", "floor", "ceiling", "step")
"""Decimals that the terms write as text, beside those whose name ends in ``_yuan``."""


@dataclass(frozen=True, slots=True)
class Variation:
    """A key of the terms and the values to try."""

    path: str
    """As refusals of terms write it: ``subsidy.tiers.0.rate_permille``."""
    values: list[Decimal]

    def terms(self, toml: str) -> Iterator[tuple[str, Terms]]:
        """Each value as text, and the terms with it.

        toml    terms that hold

        Raises BountyError where the terms have no such key, InvalidTerms where a value can't be.
        """
        document = tomllib.loads(toml)
        for value in self.values:
            changed = copy.deepcopy(document)
            text = _put(changed, self.path, value)
            yield text, terms_of(changed)


def read_variation(text: str) -> Variation:
    """From ``PATH=FROM..TO:STEP``. Raises BountyError for anything else, and for more than 100 values."""
    match = _FORM.fullmatch(text)
    if not match:
        raise BountyError(
            f"{text!r} varies nothing: write KEY=FROM..TO:STEP, such as subsidy.order_cap_yuan=10..40:5.",
            f"{text!r} 不是变动范围：请写成 键=起..止:步长，例如 subsidy.order_cap_yuan=10..40:5。",
        )
    path, (first, last, step) = match[1], map(Decimal, match.groups()[1:])
    if step == 0 or first > last or (last - first) // step >= MOST_VALUES:
        raise BountyError(
            f"{text!r} must rise by a step above 0, in at most {MOST_VALUES} values.",
            f"{text!r} 的步长须大于 0，且最多 {MOST_VALUES} 个取值。",
        )
    return Variation(path, [first + step * place for place in range(int((last - first) // step) + 1)])


@dataclass(frozen=True, slots=True)
class VariedKey:
    """A number of the terms that people vary."""

    path: str
    zh: str
    en: str
    value: str
    """The present one, as the terms write it."""


def varied_keys(toml: str) -> list[VariedKey]:
    """The caps, rates and targets that a text of terms has; none of a text that is no TOML."""
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError:
        return []
    found = [VariedKey(path, zh, en, str(value)) for path, zh, en, value in _numbers(document)]
    return [key for key in found if re.fullmatch(_NUMBER, key.value)]


def _numbers(document: Mapping[str, object]) -> Iterator[tuple[str, str, str, object]]:
    subsidy = _table(document, "subsidy")
    yield (
        "subsidy.order_cap_yuan",
        "单笔补贴上限（元）",
        "subsidy of an order at most (yuan)",
        subsidy.get("order_cap_yuan"),
    )
    yield (
        "subsidy.promoter_cap_yuan",
        "每人补贴上限（元）",
        "subsidy of a promoter at most (yuan)",
        subsidy.get("promoter_cap_yuan"),
    )
    tiers = subsidy.get("tiers")
    for place, tier in enumerate(tiers if isinstance(tiers, list) else []):
        rate = tier.get("rate_permille") if isinstance(tier, dict) else None
        yield (
            f"subsidy.tiers.{place}.rate_permille",
            f"第 {place + 1} 档比例（‰）",
            f"rate of tier {place + 1} (‰)",
            rate,
        )
    yield (
        "task.order_cap_yuan",
        "单笔计入上限（元）",
        "an order counts at most (yuan)",
        _table(document, "task").get("order_cap_yuan"),
    )
    levels = _table(document, "levels")
    for name in levels:
        level, path = _table(levels, name), f"levels.{name}"
        yield f"{path}.orders", f"{name} 订单目标", f"orders asked of {name}", level.get("orders")
        yield (
            f"{path}.gmv_yuan",
            f"{name} GMV 目标（元）",
            f"GMV asked of {name} (yuan)",
            level.get("gmv_yuan"),
        )
        factor = _table(level, "gmv_yuan").get("factor")
        yield f"{path}.gmv_yuan.factor", f"{name} GMV 系数", f"factor on the past GMV of {name}", factor


def _table(document: Mapping[str, object], name: str) -> dict[str, object]:
    """A table within a table; an empty one where there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _put(document: dict[str, object], path: str, value: Decimal) -> str:
    """Set a key of a document of terms to a number, in the way the terms write it; the number as text."""
    *above, key = path.split(".")
    table: object = document
    for name in above:
        try:
            if isinstance(table, list):
                table = table[int(name)]
            elif isinstance(table, dict):
                table = table[name]
            else:
                raise _no_such_key(path)
        except (KeyError, IndexError, ValueError):
            raise _no_such_key(path) from None
    if not isinstance(table, dict) or isinstance(table.get(key), dict | list | bool):
        raise _no_such_key(path)
    if key.endswith("_yuan"):
        text = str(value.quantize(Decimal("0.01"))) if value == round(value, 2) else str(value)
        table[key] = text
        return text
    text = str(value)
    table[key] = text if key in _TEXT_KEYS else int(value) if value == int(value) else text
    return text


def _no_such_key(path: str) -> BountyError:
    return BountyError(
        f"{path}: the terms have no such number to vary.", f"{path}：条款里没有这个可变动的数。"
    )
