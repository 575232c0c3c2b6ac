"""Headers read as other columns: what a person may say, what is done with it, and what it never does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty import importer
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.files.header_mapping import checked_mapping
from bounty.files.problems import BadRow
from bounty.ingest.header_names import forget_header, kept_mapping
from bounty.models import AuditEvent, Batch, OrderVersion
from bounty.platforms.pdd.order_files import OrderRow, open_orders, reread
from tests.factories import PROMOTER, Month, command
from tests.files.test_receipts import Rows, as_csv, as_tabs, as_xls, as_xlsx, as_zip
from tests.intake.build import CHINESE_ORDER, csv_text, write

MAPPING = {"实付金额": "实付金额(元)", "推广位id": "推广位ID"}
NEAR = {"实付金额(元)": "实付金额", "推广位ID": "推广位id"}


def rows(**changes: str) -> Rows:
    order = {**CHINESE_ORDER, **changes}
    return [[NEAR.get(name, name) for name in order], list(order.values())]


@pytest.mark.parametrize("write_as", [as_csv, as_tabs, as_xlsx, as_xls, as_zip])
def test_a_file_is_read_under_the_names_that_a_person_gave_its_columns(
    tmp_path: Path, write_as: Callable[[Path, Rows], Path]
) -> None:
    path = write_as(tmp_path / "订单", [["本月订单"], *rows(), rows(订单状态="?")[1]])
    with pytest.raises(BountyError, match="did you mean “实付金额\\(元\\)” by “实付金额”") as refusal:
        open_orders(path)
    assert "found were" in str(refusal.value).lower()
    file = open_orders(path, MAPPING)
    good, bad = file.rows()
    assert isinstance(good, OrderRow)
    assert good.order_amount_fen == 1990
    assert isinstance(bad, BadRow)
    assert (bad.errors[0].column, file.mapped) == ("订单状态", MAPPING)
    # What is kept of the file is read again without the mapping.
    assert reread(file.shape, file.header, good.raw, good.place) == good
    assert reread(file.shape, file.header, bad.raw, bad.place) == bad


NO_MAPPINGS = {
    "no such column": ({"实付": "金额"}, "'金额' is no column of such files"),
    "a column itself": ({"佣金(元)": "实付金额(元)"}, "佣金\\(元\\) is a column itself"),
    "fen as yuan": ({"实付金额(分)": "实付金额(元)"}, "is in 分 and 实付金额\\(元\\) in 元"),
    "yuan as fen": ({"实付(元)": "order_amount"}, "is in 元 and order_amount in 分"),
    "ten thousands as yuan": ({"实付金额（万元）": "实付金额(元)"}, "is in 万元"),
    "two of one": ({"实付": "实付金额(元)", "应付": "实付金额(元)"}, "can't both be 实付金额"),
    "nothing": ({" ": "实付金额(元)"}, "Name a header of the file"),
}


@pytest.mark.parametrize("name", NO_MAPPINGS)
def test_what_is_no_mapping_is_refused(name: str) -> None:
    mapping, sentence = NO_MAPPINGS[name]
    with pytest.raises(BountyError, match=sentence):
        checked_mapping(mapping, importer.columns_of_kind("orders"))


def test_a_mapping_makes_no_column_and_never_two_of_one(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "订单", rows())
    with pytest.raises(BountyError, match="the file has no such header"):
        importer.open_file("orders", path, mapping={**MAPPING, "金额": "佣金(元)"})
    with pytest.raises(BountyError, match="lacks: 推广位ID"):
        importer.open_file("orders", path, mapping={"实付金额": "实付金额(元)"})
    whole = as_csv(tmp_path / "全", [[*CHINESE_ORDER, "实付金额"], [*CHINESE_ORDER.values(), "1.00"]])
    with pytest.raises(BountyError, match="it has 实付金额\\(元\\) itself"):
        importer.open_file("orders", whole, mapping={"实付金额": "实付金额(元)"})
    # One that is kept for all files takes nothing from a file that has the column, and never names two.
    (good,) = open_orders(whole, {"实付金额": "实付金额(元)"}).rows()
    assert isinstance(good, OrderRow)
    assert good.order_amount_fen == 1990
    both = as_csv(tmp_path / "二", [[*rows()[0], "实付"], [*rows()[1], "1.00"]])
    with pytest.raises(BountyError, match="several columns of one meaning: 实付, 实付金额"):
        open_orders(both, {**MAPPING, "实付": "实付金额(元)"})


def test_a_mapping_that_is_kept_is_used_until_it_is_taken_back(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    text = csv_text(*rows(推广位ID=f"{PROMOTER}_1"), rows(订单编号="221219-2", 推广位ID="7_1")[1])
    path = write(tmp_path, "订单.csv", text)
    with pytest.raises(BountyError, match="did you mean"):
        importer.import_file(engine, "orders", path, month.now)
    with transaction(engine) as connection:
        importer.keep_headers(connection, "orders", {"实付": "佣金(元)", **MAPPING}, month.now)
        importer.keep_headers(connection, "orders", MAPPING, month.now)
    imported = importer.import_file(engine, "orders", path, month.now)
    assert (str(imported.counts), imported.notes[:2]) == (
        "read=2 new=1 changed=0 unchanged=0 stale=0 quarantined=1",
        [
            ("列“实付金额”按“实付金额(元)”读取", "column 实付金额 is read as 实付金额(元)"),
            ("列“推广位id”按“推广位ID”读取", "column 推广位id is read as 推广位ID"),
        ],
    )
    with transaction(engine) as connection:
        forget_header(connection, "orders", "实付", month.now)
        with pytest.raises(BountyError, match="No header '实付'"):
            forget_header(connection, "orders", "实付", month.now)
    with snapshot(engine) as connection:
        assert kept_mapping(connection, "orders") == MAPPING
        assert kept_mapping(connection, "links") == {}
        acts = connection.execute(select(AuditEvent.act).where(AuditEvent.act.like("headers.%"))).scalars()
        assert list(acts) == ["headers.keep", "headers.forget"]
        (after,) = connection.execute(
            select(AuditEvent.after).where(AuditEvent.subject == f"batch {imported.batch_id}")
        ).scalars()
        assert "实付金额(元)" in (after or "")
        header = connection.execute(
            select(Batch.header).where(Batch.batch_id == imported.batch_id)
        ).scalar_one()
        assert header is not None
        assert '"推广位ID"' in header
    # The row that waited for its promoter goes in by itself, read as its file was.
    people = "promoter_id,name,level,level_from,registered_on\n7,李雷,V0,2022-01-01,2021-01-01\n"
    importer.import_file(engine, "promoters", write(tmp_path, "人.csv", people), month.now)
    with snapshot(engine) as connection:
        amounts = connection.execute(select(OrderVersion.order_amount_fen)).scalars().all()
    assert amounts == [1990, 1990]


def test_a_near_miss_of_a_column_that_may_lack_is_told(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    header = ["佣金" if name == "佣金(元)" else name for name in CHINESE_ORDER]
    order = {**CHINESE_ORDER, "推广位ID": f"{PROMOTER}_1"}
    path = write(tmp_path, "订单.csv", csv_text(header, order.values()))
    told = importer.import_file(engine, "orders", path, month.now).notes
    assert told[0] == (
        "列“佣金”没有读取；是否就是“佣金(元)”？请改列名或指定对应",
        "column 佣金 is not read; did you mean 佣金(元)? Rename or map it",
    )
    told = importer.import_file(engine, "orders", path, month.now, mapping={"佣金": "佣金(元)"}).notes
    assert told[0][1] == "column 佣金 is read as 佣金(元)"


def test_the_shell_maps_headers_of_one_file_or_from_now_on(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    Month(engine, tmp_path).begin()
    path = write(tmp_path, "订单.csv", csv_text(*rows(推广位ID=f"{PROMOTER}_1")))

    def bounty(*arguments: str) -> tuple[int, str]:
        result = command(database_url, "2023-01-15T12:00:00+08:00", *arguments)
        return result.exit_code, result.output

    assert bounty("import", "orders", str(path))[0] == 1
    pairs = [word for pair in MAPPING.items() for word in ("--map", "=".join(pair))]
    code, told = bounty("import", "orders", str(path), *pairs)
    assert (code, "new=1" in told, "column 推广位id is read as 推广位ID" in told) == (0, True, True)
    assert "no header of orders" in bounty("import", "headers", "orders")[1]
    assert bounty("import", "headers", "orders", "--keep", "实付=佣金(元)") == (0, "实付=佣金(元)\n")
    code, told = bounty("import", "headers", "orders", "--forget", "实付")
    assert (code, told) == (0, "no header of orders is read as another column\n")
    assert "write each header once" in bounty("import", "orders", str(path), "--map", "实付金额")[1]
