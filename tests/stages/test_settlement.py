"""Settling: who passed and what each order earns, made of the facts known then and the same whenever they are."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty import importer
from bounty.db import make_engine
from bounty.errors import BountyError
from bounty.settlement.service import Settled
from tests import postgres
from tests.agreement import months
from tests.agreement.months import Case
from tests.factories import (
    PROMOTER,
    Month,
    Row,
    bounty,
    link,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    sn,
    target,
    terms_toml,
    violation,
)

CUTOFF = "2023-01-11 00:00:00"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 on the first morning on which it can be settled."""
    return Month(engine, tmp_path, now=CUTOFF)


def earned(month: Month) -> dict[str, str]:
    """Order number to its subsidy in yuan, in the order of the lines."""
    return {line["order_sn"]: line["subsidy_yuan"] for line in month.lines(month.settle())}


def result(month: Month, promoter_id: int = PROMOTER) -> Row:
    (row,) = (row for row in month.results(month.settle()) if row["promoter_id"] == str(promoter_id))
    return row


# When


def test_settle_refuses_until_the_receipt_cutoff_to_the_second(month: Month, database_url: str) -> None:
    with pytest.raises(BountyError, match="2022-12 is not open"):
        month.settle()
    month.begin()
    month.orders(order_row())
    month.now -= 1
    with pytest.raises(BountyError, match="can be settled from 2023-01-11T00:00:00"):
        month.settle()
    early = bounty(database_url, "settle", "2022-12", now="2023-01-10T23:59:59+08:00")
    assert (early.returncode, early.stdout, len(early.stderr.splitlines())) == (1, "", 1)
    month.now += 1
    assert month.settle().settlement_id == 1
    assert month.settle().created is False


def test_the_command_prints_number_hash_and_how_many_rows_of_the_month_wait(
    month: Month, database_url: str
) -> None:
    month.begin()
    month.orders(
        order_row(),
        order_row(number=2, order_status=99),  # waits, and is of the month
        order_row(number=3, order_status=99, paid="2022-11-30 23:59:59"),  # of another month
        order_row(number=4, promoter_id=7, paid="2022-12-31 23:59:59"),  # waits, and is of the month
        order_row(number=5, order_pay_time="once"),  # may be of the month
    )
    for state in ("made", "stands already, on the same facts"):
        ran = bounty(database_url, "settle", "2022-12", now="2023-01-11T00:00:00+08:00")
        first, content, *rest = ran.stdout.splitlines()
        assert first == f"settlement 1 of 2022-12 {state}"
        assert rest == ["1 result, 1 line, subsidy ¥100.00", "3 quarantined rows of the month wait"]
    assert content == f"content sha256:{month.settle().content_sha256}"


def test_the_same_facts_are_the_same_settlement_and_others_the_next(month: Month, tmp_path: Path) -> None:
    month.begin()
    row = order_row(amount_fen=1)
    month.orders(row)
    first = month.settle()
    month.now = shanghai("2024-01-01 00:00:00")
    month.orders(row | {"goods_name": "改名"})  # says nothing that anything is judged by
    assert month.settle() == replace(first, created=False)
    month.orders(order_row(number=2, amount_fen=2))
    second = month.settle()
    assert (first.settlement_id, second.settlement_id) == (1, 2)
    assert first.content_sha256 != second.content_sha256
    assert (first.lines.sum_fen, second.lines.sum_fen) == (1, 1 + 2)
    january = Month(month.engine, tmp_path / "next", period="2023-01", now="2023-02-11 00:00:00")
    january.open()
    assert january.settle().settlement_id == 3  # numbered over all periods


# Who passes


GMV_AND_ORDERS = {"V0": 'direct_only = true\ngmv_yuan = "10.00"\norders = 4'}
TIERS = (("1.00", 10), ("1.25", 20), ("1.5001", 30))
ATTAINED = [
    # orders, GMV in fen, rate
    (4, 9_99, None),
    (3, 99_99, None),
    (4, 10_00, 10),
    (5, 12_49, 10),
    (5, 12_50, 20),
    (4, 99_99, 10),
    (6, 15_00, 20),  # both exactly 1.5, and 1.5001 is more
    (7, 15_00, 20),
    (7, 15_01, 30),  # 15.01 / 10.00 is 1.501
    (9, 15_00, 20),
]


