"""Terms: what they mean, which are refused and how, and that their hash is of the content."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounty.money import read_yuan, shown_yuan
from bounty.rules.terms import Formula, InvalidTerms, read_terms

SAMPLE = """
name = "V0&V1 定向赏金补贴"
effective_from = "2022-12"            # the first period these terms apply to

[task]
first_day = 1
last_day = 20                         # inclusive: up to 24:00
receipt_cutoff_day = 10               # of the next month, inclusive
order_cap_yuan = "200.00"
count_price_compare = true

[virtual]
types = [94]
category_ids = [8724, 8729, 8730, 8732, 8733, 8736]

[levels.V0]
direct_only = true
gmv_yuan = "2000.00"
orders = 20

[levels.V1]
direct_only = false
min_tenure_months = 2
gmv_yuan = { history_periods = 3, factor = "1.10", floor = "3000.00", ceiling = "500000.00", step = "100.00" }

[subsidy]
basis = "order_amount"                # or "commission" (promotion_amount)
include_price_compare = false
links = "app_or_unknown"              # any | app_or_unknown | app
order_cap_yuan = "20.00"              # optional
promoter_cap_yuan = "5000.00"         # optional
lapse_months = 6                      # optional

[[subsidy.tiers]]
at = "1.00"
rate_permille = 20

