"""The terms in words: every number of theirs is told, in both languages, from the clauses that the engine uses."""

import re

import pytest

from bounty.rules.clauses import SUBSIDY_CLAUSES, TASK_CLAUSES, Clause
from bounty.rules.terms import Terms, read_terms
from bounty.rules.terms_text import terms_in_words

TERMS = """
name = "定向赏金"
effective_from = "2022-12"

[task]
first_day = 2
last_day = 21
receipt_cutoff_day = 11
order_cap_yuan = "203.04"
count_price_compare = true

[virtual]
types = [94]
category_ids = [8724]

[levels.V0]
direct_only = true
gmv_yuan = "2005.06"
orders = 27

[levels.V1]
direct_only = false
min_tenure_months = 8
gmv_yuan = { history_periods = 3, factor = "1.1234", floor = "3009.10", ceiling = "500011.12", step = "113.14" }

[subsidy]
basis = "order_amount"
include_price_compare = false
links = "app_or_unknown"
order_cap_yuan = "15.16"
promoter_cap_yuan = "5017.18"
lapse_months = 6

[[subsidy.tiers]]
at = "1.00"
rate_permille = 19

[[subsidy.tiers]]
at = "1.525"
rate_permille = 32
"""
both_languages = pytest.mark.parametrize("chinese", [True, False], ids=["zh", "en"])


def words(toml: str, *, chinese: bool) -> str:
    return "\n".join(terms_in_words(read_terms(toml), chinese=chinese))


def changed(old: str, new: str) -> str:
    assert old in TERMS
    return TERMS.replace(old, new, 1)


@both_languages
@pytest.mark.parametrize(
    "told",
    [
        "定向赏金",
        "2022-12",
        *("V0", "V1"),
        *("¥203.04", "¥2,005.06", "¥3,009.10", "¥500,011.12", "¥113.14", "¥15.16", "¥5,017.18"),
        *("112.34%", "100%", "152.5%"),
        *("19‰", "32‰"),
    ],
)
def test_a_name_an_amount_and_a_rate_are_told_as_they_are(told: str, chinese: bool) -> None:
    assert told in words(TERMS, chinese=chinese)


@pytest.mark.parametrize(
    ("zh", "en"),
    [
        ("当月 2 日 0 点至 21 日 24 点", "the 2nd to the end of the 21st of the month"),
        ("次月 11 日 24 点前确认收货", "received by the end of the 11th of the next month"),
        ("到次月 11 日 24 点未发生退款", "by the end of the 11th of the next month"),
        ("订单目标 27 单", "27 orders"),
        ("注册满 8 个月", "registered 8 months"),
        ("本人此前 3 个月", "own mean over 3 months"),
    ],
)
def test_a_day_and_a_count_are_told_with_what_they_mean(zh: str, en: str) -> None:
    assert zh in words(TERMS, chinese=True)
    assert en in words(TERMS, chinese=False)


CHANGES = [
    ("定向赏金", "赏金"),
    ('"2022-12"', '"2023-01"'),
    ("first_day = 2", "first_day = 3"),
    ("last_day = 21", "last_day = 22"),
    ("receipt_cutoff_day = 11", "receipt_cutoff_day = 12"),
    ('"203.04"', '"203.05"'),
    ("count_price_compare = true", "count_price_compare = false"),
    ("[levels.V0]", "[levels.V2]"),
    ("direct_only = true", "direct_only = false"),
    ('"2005.06"', '"2005.07"'),
    ('gmv_yuan = "2005.06"\n', ""),
    ("orders = 27", "orders = 28"),
    ("orders = 27\n", ""),
    ("min_tenure_months = 8", "min_tenure_months = 9"),
    ("min_tenure_months = 8\n", ""),
    ("history_periods = 3", "history_periods = 4"),
    ('"1.1234"', '"1.1235"'),
    ('"3009.10"', '"3009.11"'),
    ('"500011.12"', '"500011.13"'),
    (', ceiling = "500011.12"', ""),
    ('"113.14"', '"113.15"'),
    ('"order_amount"', '"commission"'),
    ("include_price_compare = false", "include_price_compare = true"),
    ('"app_or_unknown"', '"app"'),
    ('"app_or_unknown"', '"any"'),
    ('"15.16"', '"15.17"'),
    ('order_cap_yuan = "15.16"\n', ""),
    ('"5017.18"', '"5017.19"'),
    ('promoter_cap_yuan = "5017.18"\n', ""),
    ("rate_permille = 19", "rate_permille = 20"),
    ('"1.525"', '"1.5251"'),
    ("rate_permille = 32", "rate_permille = 33"),
    ("lapse_months = 6", "lapse_months = 7"),
    ("last_day = 21", 'last_day = "end"'),
    ("count_price_compare = true", "count_price_compare = true\ncount_live_room = true"),
    ("count_price_compare = true", "count_price_compare = true\ncategory_ids = [239]"),
    ("count_price_compare = true", 'count_price_compare = true\nmin_order_yuan = "9.90"'),
    ("include_price_compare = false", "include_price_compare = false\ninclude_live_room = true"),
]


@both_languages
@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_another_promise_is_told_otherwise(old: str, new: str, chinese: bool) -> None:
    assert words(changed(old, new), chinese=chinese) != words(TERMS, chinese=chinese)


VARIED = [
    TERMS,
    changed("count_price_compare = true", "count_price_compare = false"),
    changed("include_price_compare = false", "include_price_compare = true"),
    changed('"app_or_unknown"', '"app"'),
    changed('"app_or_unknown"', '"any"'),
    changed("direct_only = true", "direct_only = false"),
    changed("first_day = 2", "first_day = 4"),
    changed(
        "count_price_compare = true", 'count_price_compare = true\ncategory_ids = [7]\nmin_order_yuan = "1"'
    ),
]
ALL_DIRECT = changed("direct_only = false", "direct_only = true")


@both_languages
@pytest.mark.parametrize("toml", VARIED, ids=range(len(VARIED)))
def test_the_conditions_are_the_engines_own_clauses_in_their_order(toml: str, chinese: bool) -> None:
    terms = read_terms(toml)
    told = terms_in_words(terms, chinese=chinese)
    for clauses in (TASK_CLAUSES, SUBSIDY_CLAUSES):
        sentences = joined(clauses, terms, chinese=chinese)
        assert [sentences in each for each in told].count(True) == 1


def joined(clauses: tuple[Clause, ...], terms: Terms, *, chinese: bool) -> str:
    return (
        "；".join(filter(None, (each.zh(terms) for each in clauses)))
        if chinese
        else "; ".join(filter(None, (each.en(terms) for each in clauses)))
    )


@pytest.mark.parametrize("toml", [*VARIED, ALL_DIRECT], ids=range(len(VARIED) + 1))
def test_each_language_is_told_in_its_own(toml: str) -> None:
    terms = read_terms(toml)
    for clause in (*TASK_CLAUSES, *SUBSIDY_CLAUSES):
        assert bool(re.search(r"[\u4e00-\u9fff]", clause.zh(terms))) is bool(clause.en(terms))
        assert not re.search(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", clause.en(terms)), clause.code


@both_languages
def test_there_is_a_sentence_for_each_level_and_none_is_blank(chinese: bool) -> None:
    told = terms_in_words(read_terms(TERMS), chinese=chinese)
    assert [each.split("：" if chinese else ":")[0] for each in told[1:3]] == ["V0", "V1"]
    assert all(each.strip() for each in told)
    assert len(told) == len(set(told))
