"""What promoters ask is answered from the terms: no number of its own, none forgotten, alike in both languages."""

import re

import pytest

from bounty.rules.faq import faq_entries
from bounty.rules.terms import read_terms
from tests.rules.test_words import CHANGES, TERMS, both_languages, changed

NOT_ASKED = {("定向赏金", "赏金"), ('"2022-12"', '"2023-01"')}
"""The name and the first period are on the page, but nobody asks about them."""


def answers(toml: str, *, chinese: bool) -> str:
    return "\n".join(
        "\n".join([each.question, *each.sentences]) for each in faq_entries(read_terms(toml), chinese=chinese)
    )


def test_the_questions_of_promoters_are_answered() -> None:
    asked = [each.question for each in faq_entries(read_terms(TERMS), chinese=True)]
    for question in (
        "为什么没有参与资格？",
        "什么是直推？",
        "补贴什么时候到账？",
        "什么是虚拟商品？",
        "目标由来是什么？",
        "收货晚了怎么办？",
        "「封顶」是什么？",
        "「快照」是什么？",
        "对结论有异议怎么办？",
        "补贴要缴税吗？",
    ):
        assert question in asked


def test_both_languages_answer_the_same_questions() -> None:
    terms = read_terms(TERMS)
    zh, en = faq_entries(terms, chinese=True), faq_entries(terms, chinese=False)
    assert [each.name for each in zh] == [each.name for each in en]
    assert len({each.name for each in zh}) == len(zh)
    assert all(sentence.strip() for each in (*zh, *en) for sentence in each.sentences)
    assert not re.search(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", answers(TERMS, chinese=False))


@both_languages
@pytest.mark.parametrize(("old", "new"), [change for change in CHANGES if change not in NOT_ASKED])
def test_another_promise_is_answered_otherwise(old: str, new: str, chinese: bool) -> None:
    assert answers(changed(old, new), chinese=chinese) != answers(TERMS, chinese=chinese)


@both_languages
def test_every_number_of_an_answer_is_of_the_terms(chinese: bool) -> None:
    terms = re.findall(r"[0-9]+", TERMS)
    percents = {"112", "34", "100", "152", "5"}  # 1.1234, 1.00 and 1.525 of a target
    text = re.sub(
        r"V[0-9]|(?<=[0-9]),(?=[0-9]{3})", "", answers(TERMS, chinese=chinese)
    )  # no levels, no grouping
    said = set(re.findall(r"[0-9]+", text))
    assert said - set(terms) - percents <= {
        "0",
        "1",
        "24",
        "00",
        "15",
        "20",
    }  # an eligible target, the 1st, the end of a day, and the platform's rhythm, which terms need not name


def test_a_category_has_its_name_beside_its_number() -> None:
    known = TERMS.replace("category_ids = [", "category_ids = [8724, ", 1)
    assert "8724（购物卡/礼品卡/代金券）" in answers(known, chinese=True)
    assert "8724 (gift cards and vouchers)" in answers(known, chinese=False)
