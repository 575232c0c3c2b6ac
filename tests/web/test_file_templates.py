"""The templates to download: with the examples of the page in them they are files that can be read."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page

from bounty.files.problems import BadRow
from bounty.payees.files import read_payees
from bounty.platforms.pdd.order_files import open_orders
from bounty.promoters.reference_files import read_reference
from bounty.web.operations.file_templates import KINDS, column_help
from tests.factories import order_row, write_json
from tests.web.clients import application, close, log_in, words_of
from tests.web.world import DECEMBER, EMAILS, Site, copied


@pytest.fixture
def app(small_site: Path, tmp_path: Path) -> Iterator[Flask]:
    app = application(copied(small_site, tmp_path), DECEMBER, tmp_path)
    yield app
    close(app)


def reader(app: Flask, role: str) -> FlaskClient:
    client = app.test_client()
    log_in(client, EMAILS[role])
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_with_its_examples_in_it_is_read(app: Flask, tmp_path: Path, kind: str) -> None:
    client = reader(app, "finance" if kind == "payees" else "operator")
    answer = client.get(f"/operations/templates/{kind}.csv")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{kind}-template.csv"'
    text = answer.data.decode("utf-8-sig")
    (header,) = csv.reader(io.StringIO(text, newline=""))
    with app.test_request_context():
        helped = {column.header: column for column in column_help(kind)}
    assert list(helped) == header
    assert all(helped[name].example for name in header if helped[name].required)
    path = tmp_path / f"{kind}.csv"
    line = ",".join(f'"{helped[name].example}"' for name in header)
    path.write_bytes(answer.data + line.encode() + b"\r\n")
    if kind == "payees":
        (payee,) = read_payees(path)
        assert not isinstance(payee, BadRow), payee
        return
    (row,) = open_orders(path).rows() if kind == "orders" else read_reference(path, kind).rows
    assert not isinstance(row, BadRow), row


def test_the_upload_page_says_what_belongs_into_each_column(app: Flask) -> None:
    page = words_of(
        reader(app, "operator").get("/operations/imports/", headers={"Accept-Language": "zh"}).text
    )
    assert "推广位ID 是 推手 ID_数字 1000939_107021838" in page
    assert "解除日 可空 日期 2022-10-01" in page
    assert "下载目标模板" in page
    assert reader(app, "operator").get("/operations/templates/others.csv").status_code == 404
    assert reader(app, "promoter").get("/operations/templates/orders.csv").status_code == 403
    finance = reader(app, "finance").get(
        "/finance/payees", headers={"Accept-Language": "zh"}, follow_redirects=True
    )
    assert re.search(r'href="/operations/templates/payees.csv"', finance.text)


def test_a_file_is_dropped_on_the_form(
    visit: Callable[..., Page], own_site: Callable[..., Site], tmp_path: Path
) -> None:
    page = visit(own_site(DECEMBER), "operator")
    page.goto("/operations/imports/")
    assert page.get_by_text("也可以把文件拖到这里").is_visible()
    content = write_json(tmp_path / "x.json", [order_row(number=400)]).read_text(encoding="utf-8")
    page.evaluate(
        """content => {
          const data = new DataTransfer();
          data.items.add(new File([content], "订单.json"));
          const dropped = new DragEvent("drop", {dataTransfer: data, bubbles: true});
          document.querySelector("[data-drop]").dispatchEvent(dropped);
        }""",
        content,
    )
    page.get_by_role("button", name="上传并试导入").click()
    page.get_by_text("没有留下任何改动").wait_for(timeout=90_000)
