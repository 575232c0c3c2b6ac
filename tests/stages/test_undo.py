"""A batch of orders taken back is as if it had never come; what a notice rests on stays."""

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, false, func, select, true

from bounty import importer
from bounty.audit.service import record
from bounty.checks import books
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import Order, OrderVersion, Quarantined
from bounty.notices.service import publish
from bounty.orders.undo import batches, undo_batch
from bounty.roster.service import open_roster
from bounty.roster.terms import add_terms, terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import measured_roster
from bounty.settlement.service import settle
from bounty.settlement.undo_preview import undo_preview
from tests import oracle
from tests.agreement import months
from tests.agreement.months import Case, OrderFile
from tests.factories import Month, bounty, order_row, promoter

BAD_ROW = '{"order_sn": "221201-000000000000009", "p_id": "1_1", "order_status": 99, "is_direct": 1}\n'


def held(engine: Engine) -> tuple[list[Any], list[Any], list[Any]]:
    """Orders, live rows and open quarantine, without what tells batches apart."""
    version = OrderVersion
    with snapshot(engine) as connection:
        return (
            [tuple(row) for row in connection.execute(select(Order.__table__).order_by(Order.order_sn))],
            sorted(
                tuple(row)
                for row in connection.execute(
                    select(
                        version.promoter_id, version.order_sn, version.row_hash, version.modified_at
                    ).where(version.withdrawn.is_(false()))
                )
            ),
            sorted(
                tuple(row)
                for row in connection.execute(
                    select(Quarantined.kind, Quarantined.raw_hash, Quarantined.occurrence).where(
                        Quarantined.closed_at.is_(None)
                    )
                )
            ),
        )


def numbers(engine: Engine) -> dict[str, int]:
    with snapshot(engine) as connection:
        return {row.file_name: row.batch_id for row in batches(connection) if row.kind == "orders"}


@pytest.fixture
def case(tmp_path: Path) -> tuple[Case, list[OrderFile], Path]:
    made = months.generate(11, promoters=30)
    files = months.write(made, tmp_path, random.Random(11))
    bad = tmp_path / "orders-98.jsonl"
    bad.write_text(BAD_ROW)
    return made, [*files, OrderFile(bad, [])], tmp_path


def import_reference(engine: Engine, made: Case, folder: Path) -> None:
    for kind in ("promoters", "violations", "links", "targets"):
        importer.import_file(engine, kind, folder / f"{kind}.csv", made.now)


