"""The totals of open periods are what a full recomputation makes, whatever came in which order."""

import json
import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, literal, select, update

from bounty import figures, importer
from bounty.accounting import stored_figures
from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.checks import books
from bounty.db import WholeNumber, snapshot, transaction
from bounty.models import (
    Batch,
    DailyProgress,
    OpenPeriod,
    PromoterProgress,
    PromoterSubsidy,
    RosterEntry,
)
from bounty.notices.service import publish
from bounty.orders.undo import undo_batch
from bounty.progress.queries import verdict_totals
from bounty.roster.overrides import EntryState, override
from bounty.roster.programmes import add_programme
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, terms_in_force
from bounty.rules.measure import VERDICTS
from bounty.rules.periods import Period
from bounty.settlement.queries import earned_lines
from bounty.settlement.service import settle
from bounty.totals.service import TABLES, fill_missing, rebuild, unlike_recomputed
from tests.factories import (
    EASY,
    PROMOTER,
    Month,
    Row,
    link,
    order_row,
    promoter,
    shanghai,
    terms_toml,
    write_json,
    write_table,
)

MAIN, MEGA = Period.parse("2022-12"), Period.parse("mega:2022-12")
PROMOTERS = range(PROMOTER, PROMOTER + 4)
NOW = shanghai("2023-01-15 12:00:00")
TERMS = terms_toml(levels=EASY, caps='order_cap_yuan = "4.00"\npromoter_cap_yuan = "11.00"')
EXCLUSIVE = TERMS.replace("[subsidy]\n", "[subsidy]\nexclusive = true\n")


class Books:
    """Books to which random things happen; each is one transaction, as its command or page makes it."""

    def __init__(self, engine: Engine, folder: Path, seed: int) -> None:
        self.folder, self.random, self.files = folder, random.Random(seed), 0
        with transaction(engine) as connection:
            user_id = add_user(
                connection,
                email="operator@example.com",
                name="示例",
                role="operator",
                password="sample-data-only",
                now=NOW,
            )
        self.engine = acting(engine, Actor("operator@example.com", user_id, "operator"))
        self.take("promoters", [promoter(each) for each in PROMOTERS])
        with transaction(self.engine) as connection:
            add_programme(connection, "mega", "示例", NOW)
            add_terms(connection, TERMS, NOW)
            add_terms(connection, EXCLUSIVE, NOW, "mega")

    def take(self, kind: str, rows: list[Row]) -> None:
        self.files += 1
        path = self.folder / f"{self.files}-{kind}.csv"
        if kind == "orders":
            write_json(path.with_suffix(".json"), rows)
            path = path.with_suffix(".json")
        else:
            write_table(path, rows)
        importer.import_file(self.engine, kind, path, NOW)

    def row(self) -> Row:
        """A state of one of thirty orders, which may be another's, of another day, or failed in a later one."""
        draw = self.random
        day = draw.choice(["11-30 23:59:59", "12-01 00:00:00", "12-07 09:00:00", "12-07 23:59:59", "12-20 23:59:59",
                           "12-21 00:00:00", "12-31 23:59:59", "2023-01-01 00:00:00"])  # fmt: skip
        paid = day if day.startswith("2023") else f"2022-{day}"
        received = draw.choice([None, "2022-12-28 12:00:00", "2023-01-11 00:00:00"])
        return order_row(
            number=draw.randrange(30),
            promoter_id=draw.choice(PROMOTERS),
            amount_fen=draw.choice([0, 99, 9_050, 25_000, 40_000]),
            status=draw.choice([1, 2, 2, 3, 4, 5, 8]),
            paid=paid,
            received=received,
            is_direct=draw.choice([1, 1, 1, 0]),
            type=draw.choice([0, 0, 0, 94]),
            price_compare_status=draw.choice([0, 0, 1]),
            modified=f"2023-01-{draw.randrange(11, 15)} {draw.randrange(24):02d}:00:00",
        )

    # What may happen

    def orders(self) -> None:
        self.take("orders", [self.row() for _ in range(self.random.choice([1, 5, 20]))])

    def links(self) -> None:
        channel = self.random.choice(["app", "other"])
        self.take("links", [link(f"{each}_107021838", channel) for each in self.random.sample(PROMOTERS, 2)])

    def undo(self) -> None:
        held = select(Batch.batch_id).where(Batch.kind == "orders", Batch.undone_at.is_(None))
        with transaction(self.engine) as connection:
            found = list(connection.execute(held).scalars())
            if found:
                undo_batch(connection, self.random.choice(found), NOW)

    def correct(self) -> None:
        """As an accepted appeal does."""
        with transaction(self.engine) as connection:
            importer.correct_order(connection, "appeal 1", json.dumps(self.row(), ensure_ascii=False), NOW)

    def open(self) -> None:
        with transaction(self.engine) as connection:
            open_roster(connection, self.random.choice([MAIN, MEGA]), NOW)

    def override(self) -> None:
        to = self.random.choice(
            [EntryState(None, self.random.randrange(1, 50_000), None), EntryState("VIOLATION", None, None)]
        )
        with transaction(self.engine) as connection:
            if connection.execute(select(OpenPeriod.period).where(OpenPeriod.period == str(MAIN))).first():
                override(
                    connection,
                    MAIN,
                    self.random.choice(PROMOTERS),
                    to,
                    "示例",
                    shanghai("2022-12-20 12:00:00"),
                )

    def off(self) -> int:
        with snapshot(self.engine) as connection:
            return unlike_recomputed(connection)


