"""Orders in: every row is kept, counted once, and folds into the same state whatever road it came by."""

import json
from collections.abc import Sequence
from itertools import permutations, zip_longest
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import Engine, select, text

from bounty.db import snapshot
from bounty.errors import BountyError, RefusedFile
from bounty.importer import Strict, import_file
from bounty.models import Order, OrderVersion, Quarantined
from bounty.orders.received_texts import received_text, texts_of_batch
from tests.factories import (
    PROMOTER,
    Month,
    Row,
    bounty,
    detail_of,
    link,
    order_row,
    plain_terms,
    promoter,
    rows_of,
    shanghai,
    sn,
    target,
    violation,
    write_csv_api,
    write_csv_zh,
    write_json,
    write_jsonl,
    write_table,
    write_text,
    zh_cells,
)

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
STRANGER = 2000939


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 before it is opened, with one promoter."""
    month = Month(engine, tmp_path)
    month.table("promoters", promoter())
    return month


def held(engine: Engine) -> list[list[Row]]:
    """All that orders left behind."""
    tables = ((Order, "order_sn"), (OrderVersion, "row_hash"), (Quarantined, "quarantine_id"))
    queries = [select(table.__table__).order_by(text(key)) for table, key in tables]
    with snapshot(engine) as connection:
        return [[dict(row) for row in connection.execute(query).mappings()] for query in queries]


def state(engine: Engine, number: int = 1) -> Any:
    with snapshot(engine) as connection:
        return connection.execute(select(Order.__table__).where(Order.order_sn == sn(number))).one()


# Counts


def test_every_row_is_counted_once_and_the_five_counts_add_up(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    first, second, third = (order_row(number=number) for number in (1, 2, 3))
    page = write_json(tmp_path / "page.json", [first, second, third])
    later = first | {"order_status": 3, "order_modify_at": first["order_modify_at"] + 1}
    earlier = second | {"order_status": 1, "order_modify_at": second["order_modify_at"] - 1}
    fourth = order_row(number=4)
    rows = [
        later,  # changed
        later,  # unchanged: held since the row before
        earlier,  # stale
        third,  # unchanged
        fourth | {"order_status": 1, "order_modify_at": 1670000000},  # new, in two rows
        fourth,  # stale: an order is new once
        order_row(number=5, order_status=99),  # quarantined
        order_row(number=6, promoter_id=STRANGER),  # quarantined
    ]
    next_page = write_jsonl(tmp_path / "next.jsonl", rows)
    for told in (
        "read=8 new=1 changed=1 unchanged=2 stale=2 quarantined=2",
        "read=8 new=0 changed=0 unchanged=6 stale=0 quarantined=2",
    ):
        ran = bounty(database_url, "import", "orders", page, next_page)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[1] == f"{next_page} {told}"
    assert ran.stdout.splitlines()[0] == f"{page} read=3 new=0 changed=0 unchanged=3 stale=0 quarantined=0"


def test_a_file_imported_again_changes_nothing_in_quarantine_either(month: Month, tmp_path: Path) -> None:
    bad = order_row(number=3, order_amount=-1)
    rows = [order_row(), bad, bad, order_row(number=2, promoter_id=STRANGER), order_row(p_id="1")]
    path = write_jsonl(tmp_path / "orders.jsonl", rows)
    assert import_file(month.engine, "orders", path, month.now).counts.quarantined == 4
    before = held(month.engine)
    assert len(before[2]) == 4  # two equal bad rows are two entries
    for name in ("orders.jsonl", "by another name.jsonl"):
        path = path.rename(path.with_name(name))
        assert import_file(month.engine, "orders", path, month.now).counts.quarantined == 4
        assert held(month.engine) == before


def test_every_row_is_kept_with_its_place_and_as_it_stood(month: Month, tmp_path: Path) -> None:
    lines = [json.dumps(order_row(number=number, odd="“é”\u3000"), ensure_ascii=False) for number in (1, 2)]
    month.take("orders", write_text(tmp_path / "orders.jsonl", f"{lines[0]}\n\n{lines[1]}"))
    with snapshot(month.engine) as connection:
        (batch_id,) = {row["batch_id"] for row in held(month.engine)[1]}
        kept = {place: received_text(connection, batch_id, place) for place in (1, 2, 3)}
        assert list(texts_of_batch(connection, batch_id)) == [(1, lines[0]), (3, lines[1])]
    assert kept == {1: lines[0], 2: None, 3: lines[1]}


# One content, many shapes


def write_xlsx_zh(path: Path, rows: list[Row]) -> Path:
    """The Chinese headers in a workbook: amounts are numbers, every other cell is text."""
    table = [zh_cells(row) for row in rows]
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, table[0])
        for line, row in enumerate(table, 1):
            cells = [float(cell) if name.endswith("(元)") else cell for name, cell in row.items()]
            sheet.write_row(line, 0, cells)
    return path


SHAPES = {
    "body.json": write_json,
    "lines.jsonl": write_jsonl,
    "api.csv": write_csv_api,
    "utf-8.csv": write_csv_zh,
    "bom.csv": lambda path, rows: write_csv_zh(path, rows, "utf-8-sig"),
    "gbk.csv": lambda path, rows: write_csv_zh(path, rows, "gbk"),
    "book.xlsx": write_xlsx_zh,
}


@pytest.mark.parametrize("first", ["body.json", "gbk.csv", "book.xlsx"])
def test_the_same_orders_in_every_shape_are_one_content(month: Month, tmp_path: Path, first: str) -> None:
    rows = [
        order_row(number=1, amount_fen=7, cat_ids=[2001, 239, 0, 0]),
        order_row(number=2, amount_fen=123456789, is_direct=None, price_compare_status=None),
        order_row(number=3, type=None, cat_ids=None, status=0, received=None),
        order_row(number=4, status=4, verified="2022-12-24 03:00:00", price_compare_status=1, type=94),
        order_row(number=5, status=5, verified="2022-12-24 03:00:00", settled="2023-01-20 02:00:00"),
    ]
    assert month.take("orders", SHAPES[first](tmp_path / first, rows)).new == 5
    before = held(month.engine)
    for name, write in SHAPES.items():
        counts = month.take("orders", write(tmp_path / name, rows))
        assert (counts.read, counts.unchanged) == (5, 5), name
    assert held(month.engine) == before


# The fold


def arrive(month: Month, tellings: Sequence[Sequence[Row]]) -> None:
    """Import what is told of orders 1, 2, ...: the first row of each in the first file, the next in the next."""
    for rows in zip_longest(*tellings):
        month.orders(*(row | {"order_sn": sn(number)} for number, row in enumerate(rows, 1) if row))


SAME_TIME: dict[str, tuple[Row, Row]] = {
    "the greater status": ({"order_status": 3}, {"order_status": 2}),
    "the greater status, though its text is less": ({"order_status": 10}, {"order_status": 3}),
    "the greater text of the facts, not the greater number": ({"order_amount": 999}, {"order_amount": 1000}),
    "an unknown fact over a known one": ({"is_direct": None}, {"is_direct": 1}),
    "the first key that differs": ({"cat_ids": [3], "order_amount": 1}, {"cat_ids": [20], "order_amount": 9}),
    "the greater place": ({"p_id": f"{PROMOTER}_9"}, {"p_id": f"{PROMOTER}_10"}),
}


def test_of_two_rows_of_one_time_the_same_wins_in_any_order_and_it_is_flagged(month: Month) -> None:
    month.terms(plain_terms())
    pairs = [(order_row(**winner), order_row(**loser)) for winner, loser in SAME_TIME.values()]
    arrive(month, [told for one, other in pairs for told in ([one, other], [other, one], [one, other, one])])
    for number in range(1, 1 + 3 * len(pairs)):
        winner, won = pairs[(number - 1) // 3][0], state(month.engine, number)
        expected = [winner[name] for name in ("order_status", "order_amount", "is_direct", "p_id")]
        assert [won.order_status, won.order_amount_fen, won.is_direct, won.p_id] == expected
        assert won.cat_ids == ";".join(map(str, winner["cat_ids"]))
        assert month.explain(number).flags[-1] == "CONFLICT"


def test_rows_of_one_time_conflict_only_if_a_fact_differs_also_in_after_sales(month: Month) -> None:
    row = order_row()
    sold, returning = detail_of(row, return_status=0), detail_of(row, return_status=1)
    renamed = row | {"goods_name": "改名了", "order_create_time": 1670000000}
    arrive(month, [[row, renamed, sold], [sold, returning], [sold, returning, row]])
    assert [state(month.engine, number).conflicting for number in (1, 2, 3)] == [False, True, True]


NINE, TEN, ELEVEN, TWELVE = (shanghai(f"2022-12-20 {hour:02d}:00:00") for hour in (9, 10, 11, 12))
VERIFIED = shanghai("2022-12-20 08:30:00")


def listed(modified: int, status: int, verified: int | None = None) -> Row:
    return order_row(status=status, modified=modified, verified=verified)


def detailed(modified: int, return_status: int | None, status: int = 2) -> Row:
    return detail_of(order_row(status=status, modified=modified), return_status)


FAILURES = {
    "never failed": ([listed(NINE, 1), listed(TEN, 2), listed(ELEVEN, 3)], None),
    "failed once": ([listed(NINE, 2), listed(TEN, 4)], TEN),
    "failed at the audit's own time": ([listed(NINE, 2), listed(TEN, 4, VERIFIED)], VERIFIED),
    "punished, which no audit dates": ([listed(NINE, 2), listed(TEN, 10, VERIFIED)], TEN),
    "failed since the run began": ([listed(NINE, 2), listed(TEN, 4), listed(ELEVEN, 10)], TEN),
    "the newest row's audit dates the run": ([listed(NINE, 4), listed(TEN, 4, VERIFIED)], VERIFIED),
    "failed anew": ([listed(NINE, 4), listed(TEN, 3), listed(ELEVEN, 10), listed(TWELVE, 4)], ELEVEN),
    "recovered": ([listed(NINE, 4, VERIFIED), listed(TEN, 3)], None),
    "an after-sale under way": ([listed(NINE, 2), detailed(TEN, 1)], None),
    "returned": ([listed(NINE, 2), detailed(TEN, 2)], TEN),
    "returned, though a later list row knows nothing of it": ([detailed(NINE, 2), listed(TEN, 3)], NINE),
    "returned since the run began": ([detailed(NINE, 1), detailed(TEN, 2), detailed(ELEVEN, 2)], TEN),
    "a list row breaks no run": ([detailed(NINE, 2), listed(TEN, 3), detailed(ELEVEN, 2)], NINE),
    "no longer returned": ([detailed(NINE, 2), detailed(TEN, 0)], None),
    "returned, then failed": ([detailed(NINE, 2), listed(TEN, 4)], NINE),
    "failed, then returned": ([listed(NINE, 4), detailed(TEN, 2, status=4)], NINE),
    "a detail without the field": ([detailed(NINE, 2), detailed(TEN, None)], None),
}


def test_an_order_failed_when_its_unbroken_run_began_in_any_order_of_arrival(month: Month) -> None:
    tellings = [(which, told) for which, (rows, _) in FAILURES.items() for told in permutations(rows)]
    arrive(month, [told for _, told in tellings])
    found: dict[str, set[int | None]] = {}
    for number, (which, _) in enumerate(tellings, 1):
        found.setdefault(which, set()).add(state(month.engine, number).failed_at)
    assert found == {which: {failed_at} for which, (_, failed_at) in FAILURES.items()}


def test_an_order_that_moves_counts_for_its_new_promoter_alone(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin(promoter(), promoter(STRANGER))

    def gmv_fen() -> list[int]:
        return [month.progress(promoter_id)["counted"]["gmv_fen"] for promoter_id in (PROMOTER, STRANGER)]

    before = order_row(amount_fen=1)
    month.orders(before, order_row(number=2, amount_fen=2))
    assert gmv_fen() == [1 + 2, 0]
    month.orders(before | {"p_id": f"{STRANGER}_1", "order_modify_at": before["order_modify_at"] + 1})
    month.orders(before)
    assert gmv_fen() == [2, 1]
    assert month.explain().promoter_id == STRANGER


# Quarantine


def test_rows_of_an_unknown_promoter_wait_and_go_in_with_the_promoter(month: Month) -> None:
    month.terms(plain_terms())
    late = order_row(promoter_id=STRANGER)
    early = late | {"order_status": 1, "order_modify_at": late["order_modify_at"] - 60}
    assert month.orders(late, early, order_row(number=2)).quarantined == 2
    month.table("links", link(f"{STRANGER}_107021838", "other"))
    month.table("violations", violation(STRANGER))
    month.table("targets", target(STRANGER, orders="3"))
    waiting = month.waiting()
    assert [entry[0] for entry in waiting] == ["E-PROMOTER"] * 5
    assert waiting[0] == ("E-PROMOTER", sn(1), "p_id", f"{STRANGER}_107021838")
    with pytest.raises(BountyError, match=r"waits in quarantine as entry .* E-PROMOTER"):
        month.explain()
    month.table("promoters", promoter(STRANGER))
    assert month.waiting() == []
    assert state(month.engine).order_status == 2
    assert month.open().reasons == {"VIOLATION": 1}
    month.orders(late, early)  # and they are held: Month sees that nothing changes


def test_a_good_row_closes_the_old_entry_of_its_order(month: Month) -> None:
    bad = [order_row(order_status=99), order_row(number=2, order_status=99)]
    month.orders(*bad)
    entries = [("E-STATUS", sn(number), "order_status", "99") for number in (1, 2)]
    assert month.waiting() == entries
    month.orders(order_row())
    assert month.waiting() == entries[1:]
    month.orders(*bad)  # the old file once more opens nothing that is closed
    assert month.waiting() == entries[1:]


def test_quarantine_is_listed_exported_retried_and_dismissed(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    cells = zh_cells(order_row()) | {"实付金额(元)": "1,23.50", "商品名称": "=1+1"}
    path = write_table(tmp_path / "十二月.csv", [cells, cells | {"订单编号": "2.21E+20"}])
    month.take("orders", path)
    first, second, third = bounty(database_url, "quarantine", "list").stdout.splitlines()
    assert first.startswith("1 orders 十二月.csv:2 实付金额(元) '1,23.50' E-MONEY ")
    assert "1234.50" in first.split("E-MONEY", 1)[1]
    # all errors of a row, in column order
    assert second.startswith("2 orders 十二月.csv:3 订单编号 '2.21E+20' E-ID-MANGLED ")
    assert third.startswith("2 orders 十二月.csv:3 实付金额(元) '1,23.50' E-MONEY ")
    retried = bounty(database_url, "quarantine", "retry")
    assert (retried.returncode, len(month.waiting())) == (0, 2)
    no_reason = bounty(database_url, "quarantine", "dismiss", "1", "--reason", " ")
    assert (no_reason.returncode, len(month.waiting())) == (1, 2)
    for returncode in (0, 1):  # once dismissed it is no open entry
        ran = bounty(database_url, "quarantine", "dismiss", "1", "--reason", "测试行")
        assert (ran.returncode, len(ran.stderr.splitlines())) == (returncode, returncode)
    assert [entry[0] for entry in month.waiting()] == ["E-ID-MANGLED"]
    month.take("orders", path)
    assert [entry[0] for entry in month.waiting()] == ["E-ID-MANGLED"]


def test_quarantined_rows_are_exported_with_their_own_columns_mended_and_imported_again(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    cells = zh_cells(order_row()) | {"实付金额(元)": "1,23.50", "商品名称": "=1+1"}
    month.take("orders", write_table(tmp_path / "十二月.csv", [cells, cells | {"订单编号": "2.21E+20"}]))
    bounty(database_url, "quarantine", "export", "--out", tmp_path / "mend")
    path = tmp_path / "mend" / "orders-1.csv"
    rows = rows_of(path.read_bytes())
    assert [(row["订单编号"], row["实付金额(元)"], row["error_code"]) for row in rows] == [
        (sn(1), "1,23.50", "E-MONEY"),
        ("2.21E+20", "1,23.50", "E-ID-MANGLED; E-MONEY"),
    ]
    assert {row["商品名称"] for row in rows} == {"'=1+1"}
    path.write_bytes(path.read_bytes().replace(b'"1,23.50"', b"1234.50", 1))
    counts = month.take("orders", path)
    assert (counts.new, counts.quarantined) == (1, 1)
    assert [entry[0] for entry in month.waiting()] == ["E-ID-MANGLED"]  # the one that was not mended, once


def test_strict_imports_nothing_of_a_file_with_a_bad_row(month: Month, tmp_path: Path) -> None:
    path = write_json(tmp_path / "orders.json", [order_row(), order_row(number=2, order_status=99)])
    empty = held(month.engine)
    for _ in range(2):
        with pytest.raises(Strict, match="1 of 2 rows") as refusal:
            import_file(month.engine, "orders", path, month.now, strict=True)
        assert (refusal.value.counts.new, refusal.value.counts.quarantined, held(month.engine)) == (
            1,
            1,
            empty,
        )


def test_a_refused_file_leaves_the_work_of_the_others(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    files = [
        write_json(tmp_path / "1.json", [order_row()]),
        SAMPLES / "error_24h_window.json",
        write_table(tmp_path / "2.csv", [{"订单编号": sn(9), "实付金额(元)": "1.00"}]),
        tmp_path / "not there.json",
        write_json(tmp_path / "3.json", [order_row(number=2), order_row(number=3, order_status=99)]),
    ]
    ran = bounty(database_url, "import", "orders", *files)
    assert ran.returncode == 1
    assert [line.split()[1] for line in ran.stdout.splitlines()] == ["read=1", "read=2"]
    codes = ("E-KIND", "E-HEAD", "")
    errors = [line for line in ran.stderr.splitlines() if line.startswith("Error: ")]
    for line, path, code in zip(errors, files[1:4], codes, strict=True):
        assert f"{path}: {code}" in line
    strict = bounty(database_url, "import", "orders", "--strict", *files[::4])
    assert (strict.returncode, len(month.waiting())) == (1, 1)
    assert state(month.engine, 2).order_amount_fen == 100_00


# What the samples give; tests/intake/test_samples.py has the reasons


def test_the_samples_that_cannot_feed_the_rules_are_refused_and_leave_nothing(month: Month) -> None:
    empty = held(month.engine)
    refused = (
        "error_24h_window error_public_parameter sign_vector oauth_official_shape live_key_names".split()
    )
    for name in (*refused, "merchant_order_detail"):
        with pytest.raises(RefusedFile) as refusal:
            month.take("orders", SAMPLES / f"{name}.json")
        assert refusal.value.code == "E-KIND"
    assert held(month.engine) == empty


def test_the_sample_of_the_list_reply_is_read_and_its_placeholders_wait(month: Month) -> None:
    counts = month.take("orders", SAMPLES / "increment_official_shape.json")
    assert (counts.read, counts.quarantined) == (1, 1)
    assert month.waiting() == [("E-ID", None, "order_sn", "str")]


def test_an_order_of_the_live_replies_keys_goes_in(month: Month) -> None:
    """The key names are those of live replies; the values are made up (synthetic)."""
    names = json.loads((SAMPLES / "live_key_names.json").read_text(encoding="utf-8"))
    full = order_row(status=1, received=None) | {"group_id": 860461037241593915}
    listed_row = {key: full.get(key, "") for key in names["increment_keys_in_live_order"]}
    unset = ("order_receive_time", "order_verify_time", "order_settle_time")
    assert month.orders(listed_row | dict.fromkeys(unset)).new == 1
    detail = detail_of(full)
    told = {key: detail.get(key, "") for key in names["detail_keys_in_live_order"]}
    assert month.orders(told | {"url_last_generate_time": 1669900000}).changed == 1
    assert (state(month.engine).link_made_at, month.waiting()) == (1669900000, [])