def test_the_smallest_share_of_the_targets_decides_exactly(month: Month) -> None:
    cases = {100 + at: case for at, case in enumerate(ATTAINED)}
    month.begin(
        *(promoter(promoter_id) for promoter_id in cases),
        toml=terms_toml(levels=GMV_AND_ORDERS, tiers=TIERS, caps=""),
    )
    for promoter_id, (orders, gmv_fen, _) in cases.items():
        amounts = [gmv_fen - orders + 1] + [1] * (orders - 1)
        month.orders(
            *(
                order_row(number=promoter_id * 100 + at, promoter_id=promoter_id, amount_fen=fen)
                for at, fen in enumerate(amounts)
            )
        )
    shown = [
        (int(row["orders"]), row["gmv_yuan"], row["passed"], row["rate_permille"])
        for row in month.results(month.settle())
    ]
    assert shown == [
        (orders, f"{fen // 100}.{fen % 100:02d}", "no" if rate is None else "yes", str(rate or ""))
        for orders, fen, rate in ATTAINED
    ]


def test_a_rate_of_0_permille_is_a_pass_that_earns_nothing(month: Month) -> None:
    month.begin(toml=plain_terms(tiers=(("1.00", 0), ("2.00", 1000))))
    month.orders(order_row(amount_fen=1))
    row = result(month)
    assert (row["passed"], row["rate_permille"]) == ("yes", "0")
    assert (row["subsidy_orders"], row["subsidy_yuan"]) == ("0", "0.00")
    month.orders(order_row(number=2, amount_fen=1))
    assert earned(month) == {sn(1): "0.01", sn(2): "0.01"}


def test_who_is_not_eligible_or_did_not_pass_has_the_blanks_of_the_contract(month: Month) -> None:
    month.table("promoters", *(promoter(number) for number in (1, 2, 3, 4)))
    month.table("violations", violation(1))
    month.table("targets", target(2, orders="2"), target(3, gmv_yuan="0.02"))
    month.terms(plain_terms())
    month.open()
    month.orders(
        *(order_row(number=number, promoter_id=number, amount_fen=number) for number in (1, 2, 3)),
    )
    ineligible, short, passed, idle = ([*row.values()][3:] for row in month.results(month.settle()))
    assert ineligible == ["V0", "no", "VIOLATION", "", "", "", "", "no", "", "", ""]
    assert short == ["V0", "yes", "", "0.02", "1", "", "2", "no", "", "0", "0.00"]
    assert passed == ["V0", "yes", "", "0.03", "1", "0.02", "", "yes", "1000", "1", "0.03"]
    assert idle == ["V0", "yes", "", "0.00", "0", "0.01", "", "no", "", "0", "0.00"]


def test_orders_of_who_is_not_on_the_roster_are_in_no_settlement(month: Month) -> None:
    month.begin(promoter(), promoter(2, registered_on="2022-12-02"))
    month.orders(order_row(amount_fen=1), order_row(number=2, promoter_id=2, amount_fen=2))
    assert [row["promoter_id"] for row in month.results(month.settle())] == [str(PROMOTER)]
    assert earned(month) == {sn(1): "0.01"}


# What an order earns


def test_a_line_is_rounded_half_even_to_the_fen_and_there_is_none_of_0(month: Month) -> None:
    month.begin(toml=plain_terms(tiers=(("1.00", 20),)))
    amounts = [
        24,
        25,
        26,
        74,
        75,
        76,
        125,
        175,
        20000,
    ]  # at 20‰: 0.48, 0.5, 0.52, 1.48, 1.5, 1.52, 2.5, 3.5, 400
    month.orders(*(order_row(number=fen, amount_fen=fen) for fen in amounts))
    fen = {26: "0.01", 74: "0.01", 75: "0.02", 76: "0.02", 125: "0.02", 175: "0.04", 20000: "4.00"}
    assert earned(month) == {sn(amount): subsidy for amount, subsidy in fen.items()}


