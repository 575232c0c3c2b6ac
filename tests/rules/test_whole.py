"""Whole numbers in SQL come out as in Python, on both databases and to the last digit."""

import random
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Engine, func, insert, literal, select
from sqlalchemy.exc import DBAPIError

from bounty.db import WholeNumber, Words, clear, load, transaction, workspace
from bounty.money import fen_of, money_of, share
from bounty.rules.sql_math import (
    by_bytes,
    capped_at,
    count_where,
    reaches,
    running_total,
    share_half_even,
    sum_or_zero,
    whole_part,
)

LARGEST_FEN = 10**14
values = workspace(
    "values_at_hand",
    Column("place", WholeNumber, primary_key=True),
    Column("first", WholeNumber),
    Column("second", WholeNumber),
)
first, second = values.c.first, values.c.second
Pair = tuple[int | None, int | None]

# The database stays for all examples of a test; each one fills the table anew.
on_one_database = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def computed(connection: Connection, pairs: Iterable[Pair], *expressions: Any) -> list[Any]:
    """What expressions over ``first`` and ``second`` give for each pair, in their order."""
    rows = [(place, *pair) for place, pair in enumerate(pairs)]
    clear(connection, values)
    load(connection, values, rows)
    found = connection.execute(select(*expressions).order_by(values.c.place)).all()
    assert len(found) == len(rows)
    return [row[0] if len(expressions) == 1 else tuple(row) for row in found]


# A share, half-even


def shares(pairs: Sequence[tuple[int, int]]) -> list[int]:
    return [fen_of(share(money_of(amount), permille)) for amount, permille in pairs]


