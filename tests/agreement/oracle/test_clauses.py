"""Windows and clauses, each edge by figures written beside their working."""

import pytest

from tests import oracle
from tests.agreement.oracle.examples import (
    CUTOFF,
    DAY,
    MONTH_UNTIL,
    PERIOD,
    TASK_FROM,
    TASK_UNTIL,
    TERMS,
    an_entry,
    an_order,
    counted,
    orders_of,
    settled,
    subsidy_reason,
    task_reason,
    terms,
)


def test_windows_of_december_2022():
    bounds = oracle.windows("2022-12", TERMS)
    assert bounds == oracle.Windows(TASK_FROM, TASK_UNTIL, CUTOFF, TASK_FROM, MONTH_UNTIL)


@pytest.mark.parametrize(
    ("period", "task_until", "cutoff"),
    [
        # last_day 31 and a cutoff on the 30th: the last of the month where it has no such day
        ("2023-02", "2023-03-01T00:00:00+08:00", "2023-03-31T00:00:00+08:00"),
        ("2024-02", "2024-03-01T00:00:00+08:00", "2024-03-31T00:00:00+08:00"),
        ("2023-01", "2023-02-01T00:00:00+08:00", "2023-03-01T00:00:00+08:00"),
        ("2024-01", "2024-02-01T00:00:00+08:00", "2024-03-01T00:00:00+08:00"),
        ("2023-12", "2024-01-01T00:00:00+08:00", "2024-01-31T00:00:00+08:00"),
    ],
)
def test_a_day_that_a_month_lacks_is_its_last(period, task_until, cutoff):
    bounds = oracle.windows(
        period, terms(("last_day = 20", "last_day = 31"), ("cutoff_day = 10", "cutoff_day = 30"))
    )
    assert (oracle.instant_text(bounds.task_until), oracle.instant_text(bounds.cutoff)) == (
        task_until,
        cutoff,
    )


def test_a_first_day_that_february_lacks_is_its_last():
    late = terms(("first_day = 1", "first_day = 30"), ("last_day = 20", "last_day = 31"))
    assert oracle.instant_text(oracle.windows("2023-02", late).task_from) == "2023-02-28T00:00:00+08:00"


def test_task_window_keeps_its_first_instant_and_leaves_its_last():
    edges = [TASK_FROM - 1, TASK_FROM, TASK_UNTIL - 1, TASK_UNTIL]
    rows = [{"order_pay_time": paid, "order_amount": 2**place} for place, paid in enumerate(edges)]
    assert counted(*rows) == (2 + 4, 2)


def test_a_receipt_at_the_cutoff_is_late_for_the_task_and_still_subsidised():
    edges = [CUTOFF - 1, CUTOFF, None]
    rows = [{"order_receive_time": received, "order_amount": 1000 * 2**i} for i, received in enumerate(edges)]
    assert counted(*rows) == (1000, 1)
    # 20 permille of 1000, 2000 and 4000
    assert settled(*rows, entry=an_entry(gmv_fen=1000))[1] == [20, 40, 80]


def test_an_order_counts_up_to_the_cap():
    rows = [{"order_amount": amount} for amount in (19999, 20000, 20001)]
    assert counted(*rows) == (19999 + 20000 + 20000, 3)


def test_what_was_paid_counts_not_the_price():
    assert counted({"order_amount": 1990, "goods_price": 2990}) == (1990, 1)


def test_an_order_that_fails_from_the_cutoff_on_counts_and_earns_nothing():
    rows = [
        {
            "order_status": 4,
            "order_verify_time": failed,
            "order_modify_at": CUTOFF + DAY,
            "order_amount": 2**i,
        }
        for i, failed in enumerate([CUTOFF - 1, CUTOFF, CUTOFF + 1])
    ]
    assert counted(*rows) == (2 + 4, 2)
    assert settled(*rows) == (settled(*rows)[0], [])
    assert [subsidy_reason(order) for order in orders_of(*rows).values()] == ["NOT_FAILED"] * 3


def test_price_compared_orders_count_where_the_terms_say_so_and_earn_nothing():
    order = an_order(price_compare_status=1)
    strict = terms(("count_price_compare = true", "count_price_compare = false"))
    kind = terms(("include_price_compare = false", "include_price_compare = true"))
    assert (task_reason(order), subsidy_reason(order)) == (None, "NOT_PRICE_COMPARE")
    assert (task_reason(order, of=strict), subsidy_reason(order, of=kind)) == ("NOT_PRICE_COMPARE", None)


@pytest.mark.parametrize(
    ("changes", "virtual"),
    [
        ({"type": 94}, True),
        ({"cat_ids": [8729]}, True),
        ({"cat_ids": [239, 0, 8724]}, True),
        ({"cat_ids": [0]}, False),
        ({"cat_ids": None, "type": None}, False),
        ({"cat_ids": [8721], "type": 0}, False),
    ],
)
def test_virtual_by_type_or_by_any_category(changes, virtual):
    order = an_order(**changes)
    assert order.virtual(TERMS) is virtual
    assert task_reason(order) == subsidy_reason(order) == ("NOT_VIRTUAL" if virtual else None)


