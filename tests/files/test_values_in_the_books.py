"""What becomes of odd values once they are in the books: counted, flagged, waiting, closed, carried on."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty import importer
from bounty.checks.tranches import lines_make_payouts
from bounty.db import snapshot, transaction
from bounty.ingest.correction_files import write_to_mend
from bounty.models import Level, Quarantined, RosterEntry
from bounty.orders.unknowns import unknown_in_batch, unknown_in_month
from bounty.orders.warnings import flagged_rows
from bounty.payees.service import shared_accounts
from bounty.promoters.older_files import OlderFileRefused
from bounty.settlement.files import inert
from bounty.tranches import preparation
from bounty.tranches.approval import export_begins
from bounty.tranches.state import LEAST_BOUND_FEN
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter
from tests.intake.build import API_ORDER, CHINESE_ORDER, csv_text, write
from tests.payout.world import FEBRUARY_20, JANUARY_20, OTHER, Paying, earning

OURS = CHINESE_ORDER | {
    "推广位ID": f"{PROMOTER}_1",
    "生成时间": "",
    "支付时间": "2022-12-05 12:00:00",
    "更新时间": "2022-12-06 12:00:00",
}


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.begin()
    return month


def brought(month: Month, name: str, text: str) -> importer.Imported:
    return importer.import_file(month.engine, "orders", write(month.folder, name, text), month.now)


def test_what_is_unknown_is_counted_for_the_batch_and_the_month(month: Month) -> None:
    rows = [order_row(number=number, order_receive_time=None, cat_ids=None) for number in range(1, 4)]
    month.orders(*rows, order_row(number=4), order_row(number=5, order_status=1, order_receive_time=None))
    with snapshot(month.engine) as connection:
        in_batch = {each.code: (each.rows, each.of) for each in unknown_in_batch(connection, 3)}
        in_month = {
            each.code: (each.rows, each.of) for each in unknown_in_month(connection, month.period, month.now)
        }
        first = unknown_in_batch(connection, 3)[0].en
        flagged = {row.place: row.flags for row in flagged_rows(connection, 3, month.now)}
    assert (
        in_batch
        == in_month
        == {"RECEIPT_UNKNOWN": (3, 4), "CATEGORY_UNKNOWN": (3, 5), "LINK_UNKNOWN": (5, 5)}
    )
    assert first == "3 of 4 received rows have no receipt time: they count as not received"
    assert flagged == dict.fromkeys((1, 2, 3), ("W-RECEIPT",))
    assert month.explain(1).as_json()["flags"] == ["RECEIPT_UNKNOWN"]
    assert "flags" not in month.explain(4).as_json()


def test_two_rows_of_one_order_and_time_and_times_without_seconds_are_flagged(month: Month) -> None:
    rows = [
        OURS,
        OURS | {"实付金额(元)": "9.90"},
        OURS | {"订单编号": "221205-9", "支付时间": "2022/12/5 12:00"},
    ]
    batch = brought(month, "two.csv", csv_text(*rows)).batch_id
    with snapshot(month.engine) as connection:
        flagged = {row.place: row.flags for row in flagged_rows(connection, batch, month.now)}
    assert flagged == {2: ("CONFLICT",), 3: ("CONFLICT",), 4: ("W-SECONDS",)}


def test_a_known_footer_waits_in_no_month(month: Month) -> None:
    text = csv_text(OURS, ["合计", *[""] * (len(OURS) - 1)], ["x", *list(OURS.values())[1:]])
    assert brought(month, "total.csv", text).counts.quarantined == 2
    assert month.settle().quarantined == 1


def open_entries(month: Month) -> list[tuple[int, str]]:
    entry = Quarantined
    query = (
        select(entry.quarantine_id, entry.code).where(entry.closed_at.is_(None)).order_by(entry.quarantine_id)
    )
    with snapshot(month.engine) as connection:
        return [(row.quarantine_id, row.code) for row in connection.execute(query)]


@pytest.mark.parametrize("shape", ["csv", "jsonl"])
def test_a_row_that_comes_back_mended_closes_its_entry(month: Month, shape: str) -> None:
    if shape == "csv":
        brought(
            month, "bad.csv", csv_text(OURS | {"订单编号": "2.2E+14", "审核时间": "-", "实付金额(元)": "x"})
        )
    else:
        row = order_row(number=1, order_sn="2.2E+14", order_amount="x")
        month.orders(order_row(number=7), row)
    assert [code for _, code in open_entries(month)] == ["E-ID-MANGLED"]
    out = month.folder / "mend"
    with snapshot(month.engine) as connection:
        ((path, rows),) = write_to_mend(connection, None, out, inert)
    assert rows == 1
    unchanged = importer.import_file(month.engine, "orders", path, month.now)
    assert unchanged.counts.quarantined == 1
    assert len(open_entries(month)) == 1  # just as it was: the same entry, still open
    text = path.read_bytes().decode("utf-8-sig")
    half = text.replace("2.2E+14", "221205-77")
    path.write_text(half, "utf-8", newline="")
    importer.import_file(month.engine, "orders", path, month.now)
    assert [code for _, code in open_entries(month)] == ["E-MONEY"]  # the first entry is closed
    with snapshot(month.engine) as connection:
        ((path, _),) = write_to_mend(connection, None, out, inert)
    mended = path.read_bytes().decode("utf-8-sig")
    mended = mended.replace(",x,", ",9.90,").replace('"x"', "990")
    path.write_text(mended, "utf-8", newline="")
    assert importer.import_file(month.engine, "orders", path, month.now).counts.new == 1
    assert open_entries(month) == []


def test_an_older_promoters_file_changes_nothing_unseen(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    old = {
        "promoter_id": "1",
        "name": "甲",
        "level": "V0",
        "level_from": "2022-08-01",
        "registered_on": "2022-08-01",
    }
    first = write(tmp_path, "a.csv", csv_text(old))
    second = write(tmp_path, "b.csv", csv_text(old | {"level": "V1"}))
    for path in (first, second, second):
        importer.import_file(engine, "promoters", path, month.now)

    def level() -> str:
        with snapshot(engine) as connection:
            return connection.execute(select(Level.level)).scalar_one()

    with pytest.raises(OlderFileRefused, match=r"promoter 1 from 2022-08-01, level: V1 -> V0\..*--force"):
        importer.import_file(engine, "promoters", first, month.now)
    assert level() == "V1"
    assert importer.import_file(engine, "promoters", first, month.now, force=True).put_back
    assert level() == "V0"


@pytest.mark.parametrize(
    ("written", "frozen"), [("v0", "V0"), ("V0级", "V0"), ("Ｖ０", "V0"), ("V7", "V7"), ("V0x", "V0x")]
)
def test_a_level_is_read_as_the_terms_spell_it(
    engine: Engine, tmp_path: Path, written: str, frozen: str
) -> None:
    month = Month(engine, tmp_path)
    month.begin(promoter() | {"level": written}, toml=plain_terms())
    with snapshot(engine) as connection:
        entry = connection.execute(select(RosterEntry.level, RosterEntry.reason)).one()
    assert entry == (frozen, None if frozen == "V0" else "LEVEL_NOT_OFFERED")


def test_less_than_the_payer_transfers_is_carried_on(engine: Engine, tmp_path: Path) -> None:
    paying = Paying(engine, tmp_path)
    paying.publish(earning())
    paying.payee(PROMOTER, OTHER)
    (due,) = [row[3] for row in paying.payouts(paying.prepare().tranche_id)]
    with transaction(engine) as connection:
        made, _ = preparation.prepare(connection, JANUARY_20, JANUARY_20, due)
    assert [row[3] for row in paying.payouts(made.tranche_id)] == [due]
    with transaction(engine) as connection:
        made, created = preparation.prepare(connection, JANUARY_20, JANUARY_20, due + 1)
    assert created
    assert [row[3] for row in paying.payouts(made.tranche_id)] == [0]
    with transaction(engine) as connection:
        number = made.tranche_id
        export_begins(connection, number, JANUARY_20, approval_required=False, alipay_least_fen=due + 1)
    with transaction(engine) as connection:
        later, _ = preparation.prepare(connection, FEBRUARY_20, FEBRUARY_20, due)
        assert lines_make_payouts(connection) == (due >= LEAST_BOUND_FEN)
    assert paying.payouts(later.tranche_id) == [(PROMOTER, due, 0, due)]


def test_two_promoters_with_one_account_are_told(engine: Engine, tmp_path: Path) -> None:
    paying = Paying(engine, tmp_path)
    paying.payee(PROMOTER)
    with snapshot(engine) as connection:
        assert shared_accounts(connection) == []
    paying.payee(PROMOTER, OTHER)
    with snapshot(engine) as connection:
        ((_, promoters),) = shared_accounts(connection)
    assert promoters == [PROMOTER, OTHER]


def test_a_row_that_the_books_refuse_names_its_column_as_its_file_does(month: Month) -> None:
    brought(month, "orders.csv", csv_text(OURS | {"推广位ID": "7_1"}))
    brought(month, "orders-2.csv", csv_text(API_ORDER | {"p_id": "8_1", "order_sn": "221205-8"}))
    for kind, text in (
        ("links", "推广位ID,渠道\n7_1,APP\n"),
        ("violations", "推手ID,发生日,原因,解除日\n7,2022-10-01,刷单,\n"),
        ("targets", f"期次,推手ID,目标GMV(元),目标订单\n{month.period},{PROMOTER},1.00,\n"),
    ):
        importer.import_file(month.engine, kind, write(month.folder, f"{kind}.csv", text), month.now)
    with snapshot(month.engine) as connection:
        named = connection.execute(
            select(Quarantined.kind, Quarantined.column_name, Quarantined.code).order_by(
                Quarantined.quarantine_id
            )
        ).all()
    assert [tuple(each) for each in named] == [
        ("orders", "推广位ID", "E-PROMOTER"),
        ("orders", "p_id", "E-PROMOTER"),
        ("links", "推广位ID", "E-PROMOTER"),
        ("violations", "推手ID", "E-PROMOTER"),
        ("targets", "期次", "E-OPEN"),
    ]
