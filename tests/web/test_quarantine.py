"""Quarantine: many rows are dismissed with one reason, links keep working, and what is empty says so."""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from bounty import importer
from bounty.accounts.service import add_user
from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, Quarantined
from bounty.uploads.dry_run import dry_run
from tests.factories import Month, order_row, plain_terms, promoter, write_json
from tests.intake.build import CHINESE_ORDER, csv_text, write
from tests.web.clients import application, close, log_in, post, words_of

PATH = "/operations/quarantine/"


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    return month


@pytest.fixture
def operator(month: Month, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    with transaction(month.engine) as connection:
        add_user(
            connection,
            email="operator@example.com",
            name="operator",
            role="operator",
            password="correct horse battery",
            now=month.now,
        )
    with ExitStack() as stack:
        app = application(database_url, "2023-01-15 12:00:00", tmp_path)
        stack.callback(close, app)
        client = app.test_client()
        log_in(client, "operator@example.com")
        yield client


def seen(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return words_of(answer.text)


def bad(number: int, **fields: Any) -> dict[str, Any]:
    return order_row(number=number, order_status=99, **fields)


def test_every_error_of_a_row_is_shown_on_the_page_the_upload_and_in_the_files(
    month: Month, operator: FlaskClient
) -> None:
    text = csv_text(
        CHINESE_ORDER
        | {"推广位ID": "01000939_1", "实付金额(元)": "19.999", "更新时间": "2022-13-01 00:00:00"},
    )
    path = write(month.folder, "三处.csv", text)
    opened = importer.open_file("orders", path)
    report = dry_run(month.engine, opened, month.now)
    found = [(each["place"], each["column"], each["code"]) for each in report["bad"]]
    assert found == [(2, "推广位ID", "E-ID"), (2, "实付金额(元)", "E-MONEY"), (2, "更新时间", "E-TIME")]
    importer.import_file(month.engine, "orders", path, month.now)
    for code in ("", "?code=E-ID", "?code=E-TIME"):
        page = seen(operator, PATH + code)
        assert all(
            f"{column} {value} {error}" in page
            for column, value, error in (
                ("推广位ID", "01000939_1", "E-ID"),
                ("实付金额(元)", "19.999", "E-MONEY"),
                ("更新时间", "2022-13-01 00:00:00", "E-TIME"),
            )
        ), page
    assert "不以 0 开头" in seen(operator, PATH)
    listed = operator.get(f"{PATH}quarantine.csv").get_data(as_text=True)
    assert "E-MONEY" in listed
    assert "E-TIME" in listed
    mend = operator.get(f"{PATH}mend").get_data(as_text=True)
    assert "E-ID; E-MONEY; E-TIME" in mend
    assert "实付金额(元)：" in mend


def test_every_row_that_the_filters_leave_is_dismissed_with_one_reason(
    month: Month, operator: FlaskClient
) -> None:
    month.orders(bad(1), bad(2), order_row(number=3, promoter_id=7, p_id="7_1"))
    assert "放弃这 3 行" in seen(operator, PATH)
    code = month.waiting()[0][0]
    path = f"{PATH}?code={code}"
    assert "放弃这 2 行" in seen(operator, path)
    refused = post(operator, f"{PATH}dismiss", code=code, seen="2", reason=" ")
    assert (refused.status_code, "请写明" in refused.text) == (422, True)
    stale = post(operator, f"{PATH}dismiss", code=code, seen="1", reason="x")
    assert (stale.status_code, "现在是 2 行" in stale.text) == (422, True)
    assert post(operator, f"{PATH}dismiss", code=code, seen="2", reason="测试订单").status_code == 303
    assert [code for code, *_ in month.waiting()] == ["E-PROMOTER"]
    with snapshot(month.engine) as connection:
        reasons = connection.execute(
            select(Quarantined.reason, func.count())
            .where(Quarantined.closed_how == "dismissed")
            .group_by(Quarantined.reason)
        ).all()
        acts = (
            connection.execute(select(AuditEvent.reason).where(AuditEvent.act == "quarantine.dismiss"))
            .scalars()
            .all()
        )
    assert (reasons, acts) == ([("测试订单", 2)], ["测试订单"])


def test_a_link_to_rows_that_are_resolved_says_that_quarantine_is_empty(
    month: Month, operator: FlaskClient
) -> None:
    month.orders(bad(1))
    code = month.waiting()[0][0]
    with snapshot(month.engine) as connection:
        batch_id = connection.execute(select(Quarantined.batch_id)).scalar_one()
    paths = (PATH, f"{PATH}?batch={batch_id}", f"{PATH}?code={code}&period=2022-12")
    for path in paths:
        assert "隔离区是空的" not in seen(operator, path)
    month.orders(order_row(number=1))
    for path in paths:
        assert "隔离区是空的" in seen(operator, path)


def test_the_page_of_a_period_links_to_its_own_rows(month: Month, operator: FlaskClient) -> None:
    month.orders(bad(1), bad(2, paid="2023-01-05 12:00:00"), order_row(number=4, promoter_id=7, p_id="7_1"))
    page = operator.get("/operations/periods/2022-12").text
    assert re.search(rf"{re.escape(PATH)}\?code=E-[A-Z]+&amp;period=2022-12", page)
    assert "2 行" in seen(operator, f"{PATH}?period=2022-12")


def test_a_filter_that_a_table_does_not_have_is_a_bad_request(operator: FlaskClient) -> None:
    for path in (f"{PATH}?kind=fruit", f"{PATH}?sort=colour", "/operations/periods?state=ASLEEP"):
        assert operator.get(path).status_code == 400, path
    assert operator.get(f"{PATH}quarantine.csv?kind=fruit").status_code == 400


def test_a_dry_run_adds_up_the_good_rows_alone(month: Month, tmp_path: Path) -> None:
    rows = [
        order_row(number=1, amount_fen=828_00),
        order_row(number=2, promoter_id=7, p_id="7_1", amount_fen=10_00),
    ]
    path = write_json(tmp_path / "orders.json", [*rows, bad(3)])
    tried = dry_run(month.engine, importer.open_file("orders", path), month.now)
    assert tried["amount_fen"] == 828_00
    assert tried["months"] == [{"month": "2022-12", "rows": 1, "amount_fen": 828_00}]
    assert tried["counts"]["quarantined"] == 2


def test_a_file_over_the_limit_leaves_one_on_the_page_with_the_limit(
    month: Month, operator: FlaskClient, database_url: str, tmp_path: Path
) -> None:
    page = operator.get("/operations/imports/").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    assert 'data-max-bytes="' in page
    limit = operator.application.config["MAX_CONTENT_LENGTH"]
    operator.application.config["MAX_CONTENT_LENGTH"] = 1000
    data = {"csrf_token": token[1], "kind": "orders", "file": (io.BytesIO(b"x" * 5000), "orders.csv")}
    said = operator.post("/operations/imports/", data=data, content_type="multipart/form-data")
    operator.application.config["MAX_CONTENT_LENGTH"] = limit
    assert said.status_code == 413
    assert "文件超过" in said.text
    assert "上传并试导入" in said.text
