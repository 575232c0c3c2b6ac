"""A large file of orders is read by a process of its own: the same rows, and the same refusals."""

import signal
from pathlib import Path

import psutil
import pytest

from bounty import importer
from bounty.db import snapshot
from bounty.errors import BountyError, RefusedFile
from bounty.importer import import_file
from bounty.ingest.queries import count_open
from bounty.platforms.pdd.order_files import open_orders
from bounty.platforms.pdd.order_row import OrderRow
from bounty.platforms.pdd.reading_process import rows_from_child
from tests.factories import Month, order_row, plain_terms, promoter, write_csv_zh, write_json

OFFICIAL = Path(__file__).parents[1] / "samples" / "increment_official_shape.json"


def test_the_official_shape_is_read_alike() -> None:
    here, aside = open_orders(OFFICIAL), open_orders(OFFICIAL)
    assert list(rows_from_child(OFFICIAL, {}, aside)) == list(here.rows())
    assert (aside.entries, aside.notes) == (here.entries, here.notes)


def test_more_rows_than_are_sent_at_once_bad_ones_and_own_headers_are_read_alike(tmp_path: Path) -> None:
    rows = [order_row(number=number, order_amount=number % 7 - 1) for number in range(1, 2_500)]
    path = write_csv_zh(tmp_path / "orders.csv", rows)
    path.write_text(path.read_text(encoding="utf-8-sig").replace("商品名称", "品名"), encoding="utf-8")
    mapping = {"品名": "商品名称"}
    file = open_orders(path, mapping)
    found = list(rows_from_child(path, mapping, file))
    assert found == list(open_orders(path, mapping).rows())
    assert 300 < sum(not isinstance(row, OrderRow) for row in found) < 400


def test_what_is_refused_later_is_refused_in_the_same_words(tmp_path: Path) -> None:
    path = write_json(tmp_path / "orders.json", [order_row(number=1), order_row(number=2)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RefusedFile) as here:
        list(open_orders(path).rows())
    with pytest.raises(RefusedFile) as aside:
        list(rows_from_child(path, {}, open_orders(path)))
    assert (aside.value.code, aside.value.en, aside.value.zh, str(aside.value)) == (
        here.value.code, here.value.en, here.value.zh, str(here.value)
    )  # fmt: skip


def test_a_killed_reader_leaves_nothing_half_imported(
    month: Month, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "LARGE_BYTES", 0)
    path = write_csv_zh(tmp_path / "orders.csv", [order_row(number=n) for n in range(1, 22_000)])
    killed: list[int] = []

    def kill_reader(_rows: int) -> None:
        readers = [each for each in psutil.Process().children() if "reading_process" in str(each.cmdline())]
        if not killed:
            readers[0].send_signal(signal.SIGKILL)
            killed.append(readers[0].pid)

    with pytest.raises(BountyError, match="was ended"):
        import_file(month.engine, "orders", path, month.now, on_progress=kill_reader)
    assert len(killed) == 1
    with snapshot(month.engine) as connection:
        assert count_open(connection) == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM orders").scalar_one() == 0
    assert import_file(month.engine, "orders", path, month.now).counts.new == 21_999


@pytest.fixture
def month(engine: object, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path, now="2022-12-15 15:00:00")  # type: ignore[arg-type]
    month.begin(promoter(), toml=plain_terms())
    return month