def test_the_basis_may_be_the_commission(month: Month) -> None:
    month.begin(toml=plain_terms(basis="commission"))
    month.orders(order_row(amount_fen=1000, promotion_amount=7), order_row(number=2, promotion_amount=0))
    (line,) = month.lines(month.settle())
    assert (line["basis_yuan"], line["subsidy_yuan"]) == ("0.07", "0.07")
    assert result(month)["gmv_yuan"] == "110.00"


def test_an_order_earns_at_most_the_order_cap(month: Month) -> None:
    month.begin(toml=plain_terms(caps='order_cap_yuan = "0.08"'))
    month.orders(*(order_row(number=fen, amount_fen=fen) for fen in (7, 8, 9, 1000)))
    assert earned(month) == {sn(7): "0.07", sn(8): "0.08", sn(9): "0.08", sn(1000): "0.08"}


def test_the_order_that_meets_the_promoters_cap_gets_the_remainder_and_later_ones_no_line(
    month: Month,
) -> None:
    month.begin(promoter(), promoter(2), toml=plain_terms(caps='promoter_cap_yuan = "0.11"'))
    minutes = {8: 0, 1: 1, 4: 2, 2: 3, 16: 4}  # paid in this order: 8 and 1 in full, of 4 the remaining 2
    month.orders(
        *(
            order_row(number=fen, amount_fen=fen, paid=f"2022-12-05 12:{minute:02d}:00")
            for fen, minute in minutes.items()
        ),
        order_row(number=32, promoter_id=2, amount_fen=11),  # meets it to the fen
        order_row(number=33, promoter_id=2, amount_fen=1, paid="2022-12-31 23:59:59"),
    )
    lines = [(line["order_sn"], line["subsidy_yuan"]) for line in month.lines(month.settle())]
    assert lines == [(sn(32), "0.11"), (sn(8), "0.08"), (sn(1), "0.01"), (sn(4), "0.02")]
    row = result(month)
    assert (row["gmv_yuan"], row["subsidy_orders"], row["subsidy_yuan"]) == ("0.31", "3", "0.11")


def test_orders_paid_at_once_use_up_the_cap_by_the_bytes_of_their_numbers(month: Month) -> None:
    month.begin(toml=plain_terms(caps='promoter_cap_yuan = "0.05"'))
    numbers = {"99-1": 1, "100-1": 2, "1-1": 4}
    month.orders(*(order_row(order_sn=order_sn, amount_fen=fen) for order_sn, fen in numbers.items()))
    assert list(earned(month).items()) == [("1-1", "0.04"), ("100-1", "0.01")]


def test_a_failure_known_later_frees_no_room_in_what_was_published(month: Month) -> None:
    month.begin(toml=plain_terms(caps='promoter_cap_yuan = "0.05"'))
    first, second = (
        order_row(number=number, amount_fen=4, paid=f"2022-12-0{number} 12:00:00") for number in (1, 2)
    )
    month.orders(first, second)
    settled = month.settle()
    month.publish()
    month.orders(
        first
        | {
            "order_status": 4,
            "order_verify_time": shanghai("2023-01-20 03:00:00"),
            "order_modify_at": shanghai("2023-01-20 03:00:05"),
        }
    )
    lines = {line["order_sn"]: line["subsidy_yuan"] for line in month.lines(settled)}
    assert lines == {sn(1): "0.04", sn(2): "0.01"}  # the notice's own lines stand
    assert earned(month) == {sn(2): "0.04"}  # a draft of the new facts is a computation of its own
    assert result(month)["gmv_yuan"] == "0.08"


@pytest.mark.parametrize(("links", "weights"), [("any", 1 + 2 + 4), ("app_or_unknown", 1 + 4), ("app", 1)])
def test_links_made_outside_the_app_earn_as_the_terms_say(month: Month, links: str, weights: int) -> None:
    month.begin(toml=plain_terms(links=links))
    month.orders(*(order_row(number=fen, amount_fen=fen, p_id=f"{PROMOTER}_{fen}") for fen in (1, 2, 4)))
    month.table("links", link(f"{PROMOTER}_1", "app"), link(f"{PROMOTER}_2", "other"))
    assert month.settle().lines.sum_fen == weights
    assert result(month)["orders"] == "3"


