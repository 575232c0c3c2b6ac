"""Files spoilt at random, each from one seed: ``python -m tests.files.mutations FIRST SECONDS FOLDER``.

It reads one file after another for so many seconds, in one process, and prints one JSON line with what it did and
found: a file that ended in anything but rows or a refusal, took more than 5 seconds of processor time, or made a
process hold more than 300 MB.
"""

import io
import json
import re
import resource
import sys
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import xlwt

from bounty.errors import BountyError
from bounty.files.problems import BadRow
from bounty.payees.files import read_payees
from bounty.payment_results.files import read_payment_results
from bounty.platforms.pdd.order_files import open_orders, reread
from bounty.promoters.reference_files import read_reference
from tests.files.build import HEADER, SheetPart, order, write_workbook
from tests.intake.build import API_ORDER, CHINESE_ORDER, JSON_ORDER, REFERENCES, csv_text, page

SECONDS_LIMIT = 5
MEGABYTES_LIMIT = 300
LARGE = 1 << 20
"""Bytes of a large file; one in 25 is so large."""
DAY = (2023, 1, 1, 0, 0, 0)
ALIPAY = "序号,创建时间,流水号,收款账号,姓名,金额（元）,状态,备注,失败原因"
PAYMENT = "{n},2023-02-20 10:00:00,A{n},13812345678,陈默,100.00,成功,P1-1000939,"
TOKENS = [
    *('"', '""', ",", "\t", "\r", "\n", "\x00", "\x1a", "\ufdd0", "\ufeff", "=", "'", "\\", "{", "}", "[", "]"),
    *("</", "<", "<![CDATA[", "]]>", "&#57;", "&#0;", "&lt;", "<!--", "<f>", "</v>", "<is><t>", "null", "true"),
    *("1e309", "-0", "NaN", "9" * 400, "0." + "0" * 300 + "1", "24:00:00", "2022-12-05 10:01", "99999-01-01"),
    *("𝟙", "\ud7ff", "合计", "#", "%s", "[" * 3000, '{"a":' * 2000, "\u2028", "１２", "²", "A1048576", "XFD1"),
    *('r="A1"', 's="99999"', "t='s'", "\\ud800"),
]  # fmt: skip


def _text(make: Callable[[int], str]) -> Callable[[Random, int], bytes]:
    def content(random: Random, rows: int) -> bytes:
        return make(rows).encode(random.choice(["utf-8", "utf-8-sig", "gb18030"]), "replace")

    return content


@cache
def _table(of: str, rows: int) -> list[list[Any]]:
    """A table of orders, or of payments."""
    if of == "orders":
        return [list(HEADER), *(list(order(订单编号=f"221219-{n}")) for n in range(1, rows + 1))]
    return [line.split(",") for line in _payments(rows).splitlines()]


@cache
def _parts(of: str, rows: int) -> dict[str, bytes]:
    """The parts of a workbook of such a table."""
    whole = io.BytesIO()
    write_workbook(whole, [SheetPart(_table(of, rows))])
    with zipfile.ZipFile(whole) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _workbook(random: Random, of: str, rows: int) -> bytes:
    parts = dict(_parts(of, rows))
    for _ in range(random.choice([0, 1, 1, 1, 3])):
        name = random.choice([*parts, "xl/worksheets/sheet1.xml"])
        parts[name] = spoilt(random, parts[name])
    return _packed(parts)


def _packed(parts: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, DAY)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return packed.getvalue()


@cache
def _old_workbook(of: str, rows: int) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("订单")
    for at, row in enumerate(_table(of, rows)):
        for column, cell in enumerate(row):
            sheet.write(at, column, cell)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def _payments(rows: int) -> str:
    return "\r\n".join([ALIPAY, *(PAYMENT.format(n=n) for n in range(1, rows + 1))])


def _reference(kind: str) -> Callable[[int], str]:
    return lambda rows: csv_text(*[REFERENCES[kind]] * min(rows, 3000))


TEXTS: dict[str, tuple[str, int, Callable[[int], str]]] = {
    "orders.csv": (".csv", 200, lambda rows: csv_text(*[CHINESE_ORDER] * rows)),
    "orders api.csv": (".csv", 150, lambda rows: csv_text(*[API_ORDER] * rows)),
    "orders.txt": (".txt", 200, lambda rows: csv_text(*[CHINESE_ORDER] * rows).replace(",", "\t")),
    "orders.json": (".json", 400, lambda rows: page(*[JSON_ORDER] * rows)),
    "orders.jsonl": (".jsonl", 400, lambda rows: "\n".join([json.dumps(JSON_ORDER)] * rows)),
    "receipt.csv": (".csv", 90, _payments),
    **{f"{kind}.csv": (".csv", 50, _reference(kind)) for kind in REFERENCES},
    "payees.csv": (
        ".csv",
        60,
        lambda rows: (
            "promoter_id,method,account,payee_name\n"
            + "".join(f"{n},alipay,13812345678,陈默\n" for n in range(1, rows + 1))
        ),
    ),
}
"""Kind -> its ending, about how many bytes a row has, and a good file of so many rows."""
KINDS = [*TEXTS, "orders.xlsx", "orders.xls", "receipt.xlsx", "receipt.xls", "orders.zip", "receipt.zip"]


