"""A file is uploaded, tried without a trace, and imported in a process of its own, which may be killed."""

import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bounty import importer
from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Batch, Order, OrderVersion, Quarantined, Upload
from bounty.uploads import service as uploads
from bounty.uploads.processes import ImportProcess, launch, run_of
from tests.factories import (
    PROMOTER,
    SCRIPT,
    Month,
    environment,
    link,
    order_row,
    promoter,
    sn,
    write_csv_zh,
    write_json,
    write_jsonl,
    write_table,
)


class Desk:
    """An operator with files to upload, whose imports run in processes of their own."""

    def __init__(self, engine: Engine, database_url: str, month: Month, folder: Path) -> None:
        self.database_url, self.month, self.folder = database_url, month, folder
        with transaction(engine) as connection:
            self.user_id = add_user(
                connection,
                email="operator@example.com",
                name="示例·周衡",
                role="operator",
                password="sample-data-only",
                now=month.now,
            )
        self.engine = acting(engine, Actor("operator@example.com", self.user_id, "operator"))

    def upload(self, kind: str, path: Path, name: str | None = None) -> int:
        """What the page does with a file."""
        name = name or path.name
        kept = uploads.keep_file(self.folder, io.BytesIO(path.read_bytes()), uploads.ending_of(name))
        with transaction(self.engine) as connection:
            return uploads.add_upload(connection, kind, name, kept, self.month.now)

    def start(self, number: int, stage: str) -> bool:
        """Start the process; whether it did."""
        begun = [SCRIPT, "upload", str(number), stage, "--user", str(self.user_id)]
        return launch(
            uploads.progress_file(self.folder, number),
            ImportProcess(stage, expected=7),
            lambda descriptor: [*begun, "--folder", str(self.folder), "--report", str(descriptor)],
            environment(self.database_url, "2023-01-15T12:00:00+08:00"),
        )

    def standing(self, number: int) -> uploads.UploadState:
        with snapshot(self.engine) as connection:
            found = uploads.upload_state(connection, self.folder, number)
        assert found is not None
        return found

    def run(self, number: int, stage: str) -> uploads.UploadState:
        """Start the process and wait for its end."""
        assert self.start(number, stage)
        return self.ended(number)

    def ended(self, number: int) -> uploads.UploadState:
        until = time.monotonic() + 120
        while (found := self.standing(number)).state == "RUNNING":
            assert time.monotonic() < until, found.run
            time.sleep(0.1)
        return found

    def count(self, table: Any) -> int:
        with snapshot(self.engine) as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.fixture
def desk(engine: Engine, database_url: str, tmp_path: Path) -> Desk:
    month = Month(engine, tmp_path)
    month.begin()
    return Desk(engine, database_url, month, tmp_path / "uploads")


BAD = "2022-13-45 99:00:00"


def december(path: Path) -> Path:
    """Three orders of 1, 2 and 4 fen: two paid in December, one in November; and a row that can't be read."""
    rows = [
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, paid="2022-12-25 12:00:00", received=None),
        order_row(number=4, amount_fen=4, paid="2022-11-25 12:00:00"),
        order_row(number=8, amount_fen=8),
    ]
    write_csv_zh(path, rows, encoding="gb18030")
    text = path.read_text(encoding="gb18030").splitlines(keepends=True)
    text[4] = text[4].replace("2022-12-05 12:00:00", BAD, 1)
    path.write_text("".join(text), encoding="gb18030", newline="")
    return path


def test_a_dry_run_tells_what_the_import_would_do_and_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    number = desk.upload("orders", december(tmp_path / "订单.csv"))
    before = [desk.count(table) for table in (Batch, OrderVersion, Order, Quarantined, AuditEvent)]
    found = desk.run(number, "try")
    assert before == [desk.count(table) for table in (Batch, OrderVersion, Order, Quarantined, AuditEvent)]
    assert found.state == "TRIED"
    tried = found.tried
    assert tried is not None
    assert (tried["encoding"], tried["shape"]) == ("gb18030", "csv")
    assert ["订单编号", "order_sn"] in tried["columns"]
    counts = {"read": 4, "new": 3, "changed": 0, "unchanged": 0, "stale": 0, "quarantined": 1}
    assert tried["counts"] == counts
    assert tried["amount_fen"] == 1 + 2 + 4
    assert [(month["month"], month["rows"], month["amount_fen"]) for month in tried["months"]] == [
        ("2022-11", 1, 4),
        ("2022-12", 2, 1 + 2),
    ]
    assert tried["periods"] == [{"period": "2022-12", "notice": None, "orders": 2}]
    (bad,) = tried["bad"]
    assert (bad["place"], bad["column"], bad["value"]) == (5, "支付时间", BAD)
    assert bad["zh"]
    assert bad["en"]


