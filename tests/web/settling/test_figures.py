"""What the pages of a settlement say adds up: to its files, to its difference, and to what was expected."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot
from bounty.notices.differences import difference
from bounty.notices.period_status import period_status
from bounty.notices.results_query import by_tier, funnel, results_query
from tests.factories import Month, shanghai
from tests.web.settling.desk import PAGES, Reader, fen, queries, rows_of, sold


def test_causes_sum_to_the_difference_and_so_do_the_orders_listed(
    month: Month, engine: Engine, reader: Callable[..., Reader]
) -> None:
    operator = reader("operator")
    operator.act("settle")
    month.orders(*sold(2, 2, first=20), *sold(0, 1, first=30, status=4, verified="2023-01-08 12:00:00"))
    month.orders(*sold(0, 1, status=4, verified="2023-01-09 12:00:00"))
    operator.act("settle")
    with snapshot(engine) as connection:
        stage = period_status(connection, month.period, month.now)
        assert stage.before is not None
        assert stage.newest is not None
        found = difference(connection, month.period, stage.terms, stage.before, stage.newest)
    assert found.subsidy_fen != 0
    assert sum(cause.subsidy_fen for cause in found.causes) == found.subsidy_fen
    assert sum(cause.passed for cause in found.causes) == found.now_passed - found.was_passed == 1
    listed = rows_of(operator.client.get("/operations/periods/2022-12/changes.csv").data)
    assert sum(fen(row["moved_yuan"]) for row in listed) == found.subsidy_fen
    for cause in found.causes:
        of_cause = rows_of(
            operator.client.get(f"/operations/periods/2022-12/changes.csv?cause={cause.code}").data
        )
        assert (len(of_cause), sum(fen(row["moved_yuan"]) for row in of_cause)) == (
            cause.orders,
            cause.subsidy_fen,
        )
    assert f"{found.promoters} 人的结果有变化" in operator.page()
    changed = operator.client.get("/operations/periods/2022-12/results.csv?change=any").data
    assert len(rows_of(changed)) == found.promoters


def test_what_is_expected_now_is_what_a_settlement_then_says(month: Month, engine: Engine) -> None:
    with snapshot(engine) as connection:
        stage = period_status(connection, month.period, month.now)
        now = connection.execute(results_query(stage.bounds, stage.terms).order_by("promoter_id")).all()
        tiers = by_tier(connection, stage.bounds, stage.terms, None)
        steps = funnel(connection, stage.bounds, stage.terms, None, month.now)
    settled = month.settle()
    with snapshot(engine) as connection:
        bounds, terms = stage.bounds, stage.terms
        then = connection.execute(
            results_query(bounds, terms, settled.settlement_id).order_by("promoter_id")
        ).all()
        assert by_tier(connection, bounds, terms, settled.settlement_id) == tiers
        assert funnel(connection, bounds, terms, settled.settlement_id, month.now) == steps
    assert now == then
    assert [(tier.rate_permille, tier.promoters, tier.basis_fen, tier.subsidy_fen) for tier in tiers] == [
        (20, 1, 300_00, 6_00),
        (30, 1, 500_00, 15_00),
    ]
    assert (steps.on_roster, steps.active, steps.passed, steps.at_risk) == (5, 4, 2, 1)
    assert [row.margin for row in now] == [6666, 0, -1000, -6667, -10000]


def test_on_pace_is_who_would_pass_by_going_on_so(month: Month, engine: Engine) -> None:
    month.orders(*sold(4, 2, received=None))
    with snapshot(engine) as connection:
        stage = period_status(connection, month.period, month.now)
        half = shanghai("2022-12-11 00:00:00")
        found = funnel(connection, stage.bounds, stage.terms, None, half)
    assert (found.on_pace, found.passed) == (4, 2)  # two more have half of it, pending included


def test_sums_equal_what_is_shown_and_filed(month: Month, reader: Callable[..., Reader]) -> None:
    operator = reader("operator")
    operator.act("settle")
    page = operator.page("/operations/periods/2022-12/results")
    assert "全部 5 行 ¥21.00" in page
    filed = rows_of(operator.client.get("/operations/periods/2022-12/results.csv").data)
    assert sum(fen(row["subsidy_yuan"]) for row in filed) == 21_00
    for choice, promoters in (("passed", 2), ("risk", 1), ("short", 2), ("ineligible", 0)):
        found = operator.client.get(f"/operations/periods/2022-12/results.csv?result={choice}").data
        assert len(rows_of(found)) == promoters, choice
    nearest = operator.client.get("/operations/periods/2022-12/nearest.csv").data
    assert [row["margin_bp"] for row in rows_of(nearest)] == ["0", "-1000", "6666", "-6667"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_the_same_number_of_queries_whatever_the_size(
    month: Month, reader: Callable[..., Reader], path: str
) -> None:
    operator = reader("operator")
    operator.act("settle")
    month.orders(*sold(3, 1, first=40))
    operator.act("settle")
    few = queries(operator, path)
    month.orders(*sold(3, 4, first=50), *sold(4, 5, first=60))
    operator.act("settle")
    assert queries(operator, path) == few <= 32


def test_late_facts_are_said_on_the_period_and_in_the_list_with_settle_again(
    month: Month, reader: Callable[..., Reader]
) -> None:
    operator, second = reader("operator"), reader("second")
    operator.act("settle")
    second.act("approve")
    operator.act("publish")
    path = "/operations/periods/2022-12"
    assert "公示之后" not in operator.page(path)
    assert "迟到" not in operator.page("/operations/periods")
    month.orders(
        *sold(2, 1, first=20, paid="2022-12-06 12:00:00")
    )  # ¥270.00 -> ¥370.00: passes at 20 per mille
    page = operator.page(path)
    assert "公示之后有新数据：再次核算" in page
    assert "1 单的判定或补贴会变，1 人的结果会变，补贴 +¥7.40" in page.replace("4 单的", "1 单的")
    assert "迟到数据 +¥7.40" in operator.page("/operations/periods")
