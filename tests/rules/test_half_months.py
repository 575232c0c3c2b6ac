"""Half-months: the periods, the bounds that terms give them, and terms that a half-month can't have."""

from datetime import date, timedelta

import pytest

from bounty.clock import shanghai_date, shown
from bounty.roster.eligibility import history_months, registered_by
from bounty.rules.periods import Period, bounds_of, lapses_at
from bounty.rules.terms import HALF_MONTH, Formula, InvalidTerms, read_terms
from tests.factories import half_month_terms, plain_terms

HALVES = [
    Period(year, month, half) for year in range(2015, 2100) for month in range(1, 13) for half in (1, 2)
]


def test_halves_adjoin_and_every_day_is_of_one_and_each_is_what_its_text_says() -> None:
    terms = read_terms(half_month_terms())
    day = date(2015, 1, 1)
    for at, period in enumerate(HALVES):
        assert Period.parse(str(period)) == period
        assert Period.parse(f"sprint:{period}").name == str(period)
        assert HALVES[0].plus(at) == period
        assert period.plus(-at) == HALVES[0]
        bounds = bounds_of(period, terms)
        assert shanghai_date(bounds.month_from) == period.first_day == day
        assert (bounds.task_from, bounds.task_until) == (bounds.month_from, bounds.month_until)
        assert bounds.receipt_cutoff == bounds.month_until + 10 * 86_400
        while day < shanghai_date(bounds.month_until):
            assert Period.of(day, HALF_MONTH) == period
            day += timedelta(days=1)


@pytest.mark.parametrize(
    ("first_day", "last_day", "of_a", "of_b"),
    [
        (1, "end", (1, 15), (16, 28)),
        (1, 15, (1, 15), (16, 28)),
        (2, 10, (2, 10), (17, 25)),
        (1, 20, (1, 15), (16, 20)),
        (3, 31, (3, 15), (18, 28)),
    ],
)
def test_days_from_1_to_15_count_from_the_halfs_first_and_later_ones_are_of_the_month(
    first_day: int, last_day: int | str, of_a: tuple[int, int], of_b: tuple[int, int]
) -> None:
    terms = read_terms(
        half_month_terms(first_day=first_day).replace('"end"', str(last_day).replace("end", '"end"'))
    )
    for half, days in ((1, of_a), (2, of_b)):
        bounds = bounds_of(Period(2023, 2, half), terms)
        found = shanghai_date(bounds.task_from).day, shanghai_date(bounds.task_until - 1).day
        assert found == days


def test_tenure_history_and_lapse_of_a_half() -> None:
    second = Period(2023, 3, 2)
    assert registered_by(second, 1) == date(2023, 2, 16)
    formula = Formula(history_periods=3, factor="1", floor="1", step="1")  # type: ignore[arg-type]
    assert [str(each) for each in history_months(second, formula)] == ["2023-01b", "2023-02a", "2023-02b"]
    lapsing = read_terms(
        half_month_terms().replace("[[subsidy.tiers]]", "lapse_months = 1\n[[subsidy.tiers]]", 1)
    )
    assert shown(lapses_at(Period(2022, 12, 1), lapsing) or 0) == "2023-01-16T00:00:00+08:00"
    assert shown(lapses_at(Period(2022, 12, 2), lapsing) or 0) == "2023-02-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"2022-12a"', '"2022-12"', "effective_from: write a half of a month"),
        ('"2022-12a"', '"2022-12c"', "effective_from: write a month"),
        ('cycle = "half-month"', 'cycle = "month"', "effective_from: write a month"),
        ('cycle = "half-month"', 'cycle = "week"', "cycle: must be one of"),
        ("receipt_cutoff_days = 10", "receipt_cutoff_day = 10", "task.receipt_cutoff_days: is missing"),
        (
            "receipt_cutoff_days = 10",
            "receipt_cutoff_days = 10\nreceipt_cutoff_day = 10",
            "task.receipt_cutoff_day: is no key of terms by the half-month; receipt_cutoff_days takes its place",
        ),
        (
            "receipt_cutoff_days = 10",
            "receipt_cutoff_days = 0",
            "task.receipt_cutoff_days: must be at least 1",
        ),
        (
            "receipt_cutoff_days = 10",
            "receipt_cutoff_days = 61",
            "task.receipt_cutoff_days: must be at most 60",
        ),
        (
            'first_day = 1\nlast_day = "end"',
            "first_day = 10\nlast_day = 20",
            "task.last_day: 20 is before day 10",
        ),
    ],
)
def test_terms_that_a_half_month_cannot_have(old: str, new: str, said: str) -> None:
    toml = half_month_terms()
    assert old in toml
    with pytest.raises(InvalidTerms) as refusal:
        read_terms(toml.replace(old, new))
    assert str(refusal.value).startswith(said)


def test_a_month_has_a_cutoff_day_and_no_days() -> None:
    toml = plain_terms()
    with pytest.raises(InvalidTerms, match=r"task\.receipt_cutoff_day: is missing"):
        read_terms(toml.replace("receipt_cutoff_day = 10\n", ""))
    with pytest.raises(InvalidTerms, match=r"task\.receipt_cutoff_days: is no key of terms by the month"):
        read_terms(
            toml.replace("receipt_cutoff_day = 10", "receipt_cutoff_day = 10\nreceipt_cutoff_days = 10")
        )
    assert read_terms(toml).sha256 == read_terms(f'cycle = "month"\n{toml}').sha256
