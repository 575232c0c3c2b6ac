"""Tables: what is filtered is what is counted, summed, paged through and filed, alike on both databases."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from bounty.db import Query, WholeNumber, Words, given_rows, make_engine, snapshot
from bounty.errors import BountyError
from bounty.web.shared.table_filters import Filter, Option, Search
from bounty.web.shared.tables import Column, Page, Table, csv_of, page_of
from tests import postgres

SMALL = Table(
    "people",
    columns=(
        Column("number", "号", "number", "count"),
        Column("name", "名", "name", sortable=True),
        Column("paid_fen", "付", "paid", "money", sortable=True, summed=True),
        Column("at", "时", "at", "instant"),
    ),
    key=("number",),
    order="-paid_fen",
    filters=(
        Filter(
            "paid",
            "付款",
            "payment",
            (
                Option("yes", "有", "some", lambda row: row.c.paid_fen > 0),
                Option("no", "无", "none", lambda row: row.c.paid_fen.is_(None)),
            ),
        ),
    ),
    search=Search("名", "name", lambda row, words: row.c.name.contains(words, autoescape=True)),
    page=3,
)
People = list[tuple[int, str, int | None, int]]
PEOPLE: People = [
    (1, "甲", 500, 0),
    (2, "乙", None, 0),
    (3, "=丙", 500, 1671551999),
    (4, "丁%", 7, 0),
    (5, "戊", None, 0),
    (6, "己", 12345, 0),
    (7, "庚", 500, 0),
]


def rows(people: People) -> Query:
    kinds: dict[str, Any] = {
        "number": WholeNumber,
        "name": Words(),
        "paid_fen": WholeNumber,
        "at": WholeNumber,
    }
    return given_rows(kinds, (dict(zip(kinds, person, strict=True)) for person in people))


def walk(engine: Engine, people: People, **args: str) -> list[Page]:
    """Every page, by the links."""
    pages: list[Page] = []
    asked: dict[str, str] | None = args
    with snapshot(engine) as connection:
        while asked is not None:
            pages.append(page_of(connection, SMALL, rows(people), asked))
            asked = pages[-1].next
    return pages


def filed(engine: Engine, people: People, **args: str) -> list[dict[str, str]]:
    with snapshot(engine) as connection:
        text = b"".join(csv_of(connection, SMALL, rows(people), args)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_pages_follow_the_order_with_the_key_as_last_word_and_nothing_last_when_falling(
    engine: Engine,
) -> None:
    pages = walk(engine, PEOPLE)
    assert [[row.number for row in page.rows] for page in pages] == [[6, 7, 3], [1, 4, 5], [2]]
    assert [(page.number, page.pages) for page in pages] == [(1, 3), (2, 3), (3, 3)]


def test_sums_of_pages_are_of_what_they_show_and_make_the_whole(engine: Engine) -> None:
    pages = walk(engine, PEOPLE)
    assert [page.sums["paid_fen"] for page in pages] == [12345 + 500 + 500, 500 + 7, 0]
    assert {page.total_sums["paid_fen"] for page in pages} == {12345 + 3 * 500 + 7}
    assert {page.total_rows for page in pages} == {7}


def test_a_table_without_sums_still_counts_its_rows(engine: Engine) -> None:
    unsummed = replace(SMALL, columns=tuple(replace(column, summed=False) for column in SMALL.columns))
    with snapshot(engine) as connection:
        page = page_of(connection, unsummed, rows(PEOPLE), {})
    assert (page.total_rows, page.pages, page.sums) == (7, 3, {})


@pytest.mark.parametrize(
    ("args", "numbers"),
    [
        ({"paid": "yes"}, [6, 7, 3, 1, 4]),
        ({"paid": "no"}, [5, 2]),
        ({"q": "%"}, [4]),
        ({"q": " 丙 "}, [3]),
        ({"paid": "no", "q": "丙"}, []),
        ({"sort": "paid_fen"}, [2, 5, 4, 1, 3, 7, 6]),
        ({"sort": "name", "q": "丁"}, [4]),
    ],
)
def test_a_file_has_exactly_what_is_shown(engine: Engine, args: dict[str, str], numbers: list[int]) -> None:
    shown = [row.number for page in walk(engine, PEOPLE, **args) for row in page.rows]
    assert shown == numbers
    assert [int(row["number"]) for row in filed(engine, PEOPLE, **args)] == numbers


def test_a_file_keeps_amounts_and_instants_and_no_cell_is_a_formula(engine: Engine) -> None:
    (third,) = filed(engine, PEOPLE, q="丙")
    assert third == {"number": "3", "name": "'=丙", "paid_yuan": "5.00", "at": "2022-12-20T23:59:59+08:00"}


@pytest.mark.parametrize(
    "args",
    [
        {"paid": "perhaps"},
        {"sort": "number"},
        {"sort": "paid_fen; DROP TABLE users"},
        {"after": "x"},
        {"after": "WzIsImEiXQ=="},  # [2, "a"]: too few places
        {"after": "bnVsbA=="},  # null
    ],
)
def test_what_a_table_has_not_is_refused_in_both_languages(engine: Engine, args: dict[str, str]) -> None:
    with snapshot(engine) as connection, pytest.raises(BountyError) as refused:
        page_of(connection, SMALL, rows(PEOPLE), args)
    assert refused.value.zh != str(refused.value)


def test_choices_are_counted_by_the_other_filters(engine: Engine) -> None:
    with snapshot(engine) as connection:
        page = page_of(connection, SMALL, rows(PEOPLE), {"paid": "no"}, counted=True)
        found = page_of(connection, SMALL, rows(PEOPLE), {"q": "丁"}, counted=True)
    assert page.counts == {"paid": {"": 7, "yes": 5, "no": 2}}
    assert found.counts == {"paid": {"": 1, "yes": 1, "no": 0}}


def test_links_keep_what_was_asked_and_begin_again(engine: Engine) -> None:
    first = walk(engine, PEOPLE, paid="yes", q="")[0]
    assert first.filtered_by("paid", "no") == {"paid": "no"}
    assert first.filtered_by("paid", "") == {}
    assert first.sorted_by("paid_fen") == {"paid": "yes", "sort": "paid_fen"}
    assert first.sorted_by("name") == {"paid": "yes", "sort": "name"}
    assert first.next is not None
    assert first.next["paid"] == "yes"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One for many examples: nothing is written."""
    url = "sqlite://" if request.param == "sqlite" else postgres.fresh_database()
    engine = make_engine(url)
    yield engine
    engine.dispose()
    if request.param != "sqlite":
        postgres.drop_database(url)


@settings(max_examples=40, deadline=None)
@given(
    people=st.lists(
        st.tuples(st.sampled_from("abc甲=%"), st.none() | st.integers(-3, 3)), min_size=1, max_size=20
    ),
    sort=st.sampled_from(["name", "-name", "paid_fen", "-paid_fen"]),
)
def test_no_row_is_skipped_or_shown_twice(
    people: list[tuple[str, int | None]], sort: str, shared_engine: Engine
) -> None:
    numbered: People = [(number, name, paid, 0) for number, (name, paid) in enumerate(people, 1)]
    pages = walk(shared_engine, numbered, sort=sort)
    shown = [row.number for page in pages for row in page.rows]
    assert sorted(shown) == list(range(1, len(people) + 1))
    assert len(pages) == pages[0].pages
    assert [int(row["number"]) for row in filed(shared_engine, numbered, sort=sort)] == shown
    assert sum(page.sums["paid_fen"] for page in pages) == pages[0].total_sums["paid_fen"]
