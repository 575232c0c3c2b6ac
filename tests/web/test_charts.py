"""A chart's places: everything inside, pending on top of what counts, the lines round and high enough."""

from hypothesis import given
from hypothesis import strategies as st

from bounty.web.shared.charts import HEIGHT, TOP, daily_chart, step_of

FEN = st.one_of(st.just(0), st.integers(1, 10**9))


@given(st.lists(st.tuples(FEN, FEN), min_size=1, max_size=31), FEN, st.data())
def test_everything_is_inside(days: list[tuple[int, int]], needed: int, data: st.DataObject) -> None:
    today = data.draw(st.one_of(st.none(), st.integers(1, len(days))))
    rows = [(day, counted, pending) for day, (counted, pending) in enumerate(days, 1)]
    chart = daily_chart(rows, today, needed, left=450)
    bottom = TOP + HEIGHT
    assert len(chart.bars) == len(days)
    for bar, (_, counted, pending) in zip(chart.bars, rows, strict=True):
        assert chart.left <= bar.x < bar.x + bar.width <= 10_000
        assert bar.counted_y + bar.counted_height == bottom
        assert bar.pending_y + bar.pending_height == bar.counted_y
        assert bar.pending_y >= TOP - 4
        assert (bar.counted_height > 0, bar.pending_height > 0) == (counted > 0, pending > 0)
    highest = max([needed, *(counted + pending for _, counted, pending in rows)])
    assert chart.lines[0] == (bottom, 0)
    assert chart.lines[-1][1] >= highest
    assert len(chart.lines) <= 4
    assert (chart.needed_y is None) == (today is None or needed == 0)


@given(st.integers(0, 10**12))
def test_three_steps_hold_any_amount(highest: int) -> None:
    assert step_of(highest) * 3 >= highest


def test_today_is_marked_and_its_neighbours_are_not() -> None:
    rows = [(day, 100, 0) for day in range(1, 21)]
    marks = daily_chart(rows, 16, 0, left=450).marks
    assert [(mark.day, mark.today, mark.end) for mark in marks] == [
        (1, False, True),
        (5, False, False),
        (10, False, False),
        (16, True, False),
        (20, False, True),
    ]