@pytest.mark.parametrize("seed", [7, pytest.param(8, marks=pytest.mark.soak)])
def test_any_interleaving_ends_with_the_totals_of_a_full_recomputation(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    """And they are what the orders' own statements say: progress, measure and subsidy lines."""
    happening = Books(engine, tmp_path, seed)
    acts = [happening.orders] * 5 + [happening.links, happening.undo, happening.correct, happening.override]
    for step in range(24):
        (happening.open if step in (3, 9, 12) else happening.random.choice(acts))()
        assert happening.off() == 0, step
    with transaction(happening.engine) as connection:
        for period in (MAIN, MEGA):
            open_roster(connection, period, NOW)
    agrees_with_orders(happening.engine)
    with transaction(happening.engine) as connection:
        settle(connection, MAIN, NOW)
        publish(connection, MAIN, NOW, approval_required=False)
    assert happening.off() == 0  # exclusive terms of another programme go by the notice
    happening.correct()
    with transaction(happening.engine) as connection:
        settle(connection, MAIN, NOW)
        publish(connection, MAIN, NOW, approval_required=False)
    assert happening.off() == 0
    agrees_with_orders(happening.engine)


@pytest.mark.parametrize("seed", [9, pytest.param(10, marks=pytest.mark.soak)])
def test_a_figure_that_says_it_is_of_now_is_what_the_books_come_to(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever happens after a figure was computed either changes nothing of it or makes it one of the past."""
    monkeypatch.setattr(figures, "FEW_ORDERS", 0)
    happening = Books(engine, tmp_path, seed)
    happening.orders()
    with transaction(happening.engine) as connection:
        open_roster(connection, MAIN, NOW)
    acts = [happening.orders, happening.links, happening.correct]
    computed = set()
    for step in range(8):
        if step % 2 == 0:
            with transaction(happening.engine) as connection:
                settle(connection, MAIN, NOW)
                publish(connection, MAIN, NOW, approval_required=False)
            computed |= set(stored_figures.refresh(happening.engine, NOW))
            assert stored_figures.refresh(happening.engine, NOW) == []
        happening.random.choice(acts)()
        with snapshot(happening.engine) as connection:
            assert stored_figures.unlike_computed(connection) == 0, step
    kinds = {subject.partition(" ")[0] for subject in computed}
    assert kinds >= {"next-tranche", "reconcile", "closing", "tiers"}


def agrees_with_orders(engine: Engine) -> None:
    with snapshot(engine) as connection:
        for period in (MAIN, MEGA):
            terms = terms_in_force(connection, period).terms
            for promoter_id in PROMOTERS:
                asked = {"period": str(period), "promoter_id": promoter_id}
                of_orders = connection.execute(verdict_totals(terms), asked)
                expected = {VERDICTS[verdict]: tuple(map(int, sums)) for verdict, *sums in of_orders}
                day = DailyProgress
                sums = connection.execute(
                    select(
                        day.verdict, func.sum(day.orders), func.sum(day.amount_fen), func.sum(day.capped_fen)
                    )
                    .where(day.period == str(period), day.promoter_id == promoter_id)
                    .group_by(day.verdict)
                )
                assert {verdict: tuple(map(int, rest)) for verdict, *rest in sums} == expected
            for tier, rate in enumerate((20, 30)):
                everybody = (
                    select(RosterEntry.promoter_id, literal(rate, WholeNumber).label("rate_permille"))
                    .where(RosterEntry.period == str(period))
                    .subquery("everybody")
                )
                line = earned_lines(period, terms, everybody).subquery("line").c
                lines = connection.execute(
                    select(
                        line.promoter_id, func.count(), func.sum(line.basis_fen), func.sum(line.subsidy_fen)
                    ).group_by(line.promoter_id)
                )
                held = PromoterSubsidy
                rows = connection.execute(
                    select(held.promoter_id, held.orders, held.basis_fen, held.subsidy_fen).where(
                        held.period == str(period), held.tier == tier, held.orders > 0
                    )
                )
                assert {tuple(map(int, row)) for row in rows} == {tuple(map(int, row)) for row in lines}


def test_a_changed_total_is_found_and_a_rebuild_puts_it_right(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin(toml=TERMS)
    month.orders(order_row(number=1), order_row(number=2, received=None))
    for table, column in zip(TABLES, ("capped_fen", "orders", "pending_fen", "subsidy_fen"), strict=True):
        with transaction(engine) as connection:
            connection.execute(update(table).values({column: getattr(table, column) + 1}))
        with snapshot(engine) as connection:
            found = {each.name: each.violations for each in books.run_checks(connection)}
        assert found.pop("totals-equal-rebuild") > 0, table
        assert set(found.values()) == {0}
        with transaction(engine) as connection:
            rows = rebuild(connection)
            assert unlike_recomputed(connection) == 0
    assert rows == {"daily_progress": 2, "daily_subsidy": 2, "promoter_progress": 1, "promoter_subsidy": 2}
    with transaction(engine) as connection:
        for table in reversed(TABLES):
            connection.execute(delete(table))
        fill_missing(connection)  # as the upgrade of older books does
        assert unlike_recomputed(connection) == 0


def test_an_import_recomputes_only_the_days_it_touches(engine: Engine, tmp_path: Path) -> None:
    """A total that is off elsewhere stays so: nothing but touched days is read."""
    month = Month(engine, tmp_path)
    month.begin(toml=TERMS)
    month.orders(order_row(number=1), order_row(number=2, paid="2022-12-06 12:00:00"))
    day = DailyProgress
    with transaction(engine) as connection:
        connection.execute(update(day).values(capped_fen=1))
    month.orders(order_row(number=3, paid="2022-12-06 13:00:00"))
    with snapshot(engine) as connection:
        found = connection.execute(select(day.day, day.orders, day.capped_fen).order_by(day.day)).all()
        gmv = connection.execute(select(PromoterProgress.gmv_fen)).scalar_one()
    assert [tuple(row) for row in found] == [(5, 1, 1), (6, 2, 200_00)]
    assert gmv == 200_01
