"""A promoter's orders, one order and why, subsidy and history: as the engine has them; only their own."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from bounty.accounts.service import add_user
from bounty.db import transaction
from bounty.web.promoter.tables import PAGE
from bounty.web.shared.formats import money
from bounty.web.shared.request_context import EXTENSION
from tests.factories import CAPS, PROMOTER, Month, Row, detail_of, order_row, promoter, sn, terms_toml
from tests.web.clients import application, close, log_in, post, words_of
from tests.web.world import LEVELS, PASSWORD

OTHER = PROMOTER + 1
MIDDLE, AFTER = "2022-12-15 12:00:00", "2023-01-15 12:00:00"
QUERIES = {"/orders": 10, "/orders/" + sn(1): 24, "/subsidy": 12, "/payments": 5, "/history": 5, "/task": 9}
"""Page -> how many statements it takes at most, with those of account, news and programmes; whatever the number of
orders."""
CASES: list[Row] = [
    {"amount_fen": 300_00},  # capped
    {"amount_fen": 120_00},
    {"amount_fen": 70_05, "status": 1, "received": None},
    {"is_direct": 0},
    {"type": 94},
    {"price_compare_status": 1},
    {"status": 4},
    {"paid": "2022-12-21 00:00:00", "received": "2022-12-25 12:00:00"},
    {"received": "2023-01-11 00:00:00", "modified": "2022-12-10 12:00:00"},
    {"amount_fen": 1500_00, "paid": "2022-12-06 12:00:00"},  # meets the subsidy's order cap
]
CLIENT = Callable[..., FlaskClient]


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December in its middle, its orders in; a target that the counted orders reach."""
    return filled(engine, tmp_path, CAPS)


def filled(engine: Engine, tmp_path: Path, caps: str) -> Month:
    """The month under terms with these caps on the subsidy."""
    month = Month(engine, tmp_path, now=MIDDLE)
    month.begin(
        promoter(),
        promoter(OTHER),
        promoter(OTHER + 1, level="V9"),
        toml=terms_toml(
            levels=LEVELS | {"V0": 'direct_only = true\ngmv_yuan = "500.00"\norders = 3'}, caps=caps
        ),
    )
    month.orders(
        *(order_row(number=at, **{"amount_fen": 10_00 + at} | case) for at, case in enumerate(CASES, 1)),
        order_row(number=50, promoter_id=OTHER, goods_name="别人的商品"),
    )
    return month