def test_price_compared_orders_count_and_earn_as_the_terms_say(month: Month) -> None:
    month.begin(toml=plain_terms(count_price_compare=False, include_price_compare=True))
    month.orders(order_row(amount_fen=1), order_row(number=2, amount_fen=2, price_compare_status=1))
    assert result(month)["gmv_yuan"] == "0.01"
    assert earned(month) == {sn(1): "0.01", sn(2): "0.02"}


def test_an_order_without_commission_neither_counts_nor_earns(month: Month) -> None:
    month.begin()
    month.orders(
        *(
            order_row(number=2**at, amount_fen=2**at, status=status)
            for at, status in enumerate((0, 1, 2, 3, 5, 8, 10, -1))
        )
    )
    assert earned(month) == {sn(2**at): f"0.{2**at:02d}" for at in range(5)}
    assert result(month)["gmv_yuan"] == f"0.{1 + 2 + 4 + 8 + 16}"


# By promoters


@pytest.fixture
def another_engine(
    request: pytest.FixtureRequest, engine: Engine, tmp_path: Path
) -> Iterator[Callable[[], Engine]]:
    """Makes engines on further empty databases of the same kind."""
    made: list[Engine] = []

    def make() -> Engine:
        if engine.dialect.name == "sqlite":
            path = tmp_path / f"{len(made)}.sqlite"
            shutil.copy(request.getfixturevalue("_sqlite_template"), path)
            made.append(make_engine(f"sqlite:///{path}"))
        else:
            made.append(make_engine(postgres.fresh_database(request.getfixturevalue("_postgres_template"))))
        return made[-1]

    yield make
    for one in made:
        one.dispose()
        if one.dialect.name == "postgresql":
            postgres.drop_database(one.url.render_as_string(hide_password=False))


def owner(row: Row) -> int:
    """The promoter that any row, of any table, is of."""
    named = row.get("p_id") or row.get("pid") or row["promoter_id"]
    return int(named.partition("_")[0])


def that_stay(rows: list[Row]) -> list[Row]:
    """The orders that never move from one promoter to another."""
    owners: dict[str, set[int]] = {}
    for row in rows:
        owners.setdefault(row["order_sn"], set()).add(owner(row))
    return [row for row in rows if len(owners[row["order_sn"]]) == 1]


def part_of(case: Case, quarter: int) -> Case:
    """What concerns one of four disjoint sets of promoters."""
    tables = ("promoters", "violations", "targets", "links", "rows")
    parts = {name: [row for row in getattr(case, name) if owner(row) % 4 == quarter] for name in tables}
    return replace(case, **parts)  # type: ignore[arg-type]


def settled_case(engine: Engine, case: Case, folder: Path) -> tuple[Month, Settled]:
    files = months.write(case, folder, random.Random(7))
    month = Month(engine, folder, period=case.period)
    month.now = case.now
    for kind in ("promoters", "violations", "links", "targets"):
        importer.import_file(engine, kind, folder / f"{kind}.csv", case.now)
    for file in files:
        importer.import_file(engine, "orders", file.path, case.now)
    month.terms(case.terms_toml)
    month.open()
    return month, month.settle()


def test_four_sets_of_promoters_settled_apart_are_together_the_whole_line_for_line(
    engine: Engine, another_engine: Callable[[], Engine], tmp_path: Path
) -> None:
    generated = months.generate(7, promoters=60)
    case = replace(generated, rows=that_stay(generated.rows))
    whole, settled = settled_case(engine, case, tmp_path / "whole")
    results, lines = whole.results(settled), whole.lines(settled)
    assert (len(results) > 40, len(lines) > 40) == (True, True)
    parts = [
        settled_case(another_engine(), part_of(case, quarter), tmp_path / str(quarter))
        for quarter in range(4)
    ]
    assert sorted((row for month, part in parts for row in month.results(part)), key=owner) == results
    assert sorted((row for month, part in parts for row in month.lines(part)), key=owner) == lines
    assert sum(part.lines.sum_fen for _, part in parts) == settled.lines.sum_fen
