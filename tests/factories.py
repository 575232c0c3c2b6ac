"""Builders: rows as the platform sends them, files as operators write them, and a month that takes them in.

Keyword-only, with defaults of an order that counts and earns; a test says only what it is about.
"""

import atexit
import csv
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import Engine, select

from bounty import importer
from bounty.app import main
from bounty.db import snapshot, transaction
from bounty.ingest.batches import Counts
from bounty.models import Quarantined
from bounty.notices.service import PublishedNotice, publish
from bounty.progress.service import Explanation, explain, progress_of
from bounty.roster.service import Opening, open_roster
from bounty.roster.terms import add_terms
from bounty.rules.periods import Period
from bounty.settlement.files import lines_file, results_file
from bounty.settlement.service import Settled, settle
from tests import forked_commands

Row = dict[str, Any]
"""One order under the API's names, or one row of a table by its headers."""
When = int | str | None
"""An instant: epoch seconds, a wall time in Shanghai such as ``2022-12-05 12:00:00``, or not yet."""

PROMOTER = 1000939
TIMES = ("create", "pay", "receive", "verify", "settle")
_SHANGHAI = timezone(timedelta(hours=8))


def shanghai(text: str) -> int:
    """Epoch seconds of a wall time in Shanghai.

    >>> shanghai("2022-12-21 00:00:00")
    1671552000
    """
    return int(datetime.fromisoformat(text).replace(tzinfo=_SHANGHAI).timestamp())


