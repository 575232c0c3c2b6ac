"""The sample month history: its files read by a reader of their own, its months judged by the oracle."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from bounty.sample import write_sample
from tests import oracle
from tests.sample.reader import DAY, HOUR, TIMES, Row, decoded, place_of, table
from tests.sample.world import Sample

NOW = oracle.midnight(date(2022, 12, 24)) + 15 * HOUR
"""Days after the task window of the open period, which then holds something of everything."""
OTHER_MOMENTS = {
    "the first instant of a month": oracle.midnight(date(2026, 3, 1)),
    "before the receipt cutoff": oracle.midnight(date(2025, 1, 5)) + 12 * HOUR,
}
FAILING = (oracle.AUDIT_FAILED, oracle.PUNISHED)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(write_sample(tmp_path_factory.mktemp("sample"), NOW), NOW)


@pytest.fixture(scope="module", params=["late in a month", *OTHER_MOMENTS])
def anytime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sample: Sample
) -> Sample:
    if request.param not in OTHER_MOMENTS:
        return sample
    now = OTHER_MOMENTS[request.param]
    return Sample(write_sample(tmp_path_factory.mktemp("sample"), now), now)


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def test_the_same_seed_and_present_give_the_same_bytes(tmp_path):
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        write_sample(tmp_path / name, NOW, seed=seed, promoters=60, orders=4_000)
    assert digest(tmp_path / "one") == digest(tmp_path / "again") != digest(tmp_path / "other")

    script = (
        "import sys; from pathlib import Path; from bounty.sample import write_sample; "
        f"write_sample(Path(sys.argv[1]), {NOW}, seed=7, promoters=60, orders=4_000)"
    )
    elsewhere = os.environ | {
        "TZ": "America/Los_Angeles",
        "PYTHONHASHSEED": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, "-c", script, tmp_path / "elsewhere"], env=elsewhere, check=True)
    assert digest(tmp_path / "one") == digest(tmp_path / "elsewhere")


@pytest.mark.parametrize(("promoters", "orders"), [(1, 0), (3, 10), (40, 100)])
def test_a_small_sample_can_be_had_too(tmp_path, promoters, orders):
    history = write_sample(tmp_path, NOW, promoters=promoters, orders=orders)
    assert len({row["promoter_id"] for row in table(history.promoters)}) == promoters
    assert all(path.exists() for path in history.orders)


def test_as_many_promoters_and_orders_as_asked_for(anytime):
    assert len({row["promoter_id"] for row in anytime.promoters}) == 300
    assert len(anytime.orders) == 30_000


def test_periods_are_three_past_ones_and_the_open_one(sample):
    assert [str(period) for period in sample.history.periods] == ["2022-09", "2022-10", "2022-11", "2022-12"]
    paid_in = Counter(
        oracle.instant_text(order.paid_at)[:7]
        for order in sample.orders.values()
        if order.paid_at is not None
    )
    assert sorted(paid_in) == ["2022-06", "2022-07", "2022-08", "2022-09", "2022-10", "2022-11", "2022-12"]
    assert sum(paid_in[str(period)] for period in sample.history.periods) > 20_000


def test_terms_are_the_contracts_and_marked_as_sample_data(sample):
    assert sample.terms == oracle.Terms(
        name="V0&V1 定向赏金补贴（示例数据）",
        effective_from="2022-09",
        first_day=1,
        last_day=20,
        receipt_cutoff_day=10,
        receipt_cutoff_days=None,
        task_order_cap_fen=200_00,
        count_price_compare=True,
        count_live_room=False,
        category_ids=None,
        min_order_fen=None,
        virtual_types=frozenset({94}),
        virtual_category_ids=frozenset({8724, 8729, 8730, 8732, 8733, 8736}),
        levels={
            "V0": oracle.Level(direct_only=True, min_tenure_months=None, gmv=2000_00, orders=20),
            "V1": oracle.Level(
                direct_only=False,
                min_tenure_months=2,
                gmv=oracle.Formula(3, Fraction(11, 10), 3000_00, 500_000_00, 100_00),
                orders=None,
            ),
        },
        basis="order_amount",
        include_price_compare=False,
        include_live_room=False,
        exclusive=False,
        links="app_or_unknown",
        subsidy_order_cap_fen=20_00,
        promoter_cap_fen=5000_00,
        lapse_months=6,
        tiers=(oracle.Tier(Fraction(1), 20), oracle.Tier(Fraction(3, 2), 30)),
    )


def test_names_say_that_they_are_samples(sample):
    assert all(re.fullmatch(r"示例·[\u4e00-\u9fff]{2,3}", row["name"]) for row in sample.promoters)
    assert all(path.name.startswith("sample-") for path in sample.history.folder.iterdir())


def test_every_row_can_be_read_but_a_handful(anytime):
    bad = [fault for _, faults in anytime.files.values() for fault in faults]
    assert sorted(bad) == sorted(["实付金额(元)", "订单编号", "promoter", "订单状态", "支付时间"])
    assert sum(1 for _, faults in anytime.files.values() if faults) == 1


def test_the_mangled_cells_are_what_a_sheet_makes_of_them(sample):
    cells = table(sample.history.folder / "sample-2022-11-2-export.csv")[-5:]
    assert [cells[0]["实付金额(元)"], cells[1]["订单编号"][-4:]] == ["12.345", "E+14"]


def test_each_month_comes_by_every_road(sample):
    kinds = Counter(name.rpartition("-")[2] for name in sample.files)
    assert kinds.keys() == {"increment.json", "feed.jsonl", "export.csv", "detail.json"}
    assert set(kinds.values()) <= {13, 14}  # two parts a month; little of the first month comes by its 12th
    parts = [path.name[:16] for path in sample.history.orders]
    assert parts == sorted(parts)
    encodings = {path.name: decoded(path)[1] for path in sample.history.orders if path.suffix == ".csv"}
    assert [name for name, encoding in encodings.items() if encoding == "gb18030"] == [
        "sample-2022-09-1-export.csv",
        "sample-2022-09-2-export.csv",
    ]


def test_nothing_lies_after_the_present(anytime):
    assert max(row.get(time) or 0 for row in anytime.rows for time in TIMES) <= anytime.now
    today = oracle.instant_text(anytime.now)[:10]
    days = [day for row in anytime.promoters for day in (row["level_from"], row["registered_on"])]
    days += [
        day for row in table(anytime.history.violations) for day in (row["occurred_on"], row["cleared_on"])
    ]
    assert max(days) <= today


def test_orders_are_made_paid_and_updated_in_that_order(sample):
    registered = {int(row["promoter_id"]): row["registered_on"] for row in sample.promoters}
    for row in sample.rows:
        told = [row.get(time) or 0 for time in ("order_create_time", "order_pay_time", "order_receive_time")]
        assert [time for time in told if time] == sorted(time for time in told if time)
        assert max(row.get(time) or 0 for time in TIMES) == row["order_modify_at"]
        created_on = oracle.instant_text(row["order_create_time"])[:10]
        assert row["order_sn"].startswith(created_on[2:].replace("-", "") + "-")
        assert created_on >= registered[int(place_of(row).partition("_")[0])]


def test_orders_live_as_the_platform_has_them(sample):
    """Audited 15 days after receipt, settled on the 20th what was audited by the 15th."""
    lives: dict[str, dict[int, Row]] = {}
    for row in sample.rows:
        lives.setdefault(row["order_sn"], {})[row["order_modify_at"]] = row
    for life in lives.values():
        statuses = [life[modified_at]["order_status"] for modified_at in sorted(life)]
        going_well = [status for status in statuses if status not in FAILING]
        assert statuses == sorted(going_well) + [status for status in statuses if status in FAILING]
    for order in sample.orders.values():
        if order.status in (3, 5):
            assert order.verified_at - order.received_at >= 15 * DAY
        if order.status == 5:
            settled_on, audited_on = (
                date.fromisoformat(oracle.instant_text(time)[:10])
                for time in (order.settled_at, order.verified_at)
            )
            due = (
                audited_on.isoformat()[:7]
                if audited_on.day <= 15
                else oracle.period_after(audited_on.isoformat()[:7], 1)
            )
            assert settled_on.isoformat() == f"{due}-20"


def test_many_orders_come_in_several_versions(sample):
    versions = Counter(
        order_sn for order_sn, _ in {(row["order_sn"], row["order_modify_at"]) for row in sample.rows}
    )
    assert sum(1 for count in versions.values() if count >= 2) > 12_000
    statuses = Counter(order.status for order in sample.orders.values())
    assert set(statuses) >= {-1, 1, 2, 3, 4, 5, 8, 10}
    refused = [order for order in sample.orders.values() if order.status == 4]
    assert {(order.received_at is None, order.verified_at is None) for order in refused} >= {
        (True, False),
        (False, False),
        (False, True),
    }
    assert {order.return_status for order in sample.orders.values()} == {None, 0, 1, 2}


def test_a_punished_place_loses_all_its_orders(sample):
    punished = {order.p_id for order in sample.orders.values() if order.status == oracle.PUNISHED}
    assert punished
    assert all(order.status == oracle.PUNISHED for order in sample.orders.values() if order.p_id in punished)


def test_goods_and_places_are_mixed(sample):
    orders = sample.orders.values()
    amounts = [order.order_amount_fen for order in orders]
    assert min(amounts) < 10_00
    assert max(amounts) > 800_00
    assert sum(amount > 200_00 for amount in amounts) > 1_000
    assert {order.type for order in orders} >= {0, 4, 7, 8, 94, 103}
    assert 0.8 < sum(order.direct for order in orders) / len(orders) < 0.98
    assert {order.is_direct for order in orders} == {None, 0, 1}
    assert {order.price_compare_status for order in orders} == {None, 0, 1}
    assert any(order.cat_ids is None for order in orders)
    by_place = oracle.link_channel(sample.links)
    channels = Counter(by_place.get(order.p_id, "unknown") for order in orders)
    assert channels["app"] > 20_000
    assert min(channels["other"], channels["unknown"]) > 500


def test_promoters_are_few_large_ones_and_many_small(sample):
    counts = sorted((len(orders) for orders in sample.owned.values()), reverse=True)
    assert 150 < len(counts) < 250  # the others sold nothing
    assert counts[0] > 10 * counts[len(counts) // 2]
    assert sum(counts[:15]) > sum(counts) // 3
    levels = Counter(row["level"] for row in sample.promoters)
    assert levels["V0"] > levels["V1"] > levels["V2"] > 0
    assert len(sample.promoters) > 310  # a row a level: some have had two


def test_every_reason_occurs(sample):
    seen: dict[str, set[str | None]] = {"roster": set(), "task": set(), "subsidy": set()}
    channels = oracle.link_channel(sample.links)
    for period in sample.past:
        bounds = oracle.windows(period, sample.terms)
        entries = [result.entry for result in sample.settlements[period].results]
        assert {entry.reason for entry in entries} == {
            None,
            "LEVEL_NOT_OFFERED",
            "TENURE_TOO_SHORT",
            "VIOLATION",
            "NO_TARGET",
        }
        assert any(entry.level == "" for entry in entries) or period != sample.past[-1]
        for entry in entries:
            for order in sample.owned.get(entry.promoter_id, []):
                task = oracle.task_verdict(order, bounds, sample.terms, entry.direct_only)
                subsidy = oracle.subsidy_verdict(
                    order, bounds, sample.terms, channels.get(order.p_id, "unknown")
                )
                seen["task"].add(oracle.reason_of(task))
                seen["subsidy"].add(oracle.reason_of(subsidy))
    # By the contract's own terms comparing prices never fails a task.
    assert seen["task"] == {
        None,
        "PAID_IN_WINDOW",
        "COMMISSIONABLE",
        "DIRECT",
        "NOT_VIRTUAL",
        "NOT_FAILED",
        "RECEIVED_IN_TIME",
    }
    assert seen["subsidy"] == {
        None,
        "PAID_IN_MONTH",
        "COMMISSIONABLE",
        "NOT_VIRTUAL",
        "NOT_PRICE_COMPARE",
        "NOT_FAILED",
        "APP_LINK",
    }


def test_tenure_has_an_edge_with_somebody_on_each_side(sample):
    registered = {int(row["promoter_id"]): row["registered_on"] for row in sample.promoters}
    for period in sample.past:
        two_before = oracle.period_after(period, -2)
        on = {
            registered[result.entry.promoter_id]: result.entry.reason
            for result in sample.settlements[period].results
            if result.entry.level == "V1"
        }
        assert on[f"{two_before}-01"] != "TENURE_TOO_SHORT" == on[f"{two_before}-02"]


def test_orders_fail_before_and_after_the_cutoff_and_are_received_on_both_sides_of_it(sample):
    for period in sample.past:
        bounds = oracle.windows(period, sample.terms)
        paid = [
            order
            for order in sample.orders.values()
            if order.paid_at is not None and bounds.task_from <= order.paid_at < bounds.task_until
        ]
        for times in ([order.received_at for order in paid], [order.failed_at for order in paid]):
            assert any(time is not None and time < bounds.cutoff for time in times)
            assert any(time is not None and time >= bounds.cutoff for time in times)


def test_of_the_active_between_a_quarter_and_two_thirds_pass(anytime):
    over = [period for period in anytime.past if oracle.windows(period, anytime.terms).cutoff <= anytime.now]
    assert len(over) >= 2
    for period in over:
        active = anytime.active(period)
        passed = [result for result in active if result.passed]
        assert len(active) / 4 < len(passed) < len(active) * 2 / 3
        assert {result.entry.level for result in passed} == {"V0", "V1"}
        assert {result.rate_permille for result in passed} == {20, 30}


def test_some_miss_by_little_and_some_just_pass(sample):
    attained = [result.attained for period in sample.past for result in sample.active(period)]
    assert sum(Fraction(95, 100) <= share < 1 for share in attained) >= 5
    assert sum(1 <= share < Fraction(105, 100) for share in attained) >= 5
    assert any(share == 1 for share in attained)


def test_lines_are_cut_by_the_order_cap(sample):
    lines = [line for period in sample.past for line in sample.settlements[period].lines]
    assert any(
        line.subsidy_fen == 20_00 and line.basis_fen * line.rate_permille > 20_000_00 for line in lines
    )