def test_an_import_in_the_background_is_the_uploaders_act_and_a_second_changes_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    path = december(tmp_path / "订单.csv")
    number = desk.upload("orders", path)
    assert desk.upload("orders", path) == number  # a double post is one upload
    desk.run(number, "try")
    found = desk.run(number, "import")
    assert found.state == "IMPORTED"
    assert (found.facts.rows_new, found.facts.rows_quarantined) == (3, 1)
    with snapshot(desk.engine) as connection:
        batch = connection.execute(
            select(Batch.file_name).where(Batch.batch_id == found.facts.batch_id)
        ).scalar()
        events = connection.execute(
            select(AuditEvent.act, AuditEvent.actor, AuditEvent.user_id, AuditEvent.role)
            .order_by(AuditEvent.event_id.desc())
            .limit(2)
        ).all()
    assert batch == "订单.csv"
    person = ("operator@example.com", desk.user_id, "operator")
    assert [tuple(event) for event in events] == [("batch.import", *person), ("upload.add", *person)]
    with pytest.raises(uploads.AlreadyImported, match=r"2023-01-15 12:00 by 示例·周衡 as batch"):
        desk.upload("orders", path)
    with pytest.raises(BountyError):
        uploads.require_startable(found, "import")
    assert desk.run(number, "import").facts.batch_id == found.facts.batch_id
    assert desk.count(Upload) == 1


def test_months_already_published_are_named_before_anything_changes(desk: Desk, tmp_path: Path) -> None:
    desk.month.orders(order_row(number=1, amount_fen=1), order_row(number=2, amount_fen=2))
    desk.month.settle()
    desk.month.publish()
    rows = [
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=4, modified="2023-01-14 12:00:00"),
    ]
    tried = desk.run(desk.upload("orders", write_json(tmp_path / "late.json", rows)), "try").tried
    assert tried is not None
    assert tried["periods"] == [{"period": "2022-12", "notice": 1, "orders": 1}]
    table = write_table(tmp_path / "links.csv", [link(order_row()["p_id"], "other")])
    tried = desk.run(desk.upload("links", table), "try").tried
    assert tried is not None
    assert tried["periods"] == [{"period": "2022-12", "notice": 1, "orders": 2}]


def test_rows_that_waited_for_their_promoter_are_told_of(desk: Desk, tmp_path: Path) -> None:
    desk.month.orders(order_row(number=1, promoter_id=PROMOTER + 1))
    number = desk.upload("promoters", write_table(tmp_path / "more.csv", [promoter(PROMOTER + 1)]))
    tried = desk.run(number, "try").tried
    assert tried is not None
    assert [kind for kind, _ in tried["released"]] == ["orders"]
    assert tried["periods"] == [{"period": "2022-12", "notice": None, "orders": 1}]
    assert desk.count(Order) == 0


def test_a_file_that_is_wholly_wrong_says_why(desk: Desk, tmp_path: Path) -> None:
    number = desk.upload("orders", write_table(tmp_path / "promoters.csv", [promoter()]))
    found = desk.run(number, "try")
    assert found.state == "REFUSED"
    assert found.refused is not None
    assert "E-HEAD" in found.refused["zh"]
    assert found.refused["en"]
    with pytest.raises(BountyError):
        uploads.require_startable(found, "import")