def spoilt(random: Random, content: bytes) -> bytes:
    """The bytes with one thing wrong."""
    at, to = sorted(random.randrange(len(content) + 1) for _ in range(2))
    to = min(to, at + random.choice([1, 4, 40, 4000]))
    token = random.choice(TOKENS).encode("utf-8", "replace")
    part = content[at:to]
    return [
        content[:at] + token + content[at:],
        content[:at] + token + content[to:],
        content[:at] + content[to:],
        content[:at] + part * random.choice([2, 3, 50]) + content[to:],
        content[:at],
        content[:at] + bytes(random.randrange(256) for _ in range(min(len(part), 40))) + content[to:],
        content[:at] + bytes(byte ^ (1 << random.randrange(8)) for byte in part[:40]) + content[at + 40 :],
    ][random.randrange(7)]


def file_of(seed: int, folder: Path) -> tuple[str, Path]:
    """The kind and the file of a seed."""
    random = Random(seed)
    kind = random.choice(KINDS)
    large = random.randrange(25) == 0
    if kind in TEXTS:
        ending, width, make = TEXTS[kind]
        content = _text(make)(random, LARGE // width if large else random.choice([1, 3, 40]))
    else:
        ending = Path(kind).suffix
        rows = (800 if kind.startswith("orders") else 2500) if large else random.choice([1, 3, 20])
        of = kind.partition(".")[0]
        if ending == ".xls" or (ending == ".zip" and random.random() < 0.5):
            content, inner = _old_workbook(of, rows), ".xls"
        else:
            content, inner = _workbook(random, of, rows), ".xlsx"
        if ending == ".zip":
            content = _packed({f"数据{inner}": spoilt(random, content) if random.random() < 0.5 else content})
    for _ in range(random.choice([0, 1, 1, 2, 5])):
        content = spoilt(random, content)
    path = folder / f"spoilt{ending}"
    path.write_bytes(content[: 2 * LARGE])
    return kind, path


def read_whole(kind: str, path: Path) -> str:
    """Read every row, and each bad one again as it is kept: ``rows`` or ``refused``."""
    try:
        if kind.startswith("orders"):
            file = open_orders(path)
            for row in file.rows():
                if isinstance(row, BadRow):
                    again = reread(file.shape, file.header, row.raw, row.place)
                    assert isinstance(again, BadRow), f"a bad row is good when it is read again: {row}"
                    assert row.zh
                    json.dumps(row.raw).encode()
        elif kind.startswith("receipt"):
            read_payment_results(path)
        elif kind.startswith("payees"):
            read_payees(path)
        else:
            list(read_reference(path, kind.removesuffix(".csv")).rows)
    except BountyError as refusal:
        if "\n" in str(refusal):
            raise AssertionError("a refusal is one line") from refusal
        return "refused"
    return "rows"


def _peak_megabytes() -> int:
    """The most that this process has held. Not by getrusage, whose figure begins with that of the parent."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) >> 10


@dataclass(slots=True)
class Run:
    """What a run did and found."""

    files: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    longest: tuple[float, int] = (0.0, 0)
    """Seconds of processor time, and the seed."""

    def one(self, seed: int, folder: Path) -> None:
        """Read the file of a seed."""
        kind, path = file_of(seed, folder)
        self.files += 1
        self.by_kind[kind] += 1
        begun = _processor_seconds()
        try:
            self.ended[read_whole(kind, path)] += 1
        except Exception:  # what it looks for
            self.found.append(f"seed {seed}, {kind}: {traceback.format_exc(limit=-4)}")
        seconds = _processor_seconds() - begun
        self.longest = max(self.longest, (round(seconds, 2), seed))
        if seconds > SECONDS_LIMIT:
            self.found.append(f"seed {seed}, {kind}: {seconds:.1f} s")

    def as_json(self, first: int) -> str:
        """One line for who started it."""
        memory = {
            "self": _peak_megabytes(),
            "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
        }
        if max(memory.values()) > MEGABYTES_LIMIT:
            self.found.append(f"seeds {first} to {first + self.files - 1}: {memory} MB")
        return json.dumps(
            {
                "files": self.files,
                "kinds": len(self.by_kind),
                "ended": self.ended,
                "longest": self.longest,
                "megabytes": memory,
                "found": self.found[:20],
            },
            ensure_ascii=False,
        )


def _processor_seconds() -> float:
    """Of this process and of those that it waited for: what another program does meanwhile is not counted."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main(first: int, seconds: float, folder: Path) -> None:
    """Read the files of seeds from the first on, until the time is over."""
    run, until = Run(), time.monotonic() + seconds
    while time.monotonic() < until:
        run.one(first + run.files, folder)
    print(run.as_json(first))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