def test_unknown_is_not_direct():
    directs = [{"is_direct": 1, "order_amount": 1}, {"is_direct": 0, "order_amount": 2}, {"is_direct": None}]
    assert counted(*directs, direct_only=True) == (1, 1)
    assert counted(*directs, direct_only=False) == (1 + 2 + 100, 3)


def test_live_room_orders_count_and_earn_where_the_terms_say_so():
    order = an_order(sep_duo_id=8, sep_pid="8_1")
    assert (order.live_room, an_order(sep_duo_id=8).live_room, an_order(sep_pid="8_1").live_room) == (
        "8_1",
        "8",
        "8_1",
    )
    assert (an_order().live_room, an_order(sep_duo_id=0, sep_pid="").live_room) == (None, None)
    assert (task_reason(order), subsidy_reason(order)) == ("NOT_LIVE_ROOM", "NOT_LIVE_ROOM")
    counting = terms(("count_price_compare = true", "count_price_compare = true\ncount_live_room = true"))
    earning = terms(
        ("include_price_compare = false", "include_price_compare = false\ninclude_live_room = true")
    )
    assert (task_reason(order, of=counting), subsidy_reason(order, of=counting)) == (None, "NOT_LIVE_ROOM")
    assert (task_reason(order, of=earning), subsidy_reason(order, of=earning)) == ("NOT_LIVE_ROOM", None)


def test_a_task_of_some_categories_and_a_minimum():
    asked = terms(
        (
            "count_price_compare = true",
            'count_price_compare = true\ncategory_ids = [239, 7]\nmin_order_yuan = "0.99"',
        )
    )
    assert task_reason(an_order(order_amount=99, cat_ids=[1, 7]), of=asked) is None
    assert task_reason(an_order(order_amount=98), of=asked) == "AT_LEAST_MINIMUM"
    assert task_reason(an_order(order_amount=98, cat_ids=[0]), of=asked) == "IN_CATEGORY"
    assert subsidy_reason(an_order(order_amount=98, cat_ids=None), of=asked) is None


def test_the_last_day_may_be_the_end_of_the_month():
    bounds = oracle.windows("2023-02", terms(("last_day = 20", 'last_day = "end"')))
    assert oracle.instant_text(bounds.task_until) == "2023-03-01T00:00:00+08:00"


def test_every_clause_is_judged_and_the_first_that_fails_is_the_reason():
    order = an_order(order_status=-1, order_pay_time=0, is_direct=0, type=94, order_receive_time=0)
    verdict = oracle.task_verdict(order, oracle.windows(PERIOD, TERMS), TERMS, direct_only=True)
    assert verdict == [
        ("PAID_IN_WINDOW", False),
        ("COMMISSIONABLE", False),
        ("DIRECT", False),
        ("NOT_VIRTUAL", False),
        ("IN_CATEGORY", True),
        ("AT_LEAST_MINIMUM", True),
        ("NOT_PRICE_COMPARE", True),
        ("NOT_LIVE_ROOM", True),
        ("NOT_FAILED", True),
        ("RECEIVED_IN_TIME", False),
    ]
    assert oracle.reason_of(verdict) == "PAID_IN_WINDOW"
    assert [task_reason(an_order(order_status=status)) for status in (8, -1)] == ["COMMISSIONABLE"] * 2


def test_subsidy_window_is_the_whole_month():
    edges = [TASK_FROM - 1, TASK_FROM, TASK_UNTIL, MONTH_UNTIL - 1, MONTH_UNTIL]
    reasons = [subsidy_reason(an_order(order_pay_time=paid)) for paid in edges]
    assert reasons == ["PAID_IN_MONTH", None, None, None, "PAID_IN_MONTH"]


@pytest.mark.parametrize(
    ("mode", "app", "unknown", "other"),
    [
        ("any", None, None, None),
        ("app_or_unknown", None, None, "APP_LINK"),
        ("app", None, "APP_LINK", "APP_LINK"),
    ],
)
def test_links(mode, app, unknown, other):
    asked = terms(('links = "app_or_unknown"', f'links = "{mode}"'))
    reasons = [subsidy_reason(an_order(), channel, of=asked) for channel in ("app", "unknown", "other")]
    assert reasons == [app, unknown, other]


def test_a_later_row_replaces_a_link():
    links = [{"p_id": "7_1", "channel": "app"}, {"p_id": "7_1", "channel": "other"}]
    assert oracle.link_channel(links) == {"7_1": "other"}
    assert settled({}, {"p_id": "7_2"}, links=links)[1] == [3]  # 30 permille of the unknown 7_2 alone
