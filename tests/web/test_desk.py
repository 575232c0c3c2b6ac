"""Operations through their pages: imports, quarantine, roster, invitations, appeals; and the promoter's appeals."""

import base64
import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from bounty.accounts.service import accept
from bounty.appeals.service import ask
from bounty.db import snapshot, transaction
from bounty.models import AuditEvent
from tests.factories import PROMOTER, order_row, shanghai, sn, write_csv_zh, write_json
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import DECEMBER, EMAILS, fill

ENTRY = f"/operations/roster/2022-12/{PROMOTER}"


@pytest.fixture
def app(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The small site in mid-December."""
    fill(engine, tmp_path / "files")
    app = application(database_url, DECEMBER, tmp_path)
    yield app
    close(app)


def reader(app: Flask, email: str) -> FlaskClient:
    client = app.test_client()
    assert log_in(client, email).status_code == 302
    return client


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    return reader(app, EMAILS["operator"])


@pytest.fixture
def mine(app: Flask) -> FlaskClient:
    return reader(app, EMAILS["promoter"])


def page_of(client: FlaskClient, path: str, status: int = 200) -> str:
    said = client.get(path)
    assert said.status_code == status, path
    return words_of(said.text)


def upload(client: FlaskClient, kind: str, name: str, content: bytes) -> Any:
    return post(client, "/operations/imports/", kind=kind, file=(io.BytesIO(content), name))


def settled(client: FlaskClient, path: str) -> str:
    """A page of an upload once nobody works on it any more."""
    until = time.monotonic() + 120
    while True:
        text: str = client.get(path).text
        if "http-equiv" not in text:
            return words_of(text)
        assert time.monotonic() < until, text
        time.sleep(0.2)


def events(engine: Engine, act: str) -> list[tuple[str, ...]]:
    query = select(AuditEvent.actor, AuditEvent.subject).where(AuditEvent.act == act)
    with snapshot(engine) as connection:
        return [tuple(row) for row in connection.execute(query.order_by(AuditEvent.event_id))]


def test_a_file_is_tried_imported_and_mended(operator: FlaskClient, engine: Engine, tmp_path: Path) -> None:
    path = write_csv_zh(
        tmp_path / "x.csv", [order_row(number=number) for number in (400, 401, 402)], encoding="gb18030"
    )
    content = path.read_bytes().replace("正常".encode("gb18030"), "异常".encode("gb18030"), 2)
    said = upload(operator, "orders", "订单.csv", content)
    assert said.status_code == 303
    page = settled(operator, said.location)
    assert "试导入：读入 3 行" in page
    assert "gb18030" in page
    assert "订单编号 → 订单编号" in page
    assert "2022-12：1 行，¥100.00" in page
    assert "异常" in page
    assert "E-" in page
    assert post(operator, f"{said.location}/import").status_code == 303
    page = settled(operator, said.location)
    batch = re.search(r"已导入为批次 (\d+)", page)
    assert batch
    assert "新增 1 · 变更 0 · 未变 0 · 已有更新的记录 0 · 隔离 2" in page
    assert ("operator@example.com", f"batch {batch[1]}") in events(engine, "batch.import")
    again = upload(operator, "orders", "订单.csv", content)
    assert again.status_code == 422
    assert "没有任何改动" in words_of(again.text)

    page = page_of(operator, f"/operations/quarantine/?batch={batch[1]}")
    assert "异常" in page
    mend = operator.get("/operations/quarantine/mend?kind=orders")
    assert mend.status_code == 200
    archive = mend.data  # two files, since the small site has a row in JSON that waits
    assert archive[:2] == b"PK"
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        name = next(name for name in files.namelist() if name.endswith(".csv"))
        mended = files.read(name).replace("异常".encode(), "正常".encode(), 1)
    said = upload(operator, "orders", name, mended)
    tried = settled(operator, said.location)
    assert "隔离区编号：好行进来后关闭这一条" in tried
    assert "3 列不使用：error_code、error_message_zh、error_message_en" in tried
    # The row that is as bad as before waits already, under the file that it first came in.
    known = "1 行以前已隔离过，不另记一条"
    assert known in tried
    post(operator, f"{said.location}/import")
    done = operator.get(said.location).text if "新增 1" in settled(operator, said.location) else ""
    assert known in words_of(done)
    waits = re.search(r'href="(/operations/quarantine/\?[^"]+)"', done)
    assert waits
    assert "异常" in page_of(operator, waits[1])
    assert "全部 1 行" in page_of(operator, "/operations/quarantine/?kind=orders&q=异常")


def test_a_batch_is_taken_back_after_a_look_at_what_that_does(operator: FlaskClient, tmp_path: Path) -> None:
    path = write_json(tmp_path / "x.json", [order_row(number=400)])
    said = upload(operator, "orders", "x.json", path.read_bytes())
    settled(operator, said.location)
    post(operator, f"{said.location}/import")
    batch = re.search(r"已导入为批次 (\d+)", settled(operator, said.location))
    assert batch
    undo = f"/operations/imports/batches/{batch[1]}/undo"
    between = post(operator, undo)  # without a look at what it does, that is shown
    assert (between.status_code, f"撤销批次 {batch[1]}？" in words_of(between.text)) == (200, True)
    assert "收回 1 行，1 单会变，其中 1 单不再存在" in page_of(operator, undo)
    assert "2022年12月期 ：1 单会变 达标会变的推手：1 人 不再达标" in page_of(operator, undo)
    said = post(operator, undo, rows="2")
    assert (said.status_code, "现在会收回 1 行，不是 2 行" in said.text) == (409, True)
    said = post(operator, undo, rows="1")
    assert said.status_code == 303
    assert f"批次 {batch[1]} 已撤销，收回 1 行" in page_of(operator, "/operations/imports/")
    # November's second notice rests on batch 9; batch 10 brought the same row again.
    rows = re.search(
        r'name="rows" value="([0-9]+)"', operator.get("/operations/imports/batches/10/undo").text
    )
    assert rows is not None
    assert post(operator, "/operations/imports/batches/10/undo", rows=rows[1]).status_code == 303
    said = post(operator, "/operations/imports/batches/9/undo")
    assert (said.status_code, "2022-11 第 2 号公示以批次 9 为据" in said.text) == (409, True)
    assert "只有订单可以撤销" in post(operator, "/operations/imports/batches/1/undo").text


def test_the_uploads_are_filtered_and_filed_with_what_became_of_them(
    operator: FlaskClient, tmp_path: Path
) -> None:
    path = write_json(tmp_path / "x.json", [order_row(number=410)])
    done = upload(operator, "orders", "甲.json", path.read_bytes())
    settled(operator, done.location)
    post(operator, f"{done.location}/import")
    settled(operator, done.location)
    settled(operator, upload(operator, "promoters", "乙.csv", b"no such,header\n").location)
    page = page_of(operator, "/operations/imports/uploads")
    assert "全部 2 行" in page
    assert "乙.csv 不能导入" in page
    assert "甲.json 已导入" in page
    filed = operator.get("/operations/imports/uploads.csv?state=IMPORTED").data.decode("utf-8-sig")
    header, line = filed.splitlines()
    assert header == "upload_id,kind,file_name,state,size_bytes,uploaded_at,by,batch_id,sha256"
    assert line.startswith(
        f"1,orders,甲.json,IMPORTED,{path.stat().st_size},2022-12-15T15:00:00+08:00,operator,"
    )
    assert "甲.json" not in page_of(operator, "/operations/imports/uploads?q=乙")
    assert "没有符合条件的上传" in page_of(operator, "/operations/imports/uploads?state=UNDONE")


def test_the_periods_are_filtered_by_their_state_and_filed(operator: FlaskClient) -> None:
    page = page_of(operator, "/operations/periods")
    assert "全部 3 行" in page  # and January, whose roster is to be frozen
    header, *lines = operator.get("/operations/periods.csv?sort=period").data.decode("utf-8-sig").splitlines()
    assert header.startswith("period,state,receipt_cutoff,on_roster,eligible,passed,subsidy_yuan,notice")
    november, december, january = (line.split(",") for line in lines)
    assert november[:2] == ["2022-11", "CORRECTED"]
    assert december[:2] == ["2022-12", "OPEN"]
    assert december[5:] == [""] * 8  # nothing is settled yet
    assert january[:4] == ["2023-01", "UPCOMING", "", ""]
    assert january[-2:] == ["2022-12-25T09:00:00+08:00", ""]
    assert float(november[6]) > 0
    filed = operator.get("/operations/periods.csv?state=CORRECTED").data.decode("utf-8-sig").splitlines()
    assert filed == [header, lines[0]]
    assert page.count(f"¥{float(november[6]):,.2f}") == 4  # its own, the page's, all, and the trend


def test_quarantine_is_read_again_or_dismissed_with_a_reason(operator: FlaskClient, engine: Engine) -> None:
    page = page_of(operator, "/operations/quarantine/")
    assert "全部 1 行" in page
    assert "E-STATUS" in page or "E-" in page
    entry = re.search(r"/operations/quarantine/(\d+)/dismiss", operator.get("/operations/quarantine/").text)
    assert entry
    said = post(operator, "/operations/quarantine/retry")
    assert "没有一行可以直接放行" in page_of(operator, said.location)
    assert post(operator, entry[0], reason=" ").status_code == 422
    assert post(operator, entry[0], reason="平台测试单").status_code == 303
    assert events(engine, "quarantine.dismiss") == [("operator@example.com", f"entry {entry[1]}")]
    assert "隔离区是空的" in page_of(operator, "/operations/quarantine/")
    file = operator.get("/operations/quarantine/quarantine.csv")
    assert file.data.decode("utf-8-sig").startswith("id,kind,")


def test_the_roster_is_searched_looked_into_and_put_right(
    operator: FlaskClient, mine: FlaskClient, engine: Engine
) -> None:
    page = page_of(operator, operator.get("/operations/roster/").location)
    assert "示例·林晓" in page
    assert "全部 9 行" in page
    page = page_of(operator, "/operations/roster/2022-12/?eligible=no&reason=VIOLATION")
    assert "示例·吴双" in page
    assert "全部 1 行" in page
    assert "示例·何安" in page_of(operator, "/operations/roster/2022-12/?level=V1&q=何安")
    page = page_of(operator, f"/operations/roster/2022-12/{PROMOTER + 3}")
    assert "2022-10-11 有违规记录：站内导流" in page
    assert "凭据：批次" in page
    page = page_of(operator, f"/operations/roster/2022-12/{PROMOTER + 2}")
    assert "历史月均" in page
    assert "满 2 个月：" in page

    fields = {"ineligible": "", "gmv_yuan": "600.00", "orders": "6", "why": "与推手商定"}
    assert post(operator, ENTRY, **fields | {"why": ""}).status_code == 422
    assert post(operator, ENTRY, **fields | {"gmv_yuan": "六百"}).status_code == 422
    said = post(operator, ENTRY, **fields)
    assert said.status_code == 303
    page = page_of(operator, ENTRY)
    assert "¥600.00" in page
    assert "operator ：与推手商定" in page
    told = page_of(mine, "/task")
    assert "运营于 2022-12-15 15:00 人工调整：与推手商定" in told
    assert "operator" not in told  # who it was is the desk's own business
    assert post(operator, ENTRY, **fields).status_code == 303  # nothing changed, nothing recorded
    assert events(engine, "roster.override") == [("operator@example.com", f"2022-12 promoter {PROMOTER}")]
    assert "全部 1 行" in page_of(operator, "/operations/roster/2022-12/?eligible=overridden")
    assert "overridden" in operator.get("/operations/roster/2022-12/roster.csv").text
    assert post(mine, ENTRY, **fields).status_code == 403
    assert operator.get("/operations/roster/2022-12/1").status_code == 404
    assert operator.get("/operations/roster/2023-01/").status_code == 404


def test_a_period_is_opened_from_the_page(operator: FlaskClient, engine: Engine) -> None:
    between = operator.get("/operations/roster/opening?period=2023-01")
    assert "名单 9 人，其中有资格" in words_of(between.text)
    assert "与 2022-12 期相比" in words_of(between.text)
    assert "冻结后不能撤销" in between.text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', between.text)
    assert digest is not None
    unseen = post(operator, "/operations/roster/", period="2023-01")
    assert (unseen.status_code, "冻结后不能撤销" in unseen.text) == (200, True)
    other = post(operator, "/operations/roster/", period="2023-01", digest="0" * 64)
    assert (other.status_code, "名单在您查看之后有变化" in other.text) == (409, True)
    assert events(engine, "period.open").count(("operator@example.com", "2023-01")) == 0
    said = post(operator, "/operations/roster/", period="2023-01", digest=digest[1])
    assert said.status_code == 303
    assert "2023-01 已开期：名单 9 人" in page_of(operator, said.location)
    said = post(operator, "/operations/roster/", period="2023-01", digest=digest[1])
    assert (said.status_code, "早已开期" in said.text) == (422, True)
    assert post(operator, "/operations/roster/", period="2023-04").status_code == 422
    assert post(operator, "/operations/roster/", period="soon").status_code == 422
    assert [subject for _, subject in events(engine, "period.open")].count("2023-01") == 1


def test_promoters_are_invited_by_file_with_links_that_are_shown_once(
    operator: FlaskClient, engine: Engine
) -> None:
    text = f"promoter_id,email,name\n{PROMOTER + 2},a@example.com,\n{PROMOTER + 3},b@example.com,=吴双\n"
    said = post(
        operator, "/operations/roster/invitations", file=(io.BytesIO(text.encode("gb18030")), "x.csv")
    )
    assert said.status_code == 200
    page = words_of(said.text)
    assert "2 个一次性链接" in page
    assert "示例·何安" in page
    (content,) = re.findall(r"base64,([A-Za-z0-9+/=]+)", said.text)
    lines = base64.b64decode(content).decode("utf-8-sig").splitlines()
    assert lines[0] == "promoter_id,email,name,link"
    assert lines[2].startswith(f"{PROMOTER + 3},b@example.com,'=吴双,http")
    token = lines[1].rpartition("/")[2]
    with transaction(engine) as connection:
        accept(connection, token, "a long and good one", 1_671_000_000)
    assert "a@example.com" in page_of(operator, f"/operations/roster/2022-12/{PROMOTER + 2}")
    said = post(operator, "/operations/roster/invitations", file=(io.BytesIO(text.encode()), "x.csv"))
    assert said.status_code == 422
    assert "账号已存在" in words_of(said.text)
    bad = f"promoter_id,email\n{PROMOTER + 3},\n".encode()
    assert (
        post(operator, "/operations/roster/invitations", file=(io.BytesIO(bad), "x.csv")).status_code == 422
    )
    assert [subject for _, subject in events(engine, "user.invite")] == ["a@example.com", "b@example.com"]


def test_an_appeal_goes_from_the_promoter_to_the_desk_and_back(
    app: Flask, operator: FlaskClient, mine: FlaskClient, engine: Engine
) -> None:
    order_sn = sn(211)  # of December, not direct
    page = page_of(mine, f"/appeals/new?order_sn={order_sn}")
    assert "申诉期至 01-19 24 点" in page
    assert post(mine, "/appeals/new", order_sn=order_sn, words=" ").status_code == 422
    said = post(mine, "/appeals/new", order_sn=order_sn, words="这单是我直推的")
    assert said.status_code == 303
    assert post(mine, "/appeals/new", order_sn=order_sn, words="这单是我直推的").location == said.location
    number = said.location.rpartition("/")[2]
    page = page_of(mine, said.location)
    assert "待答复" in page
    assert "12-18 24 点 运营答复期限" in page
    for shown in (page, page_of(operator, f"/operations/appeals/{number}")):
        assert (
            "直推 否 非直推 该等级只计直推订单" in shown
        )  # in words: as it stood, not the fields of the file
        assert "is_direct" not in shown
        assert re.search(r"\b[A-Z]+_[A-Z_]+\b", shown) is None

    desk = f"/operations/appeals/{number}"
    assert f"申诉 {number}" in page_of(operator, "/operations/appeals/")
    assert "这单是我直推的" in page_of(operator, desk)
    assert post(operator, desk, number="1", verdict="ASKED", words="请给截图").status_code == 303
    assert "待推手补充" in page_of(mine, "/appeals/")
    assert post(mine, said.location, number="2", words="见附件链接").status_code == 303
    stale = post(operator, desk, number="1", verdict="DECLINED", words="x")
    assert (stale.status_code, "已有新的答复" in stale.text) == (422, True)
    unchanged = post(operator, desk, number="3", verdict="ACCEPTED", words="核实", is_direct="0")
    assert (unchanged.status_code, "至少修改一项" in unchanged.text) == (422, True)
    fields = {"number": "3", "verdict": "ACCEPTED", "words": "核实为直推", "is_direct": "1"}
    assert post(operator, desk, **fields, cat_ids="239;2001").status_code == 303
    assert post(operator, desk, **fields, cat_ids="239;2001").status_code == 303
    page = page_of(mine, said.location)
    assert "申诉成立" in page
    assert "核实为直推" in page
    assert [subject for _, subject in events(engine, "appeal.answer")] == [f"appeal {number}"] * 2
    assert "没有等待答复的申诉" in page_of(operator, "/operations/appeals/")
    assert f"appeal {number}" in operator.get("/operations/imports/").text

    neighbour = reader(app, "neighbour@example.com")
    for path in (said.location, f"/appeals/new?order_sn={order_sn}", "/appeals/999"):
        assert neighbour.get(path).status_code == 404, path
    assert post(neighbour, said.location, number="4", words="x").status_code == 404
    assert post(neighbour, "/appeals/new", order_sn=order_sn, words="x").status_code == 404
    assert "这单是我直推的" not in neighbour.get("/appeals/").text
    assert mine.get(desk).status_code == 403
    assert operator.get("/operations/appeals/999").status_code == 404


def test_an_appeal_is_in_words_though_the_order_came_after_it(operator: FlaskClient, engine: Engine) -> None:
    with transaction(engine) as connection:
        number = ask(connection, PROMOTER, None, sn(211), "直推的", shanghai("2022-12-13 12:00:00"))
    page = page_of(operator, f"/operations/appeals/{number}")
    assert "直推 否 非直推 该等级只计直推订单" in page
    assert "12-01 0 点至 12-20 24 点" in page
    assert "is_direct" not in page
    assert "order_status" not in page


def test_a_result_is_asked_about_while_its_window_is_open(mine: FlaskClient, operator: FlaskClient) -> None:
    # November's second notice came on 14 December: the 19th that was shown before stays.
    assert "申诉期至 12-19 24 点" in page_of(mine, "/appeals/new?period=2022-11")
    said = post(mine, "/appeals/new", period="2022-11", words="少算了一单")
    number = said.location.rpartition("/")[2]
    assert "计入单数" in page_of(operator, f"/operations/appeals/{number}")
    fields = {"number": "1", "verdict": "DECLINED", "words": "与平台一致"}
    assert post(operator, f"/operations/appeals/{number}", **fields).status_code == 303
    assert "已驳回" in page_of(mine, said.location)
    assert mine.get("/appeals/new?period=2023-05").status_code == 404


def test_who_only_looks_cannot_act(app: Flask) -> None:
    finance, admin = reader(app, EMAILS["finance"]), reader(app, EMAILS["admin"])
    paths = (
        "/operations/imports/",
        "/operations/quarantine/",
        "/operations/roster/2022-12/",
        "/operations/appeals/",
    )
    for path in paths:
        assert finance.get(path).status_code == 403
        assert admin.get(path).status_code == 200
    assert upload(admin, "orders", "x.json", b"{}").status_code == 403
    assert post(admin, ENTRY, why="x").status_code == 403
    assert post(admin, "/operations/quarantine/retry").status_code == 403


def test_an_empty_upload_and_a_wrong_kind_are_refused_with_a_sentence(
    operator: FlaskClient, tmp_path: Path
) -> None:
    assert "文件是空的" in upload(operator, "orders", "x.json", b"").text
    assert "请选择文件的种类" in upload(operator, "secrets", "x.json", b"{}").text
    assert operator.get("/operations/imports/uploads/999").status_code == 404
    content = write_json(tmp_path / "x.json", [order_row(number=500)]).read_bytes()
    said = upload(operator, "promoters", "x.json", content)
    assert "整份文件不能导入" in settled(operator, said.location)
    assert post(operator, f"{said.location}/import").status_code == 409
