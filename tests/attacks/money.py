"""Amounts by hand, acts done twice, one's own approval, and forms that were seen before something changed."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

from tests.attacks.table import Table
from tests.attacks.world import Target, Visitor
from tests.factories import PROMOTER, order_row, write_json, write_text
from tests.web.world import NEIGHBOUR

AMOUNTS = (
    "-1",
    "-0.01",
    "NaN",
    "Infinity",
    "1e5",
    "１００.００",
    "٣",
    "1,00",
    "1.005",
    "0x10",
    "9" * 30,
    "1_000",
    "+5",
    "¥",
    "--5",
    "5-",
    "1.0.0",
)
"""Of a form that takes yuan, none of which is an amount of at most two places that a target may have."""
FEN = (-1, -(2**63), 2**63, 10**30, 1.5, True, None, "٣", "12.5", [1], {"a": 1}, "NaN", "1e3")
"""Of an order, none of which is an amount in fen."""


def _digest(target: Target) -> str:
    """All money in the books, in one line."""
    return " ".join(
        str(target.count(query))
        for query in (
            "SELECT coalesce(sum(payable_fen), 0) FROM payouts",
            "SELECT coalesce(sum(amount_fen), 0) FROM tranche_lines",
            "SELECT count(*) FROM payout_outcomes",
            "SELECT count(*) FROM tranche_steps",
            "SELECT count(*) FROM order_versions",
            "SELECT count(*) FROM roster_overrides",
        )
    )


def by_hand(target: Target, table: Table) -> None:
    """Amounts that are none."""
    operator, finance = target.visitor("operator"), target.visitor("finance")
    before = _digest(target)
    for amount in AMOUNTS:
        said = operator.post(
            f"/operations/roster/2022-12/{PROMOTER}", why="x", ineligible="", gmv_yuan=amount, orders="6"
        )
        table.tried(f"a target of {amount[:12]} yuan", said.status_code, (400, 409, 422))
    for orders in ("-1", "1.5", "１２", "1e3", "9" * 20):
        said = operator.post(
            f"/operations/roster/2022-12/{PROMOTER}", why="x", ineligible="", gmv_yuan="700", orders=orders
        )
        table.tried(f"a target of {orders[:12]} orders", said.status_code, (400, 409, 422))
    for at, fen in enumerate(FEN):
        text = json.dumps(
            {"order_list_get_response": {"order_list": [order_row(number=700 + at) | {"order_amount": fen}]}}
        )
        path = write_text(target.folder / f"amount{at}.json", text)
        done = target.shell("import", "orders", path)
        found = "new=0" if "new=0" in done.stdout or done.returncode else done.stdout
        table.tried(f"an order of {str(fen)[:12]} fen", found, "new=0")
    for at, amount in enumerate(("-4.80", "4.81", "480", "NaN", "４.８０", "1e1", "", "4.800001", "9" * 25)):
        rows = f"payout_id,amount_yuan,status,reason\nP2-{PROMOTER},{amount},paid,\n"
        path = write_text(target.folder / f"receipt{at}.csv", rows)
        done = target.shell("payout", "receipt", path, BOUNTY_REQUIRE_APPROVAL="0")
        found = "matched=0" if done.returncode or "now paid 0" in done.stdout else done.stdout
        table.tried(f"a receipt of {amount[:12]} yuan for a payout that did not leave", found, "matched=0")
    for payouts in (f"P2-{PROMOTER}", "P1-1", "P9-1", "P-1", "P1", f"P01-{PROMOTER}", f"Ｐ1-{PROMOTER}"):
        said = finance.post("/finance/tranches/1/mark", payouts=payouts, paid="yes", reason="x")
        table.tried(f"mark {payouts} as paid", said.status_code, 409)
    said = finance.post("/finance/tranches/1/mark", payouts=f"P1-{NEIGHBOUR}", paid="yes", reason=" ")
    table.tried("mark a payout without a reason", said.status_code, 409)
    for day in ("2022-12-16", "2099-01-01", "9999-99-99", "2022-12-15 OR 1", ""):
        said = finance.post("/finance/tranches", settled_before=day)
        table.tried(f"a tranche of what settles before {day}", said.status_code, 409)
    header = "promoter_id,method,account,payee_name,bank_name,bank_code\n"
    for account, name in (
        ("", "何安"),
        ("1380000000", "=1+1"),
        ("138 0000 000x", "何安"),
        ("x" * 300, "何安"),
        ("13800000000", ""),
    ):
        content = f"{header}{PROMOTER},alipay,{account},{name},,\n".encode()
        said = finance.post("/finance/payees/", {"file": ("p.csv", content)}, reason="x")
        table.tried(f"a payee of account {account[:12]!r} and name {name!r}", said.status_code, 422)
    said = finance.post(
        "/finance/payees/", {"file": ("p.csv", f"{header}{PROMOTER},alipay,13900000009,何安,,\n".encode())}
    )
    table.tried("another account for a payee without a reason", said.status_code, 422)
    table.tried("all of these together: the sums of the books", _digest(target), before)
    _full_width(target, table)


def _full_width(target: Target, table: Table) -> None:
    """Digits of full width are read, as every value is normalised (docs/promises.md): as the amount they say."""
    order = order_row(number=799) | {"order_amount": "１２"}
    text = json.dumps({"order_list_get_response": {"order_list": [order]}})
    target.shell("import", "orders", write_text(target.folder / "wide.json", text))
    query = f"SELECT max(order_amount_fen) FROM orders WHERE order_sn = '{order['order_sn']}'"
    table.tried("an order of １２ fen is read as 12", target.count(query), 12)


def _sha_of(who: Visitor, path: str) -> str:
    found = re.findall(r"content sha256:([0-9a-f]{64})", who.get(path).text)
    return found[0] if found else ""


def approvals(target: Target, table: Table) -> None:
    """What takes two, done by one, twice, out of turn, or as it was seen before it changed."""
    target.second_factor("finance", "admin", "operator")
    finance, admin, operator = (target.visitor(role) for role in ("finance", "admin", "operator"))
    path = "/finance/tranches/2"
    sha = _sha_of(finance, path)

    def act(who: Visitor, role: str, path: str, **fields: str) -> int:
        return who.post(path, code=target.codes[role].fresh(), **fields).status_code

    table.tried("export a tranche that nobody approved", act(finance, "finance", f"{path}/export"), 409)
    table.tried(
        "approve one's own tranche", act(finance, "finance", f"{path}/approve", content_sha256=sha), 409
    )
    table.tried(
        "approve a tranche without a second factor's code",
        admin.post(f"{path}/approve", content_sha256=sha).status_code,
        409,
    )
    for what, given in (
        ("another content", "0" * 64),
        ("no content", ""),
        ("the content of tranche 1", _sha_of(admin, "/finance/tranches/1")),
    ):
        table.tried(
            f"approve a tranche as of {what}",
            act(admin, "admin", f"{path}/approve", content_sha256=given),
            409,
        )
    table.tried(
        "approve as an operator", act(operator, "operator", f"{path}/approve", content_sha256=sha), 403
    )
    done = target.as_one("finance", "payout", "approve", "2", "--sha256", sha)
    table.tried("approve one's own tranche in the shell", done.returncode, 1)
    done = target.shell("payout", "approve", "2", "--sha256", sha)
    table.tried("approve in the shell as nobody", done.returncode != 0, True)
    done = target.shell("payout", "export", "2", "--out", target.folder / "out")
    table.tried(
        "export in the shell as nobody",
        (done.returncode != 0, (target.folder / "out").exists()),
        [(True, False)],
    )
    assert target.acts("payout.approve") == 0
    assert act(admin, "admin", f"{path}/approve", content_sha256=sha) == 303
    act(admin, "admin", f"{path}/approve", content_sha256=sha)
    table.tried("approve twice: approvals", target.acts("payout.approve"), 1)
    table.tried("export as an admin", act(admin, "admin", f"{path}/export"), 403)
    with ThreadPoolExecutor(6) as pool:
        browsers = [target.visitor("finance") for _ in range(6)]
        tokens = [each.token() for each in browsers]
        code = target.codes["finance"].fresh()

        def leave(at: int) -> int:
            data = {"csrf_token": tokens[at], "code": code}
            return browsers[at].http.post(f"{path}/export", data=data).status_code

        statuses = sorted(pool.map(leave, range(6)))
    table.tried("export six times at once with one code: who may", statuses.count(303), 1)
    first = finance.get(f"{path}/tranche.zip").content
    act(finance, "finance", f"{path}/export")
    steps = target.count("SELECT count(*) FROM tranche_steps WHERE tranche_id = 2 AND step = 'EXPORTED'")
    table.tried("export twice: how often it left", steps, 1)
    again = finance.get(f"{path}/tranche.zip").content
    table.tried("load its files twice: as they were", len(again) == len(first) and bool(first), True)
    table.tried(
        "prepare while one has no answer",
        finance.post("/finance/tranches", settled_before="2022-12-15").status_code,
        409,
    )
    _receipts(target, table)
    table.tried(
        "close a period with open lines", act(finance, "finance", "/finance/periods/2022-11/close"), 409
    )
    act(finance, "finance", "/finance/periods/2022-11/reopen")
    table.tried("reopen a period that is open: acts", target.acts("period.reopen"), 0)
    _voids(target, table)
    _drafts(target, table)
    done = target.shell("check")
    table.tried("all of these together: the books' checks", done.returncode, 0)


def _receipts(target: Target, table: Table) -> None:
    due = target.count(f"SELECT payable_fen FROM payouts WHERE tranche_id = 2 AND promoter_id = {PROMOTER}")
    text = f"payout_id,amount_yuan,status,reason\nP2-{PROMOTER},{due / 100 + 0.01:.2f},paid,\n"
    done = target.as_one("finance", "payout", "receipt", write_text(target.folder / "more.csv", text))
    table.tried("a receipt of a fen more", "now paid 0" in done.stdout or done.returncode != 0, True)
    for status in ("maybe", "PAID?", "=paid", "", "已付款失败"):
        text = f"payout_id,amount_yuan,status,reason\nP2-{PROMOTER},{due / 100:.2f},{status},\n"
        done = target.as_one("finance", "payout", "receipt", write_text(target.folder / "status.csv", text))
        table.tried(
            f"a receipt that says {status!r}", "now paid 0" in done.stdout or done.returncode != 0, True
        )
    right = write_text(
        target.folder / "right.csv",
        f"payout_id,amount_yuan,status,reason\nP2-{PROMOTER},{due / 100:.2f},paid,\n",
    )
    assert "now paid 1" in target.as_one("finance", "payout", "receipt", right).stdout
    target.as_one("finance", "payout", "receipt", right)
    doubled = write_text(
        target.folder / "twice.csv", right.read_text("utf-8") + f"P2-{PROMOTER},{due / 100:.2f},paid,\n"
    )
    target.as_one("finance", "payout", "receipt", doubled)
    paid = target.count(
        f"SELECT count(*) FROM payout_outcomes WHERE tranche_id = 2 AND promoter_id = {PROMOTER}"
    )
    table.tried("a receipt taken in three times: how often paid", paid, 1)


def _voids(target: Target, table: Table) -> None:
    operator = target.visitor("operator")
    operator.post(
        "/operations/periods/2022-11/voids",
        promoter_id=str(PROMOTER),
        reason="x",
        code=target.codes["operator"].fresh(),
    )
    said = operator.post(
        f"/operations/periods/2022-11/voids/{PROMOTER}",
        verdict="approve",
        code=target.codes["operator"].fresh(),
    )
    table.tried("agree to one's own request to take a pass back", said.status_code, (404, 409, 422))


def _drafts(target: Target, table: Table) -> None:
    operator = target.visitor("operator")
    path = "/operations/periods/2022-11"
    fresh = target.codes["operator"].fresh
    before = target.acts("notice.publish")
    late = order_row(
        number=103,
        amount_fen=99_000_00,
        paid="2022-11-05 12:00:00",
        received="2022-11-09 12:00:00",
        modified="2022-12-15 10:00:00",
    )
    target.shell("import", "orders", write_json(target.folder / "late.json", [late]))
    assert operator.post(f"{path}/settle", code=fresh()).status_code == 303
    draft = target.count("SELECT max(settlement_id) FROM settlements")
    sha = (
        re.findall(r'name="content_sha256" value="([0-9a-f]{64})"', operator.get(f"{path}/settling").text)
        or [""]
    )[0]
    for act_, fields in (
        ("publish", {}),
        ("approve", {}),
        ("publish", {"content_sha256": "0" * 64}),
        ("approve", {"content_sha256": "0" * 64}),
    ):
        given = {"settlement_id": str(draft), "content_sha256": sha} | fields
        said = operator.post(f"{path}/{act_}", code=fresh(), **given).status_code
        table.tried(f"{act_} one's own draft{' as of another content' if fields else ''}", said, (409, 422))
    said = operator.post(f"{path}/waive", line="APPROVAL", reason="x", code=fresh()).status_code
    table.tried("waive the approval of a draft", said, (409, 422, 400))
    done = target.shell("publish", "2022-11")
    table.tried("publish a draft in the shell as nobody", done.returncode != 0, True)
    table.tried("all of these together: notices", target.acts("notice.publish"), before)
