"""What the command says, the page of an order, backups, and appeals, where rows are archived."""

import json
import re
from pathlib import Path

import pytest

from bounty.accounts.service import add_user
from bounty.appeals.corrections import overtaken_by, write_correction
from bounty.db import snapshot, transaction
from tests import postgres
from tests.archives.shelf import NOW, Shelf, filled
from tests.factories import (
    PROMOTER,
    bounty,
    order_row,
    sn,
)
from tests.web.clients import application, log_in, words_of
from tests.web.clients import close as close_site
from tests.web.world import PASSWORD


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_says_what_it_moved(shelf: Shelf, database_url: str) -> None:
    filled(shelf)
    ours = {"BOUNTY_ARCHIVES": str(shelf.archives), "now": "2023-03-20T12:00:00+08:00"}
    done = bounty(database_url, "archive", "2022-12", **ours)
    assert (done.returncode, done.stderr) == (0, "")
    file, sentence = done.stdout.splitlines()
    assert re.fullmatch(
        rf"{shelf.archives}/orders-2022-12-1-[0-9a-f]{{12}}\.parquet sha256:[0-9a-f]{{64}}", file
    )
    assert re.fullmatch(
        r"2022-12: 10 orders with 17 rows moved into 1 file of [0-9,]+ bytes; the tables took [0-9,]+ bytes before, "
        r"and take [0-9,]+ now",
        sentence,
    )
    again = bounty(database_url, "archive", "2022-12", **ours)
    assert (again.returncode, again.stderr) == (
        1,
        "Error: 2022-12 is archived already, with 10 orders: nothing is left to move.\n",
    )
    for wrong in ("2022-12a", "sprint:2022-12", "December"):
        refused = bounty(database_url, "archive", wrong, **ours)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    explained = bounty(database_url, "explain", sn(1), **ours)
    assert explained.returncode == 0
    back = bounty(database_url, "archive", "2022-12", "--restore", **ours)
    assert back.stdout.startswith(
        "2022-12: 10 orders with 17 rows restored from 1 archive, whose files stay;"
    )
    assert (shelf.archives / file.split(" ")[0]).is_file()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_of_an_order_reads_its_archive(shelf: Shelf, database_url: str, tmp_path: Path) -> None:
    shelf.bring(order_row(number=60, remark="观察名单"))
    filled(shelf)
    (file,) = shelf.archive().files
    with transaction(shelf.engine) as connection:
        for email, role, promoter_id in (
            ("a@example.com", "operator", None),
            ("b@example.com", "promoter", PROMOTER),
        ):
            add_user(
                connection,
                email=email,
                name="林晓",
                role=role,
                promoter_id=promoter_id,
                password=PASSWORD,
                now=0,
            )
    app = application(database_url, NOW, tmp_path, archives=shelf.archives)
    try:
        staff, own = app.test_client(), app.test_client()
        log_in(staff, "a@example.com")
        log_in(own, "b@example.com")
        for_staff, for_own = f"/finance/promoters/{PROMOTER}/orders/{sn(60)}", f"/orders/{sn(60)}"
        assert "收到的数据：1 行" in own.get(for_own).text
        assert "观察名单" not in own.get(for_own).text
        assert "观察名单" in staff.get(for_staff).text
        assert "收到的数据：2 行" in own.get(f"/orders/{sn(3)}").text
        (shelf.archives / file.file_name).unlink()
        for answer in (own.get(for_own), staff.get(for_staff)):
            assert answer.status_code == 200
            assert f"这个订单的数据行在归档 {file.file_name} 中，现在读不出来。" in words_of(answer.text)
        assert str(shelf.archives) not in own.get(for_own).text
    finally:
        close_site(app)


def test_a_backup_needs_no_archives_and_a_restored_copy_says_which_it_needs(
    shelf: Shelf, database_url: str, tmp_path: Path
) -> None:
    filled(shelf)
    (file,) = shelf.archive().files
    path = shelf.archives / file.file_name
    kept = path.read_bytes()
    path.unlink()
    ours = {
        "BOUNTY_POSTGRES_PROGRAMS": str(postgres.client_programs()),
        "now": "2023-03-20T12:00:00+08:00",
        "BOUNTY_ARCHIVES": str(shelf.archives),
    }
    made = bounty(database_url, "backup", tmp_path / "backups", "--json", **ours)
    assert made.returncode == 0, made.stderr
    copy = json.loads(made.stdout)["file"]
    for at, content in enumerate((None, kept) if database_url.startswith("sqlite") else (None,)):
        if content is not None:
            path.write_bytes(content)
        url = (
            f"sqlite:///{tmp_path / f'restored-{at}.sqlite'}"
            if database_url.startswith("sqlite")
            else postgres.fresh_database()
        )
        restored = bounty(url, "restore", copy, **ours)
        assert restored.returncode == 0, restored.stderr
        told = "there, and as it was made" if content else f"The archive {path} is not there"
        assert f"archive {file.file_name}: {told}" in restored.stdout
        checked = bounty(url, "check", **ours)
        assert (" 1  archives-as-recorded:" in checked.stdout) == (content is None)
        if not database_url.startswith("sqlite"):
            postgres.drop_database(url)


def test_a_correction_after_an_appeal_brings_the_rows_back(shelf: Shelf) -> None:
    filled(shelf)
    shelf.archive()
    with transaction(shelf.engine) as connection:
        batch_id = write_correction(connection, 1, sn(3), {"order_amount": 77_00}, shelf.now)
    assert [row.withdrawn for row in shelf.rows_of(3).rows] == [False, False, False]
    assert shelf.violations() == {}
    assert shelf.archive().orders == 1
    with snapshot(shelf.engine) as connection:
        assert overtaken_by(connection, batch_id, sn(3)) is None
    shelf.bring(order_row(number=3, status=4, modified="2023-02-20 00:00:00"))
    shelf.archive()
    with snapshot(shelf.engine) as connection:
        found = overtaken_by(connection, batch_id, sn(3))
    assert found is not None
    assert found.order_sn == sn(3)
    assert shelf.violations() == {}
