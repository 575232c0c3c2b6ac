"""Periods and the bounds that terms give them: half-open, adjoining, in Shanghai, for every month there can be."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounty.clock import midnight, shanghai_date, shown
from bounty.rules.periods import Bounds, Period, bounds_of
from bounty.rules.terms import Terms, read_terms

DAY = 86_400
MONTHS = [Period(year, month) for year in range(2015, 2100) for month in range(1, 13)]
months = st.sampled_from(MONTHS)
days = st.integers(1, 31)


def terms(first_day: int = 1, last_day: int = 20, receipt_cutoff_day: int = 10) -> Terms:
    return read_terms(
        f"""
        name = "窗口"
        effective_from = "2015-01"
        virtual = {{ types = [], category_ids = [] }}
        levels.V0 = {{ direct_only = false, orders = 1 }}

        [task]
        first_day = {first_day}
        last_day = {last_day}
        receipt_cutoff_day = {receipt_cutoff_day}
        order_cap_yuan = "200.00"
        count_price_compare = true

        [subsidy]
        basis = "order_amount"
        include_price_compare = false
        links = "any"
        tiers = [{{ at = "1.00", rate_permille = 20 }}]
        """
    )


def shanghai(year: int, month: int, day: int) -> int:
    """The beginning of a day, eight hours before UTC's; the calendar module knows nothing of zones."""
    return calendar.timegm((year, month, day, 0, 0, 0)) - 8 * 3600


def length(period: Period) -> int:
    return calendar.monthrange(period.year, period.month)[1]


# Text


def test_a_period_is_written_as_its_year_and_month() -> None:
    for period in MONTHS:
        assert str(period) == f"{period.year}-{period.month:02d}"
        assert Period.parse(str(period)) == period
    assert len(MONTHS) == len(set(map(str, MONTHS))) == 1020


NOT_PERIODS = """
    2022-13 2022-00 2022-1 2022-012 202212 22-12 2014-12 2100-01 2022/12 2022-12-01 -2022-12 2022-+1 ２０２２-12 now
""".split()


@pytest.mark.parametrize("text", [*NOT_PERIODS, "", " 2022-12", "2022-12\n"])
def test_anything_else_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"write a month from 2015-01 to 2099-12, such as 2022-12"):
        Period.parse(text)


# Reckoning


@given(months, st.integers(-600, 600), st.integers(-600, 600))
def test_months_later_add_up(period: Period, some: int, more: int) -> None:
    assert period.plus(some).plus(more) == period.plus(some + more)
    assert period.plus(some).plus(-some) == period
    assert (period.plus(some) > period) == (some > 0)


def test_months_follow_one_another_without_a_gap() -> None:
    for earlier, later in pairwise(MONTHS):
        assert earlier.plus(1) == later
        assert later.plus(-1) == earlier
        assert earlier.day(31) + timedelta(days=1) == later.first_day


@given(months, days)
def test_a_day_that_a_month_lacks_is_its_last(period: Period, day: int) -> None:
    assert period.day(day) == date(period.year, period.month, min(day, length(period)))
    assert Period.of(period.day(day)) == period


# Bounds


@pytest.mark.parametrize(
    ("bound", "instant", "text"),
    [
        ("task_from", 1669824000, "2022-12-01T00:00:00+08:00"),
        ("task_until", 1671552000, "2022-12-21T00:00:00+08:00"),
        ("receipt_cutoff", 1673366400, "2023-01-11T00:00:00+08:00"),
        ("month_from", 1669824000, "2022-12-01T00:00:00+08:00"),
        ("month_until", 1672502400, "2023-01-01T00:00:00+08:00"),
    ],
)
def test_december_2022_is_as_the_contract_has_it(bound: str, instant: int, text: str) -> None:
    found = getattr(bounds_of(Period(2022, 12), terms()), bound)
    assert (found, shown(found)) == (instant, text)


def test_every_month_from_2015_to_2099_has_its_bounds_in_shanghai() -> None:
    for period in MONTHS:
        year, month = period.year, period.month
        following = period.plus(1)
        assert bounds_of(period, terms()) == Bounds(
            task_from=shanghai(year, month, 1),
            task_until=shanghai(year, month, 21),
            receipt_cutoff=shanghai(following.year, following.month, 11),
            month_from=shanghai(year, month, 1),
            month_until=shanghai(following.year, following.month, 1),
        )


def test_subsidy_windows_adjoin_so_that_every_instant_is_of_one_month() -> None:
    bounds = [bounds_of(period, terms()) for period in MONTHS]
    assert [earlier.month_until for earlier in bounds[:-1]] == [later.month_from for later in bounds[1:]]
    for period, each in zip(MONTHS, bounds, strict=True):
        assert each.month_until - each.month_from == length(period) * DAY
        assert Period.of(shanghai_date(each.month_from)) == period
        assert Period.of(shanghai_date(each.month_until - 1)) == period


@given(months, days, days, days)
def test_windows_are_whole_days_within_the_month_and_the_cutoff_comes_after(
    period: Period, one: int, other: int, cutoff: int
) -> None:
    first, last = sorted((one, other))
    bounds = bounds_of(period, terms(first, last, cutoff))
    assert (
        bounds.month_from
        <= bounds.task_from
        < bounds.task_until
        <= bounds.month_until
        < bounds.receipt_cutoff
    )
    in_window = range(bounds.task_from, bounds.task_until, DAY)
    assert [shanghai_date(noon).day for noon in (start + DAY // 2 for start in in_window)] == list(
        range(min(first, length(period)), min(last, length(period)) + 1)
    )
    last_chance = shanghai_date(bounds.receipt_cutoff - 1)
    assert last_chance == period.plus(1).day(cutoff)
    assert shanghai_date(bounds.receipt_cutoff) == last_chance + timedelta(days=1)


@pytest.mark.parametrize(
    ("period", "last_day", "until"),
    [
        (Period(2023, 2), 28, "2023-03-01T00:00:00+08:00"),
        (Period(2023, 2), 31, "2023-03-01T00:00:00+08:00"),
        (Period(2024, 2), 28, "2024-02-29T00:00:00+08:00"),
        (Period(2024, 2), 29, "2024-03-01T00:00:00+08:00"),
        (Period(2024, 2), 31, "2024-03-01T00:00:00+08:00"),
        (Period(2023, 4), 31, "2023-05-01T00:00:00+08:00"),
        (Period(2022, 12), 31, "2023-01-01T00:00:00+08:00"),
    ],
)
def test_a_window_to_a_day_that_the_month_lacks_ends_with_the_month(
    period: Period, last_day: int, until: str
) -> None:
    assert shown(bounds_of(period, terms(last_day=last_day)).task_until) == until


@given(st.dates(date(2015, 1, 1), date(2099, 12, 31)))
def test_a_day_begins_at_midnight_in_shanghai(day: date) -> None:
    start = midnight(day)
    assert datetime.fromtimestamp(start, UTC) == datetime(
        day.year, day.month, day.day, tzinfo=UTC
    ) - timedelta(hours=8)
    assert datetime.fromtimestamp(start, timezone(timedelta(hours=8))).time().isoformat() == "00:00:00"
    assert (shanghai_date(start - 1), shanghai_date(start)) == (day - timedelta(days=1), day)