def test_a_header_that_lacks_columns_is_mapped_and_tried_again(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "订单.csv"
    write_csv_zh(path, [order_row(number=1)])
    path.write_bytes(path.read_bytes().replace("推广位ID".encode(), "推广位编号".encode()))
    found = desk.run(desk.upload("orders", path), "try")
    assert found.refused is not None
    missing = found.refused["missing"]
    assert (missing["columns"], missing["near"]) == (["推广位ID"], {"推广位ID": "推广位编号"})
    bad_pairs: list[tuple[list[tuple[str, str]], str]] = [
        ([("", "推广位ID")], "Choose a column"),
        ([("推广位编号", "推广位ID"), ("推广位编号", "佣金(元)")], "can't be two columns"),
        ([("推广位编号", "佣金")], "no column of such files"),
    ]
    for pairs, sentence in bad_pairs:
        with transaction(desk.engine) as connection, pytest.raises(BountyError, match=sentence):
            uploads.map_headers(connection, found.facts, pairs, desk.month.now, from_now_on=True)
    with transaction(desk.engine) as connection:
        uploads.map_headers(
            connection, found.facts, [("推广位编号", "推广位ID")], desk.month.now, from_now_on=False
        )
    tried = desk.run(found.facts.upload_id, "try").tried
    assert tried is not None
    assert tried["counts"]["new"] == 1
    assert tried["flags"][0]["zh"] == "列“推广位编号”按“推广位ID”读取"
    assert desk.run(found.facts.upload_id, "import").state == "IMPORTED"


def test_an_older_file_of_the_same_kind_can_come_again(desk: Desk, tmp_path: Path) -> None:
    first = write_table(tmp_path / "links-1.csv", [link(f"{PROMOTER}_1", "app")])
    second = write_table(tmp_path / "links-2.csv", [link(f"{PROMOTER}_1", "other")])
    for path in (first, second):
        importer.import_file(desk.engine, "links", path, desk.month.now)
    with pytest.raises(uploads.AlreadyImported):
        desk.upload("links", second)
    found = desk.run(desk.upload("links", first), "try")
    assert found.tried is not None
    assert found.tried["counts"]["changed"] == 1  # the last row of a place holds


def test_a_killed_import_leaves_nothing_is_recognised_and_can_be_started_again(
    desk: Desk, tmp_path: Path
) -> None:
    rows = [order_row(number=number, amount_fen=1) for number in range(60_000)]
    number = desk.upload("orders", write_jsonl(tmp_path / "many.jsonl", rows))
    assert desk.run(number, "try").state == "TRIED"
    assert desk.start(number, "import")
    assert not desk.start(number, "import")  # one at a time
    until = time.monotonic() + 120
    while (run := run_of(uploads.progress_file(desk.folder, number))) is not None and run.rows == 0:
        assert run.alive
        assert time.monotonic() < until
        time.sleep(0.005)
    assert run is not None
    assert run.alive
    assert run.percent is not None
    os.kill(child_of(number, desk.folder), signal.SIGKILL)
    found = desk.ended(number)
    assert found.state == "STOPPED"
    assert desk.count(OrderVersion) == 0
    again = desk.run(number, "import")
    assert again.state == "IMPORTED"
    assert again.facts.rows_new == 60_000


def child_of(number: int, uploads_folder: Path) -> int:
    """The process that imports this upload of this folder; another test may be importing one of the same number."""
    wanted = {b"upload", b"import", b"--report", str(number).encode(), str(uploads_folder).encode()}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted <= set(words):
            return int(process.name)
    raise AssertionError("no such process")


def test_an_undone_batch_can_be_imported_again(desk: Desk, tmp_path: Path) -> None:
    from bounty.orders.undo import undo_batch

    number = desk.upload("orders", write_json(tmp_path / "one.json", [order_row(number=1)]))
    desk.run(number, "try")
    found = desk.run(number, "import")
    assert found.facts.batch_id is not None
    with transaction(desk.engine) as connection:
        undo_batch(connection, found.facts.batch_id, desk.month.now)
    assert desk.standing(number).state == "UNDONE"
    assert desk.run(number, "import").state == "IMPORTED"
    with snapshot(desk.engine) as connection:
        assert connection.execute(select(Order.order_sn)).scalars().all() == [sn(1)]


def test_what_is_stored_is_named_by_what_it_holds(desk: Desk, tmp_path: Path) -> None:
    path = write_json(tmp_path / "one.json", [order_row(number=1)])
    number = desk.upload("orders", path, name="../../etc/订单 .json")
    upload = desk.standing(number).facts
    assert upload.file_name == "订单 .json"
    stored = uploads.stored_file(desk.folder, upload)
    assert stored.parent == desk.folder
    assert stored.name == f"{upload.sha256}.json"
    assert stored.read_bytes() == path.read_bytes()
    assert [file.name for file in desk.folder.iterdir()] == [stored.name]
    with pytest.raises(BountyError, match="empty"):
        uploads.keep_file(desk.folder, io.BytesIO(b""), ".csv")