def exact_ties() -> list[tuple[int, int]]:
    """Amounts and rates whose product ends in exactly half a fen, after an even and after an odd whole."""
    ties = [(amount, 500) for amount in range(1, 400, 2)]
    ties += [(amount, 20) for amount in range(25, 20_000, 50)]
    ties += [(amount, 125) for amount in range(4, 4_000, 8)]
    ties += [(LARGEST_FEN - 1, 500), (LARGEST_FEN - 25, 20), (LARGEST_FEN - 75, 20)]
    assert all(amount * permille % 1000 == 500 for amount, permille in ties)
    assert {amount * permille // 1000 % 2 for amount, permille in ties} == {0, 1}
    return ties


def test_a_share_is_the_one_rounding_of_money(engine: Engine) -> None:
    rng = random.Random(2022)
    ties = exact_ties()
    beside = [(amount + step, permille) for amount, permille in ties for step in (-1, 1)]
    others = [(rng.randrange(10 ** rng.randint(1, 14)), rng.randint(0, 1000)) for _ in range(2000)]
    edges = [
        (amount, permille) for amount in (0, 1, 2, LARGEST_FEN) for permille in (0, 1, 499, 500, 999, 1000)
    ]
    pairs = [*ties, *beside, *others, *edges]
    with transaction(engine) as connection:
        assert computed(connection, pairs, share_half_even(first, second)) == shares(pairs)
    print(f"shares compared: {len(pairs)}, of them ties: {len(ties)}")


@on_one_database
@given(st.lists(st.tuples(st.integers(0, LARGEST_FEN), st.integers(0, 1000)), min_size=1, max_size=200))
def test_any_share_is_the_one_rounding_of_money(engine: Engine, pairs: list[tuple[int, int]]) -> None:
    with transaction(engine) as connection:
        assert computed(connection, pairs, share_half_even(first, second)) == shares(pairs)


# Reaching


def at_the_edge(target: int, at: int) -> list[tuple[int, int]]:
    """Measures around the least that reaches a part of a target."""
    least = -(-target * at // 10_000)
    return [(measured, target) for measured in (0, least - 1, least, least + 1) if measured >= 0]


def reached(pairs: Iterable[tuple[int, int]], at: int) -> list[bool]:
    return [Fraction(measured, target) >= Fraction(at, 10_000) for measured, target in pairs]


def test_a_target_is_reached_exactly(engine: Engine) -> None:
    rng = random.Random(2022)
    targets = [1, 2, 3, 7, 9_999, 10_000, 10_001, 200_000, LARGEST_FEN - 1, LARGEST_FEN]
    targets += [rng.randrange(1, 10 ** rng.randint(1, 14)) for _ in range(60)]
    compared = {True: 0, False: 0}
    with transaction(engine) as connection:
        for at in (100, 101, 3_333, 9_999, 10_000, 10_001, 15_000, 33_333, 999_999, 1_000_000):
            pairs = [pair for target in targets for pair in at_the_edge(target, at)]
            expected = reached(pairs, at)
            assert computed(connection, pairs, reaches(first, second, at)) == expected
            for verdict in expected:
                compared[verdict] += 1
    assert min(compared.values()) > 500
    print(f"reached: {compared[True]}, missed: {compared[False]}")


@on_one_database
@given(
    st.lists(st.tuples(st.integers(0, LARGEST_FEN), st.integers(1, LARGEST_FEN)), min_size=1, max_size=100),
    st.integers(100, 1_000_000),
)
def test_any_target_is_reached_exactly(engine: Engine, pairs: list[tuple[int, int]], at: int) -> None:
    pairs = [*pairs, *(edge for _, target in pairs for edge in at_the_edge(target, at))]
    with transaction(engine) as connection:
        assert computed(connection, pairs, reaches(first, second, at)) == reached(pairs, at)


# The lesser, the whole part


def test_the_lesser_keeps_null_and_without_a_cap_the_amount(engine: Engine) -> None:
    amounts = [0, 1, 19_999, 20_000, 20_001, LARGEST_FEN, None]
    pairs: list[Pair] = [(amount, None) for amount in amounts]
    with transaction(engine) as connection:
        capped = computed(connection, pairs, capped_at(first, 20_000))
        free = computed(connection, pairs, capped_at(first, None))
        nothing = computed(connection, pairs, capped_at(first, 0))
    assert capped == [0, 1, 19_999, 20_000, 20_000, 20_000, None]
    assert free == amounts
    assert nothing == [0, 0, 0, 0, 0, 0, None]


@on_one_database
@given(st.lists(st.integers(0, 10**17), min_size=1, max_size=100), st.integers(1, 10**9))
def test_the_whole_part_of_a_division_is_whole(engine: Engine, amounts: list[int], divisor: int) -> None:
    pairs: list[Pair] = [(amount, 1) for amount in amounts]
    with transaction(engine) as connection:
        parts = computed(
            connection, pairs, whole_part(first, divisor), whole_part(first, divisor) * 10 + second
        )
    assert parts == [(amount // divisor, amount // divisor * 10 + 1) for amount in amounts]


# Sums


def of_all(connection: Connection, amounts: Sequence[int | None], *sums: Any) -> tuple[Any, ...]:
    clear(connection, values)
    load(connection, values, [(place, amount, None) for place, amount in enumerate(amounts)])
    return tuple(connection.execute(select(*sums)).one())


def test_a_total_over_no_rows_is_zero(engine: Engine) -> None:
    with transaction(engine) as connection:
        for amounts in ([], [None, None]):
            assert of_all(connection, amounts, sum_or_zero(first), count_where(first > 0)) == (0, 0)


@on_one_database
@given(st.lists(st.none() | st.integers(0, 10**16), max_size=100))
def test_a_total_is_a_whole_number_that_divides_as_one(engine: Engine, amounts: list[int | None]) -> None:
    known = [amount for amount in amounts if amount is not None]
    with transaction(engine) as connection:
        found = of_all(
            connection,
            amounts,
            sum_or_zero(first),
            whole_part(sum_or_zero(first), 7),
            sum_or_zero(first) % 7,
            count_where(first > 5),
        )
    assert found == (sum(known), sum(known) // 7, sum(known) % 7, sum(amount > 5 for amount in known))
    assert {type(each) for each in found} == {int}


def test_a_total_that_no_column_holds_is_an_error_and_not_another_number(engine: Engine) -> None:
    with pytest.raises(DBAPIError), transaction(engine) as connection:
        of_all(connection, [2**62, 2**62], sum_or_zero(first))


@on_one_database
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 10**12)), min_size=1, max_size=60))
def test_a_running_total_ends_in_the_total(engine: Engine, pairs: list[tuple[int, int]]) -> None:
    """Rows are (promoter, amount), in the order of their places."""
    with transaction(engine) as connection:
        found = computed(connection, pairs, running_total(second, first, values.c.place))
    sums: dict[int, int] = {}
    expected = []
    for promoter, amount in pairs:
        sums[promoter] = sums.get(promoter, 0) + amount
        expected.append(sums[promoter])
    assert found == expected
    assert {type(each) for each in found} == {int}


# Order


WORDS = ["", *"9 10 - a Z 9-1 91 221205-2 221205-10 é 订 💰 －".split()]
words = workspace("words_at_hand", Column("word", Words, primary_key=True))


def test_text_made_in_sql_compares_by_its_bytes(engine: Engine) -> None:
    made = by_bytes(words.c.word + literal("·"))
    expected = sorted((f"{word}·" for word in WORDS), key=str.encode)
    with transaction(engine) as connection:
        clear(connection, words)
        connection.execute(insert(words), [{"word": word} for word in WORDS])
        assert list(connection.execute(select(made).order_by(made)).scalars()) == expected
        for word in expected:
            below = select(func.count()).select_from(words).where(made < literal(word))
            assert connection.execute(below).scalar_one() == expected.index(word)


def test_text_made_in_sql_asks_for_the_order_by_name(engine: Engine) -> None:
    """The order above could be the test server's own; this can't."""
    asked = str(by_bytes(words.c.word).compile(dialect=engine.dialect))
    assert asked.endswith('COLLATE "C"' if engine.dialect.name == "postgresql" else "COLLATE BINARY")