@pytest.mark.parametrize("seed", range(3))
def test_what_remains_is_as_if_the_batches_had_never_come(
    engine: Engine, case: tuple[Case, list[OrderFile], Path], seed: int
) -> None:
    made, files, folder = case
    undone = random.Random(seed).sample(files, len(files) // 2)
    import_reference(engine, made, folder)
    for file in files:
        if file not in undone:
            importer.import_file(engine, "orders", file.path, made.now)
    without = held(engine)

    for file in undone:
        importer.import_file(engine, "orders", file.path, made.now)
    everything = held(engine)
    assert everything != without
    by_name = numbers(engine)
    for file in undone:
        with transaction(engine) as connection:
            undo_batch(connection, by_name[file.path.name], made.now)
    assert held(engine) == without

    for file in undone:  # and it can come again
        importer.import_file(engine, "orders", file.path, made.now)
    assert held(engine) == everything
    with snapshot(engine) as connection:
        assert [finding for finding in books.run_checks(connection) if finding.violations] == []


def test_the_orders_that_remain_fold_as_the_oracle_says(
    engine: Engine, case: tuple[Case, list[OrderFile], Path]
) -> None:
    made, files, folder = case
    import_reference(engine, made, folder)
    for file in files:
        importer.import_file(engine, "orders", file.path, made.now)
    first, *rest = files
    with transaction(engine) as connection:
        undo_batch(connection, numbers(engine)[first.path.name], made.now)
    expected = oracle.fold([row for file in rest for row in file.rows])
    with snapshot(engine) as connection:
        found = connection.execute(select(Order.order_sn, Order.order_status, Order.failed_at)).all()
    assert {row.order_sn: (row.order_status, row.failed_at) for row in found} == {
        order_sn: (order.status, order.failed_at) for order_sn, order in expected.items()
    }


def test_the_preview_reads_alone_and_says_what_undoing_does(
    engine: Engine, case: tuple[Case, list[OrderFile], Path]
) -> None:
    """While somebody else writes; each figure is that of the undoing itself, which is then rolled back."""
    made, files, folder = case
    import_reference(engine, made, folder)
    with transaction(engine) as connection:
        add_terms(connection, made.terms_toml, made.now)
        open_roster(connection, Period.parse(made.period), made.now)
    for file in [*files, *files[:2]]:  # the first two twice: of the batches that repeat them, nothing goes
        importer.import_file(engine, "orders", file.path, made.now)
    with snapshot(engine) as connection:
        numbers = [row.batch_id for row in batches(connection) if row.kind == "orders"]
    with transaction(engine) as writer:
        record(writer, "a.trial", "the lock that everybody who writes takes", made.now)
        with snapshot(engine) as reader:
            previews = {number: undo_preview(reader, number) for number in numbers}
    flips = 0
    for number, preview in previews.items():
        with transaction(engine) as connection:
            before, passed = count(connection), passing(connection, made.period)
            rows = undo_batch(connection, number, made.now)
            withdrawn = select(OrderVersion.order_sn).where(OrderVersion.withdrawn.is_(true())).distinct()
            changed = connection.execute(withdrawn).scalars().all()
            gone, after = before - count(connection), passing(connection, made.period)
            connection.rollback()
        assert (preview.rows, preview.gone) == (rows, gone)
        assert preview.orders >= len(changed)  # an order whose rows lie in two periods counts in both
        found = {each.promoter_id: each.gained for of in preview.periods for each in of.passes}
        assert found == {each: each in after for each in passed ^ after}
        flips += len(found)
    assert flips > 0
    assert any(preview.rows == 0 for preview in previews.values())


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(Order)).scalar_one()


def passing(connection: Connection, name: str) -> set[int]:
    period = Period.parse(name)
    rows = connection.execute(measured_roster(period, terms_in_force(connection, period).terms))
    return {row.promoter_id for row in rows if row.rate_permille is not None}


def test_what_can_not_be_undone_says_why(engine: Engine, case: tuple[Case, list[OrderFile], Path]) -> None:
    made, files, folder = case
    import_reference(engine, made, folder)
    for file in files:
        importer.import_file(engine, "orders", file.path, made.now)
    period = Period.parse(made.period)
    with transaction(engine) as connection:
        add_terms(connection, made.terms_toml, made.now)
        open_roster(connection, period, made.now)
        settle(connection, period, made.now)
        publish(connection, period, made.now, approval_required=False)
    before = held(engine)

    def refusal(batch_id: int) -> str:
        with pytest.raises(BountyError) as refused, transaction(engine) as connection:
            undo_batch(connection, batch_id, made.now)
        return str(refused.value)

    by_name = numbers(engine)
    of_period = max(files, key=lambda file: len(file.rows))
    assert f"Notice 1 of {period} rests on batch" in refusal(by_name[of_period.path.name])
    assert "only orders can be taken back" in refusal(1)
    assert "There is no batch 999" in refusal(999)
    bad = by_name["orders-98.jsonl"]
    with transaction(engine) as connection:
        assert undo_batch(connection, bad, made.now) == 0
    assert f"Batch {bad} is undone already" in refusal(bad)
    assert held(engine)[:2] == before[:2]


def test_the_command_takes_a_batch_back_and_refuses_in_one_line(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path)
    month.table("promoters", promoter())
    month.orders(order_row(number=1), order_row(number=2))  # twice, as batches 3 and 4: it is so with a Month
    for batch, rows in ((4, 0), (3, 2)):
        undone = bounty(database_url, "import", "undo", str(batch))
        assert (undone.returncode, undone.stdout) == (0, f"batch {batch} undone, {rows} rows withdrawn\n")
    assert ", undone 20" in bounty(database_url, "import", "list").stdout.splitlines()[0]
    again = bounty(database_url, "import", "undo", "3")
    assert (again.returncode, again.stdout, again.stderr) == (1, "", "Error: Batch 3 is undone already.\n")