[[subsidy.tiers]]
at = "1.50"
rate_permille = 30
"""


def changed(old: str, new: str, text: str = SAMPLE) -> str:
    """The sample with its first ``old`` replaced; every change below is one that can be made."""
    assert old in text
    return text.replace(old, new, 1)


def refusal_of(toml: str) -> str:
    with pytest.raises(InvalidTerms) as refusal:
        read_terms(toml)
    return str(refusal.value)


# What they mean


def test_the_sample_means_what_it_says() -> None:
    terms = read_terms(SAMPLE)
    assert (terms.name, terms.effective_from) == ("V0&V1 定向赏金补贴", "2022-12")
    assert (terms.task.first_day, terms.task.last_day, terms.task.receipt_cutoff_day) == (1, 20, 10)
    assert (terms.task.order_cap_fen, terms.task.count_price_compare) == (200_00, True)
    assert (terms.virtual.types, terms.virtual.category_ids) == ([94], [8724, 8729, 8730, 8732, 8733, 8736])
    v0, v1 = terms.levels["V0"], terms.levels["V1"]
    assert (v0.direct_only, v0.min_tenure_months, v0.gmv, v0.orders) == (True, 0, 2000_00, 20)
    assert (v1.direct_only, v1.min_tenure_months, v1.orders) == (False, 2, None)
    assert isinstance(v1.gmv, Formula)
    assert (v1.gmv.history_periods, v1.gmv.factor) == (3, 11_000)
    assert (v1.gmv.floor_fen, v1.gmv.ceiling_fen, v1.gmv.step_fen) == (3000_00, 500_000_00, 100_00)
    subsidy = terms.subsidy
    assert (subsidy.basis, subsidy.include_price_compare, subsidy.links) == (
        "order_amount",
        False,
        "app_or_unknown",
    )
    assert (subsidy.order_cap_fen, subsidy.promoter_cap_fen, subsidy.lapse_months) == (20_00, 5000_00, 6)
    assert [(tier.at, tier.rate_permille) for tier in subsidy.tiers] == [(10_000, 20), (15_000, 30)]


OPTIONAL = [
    "min_tenure_months = 2\n",
    'gmv_yuan = "2000.00"\n',
    "orders = 20\n",
    ', ceiling = "500000.00"',
    'order_cap_yuan = "20.00"              # optional\n',
    'promoter_cap_yuan = "5000.00"         # optional\n',
    "lapse_months = 6                      # optional\n",
]


@pytest.mark.parametrize("line", OPTIONAL)
def test_what_may_be_left_out_may_be_left_out(line: str) -> None:
    assert read_terms(changed(line, "")) != read_terms(SAMPLE)


EDGES = [
    ('"1.50"', '"100"'),
    ('"1.50"', '"100.0000"'),
    ('"1.50"', '"1.0001"'),
    ('"1.10"', '"0.01"'),
    ('"1.10"', '"100"'),
    ("rate_permille = 20", "rate_permille = 0"),
    ("rate_permille = 20", "rate_permille = 1000"),
    ("last_day = 20", "last_day = 1"),
    ("last_day = 20", "last_day = 31"),
    ('ceiling = "500000.00"', 'ceiling = "3000.00"'),
    ('floor = "3000.00"', 'floor = "0.01"'),
    ('gmv_yuan = "2000.00"', 'gmv_yuan = "0.00"'),
    ("orders = 20", "orders = 0"),
    ("[94]", "[]"),
    ('"2022-12"', '"2015-01"'),
    ('"2022-12"', '"2099-12"'),
    ('"200.00"', '"999999999999.99"'),
    ('"200.00"', '"0.01"'),
]


@pytest.mark.parametrize(("old", "new"), EDGES)
def test_the_last_value_that_may_be_is_taken(old: str, new: str) -> None:
    assert read_terms(changed(old, new)) != read_terms(SAMPLE)


# What is refused: the change, the path of the key, and what would be right

NO_KEY = "is not a key of terms; leave it out"
WHOLE = "must be a whole number"
YES_OR_NO = "must be true or false"
MONEY_IS_TEXT = 'money is text with at most two decimals, such as "200.00"'
MONEY = 'write yuan with at most two decimals, such as "200.00"'
MONTH = 'write a month from 2015-01 to 2099-12 as text, such as "2022-12"'
COMPARE = "count_price_compare = true"
LAST_DAY = 'write a day of the month from 1 to 31, or "end" for the last day'
RATIO = 'write a number from 0.01 to 100 as text with at most 4 decimals, such as "1.10"'
RATIO_RANGE = "must lie in 0.01 to 100"
A_TARGET = "a level needs a target above 0: gmv_yuan, orders or both"
RISING = "tiers rise, and this one is not above the one before"
V0_TARGETS = 'gmv_yuan = "2000.00"\norders = 20\n'

REFUSED = [
    # what terms do not know, or can't do without
    ("[task]", "title = 1\n[task]", "title", NO_KEY),
    ("[virtual]", "[virtuals]", "virtual", "is missing"),
    ("[virtual]", "[virtuals]", "virtuals", NO_KEY),
    ("first_day = 1\n", "", "task.first_day", "is missing"),
    ("first_day = 1\n", "firstday = 1\n", "task.firstday", NO_KEY),
    ("orders = 20", "order = 20", "levels.V0.order", NO_KEY),
    ("direct_only = true\n", "", "levels.V0.direct_only", "is missing"),
    ('step = "100.00"', 'step = "100.00", top = "1"', "levels.V1.gmv_yuan.top", NO_KEY),
    ('factor = "1.10", ', "", "levels.V1.gmv_yuan.factor", "is missing"),
    ("rate_permille = 20", "rate_permile = 20", "subsidy.tiers.0.rate_permile", NO_KEY),
    ("order_cap_yuan =", "order_cap_fen =", "task.order_cap_fen", NO_KEY),
    ("order_cap_yuan =", "order_cap_fen =", "task.order_cap_yuan", "is missing"),
    # another kind of value
    ("[task]", "[[task]]", "task", "must be a table"),
    ("types = [94]", "types = 94", "virtual.types", "must be a list"),
    ("[94]", '["94"]', "virtual.types.0", WHOLE),
    ("8724", "true", "virtual.category_ids.0", WHOLE),
    ("first_day = 1\n", "first_day = true\n", "task.first_day", WHOLE),
    ("first_day = 1\n", "first_day = 1.0\n", "task.first_day", WHOLE),
    ("first_day = 1\n", 'first_day = "1"\n', "task.first_day", WHOLE),
    ("orders = 20", "orders = 20.5", "levels.V0.orders", WHOLE),
    ("orders = 20", "orders = true", "levels.V0.orders", WHOLE),
    ("min_tenure_months = 2", 'min_tenure_months = "2"', "levels.V1.min_tenure_months", WHOLE),
    ("history_periods = 3", "history_periods = 3.0", "levels.V1.gmv_yuan.history_periods", WHOLE),
    ("rate_permille = 20", "rate_permille = 2.5", "subsidy.tiers.0.rate_permille", WHOLE),
    ("rate_permille = 20", "rate_permille = nan", "subsidy.tiers.0.rate_permille", WHOLE),
    ("lapse_months = 6", "lapse_months = false", "subsidy.lapse_months", WHOLE),
    ("count_price_compare = true", "count_price_compare = 1", "task.count_price_compare", YES_OR_NO),
    ("direct_only = true", 'direct_only = "true"', "levels.V0.direct_only", YES_OR_NO),
    ("include_price_compare = false", "include_price_compare = 0", "subsidy.include_price_compare", YES_OR_NO),
    ('"V0&V1 定向赏金补贴"', "1", "name", "must be text"),
    # money
    ('"200.00"', "200", "task.order_cap_yuan", MONEY_IS_TEXT),
    ('"200.00"', "200.00", "task.order_cap_yuan", MONEY_IS_TEXT),
    ('"2000.00"', "2000", "levels.V0.gmv_yuan", MONEY_IS_TEXT),
    ('"2000.00"', "true", "levels.V0.gmv_yuan", MONEY_IS_TEXT),
    ('"2000.00"', '["2000.00"]', "levels.V0.gmv_yuan", MONEY_IS_TEXT),
    ('floor = "3000.00"', "floor = 3000", "levels.V1.gmv_yuan.floor", MONEY_IS_TEXT),
    ('ceiling = "500000.00"', "ceiling = 500000", "levels.V1.gmv_yuan.ceiling", MONEY_IS_TEXT),
    ('"20.00"', "20", "subsidy.order_cap_yuan", MONEY_IS_TEXT),
    ('"5000.00"', "5000.0", "subsidy.promoter_cap_yuan", MONEY_IS_TEXT),
    ('"200.00"', '"200.001"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '"1,200.00"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '"¥200"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '" 200"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '"２００"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '"2e2"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '"NaN"', "task.order_cap_yuan", MONEY),
    ('"200.00"', '"1000000000000"', "task.order_cap_yuan", MONEY),
    ('"2000.00"', '"-2000.00"', "levels.V0.gmv_yuan", MONEY),
    ('step = "100.00"', 'step = "0.001"', "levels.V1.gmv_yuan.step", MONEY),
    ('"200.00"', '"0.00"', "task.order_cap_yuan", "must be above 0.00"),
    ('"20.00"', '"0"', "subsidy.order_cap_yuan", "must be above 0.00"),
    ('floor = "3000.00"', 'floor = "0"', "levels.V1.gmv_yuan.floor", "must be above 0.00"),
    ('step = "100.00"', 'step = "0.00"', "levels.V1.gmv_yuan.step", "must be above 0.00"),
    # ranges
    ("first_day = 1\n", "first_day = 0\n", "task.first_day", "must be at least 1"),
    ("last_day = 20", "last_day = 32", "task.last_day", LAST_DAY),
    ("last_day = 20", 'last_day = "last"', "task.last_day", LAST_DAY),
    ("last_day = 20", "last_day = true", "task.last_day", LAST_DAY),
    (COMPARE, f"{COMPARE}\ncount_live_room = 1", "task.count_live_room", YES_OR_NO),
    (COMPARE, f"{COMPARE}\ncategory_ids = []", "task.category_ids", "must have at least 1"),
    (COMPARE, f"{COMPARE}\ncategory_ids = [true]", "task.category_ids.0", WHOLE),
    (COMPARE, f"{COMPARE}\nmin_order_yuan = 9", "task.min_order_yuan", MONEY_IS_TEXT),
    (COMPARE, f'{COMPARE}\nmin_order_yuan = "0"', "task.min_order_yuan", "must be above 0.00"),
    ("receipt_cutoff_day = 10", "receipt_cutoff_day = 0", "task.receipt_cutoff_day", "must be at least 1"),
    ("first_day = 1\n", "first_day = 21\n", "task", "last_day 20 is before first_day 21"),
    ("orders = 20", "orders = -1", "levels.V0.orders", "must be at least 0"),
    ("min_tenure_months = 2", "min_tenure_months = -1", "levels.V1.min_tenure_months", "must be at least 0"),
    ("history_periods = 3", "history_periods = 0", "levels.V1.gmv_yuan.history_periods", "must be at least 1"),
    ('ceiling = "500000.00"', 'ceiling = "2999.99"', "levels.V1.gmv_yuan", "ceiling is below floor"),
    ("rate_permille = 20", "rate_permille = -1", "subsidy.tiers.0.rate_permille", "must be at least 0"),
    ("rate_permille = 30", "rate_permille = 1001", "subsidy.tiers.1.rate_permille", "must be at most 1000"),
    ("lapse_months = 6", "lapse_months = 0", "subsidy.lapse_months", "must be at least 1"),
    ('factor = "1.10"', "factor = 1.10", "levels.V1.gmv_yuan.factor", RATIO),
    ('factor = "1.10"', 'factor = "1.12345"', "levels.V1.gmv_yuan.factor", RATIO),
    ('factor = "1.10"', 'factor = "0.0099"', "levels.V1.gmv_yuan.factor", RATIO_RANGE),
    ('factor = "1.10"', 'factor = "100.0001"', "levels.V1.gmv_yuan.factor", RATIO_RANGE),
    ('"1.50"', '"1.00001"', "subsidy.tiers.1.at", RATIO),
    ('"1.50"', '"150%"', "subsidy.tiers.1.at", RATIO),
    ('"1.50"', "1.5", "subsidy.tiers.1.at", RATIO),
    ('"1.50"', '"100.01"', "subsidy.tiers.1.at", RATIO_RANGE),
    ('"1.50"', '"0"', "subsidy.tiers.1.at", RATIO_RANGE),
    # words
    ('"V0&V1 定向赏金补贴"', '""', "name", "must not be blank"),
    ('"2022-12"', '"2022-13"', "effective_from", MONTH),
    ('"2022-12"', '"2014-12"', "effective_from", MONTH),
    ('"2022-12"', '"2100-01"', "effective_from", MONTH),
    ('"2022-12"', '"2022-1"', "effective_from", MONTH),
    ('"2022-12"', "2022-12-01", "effective_from", MONTH),
    ('"2022-12"', "202212", "effective_from", MONTH),
    ('"order_amount"', '"gmv"', "subsidy.basis", "must be one of 'order_amount' or 'commission'"),
    ('"app_or_unknown"', '"APP"', "subsidy.links", "must be one of 'any', 'app_or_unknown' or 'app'"),
    # targets and tiers
    (V0_TARGETS, "", "levels.V0", A_TARGET),
    (V0_TARGETS, "orders = 0\n", "levels.V0", A_TARGET),
    (V0_TARGETS, 'gmv_yuan = "0.00"\n', "levels.V0", A_TARGET),
    ('"1.00"', '"0.99"', "subsidy.tiers.0.at", 'the first tier starts at "1.00"'),
    ('"1.00"', '"1.01"', "subsidy.tiers.0.at", 'the first tier starts at "1.00"'),
    ('"1.50"', '"1.00"', "subsidy.tiers.1.at", RISING),
    ('"1.50"', '"0.50"', "subsidy.tiers.1.at", RISING),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "right"), REFUSED)
def test_a_refusal_names_the_key_and_what_would_be_right(old: str, new: str, path: str, right: str) -> None:
    sentence = re.escape(f"{path}: {right}")
    assert re.search(f"(^|; ){sentence}", refusal_of(changed(old, new)))


def test_without_tiers_or_levels_there_are_no_terms() -> None:
    tiers = SAMPLE.index("[[subsidy.tiers]]")
    assert refusal_of(SAMPLE[:tiers]) == "subsidy.tiers: is missing"
    assert refusal_of(f"{SAMPLE[:tiers]}tiers = []") == "subsidy.tiers: must have at least 1"
    levels = re.sub(r"\[levels\.V0\].*(?=\[subsidy\])", "[levels]\n", SAMPLE, flags=re.DOTALL)
    assert refusal_of(levels) == "levels: must have at least 1"


def test_every_key_that_is_wrong_is_named_at_once() -> None:
    wrong = changed("first_day = 1\n", "first_day = 0\n", changed('"20.00"', "20"))
    assert [sentence.partition(": ")[0] for sentence in refusal_of(wrong).split("; ")] == [
        "task.first_day",
        "subsidy.order_cap_yuan",
    ]


@pytest.mark.parametrize(
    "toml",
    [
        "name == 1",
        'name = "a"\nname = "b"',
        changed("[virtual]", "[task]"),
        changed("200.00", "200.00\x00"),
        changed("V0&V1", "\\ud800"),
        "name",
    ],
)
def test_what_is_not_toml_is_refused_with_its_place(toml: str) -> None:
    assert re.fullmatch(r"not TOML: .+ \(at (line [0-9]+, column [0-9]+|end of document)\)", refusal_of(toml))


def test_what_is_nested_without_end_is_refused() -> None:
    assert refusal_of(f"name = {'[' * 5000}{']' * 5000}") == "not terms: nested too deeply"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[task]", f"number = {'1' * 5000}\n[task]", "not TOML"),
        ("[94]", f"[{2**63}]", "virtual.types.0: "),
        ("[levels.V1]\ndirect_only = false", "[levels.fixed]\ndirect_only = 0", "levels.fixed.direct_only: "),
        ("[levels.V1]", '[levels.""]', "levels."),
    ],
)
def test_what_is_far_fetched_is_refused_like_the_rest(old: str, new: str, said: str) -> None:
    assert refusal_of(changed(old, new)).startswith(said)


def test_nothing_at_all_is_told_everything_that_is_missing() -> None:
    keys = ["name", "effective_from", "task", "virtual", "levels", "subsidy"]
    assert refusal_of("") == "; ".join(f"{key}: is missing" for key in keys)


# The hash


def reordered(table: str) -> list[str]:
    """The lines of a table, its keys backwards."""
    head, *keys = table.split("\n")
    return [head, *reversed(keys)]


FIRST_LINES, *TABLES = SAMPLE.strip().split("\n\n")
V1 = next(table for table in TABLES if table.startswith("[levels.V1]"))
SAME = {
    "no comments": re.sub(r" +#.*", "", SAMPLE),
    "blank lines and carriage returns": SAMPLE.replace("\n", "\r\n\r\n"),
    "money with fewer decimals": SAMPLE.replace('"200.00"', '"200"').replace('"20.00"', '"020.0"'),
    "ratios with other zeros": SAMPLE.replace('"1.10"', '"1.1"').replace('"1.50"', '"001.5000"'),
    "keys in another order": "\n\n".join([FIRST_LINES, *("\n".join(reordered(table)) for table in TABLES)]),
    "tables in another order": "\n\n".join([FIRST_LINES, V1, *(table for table in TABLES if table != V1)]),
    "a default written out": changed("[levels.V0]\n", "[levels.V0]\nmin_tenure_months = 0\n"),
    "newer keys' defaults written out": changed(
        "count_price_compare = true", "count_price_compare = true\ncount_live_room = false"
    ).replace("include_price_compare = false", "include_price_compare = false\ninclude_live_room = false"),
    "ids in another order, and twice": changed("[8724, 8729,", "[8736, 8729, 8724, 8729,"),
}
OTHERWISE = [
    ("V0&V1", "V0"),
    ('"2022-12"', '"2023-01"'),
    ("first_day = 1\n", "first_day = 2\n"),
    ("last_day = 20", "last_day = 21"),
    ("receipt_cutoff_day = 10", "receipt_cutoff_day = 11"),
    ('"200.00"', '"200.01"'),
    ("count_price_compare = true", "count_price_compare = false"),
    ("[94]", "[94, 95]"),
    ("8736", "8737"),
    ("[levels.V0]", "[levels.V2]"),
    ("direct_only = true", "direct_only = false"),
    ('"2000.00"', '"2000.01"'),
    ("orders = 20", "orders = 21"),
    ("min_tenure_months = 2", "min_tenure_months = 3"),
    ("history_periods = 3", "history_periods = 4"),
    ('"1.10"', '"1.1001"'),
    ('"3000.00"', '"3000.01"'),
    ('"500000.00"', '"500000.01"'),
    ('"100.00"', '"100.01"'),
    ('"order_amount"', '"commission"'),
    ("include_price_compare = false", "include_price_compare = true"),
    ('"app_or_unknown"', '"app"'),
    ('"20.00"', '"20.01"'),
    ('"5000.00"', '"5000.01"'),
    ("lapse_months = 6", "lapse_months = 7"),
    ('"1.50"', '"1.5001"'),
    ("rate_permille = 30", "rate_permille = 31"),
    ("last_day = 20", 'last_day = "end"'),
    *(
        ("count_price_compare = true", f"count_price_compare = true\n{line}")
        for line in ("count_live_room = true", "category_ids = [7]", 'min_order_yuan = "9.90"')
    ),
    ("include_price_compare = false", "include_price_compare = false\ninclude_live_room = true"),
]


@pytest.mark.parametrize("layout", SAME)
def test_the_layout_does_not_change_the_hash(layout: str) -> None:
    assert SAME[layout] != SAMPLE
    assert read_terms(SAME[layout]).sha256 == read_terms(SAMPLE).sha256


@pytest.mark.parametrize(("old", "new"), OTHERWISE)
def test_another_promise_changes_the_hash(old: str, new: str) -> None:
    assert read_terms(changed(old, new)).sha256 != read_terms(SAMPLE).sha256


def test_the_hash_of_what_was_published_stays() -> None:
    """It stands in notices: another one for the same content would deny them."""
    assert read_terms(SAMPLE).sha256 == "4f17a7d5db48856deb995116309feffacc5ea3ed9abcf0dd119143a44ae3475a"


# The formula


@given(
    history_fen=st.integers(0, 24 * 10**14),
    history_periods=st.integers(1, 24),
    factor=st.integers(100, 1_000_000).map(lambda myriad: f"{myriad // 10_000}.{myriad % 10_000:04d}"),
    step=st.integers(1, 10**8),
    floor=st.integers(1, 10**12),
    above_floor=st.none() | st.integers(0, 10**12),
)
def test_a_target_is_the_mean_times_the_factor_rounded_up_and_held(
    history_fen: int, history_periods: int, factor: str, step: int, floor: int, above_floor: int | None
) -> None:
    ceiling = None if above_floor is None else floor + above_floor
    formula = Formula.model_validate(
        {
            "history_periods": history_periods,
            "factor": factor,
            "floor": shown_yuan(floor),
            **({} if ceiling is None else {"ceiling": shown_yuan(ceiling)}),
            "step": shown_yuan(step),
        }
    )
    target = formula.target_fen(history_fen)
    exact = Fraction(history_fen) / history_periods * Fraction(factor)
    assert floor <= target
    assert ceiling is None or target <= ceiling
    assert target % step == 0 or target in (floor, ceiling)
    assert target >= exact or target == ceiling
    assert target < exact + step or target == floor


@pytest.mark.parametrize(
    ("history_yuan", "target_yuan"),
    [
        # 3 months x 1.10, up to a multiple of 100, from 3000 to 500000
        ("0", "3000.00"),
        ("8181.81", "3000.00"),  # 2999.997 -> 3000
        ("8181.82", "3100.00"),  # 3000.0007 -> 3100
        ("9000.00", "3300.00"),  # 3300 exactly: not one step more
        ("9000.01", "3400.00"),
        ("1363636.36", "500000.00"),  # 499999.9987
        ("9999999.99", "500000.00"),
    ],
)
def test_the_samples_formula_by_hand(history_yuan: str, target_yuan: str) -> None:
    formula = read_terms(SAMPLE).levels["V1"].gmv
    assert isinstance(formula, Formula)
    assert formula.target_fen(read_yuan(history_yuan)) == read_yuan(target_yuan)
