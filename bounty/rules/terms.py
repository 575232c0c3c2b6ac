"""The terms of the programme: read from TOML, refused with the key's path, hashed by content."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from bounty.errors import BountyError
from bounty.money import read_yuan

MONTH: Final = "month"
HALF_MONTH: Final = "half-month"
_A_MONTH = 'write a month from 2015-01 to 2099-12 as text, such as "2022-12"'
_A_HALF = 'write a half of a month from 2015-01 to 2099-12 as text, such as "2022-12a"'


class InvalidTerms(BountyError):
    """Terms that can't hold; the text names each key's path and what would be right."""


def _yuan(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError(f'money is text with at most two decimals, such as "200.00", not {value!r}')
    try:
        return read_yuan(value)
    except ValueError:
        raise ValueError(f'write yuan with at most two decimals, such as "200.00", not {value!r}') from None


def _positive_yuan(value: object) -> int:
    fen = _yuan(value)
    if fen == 0:
        raise ValueError("must be above 0.00")
    return fen


def _ratio(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", value):
        raise ValueError(
            f'write a number from 0.01 to 100 as text with at most 4 decimals, such as "1.10", not {value!r}'
        )
    whole, _, part = value.partition(".")
    myriad = int(whole) * 10_000 + int(part.ljust(4, "0"))
    if not 100 <= myriad <= 1_000_000:
        raise ValueError(f"must lie in 0.01 to 100, not {value}")
    return myriad


def _period_text(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"20(1[5-9]|[2-9][0-9])-(0[1-9]|1[0-2])[ab]?", value):
        raise ValueError(f"{_A_MONTH}, not {value!r}")
    return value


def _last_day(value: object) -> object:
    if value == "end" or (type(value) is int and 1 <= value <= 31):
        return value
    raise ValueError(f'write a day of the month from 1 to 31, or "end" for the last day, not {value!r}')


def _distinct(values: list[int]) -> list[int]:
    return sorted(set(values))


Fen = Annotated[int, BeforeValidator(_yuan)]
"""Yuan as text in the file, whole fen here."""
PositiveFen = Annotated[int, BeforeValidator(_positive_yuan)]
Ratio = Annotated[int, BeforeValidator(_ratio)]
"""A decimal as text in the file, ten-thousandths here."""
DayOfMonth = Annotated[int, Field(ge=1, le=31)]
LastDay = Annotated[int | Literal["end"], BeforeValidator(_last_day)]
Ids = Annotated[list[Annotated[int, Field(ge=0, le=10**15)]], Field(max_length=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_by_name=False)


class TaskTerms(_Part):
    """``[task]``: the window, the receipt cutoff and the cap on what one order counts."""

    first_day: DayOfMonth
    last_day: LastDay
    """Inclusive; ``end`` is the last day that there is."""
    receipt_cutoff_day: DayOfMonth | None = None
    """Of the next month, inclusive; null for half-months."""
    receipt_cutoff_days: Annotated[int, Field(ge=1, le=60)] | None = None
    """Whole days after the period's end, for half-months; null for months."""
    order_cap_fen: PositiveFen = Field(alias="order_cap_yuan")
    count_price_compare: bool
    count_live_room: bool = False
    category_ids: Annotated[Ids, Field(min_length=1)] | None = None
    """Of these categories only; null: of any."""
    min_order_fen: PositiveFen | None = Field(alias="min_order_yuan", default=None)
    """What an order must come to at least, before the cap; null: any amount."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_day != "end" and self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} is before first_day {self.first_day}")
        return self


class VirtualTerms(_Part):
    """``[virtual]``: what makes an order one of virtual goods."""

    types: Ids
    category_ids: Ids


class Formula(_Part):
    """A GMV target from the promoter's own history (docs/promises.md, Targets)."""

    history_periods: Annotated[int, Field(ge=1, le=24)]
    factor: Ratio
    floor_fen: PositiveFen = Field(alias="floor")
    ceiling_fen: PositiveFen | None = Field(alias="ceiling", default=None)
    step_fen: PositiveFen = Field(alias="step")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ceiling_fen is not None and self.ceiling_fen < self.floor_fen:
            raise ValueError("ceiling is below floor")
        return self

    def target_fen(self, history_fen: int) -> int:
        """The target from what the history's months counted together, whole fen.

        >>> Formula(history_periods=3, factor="1.10", floor="3000.00", step="100.00").target_fen(900_001)
        340000
        """
        mean = Fraction(history_fen, self.history_periods) * Fraction(self.factor, 10_000)
        stepped = -(-mean // self.step_fen) * self.step_fen
        lowest = max(stepped, self.floor_fen)
        return lowest if self.ceiling_fen is None else min(lowest, self.ceiling_fen)


def _kind_of_gmv(value: object) -> str:
    return "formula" if isinstance(value, dict | Formula) else "fixed"


GmvTarget = Annotated[
    Annotated[Fen, Tag("fixed")] | Annotated[Formula, Tag("formula")],
    Discriminator(_kind_of_gmv),
]


class LevelTerms(_Part):
    """``[levels.X]``: who takes part at this level, and what the level is measured on."""

    direct_only: bool
    min_tenure_months: Annotated[int, Field(ge=0, le=240)] = 0
    gmv: GmvTarget | None = Field(alias="gmv_yuan", default=None)
    """Whole fen, or a formula."""
    orders: Annotated[int, Field(ge=0, le=10**9)] | None = None

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if not self.gmv and not self.orders:
            raise ValueError("a level needs a target above 0: gmv_yuan, orders or both")
        return self


class Tier(_Part):
    """``[[subsidy.tiers]]``: from this attainment on, this rate."""

    at: Ratio
    """Ten-thousandths of the target."""
    rate_permille: Annotated[int, Field(ge=0, le=1000)]

    def needs(self, target: int) -> int:
        """What a measure comes to at least to reach the tier.

        >>> Tier(at="1.50", rate_permille=30).needs(5)
        8
        """
        return -(-target * self.at // 10_000)


class SubsidyTerms(_Part):
    """``[subsidy]``: what a passed promoter's orders earn."""

    basis: Literal["order_amount", "commission"]
    include_price_compare: bool
    include_live_room: bool = False
    links: Literal["any", "app_or_unknown", "app"]
    order_cap_fen: PositiveFen | None = Field(alias="order_cap_yuan", default=None)
    promoter_cap_fen: PositiveFen | None = Field(alias="promoter_cap_yuan", default=None)
    lapse_months: Annotated[int, Field(ge=1, le=240)] | None = None
    audited_by_day: DayOfMonth = 15
    """Of a month: what the platform audits by then settles in the same month."""
    settled_on_day: DayOfMonth = 20
    """Of a month: when the platform settles commissions."""
    budget_fen: PositiveFen | None = Field(alias="budget_yuan", default=None)
    """What the period's subsidies are planned to come to together; it only warns, and cuts nothing. Null: no budget."""
    exclusive: bool = False
    """Whether an order with a line in a published notice of another programme earns nothing."""
    tiers: Annotated[list[Tier], Field(min_length=1)]

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        if self.tiers[0].at != 10_000:
            raise ValueError('tiers.0.at: the first tier starts at "1.00"')
        for index, (lower, higher) in enumerate(zip(self.tiers, self.tiers[1:], strict=False), start=1):
            if higher.at <= lower.at:
                raise ValueError(f"tiers.{index}.at: tiers rise, and this one is not above the one before")
        return self


class NoticeTerms(_Part):
    """``[notice]``: until when results are public and how long they can be appealed; they change no amount."""

    published_by_day: DayOfMonth = 19
    """Of the month after: until when a notice is due."""
    appeals_until_day: DayOfMonth = 19
    """Of the month after, inclusive: until then at least it can be appealed. What is answered by then is in the
    commission's first settlement."""
    appeal_days: Annotated[int, Field(ge=3, le=60)] = 3
    """Full days to appeal in after the day of each notice, and to answer in after the day of an appeal."""


_ADDED_KEYS = (
    ("task", "count_live_room", False),
    ("task", "category_ids", None),
    ("task", "min_order_fen", None),
    ("task", "receipt_cutoff_days", None),
    ("subsidy", "include_live_room", False),
    ("subsidy", "exclusive", False),
    ("subsidy", "audited_by_day", 15),
    ("subsidy", "settled_on_day", 20),
    ("subsidy", "budget_fen", None),
    ("notice", "published_by_day", 19),
    ("notice", "appeals_until_day", 19),
    ("notice", "appeal_days", 3),
)
"""Keys that terms gained after the first were published, with what their absence means: absent or given, such a value
is no part of the hash, so that the hashes of older terms stay."""


class Terms(_Part):
    """One version of the terms, as docs/promises.md, Terms, has them."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    effective_from: Annotated[str, BeforeValidator(_period_text)]
    """The first period they apply to, ``2022-12`` or ``2022-12a``, without the programme."""
    cycle: Literal["month", "half-month"] = MONTH
    task: TaskTerms
    virtual: VirtualTerms
    levels: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=32)], LevelTerms], Field(min_length=1)
    ]
    subsidy: SubsidyTerms
    notice: NoticeTerms = NoticeTerms()

    @model_validator(mode="after")
    def _one_cycle(self) -> Self:
        months = self.cycle == MONTH
        if months is self.effective_from.endswith(("a", "b")):
            allowed = _A_MONTH if months else _A_HALF
            raise ValueError(f"effective_from: {allowed}, not {self.effective_from!r}")
        needed, other = ("receipt_cutoff_day", "receipt_cutoff_days")[:: 1 if months else -1]
        if getattr(self.task, needed) is None:
            raise ValueError(f"task.{needed}: is missing")
        if getattr(self.task, other) is not None:
            raise ValueError(
                f"task.{other}: is no key of terms by the {self.cycle}; {needed} takes its place"
            )
        first, last = self.task.first_day, self.task.last_day
        if not months and last != "end" and first <= 15 < last < first + 15:
            raise ValueError(
                f"task.last_day: {last} is before day {first} of the second half; days from 1 to 15 count from the "
                f"half's first day"
            )
        return self

    def __hash__(self) -> int:
        """Few versions share both; so that what is made from terms, statements above all, is made once."""
        return hash((self.name, self.effective_from))

    def direct_only(self, level: str | None) -> bool:
        """Whether only direct orders count at a level; so too where the terms do not know the level."""
        return level not in self.levels or self.levels[level].direct_only

    @property
    def sha256(self) -> str:
        """A hash of the content, whatever the layout: same promises, same hash."""
        content = self.model_dump(mode="json")
        content["virtual"] = {key: _distinct(ids) for key, ids in content["virtual"].items()}
        if content["task"]["category_ids"] is not None:
            content["task"]["category_ids"] = _distinct(content["task"]["category_ids"])
        if content["cycle"] == MONTH:
            del content["cycle"]
        for part, key, absent in _ADDED_KEYS:
            if content[part][key] == absent:
                del content[part][key]
        if not content["notice"]:
            del content["notice"]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def read_terms(toml: str) -> Terms:
    """Terms from TOML text; of the same text the same object.

    Raises InvalidTerms, naming the path of every key that is wrong and what would be right.
    """
    try:
        document = tomllib.loads(toml)
    except ValueError as error:  # TOMLDecodeError, and int() for a number of thousands of digits
        raise InvalidTerms(f"not TOML: {error}") from None
    except RecursionError:
        raise InvalidTerms("not terms: nested too deeply") from None
    return terms_of(document)


def terms_of(document: Mapping[str, object]) -> Terms:
    """Terms from a document as TOML text is parsed into. Raises InvalidTerms as ``read_terms`` does."""
    try:
        return Terms.model_validate(document)
    except ValidationError as errors:
        raise InvalidTerms("; ".join(_sentence(error) for error in errors.errors())) from None


_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of terms; leave it out",
    "bool_type": "must be true or false, not {input!r}",
    "int_type": "must be a whole number, not {input!r}",
    "string_type": "must be text, not {input!r}",
    "list_type": "must be a list, not {input!r}",
    "dict_type": "must be a table, not {input!r}",
    "model_type": "must be a table, not {input!r}",
    "literal_error": "must be one of {expected}, not {input!r}",
    "greater_than_equal": "must be at least {ge}, not {input!r}",
    "less_than_equal": "must be at most {le}, not {input!r}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}",
    "string_too_short": "must not be blank",
    "string_too_long": "must have at most {max_length} characters",
}


def _sentence(error: ErrorDetails) -> str:
    # Below gmv_yuan stands which of its two kinds it was read as; that is no step of the file's own.
    steps = error["loc"]
    path = [str(step) for before, step in zip((None, *steps), steps, strict=False) if before != "gmv_yuan"]
    context = error.get("ctx", {})
    sentence = _SENTENCES.get(error["type"])
    if sentence is None:
        reason = str(context.get("error", error["msg"]))
        deeper = re.match(r"(tiers\.\d+\.at|effective_from|task\.\w+): (.*)", reason)
        if deeper:
            path, reason = [*path, deeper[1]], deeper[2]
        return f"{'.'.join(path) or 'terms'}: {reason}"
    return f"{'.'.join(path) or 'terms'}: {sentence.format(input=error['input'], **context)}"