@pytest.fixture
def visitor(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[CLIENT]:
    """``visitor(now, promoter_id=)``: a promoter's logged-in client at an instant; or an operator's, for null."""
    apps: list[Any] = []
    known: set[int | None] = set()

    def visit(now: str, promoter_id: int | None = PROMOTER) -> FlaskClient:
        email = f"p{promoter_id or 0}@example.com"
        if promoter_id not in known:
            known.add(promoter_id)
            with transaction(engine) as connection:
                add_user(
                    connection,
                    email=email,
                    name="林晓",
                    role="operator" if promoter_id is None else "promoter",
                    promoter_id=promoter_id,
                    password=PASSWORD,
                    now=0,
                )
        app = application(database_url, now, tmp_path)
        apps.append(app)
        client = app.test_client()
        log_in(client, email)
        return client

    yield visit
    for app in apps:
        close(app)


def rows_of(client: FlaskClient, path: str) -> list[Row]:
    """The rows of a CSV."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def fen(yuan: str) -> int:
    """Whole fen of an amount in a file."""
    return int(yuan.replace(".", ""))


@contextmanager
def counted(client: FlaskClient) -> Iterator[list[str]]:
    """The statements that an application sends to its database."""
    engine = client.application.extensions[EXTENSION].engine
    sent: list[str] = []

    def hear(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    yield sent
    event.remove(engine, "before_cursor_execute", hear)


def shown(client: FlaskClient, path: str, language: str = "zh") -> str:
    """The words of a page."""
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    return words_of(answer.text)


def test_a_row_as_received_is_shown_to_staff_alone(month: Month, visitor: CLIENT) -> None:
    month.orders(order_row(number=60, remark="观察名单"))  # a column that operations added for themselves
    promoter_page = visitor(MIDDLE).get(f"/orders/{sn(60)}").text
    staff_page = visitor(MIDDLE, None).get(f"/finance/promoters/{PROMOTER}/orders/{sn(60)}").text
    assert "收到的数据" in promoter_page
    assert "观察名单" not in promoter_page
    assert "观察名单" in staff_page


def test_orders_are_judged_as_progress_and_explain_judge_them(month: Month, visitor: CLIENT) -> None:
    client, said = visitor(MIDDLE), month.progress()
    rows = rows_of(client, "/months/2022-12/orders.csv")
    assert [row["order_sn"] for row in rows] == sorted(
        (row["order_sn"] for row in rows),
        key=lambda number: (next(row["paid_at"] for row in rows if row["order_sn"] == number), number),
        reverse=True,
    )
    for number in range(1, len(CASES) + 1):
        row = next(row for row in rows if row["order_sn"] == sn(number))
        task = month.explain(number).as_json()["task"]
        assert fen(row["counts_yuan"]) == task["counted_fen"], number
        assert row["verdict"] == ("PENDING" if number == 3 else task["reason"] or "COUNTED"), number
    by = {
        choice: rows_of(client, f"/months/2022-12/orders.csv?verdict={choice}")
        for choice in ("counted", "pending", "not")
    }
    assert sum(map(len, by.values())) == len(rows) == len(CASES)
    assert sum(fen(row["counts_yuan"]) for row in by["counted"]) == said["counted"]["gmv_fen"]
    assert len(by["counted"]) == said["counted"]["orders"]
    assert sum(fen(row["pending_yuan"]) for row in by["pending"]) == said["pending"]["gmv_fen"]
    for each in said["not_counted"]:
        found = rows_of(client, f"/months/2022-12/orders.csv?reason={each['reason']}")
        assert (len(found), sum(fen(row["amount_yuan"]) for row in found)) == (
            each["orders"],
            each["amount_fen"],
        )
    only = rows_of(client, "/months/2022-12/orders.csv?subsidy=only")
    assert {row["order_sn"] for row in only} == {sn(4), sn(8), sn(9)}
    assert [row["order_sn"] for row in rows_of(client, f"/months/2022-12/orders.csv?q={sn(5)}")] == [sn(5)]
    page = shown(client, "/orders")
    total = sum(fen(row["subsidy_yuan"]) for row in rows)
    assert f"全部 {len(CASES)} 单" in page
    assert f"¥{total // 100}.{total % 100:02d}" in page
    assert "01-10 24 点前收货即计入" in page
    assert "封顶" in page
    english = shown(client, "/orders?verdict=not", "en")
    assert "virtual goods: type 94" in english
    assert "counts if received" not in english


def test_what_is_expected_is_what_the_settlement_gives(
    engine: Engine, tmp_path: Path, visitor: CLIENT
) -> None:
    """Under the order cap, the promoter cap and the tier reached: by the same expressions."""
    month = filled(engine, tmp_path, 'order_cap_yuan = "20.00"\npromoter_cap_yuan = "30.00"')
    before = rows_of(visitor(AFTER), "/months/2022-12/subsidy.csv")
    month.now = month.now + 40 * 86_400
    settled = month.settle()
    assert "未公示" not in shown(visitor(AFTER), "/subsidy")
    assert rows_of(visitor(AFTER), "/months/2022-12/subsidy.csv") == before  # a draft is nobody's yet
    month.publish()
    lines = {row["order_sn"]: row for row in month.lines(settled) if row["promoter_id"] == str(PROMOTER)}
    assert {row["order_sn"]: row["subsidy_yuan"] for row in before} == {
        number: line["subsidy_yuan"] for number, line in lines.items()
    }
    # 10.20 for those paid before it, and at most 30.00 in all; what was paid later gets nothing.
    assert lines[sn(10)]["subsidy_yuan"] == "19.80"
    assert sn(8) not in lines
    assert "每人每期上限 ¥30.00 已用完" in shown(visitor(AFTER), f"/orders/{sn(10)}")
    assert "已触及" in shown(visitor(AFTER), f"/orders/{sn(10)}")
    after = rows_of(visitor(AFTER), "/months/2022-12/subsidy.csv")
    assert [row["subsidy_yuan"] for row in after] == [row["subsidy_yuan"] for row in before]
    (history,) = rows_of(visitor(AFTER), "/history.csv")
    (result,) = (row for row in month.results(settled) if row["promoter_id"] == str(PROMOTER))
    for theirs, ours in (("gmv_yuan", "gmv_yuan"), ("orders", "orders"), ("subsidy_yuan", "subsidy_yuan")):
        assert history[ours] == result[theirs]
    assert (history["passed"], history["notice"]) == ("yes", "1")


def test_a_published_line_is_expected_payable_or_void_with_its_reason(month: Month, visitor: CLIENT) -> None:
    month.now = month.now + 40 * 86_400
    month.settle()
    month.publish()
    month.orders(
        order_row(number=1, amount_fen=300_00, status=5, settled="2023-02-01 12:00:00"),
        order_row(number=2, amount_fen=120_00, status=10, modified="2023-02-02 12:00:00"),
    )
    client = visitor("2023-02-20 12:00:00")
    states = {
        row["order_sn"]: (row["state"], row["why"]) for row in rows_of(client, "/months/2022-12/subsidy.csv")
    }
    assert states[sn(1)] == ("PAYABLE", "")
    assert states[sn(2)] == ("VOID", "FAILED")
    assert states[sn(4)] == ("EXPECTED", "")
    assert len(rows_of(client, "/months/2022-12/subsidy.csv?state=void")) == 1
    page = shown(client, "/months/2022-12/subsidy")
    assert "订单已退款、审核失败或处罚" in page
    void = shown(client, f"/orders/{sn(2)}")
    assert "补贴作废" in void
    assert "已作废：订单已退款、审核失败或处罚" in void
    assert "可发放：佣金结算于 2023-02-01 12:00" in shown(client, f"/orders/{sn(1)}", "zh")
    lapsed = rows_of(visitor("2023-07-01 00:00:00"), "/months/2022-12/subsidy.csv")
    assert {row["why"] for row in lapsed if row["state"] == "VOID"} == {"FAILED", "LAPSED"}
    assert [row["order_sn"] for row in lapsed if row["state"] == "PAYABLE"] == [sn(1)]
    many = len([row for row in lapsed if row["state"] == "VOID"])
    assert shown(client, "/months/2022-12/orders").count("作废 ¥") == 1
    assert shown(visitor("2023-07-01 00:00:00"), "/months/2022-12/orders").count("作废 ¥") == many > 1


def test_an_order_says_why_with_what_would_have_made_it_count(month: Month, visitor: CLIENT) -> None:
    late = shown(visitor(AFTER), f"/orders/{sn(9)}")
    assert "收货比截止晚了 不到 1 分" in late
    assert "若在 01-10 24 点前确认收货，会计入 ¥10.09 与 1 单" in late
    assert late.index("✕") < late.index("✓")
    assert "2023-01-10 24 点 收货截止" in late
    direct = shown(visitor(MIDDLE), f"/orders/{sn(4)}", "en")
    assert "Indirect: the level counts direct only" in direct
    assert "As a direct order, it would count ¥10.04 and 1 order" in direct
    assert "earns all the same" in direct
    pending = shown(visitor(MIDDLE), f"/orders/{sn(3)}")
    assert "待收货：还剩 27 天" in pending
    assert "✕" not in pending  # it waits, it has not failed
    month.orders(detail_of(order_row(number=2, amount_fen=120_00, modified="2022-12-14 12:00:00"), 2))
    changed = shown(visitor(MIDDLE), f"/orders/{sn(2)}")
    assert "售后状态：无 → 已完成" in changed
    assert "已退款：12-14 12:00" in changed
    assert "orders.json" in changed


def test_other_peoples_orders_and_absent_ones_are_not_there(month: Month, visitor: CLIENT) -> None:
    client = visitor(MIDDLE)
    for path in (
        f"/orders/{sn(50)}",
        f"/orders/{sn(77)}",
        "/months/2022-11/orders",
        "/months/2022-11/orders.csv",
    ):
        assert client.get(path).status_code == 404, path
    for path in ("/task", "/orders", "/subsidy", "/history", "/months/2022-12/orders.csv"):
        assert "别人的商品" not in client.get(path).text
    assert sn(50) in visitor(MIDDLE, OTHER).get("/orders").text


def test_who_is_not_eligible_or_on_no_roster_reads_why(month: Month, visitor: CLIENT) -> None:
    out = visitor(MIDDLE, OTHER + 1)
    for path in ("/task", "/orders", "/subsidy", "/history"):
        assert shown(out, path)
    assert "没有参与资格" in shown(out, "/subsidy")
    assert "等级 V9 不在本期条款内（本期为 V0、V1）" in shown(out, "/history")
    month.table("promoters", promoter(OTHER + 2, registered_on="2022-12-03", level_from="2022-12-03"))
    nobody = visitor(MIDDLE, OTHER + 2)
    for path in ("/task", "/orders", "/subsidy"):
        assert "还不在任何一期的名单里" in shown(nobody, path)
    assert "还不在任何一期的名单里" in shown(nobody, "/history")


def test_staff_see_a_promoters_pages_only_through_their_eyes(month: Month, visitor: CLIENT) -> None:
    client = visitor(MIDDLE, None)
    assert client.get("/orders").status_code == 403
    post(client, "/view-as", promoter_id=str(PROMOTER))
    assert sn(1) in client.get("/orders").text
    assert client.get(f"/orders/{sn(50)}").status_code == 404


def test_a_page_takes_the_same_few_queries_whatever_the_month_holds(month: Month, visitor: CLIENT) -> None:
    client = visitor(MIDDLE)
    took = {}
    for path in QUERIES:
        with counted(client) as sent:
            assert client.get(path).status_code == 200
        took[path] = len(sent)
    assert {path: count for path, count in took.items() if count > QUERIES[path]} == {}
    month.orders(*(order_row(number=at, amount_fen=at) for at in range(100, 140)))
    for path in QUERIES:
        with counted(client) as sent:
            client.get(path)
        assert len(sent) == took[path], path


def test_the_foot_of_a_page_sums_what_it_shows(month: Month, visitor: CLIENT) -> None:
    month.orders(*(order_row(number=at, amount_fen=at * 7) for at in range(100, 140)))
    client = visitor(MIDDLE)
    rows = rows_of(client, "/months/2022-12/orders.csv?sort=-amount_fen")
    page = shown(client, "/orders?sort=-amount_fen")
    for label, some in ((f"本页 {PAGE} 单", rows[:PAGE]), (f"全部 {len(rows)} 单", rows)):
        amount, counts, pending, subsidy = (
            money(sum(fen(row[name]) for row in some))
            for name in ("amount_yuan", "counts_yuan", "pending_yuan", "subsidy_yuan")
        )
        waits = f" 另有待收货 {pending}" if pending != "¥0.00" else ""
        assert f"{label} {amount} {counts}{waits} {subsidy}" in page
