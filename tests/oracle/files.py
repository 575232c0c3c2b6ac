"""The two files of a settlement, to the byte."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence

from tests.oracle.days import instant_text
from tests.oracle.settlement import Settlement
from tests.oracle.text import yuan

RESULT_COLUMNS = [
    "period",
    "promoter_id",
    "name",
    "level",
    "eligible",
    "reason",
    "gmv_yuan",
    "orders",
    "target_gmv_yuan",
    "target_orders",
    "passed",
    "rate_permille",
    "subsidy_orders",
    "subsidy_yuan",
]
LINE_COLUMNS = [
    "period",
    "promoter_id",
    "order_sn",
    "paid_at",
    "basis_yuan",
    "rate_permille",
    "subsidy_yuan",
]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With the full-width forms of the first four."""


def results_csv(settlement: Settlement) -> bytes:
    """results.csv: one row per promoter on the roster."""
    rows = []
    for result in settlement.results:
        entry = result.entry
        head = [
            _inert(settlement.period),
            str(entry.promoter_id),
            _inert(entry.name),
            _inert(entry.level),
            "yes" if entry.eligible else "no",
            entry.reason or "",
        ]
        if not entry.eligible:
            rows.append([*head, "", "", "", "", "no", "", "", ""])
            continue
        rows.append(
            [
                *head,
                yuan(result.measured.gmv_fen),
                str(result.measured.orders),
                yuan(entry.target_gmv_fen) if entry.target_gmv_fen else "",
                str(entry.target_orders) if entry.target_orders else "",
                "yes" if result.passed else "no",
                "" if result.rate_permille is None else str(result.rate_permille),
                str(result.subsidy_orders),
                yuan(result.subsidy_fen),
            ]
        )
    return _csv_bytes(RESULT_COLUMNS, rows)


def lines_csv(settlement: Settlement) -> bytes:
    """subsidy_lines.csv: one row per order that earned something."""
    rows = [
        [
            _inert(settlement.period),
            str(line.promoter_id),
            _inert(line.order_sn),
            instant_text(line.paid_at),
            yuan(line.basis_fen),
            str(line.rate_permille),
            yuan(line.subsidy_fen),
        ]
        for line in settlement.lines
    ]
    return _csv_bytes(LINE_COLUMNS, rows)


def content_sha256(terms_sha256: str, results_bytes: bytes, lines_bytes: bytes) -> str:
    """The hash that stands for a settlement's content: of the three hex hashes, a line each."""
    parts = [terms_sha256, hashlib.sha256(results_bytes).hexdigest(), hashlib.sha256(lines_bytes).hexdigest()]
    return hashlib.sha256("".join(part + "\n" for part in parts).encode()).hexdigest()


def _inert(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def _csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")