def wall_time(instant: int) -> str:
    """The wall time in Shanghai, as the Chinese headers have it.

    >>> wall_time(1671551999)
    '2022-12-20 23:59:59'
    """
    return datetime.fromtimestamp(instant, _SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


# Orders


def sn(number: int) -> str:
    """The order number that ``order_row`` makes of a number."""
    return f"221205-{number:015d}"


def order_row(
    *,
    number: int = 1,
    promoter_id: int = PROMOTER,
    amount_fen: int = 100_00,
    status: int = 2,
    paid: When = "2022-12-05 12:00:00",
    received: When = "2022-12-09 12:00:00",
    verified: When = None,
    settled: When = None,
    modified: When = None,
    **fields: Any,
) -> Row:
    """An order as the list API gives it: direct, ordinary, of physical goods, received.

    number    makes the order number: rows of one number are of one order
    modified  10 seconds after the last that happened, unless given; the platform is about as late
    fields    by the API's names, in place of what stands there
    """
    happened = [_epoch(when) for when in (None, paid, received, verified, settled)]
    row: Row = {
        "order_sn": sn(number),
        "p_id": f"{promoter_id}_107021838",
        "goods_name": "示例 商品, 一件",
        "order_status": status,
        "order_amount": amount_fen,
        "promotion_amount": amount_fen // 10,
        "type": 0,
        "cat_ids": [239, 2001],
        "is_direct": 1,
        "price_compare_status": 0,
        **{f"order_{name}_time": instant for name, instant in zip(TIMES, happened, strict=True)},
        "order_modify_at": _epoch(modified) or max(filter(None, happened)) + 10,
    }
    return row | fields


def detail_of(row: Row, return_status: int | None = 0, **fields: Any) -> Row:
    """The same order as the detail API gives it: the place is called ``pid``, and the after-sale is told."""
    detail = {("pid" if name == "p_id" else name): value for name, value in row.items()}
    return detail | {"return_status": return_status} | fields


def _epoch(when: When) -> int | None:
    return shanghai(when) if isinstance(when, str) else when


# Files of orders


def write_json(path: Path, rows: Iterable[Row]) -> Path:
    """One body, or, where there are detail rows, a list of bodies, in the order of the rows."""
    bodies: list[Row] = []
    for row in rows:
        if "pid" in row:
            bodies.append({"order_detail_response": row})
        elif bodies and "order_list_get_response" in bodies[-1]:
            bodies[-1]["order_list_get_response"]["order_list"].append(row)
        else:
            bodies.append({"order_list_get_response": {"order_list": [row], "request_id": "154"}})
    return write_text(path, json.dumps(bodies if len(bodies) != 1 else bodies[0], ensure_ascii=False))


def write_jsonl(path: Path, rows: Iterable[Row]) -> Path:
    """One order a line."""
    return write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def write_csv_api(path: Path, rows: Iterable[Row], encoding: str = "utf-8") -> Path:
    """The API's names as headers: fen and epoch seconds."""
    return write_table(
        path, [row | {"cat_ids": ";".join(map(str, row["cat_ids"] or []))} for row in rows], encoding
    )


def write_csv_zh(path: Path, rows: Iterable[Row], encoding: str = "utf-8") -> Path:
    """The Chinese headers: yuan and wall times."""
    return write_table(path, [zh_cells(row) for row in rows], encoding)


def zh_cells(row: Row) -> Row:
    """An order as a row under the Chinese headers: yuan, words and wall times."""
    statuses = {2: "确认收货", 3: "审核通过", 4: "审核失败"}
    headers = "生成时间 支付时间 确认收货时间 审核时间 结算时间".split()
    times = dict(zip(headers, (f"order_{name}_time" for name in TIMES), strict=True))
    times["更新时间"] = "order_modify_at"
    return {
        "订单编号": row["order_sn"],
        "推广位ID": row["p_id"],
        "商品名称": row["goods_name"],
        "实付金额(元)": f"{row['order_amount'] // 100}.{row['order_amount'] % 100:02d}",
        "佣金(元)": f"{row['promotion_amount'] // 100}.{row['promotion_amount'] % 100:02d}",
        "订单状态": statuses.get(row["order_status"], str(row["order_status"])),
        "是否直推": {1: "是", 0: "否", None: ""}[row["is_direct"]],
        "比价状态": {1: "比价", 0: "正常", None: ""}[row["price_compare_status"]],
        "订单类型": "" if row["type"] is None else str(row["type"]),
        "类目ID": ";".join(map(str, row["cat_ids"] or [])),
        **{header: wall_time(row[name]) if row[name] else "" for header, name in times.items()},
    }


# Tables and terms


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """A file with this text, byte for byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def write_table(path: Path, rows: Sequence[Row], encoding: str = "utf-8") -> Path:
    """A CSV file with the first row's keys as its headers."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(path, text.getvalue(), encoding)


def promoter(promoter_id: int = PROMOTER, **cells: str) -> Row:
    """A row of promoters.csv: of level V0 for a year, registered for two."""
    row = {"promoter_id": str(promoter_id), "name": f"示例 {promoter_id}", "level": "V0"}
    return row | {"level_from": "2021-12-01", "registered_on": "2020-12-01"} | cells


def violation(promoter_id: int = PROMOTER, **cells: str) -> Row:
    """A row of violations.csv: in November, not cleared."""
    row = {"promoter_id": str(promoter_id), "occurred_on": "2022-11-11", "reason": "站内导流"}
    return row | {"cleared_on": ""} | cells


def target(promoter_id: int = PROMOTER, **cells: str) -> Row:
    """A row of targets.csv for December: no target, unless given."""
    return {"period": "2022-12", "promoter_id": str(promoter_id), "gmv_yuan": "", "orders": ""} | cells


def link(p_id: str, channel: str) -> Row:
    """A row of links.csv."""
    return {"p_id": p_id, "channel": channel}


def payee(promoter_id: int = PROMOTER, **cells: str) -> Row:
    """A row of payees.csv: an Alipay account by phone."""
    row = {
        "promoter_id": str(promoter_id),
        "method": "alipay",
        "account": "13812345678",
        "payee_name": "陈默",
    }
    return row | {"bank_name": "", "bank_code": ""} | cells


LEVELS = {
    "V0": 'direct_only = true\ngmv_yuan = "2000.00"\norders = 20',
    "V1": "direct_only = false\nmin_tenure_months = 2\ngmv_yuan = { history_periods = 3, "
    'factor = "1.10", floor = "3000.00", ceiling = "500000.00", step = "100.00" }',
}
"""The contract's levels."""
EASY = {"V0": 'direct_only = true\ngmv_yuan = "0.01"', "V1": 'direct_only = false\ngmv_yuan = "0.01"'}
"""Levels at which any order that counts makes the promoter pass."""


TERMS = """
name = "V0&V1 定向赏金补贴"
effective_from = "2022-12"
[task]
first_day = 1
last_day = 20
receipt_cutoff_day = 10
order_cap_yuan = "200.00"
count_price_compare = true
[virtual]
types = [94]
category_ids = [8724, 8729, 8730, 8732, 8733, 8736]
{levels}
[subsidy]
basis = "order_amount"
include_price_compare = false
links = "app_or_unknown"
{caps}
{tiers}
"""
CAPS = 'order_cap_yuan = "20.00"\npromoter_cap_yuan = "5000.00"\nlapse_months = 6'


def terms_toml(
    *,
    levels: dict[str, str] = LEVELS,
    caps: str = CAPS,
    tiers: Sequence[tuple[str, int]] = (("1.00", 20), ("1.50", 30)),
    **values: str | int | bool,
) -> str:
    """The contract's terms, or others.

    levels  the lines of each ``[levels.X]``
    caps    the optional lines of ``[subsidy]``
    tiers   ``at`` and rate
    values  by their keys in the file, in place of those above
    """
    text = TERMS
    for key, value in values.items():
        text, found = re.subn(f"(?m)^{key} = .*$", f"{key} = {json.dumps(value)}", text, count=1)
        assert found, key
    tables = "\n".join(f"[levels.{name}]\n{lines}" for name, lines in levels.items())
    steps = "\n".join(f'[[subsidy.tiers]]\nat = "{at}"\nrate_permille = {rate}' for at, rate in tiers)
    return text.format(levels=tables, caps=caps, tiers=steps)


def plain_terms(**terms: Any) -> str:
    """Terms under which any counted order passes, and an order earns all that was paid for it: sums show weights."""
    return terms_toml(**{"levels": EASY, "caps": "", "tiers": (("1.00", 1000),)} | terms)


def half_month_terms(toml: str | None = None, **values: str | int) -> str:
    """Terms, plain ones unless given, as those of half-months, whose window is the whole half."""
    text = plain_terms() if toml is None else toml
    changes = {
        r"effective_from = .*": 'effective_from = "2022-12a"\ncycle = "half-month"',
        r"last_day = .*": 'last_day = "end"',
        r"receipt_cutoff_day = .*": "receipt_cutoff_days = 10",
    } | {f"{key} = .*": f"{key} = {json.dumps(value)}" for key, value in values.items()}
    for old, new in changes.items():
        text, found = re.subn(f"(?m)^{old}$", new, text, count=1)
        assert found, old
    return text


# A month


class Month:
    """A month over one database, each step as its command takes it, and taken twice: the second changes nothing."""

    def __init__(
        self, engine: Engine, folder: Path, *, period: str = "2022-12", now: str = "2023-01-15 12:00:00"
    ) -> None:
        self.engine, self.folder, self.period = engine, folder, Period.parse(period)
        self.now = shanghai(now)
        self._files = 0

    def take(self, kind: str, path: Path, *, strict: bool = False) -> Counts:
        """Import a file, and again: nothing is new then, and every row of an order is held."""
        first = importer.import_file(self.engine, kind, path, self.now, strict=strict).counts
        again = importer.import_file(self.engine, kind, path, self.now, strict=strict).counts
        assert (again.new, again.changed, again.stale if kind == "orders" else 0) == (0, 0, 0)
        assert (again.read, again.quarantined) == (first.read, first.quarantined)
        return first

    def table(self, kind: str, *rows: Row) -> Counts:
        """Import rows of promoters, violations, links or targets."""
        return self.take(kind, write_table(self._next(f"{kind}.csv"), rows))

    def orders(self, *rows: Row) -> Counts:
        """Import orders as replies of the platform."""
        return self.take("orders", write_json(self._next("orders.json"), rows))

    def _next(self, name: str) -> Path:
        self._files += 1
        return self.folder / f"{self._files:03d}-{name}"

    def terms(self, toml: str) -> str:
        """Add terms; their hash."""
        for _ in range(2):
            with transaction(self.engine) as connection:
                added, _anew = add_terms(connection, toml, self.now, self.period.programme)
        return added.sha256

    def begin(self, *promoters: Row, toml: str | None = None) -> Opening:
        """Promoters and terms in, and the period opened."""
        self.table("promoters", *(promoters or [promoter()]))
        self.terms(plain_terms() if toml is None else toml)
        return self.open()

    def open(self) -> Opening:
        """Open the period."""
        with transaction(self.engine) as connection:
            opening = open_roster(connection, self.period, self.now)
        with transaction(self.engine) as connection:
            again = open_roster(connection, self.period, self.now)
        assert (again.created, again.reasons, again.on_roster) == (False, opening.reasons, opening.on_roster)
        return opening

    def settle(self) -> Settled:
        """Make a draft."""
        with transaction(self.engine) as connection:
            settled = settle(connection, self.period, self.now)
        with transaction(self.engine) as connection:
            again = settle(connection, self.period, self.now)
        assert (again.settlement_id, again.created) == (settled.settlement_id, False)
        assert (again.content_sha256, again.lines) == (settled.content_sha256, settled.lines)
        return settled

    def publish(self) -> PublishedNotice:
        """Publish the newest draft."""
        with transaction(self.engine) as connection:
            notice = publish(connection, self.period, self.now, approval_required=False)
        with transaction(self.engine) as connection:
            again = publish(connection, self.period, self.now, approval_required=False)
        assert (again.notice, again.content_sha256) == (notice.notice, notice.content_sha256)
        assert not again.created
        return notice

    def progress(self, promoter_id: int = PROMOTER) -> Row:
        """What ``bounty progress --json`` prints."""
        with snapshot(self.engine) as connection:
            return {**progress_of(connection, self.period, promoter_id, self.now).as_json()}

    def explain(self, number: int = 1) -> Explanation:
        """What ``bounty explain`` knows; ``as_json()`` of it is what it prints."""
        with snapshot(self.engine) as connection:
            return explain(connection, sn(number), self.now, self.period.programme)

    def results(self, settled: Settled) -> list[Row]:
        """The rows of results.csv."""
        return self._rows(results_file, settled)

    def lines(self, settled: Settled) -> list[Row]:
        """The rows of subsidy_lines.csv."""
        return self._rows(lines_file, settled)

    def _rows(self, file: Any, settled: Settled) -> list[Row]:
        with snapshot(self.engine) as connection:
            return rows_of(b"".join(file(connection, settled.settlement_id, self.period)))

    def waiting(self) -> list[tuple[Any, ...]]:
        """The open entries of the quarantine: code, subject, column and value."""
        entry = Quarantined
        query = select(entry.code, entry.subject, entry.column_name, entry.value)
        query = query.where(entry.closed_at.is_(None)).order_by(entry.quarantine_id)
        with snapshot(self.engine) as connection:
            return [tuple(row) for row in connection.execute(query)]


def rows_of(content: bytes) -> list[Row]:
    """The rows of a CSV file by their headers."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


# Commands

SCRIPT = str(Path(sys.executable).with_name("bounty"))


def environment(database_url: str, now: str | None = None, **variables: str) -> dict[str, str]:
    """What the console script needs to work on a database."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOUNTY_")}
    turned = {} if now is None else {"BOUNTY_NOW": now}
    # Not in the checkout's own instance folder, beside the books of whoever works on it.
    ours = {"BOUNTY_DATABASE_URL": database_url, "BOUNTY_BACKUPS": _backups()}
    return inherited | ours | turned | variables


@cache
def _backups() -> str:
    """Where the journals and backups of this run's books are."""
    folder = mkdtemp(prefix="bounty-backups-")
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


def bounty(
    database_url: str, *arguments: str | Path, now: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the console script in a process of its own, forked from one that has loaded the program."""
    return forked_commands.run(arguments, environment(database_url, now, **variables))


def command(database_url: str, now: str | None, *arguments: str) -> Result:
    """What the console script says, in this process: quicker than one of its own."""
    turned = {"BOUNTY_DATABASE_URL": database_url, "BOUNTY_NOW": now, "BOUNTY_CALENDAR_BACKUPS": "0"}
    handlers = logging.root.handlers[:]
    try:
        return CliRunner(env=turned).invoke(main, arguments, prog_name="bounty")
    finally:
        logging.root.handlers[:] = handlers  # a worker's own would write to what is closed by now
