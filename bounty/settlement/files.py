"""The two files of a settlement, to the byte (contract, Export): what is hashed, exported and checked is the same."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Result

from bounty.clock import ShownMinutes
from bounty.money import ShownYuan
from bounty.orders.warnings import FORMULA_STARTS
from bounty.rules.periods import Period
from bounty.settlement.queries import lines_of, results_of

RESULTS = "results.csv"
LINES = "subsidy_lines.csv"
RESULTS_HEADER = (
    "period,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,"
    "passed,rate_permille,subsidy_orders,subsidy_yuan\r\n"
)
LINES_HEADER = "period,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan\r\n"
_BOM = "\ufeff"  # so that Excel reads UTF-8
_BATCH = 1_000
"""Rows rendered at a time: of five thousand each takes half as long again, as they leave the processor's cache."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a manifest says of a file."""

    name: str
    rows: int
    """Without the header."""
    sum_fen: int
    """The subsidy, whole fen."""
    sha256: str
    """Of the file's bytes, hex."""


def inert(cell: str) -> str:
    """A text cell that no spreadsheet takes for a formula.

    >>> inert("=1+1"), inert("陈默")
    ("'=1+1", '陈默')
    """
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def content_sha256(terms_sha256: str, results_sha256: str, lines_sha256: str) -> str:
    """The hash of a settlement's content, which anyone can make from the manifest."""
    return hashlib.sha256(f"{terms_sha256}\n{results_sha256}\n{lines_sha256}\n".encode()).hexdigest()


class Rendering:
    """A file of a settlement as pieces of bytes; its facts are known once all pieces are taken.

    rows    their last column is the subsidy, in fen
    render  the text of some rows
    """

    def __init__(
        self, name: str, header: str, rows: Result[Any], render: Callable[[Sequence[Any]], str]
    ) -> None:
        self.name, self._header, self._rows, self._render = name, header, rows, render
        self._hash = hashlib.sha256()
        self._count = self._sum_fen = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self._piece(_BOM + self._header)
        for rows in self._rows.partitions():
            yield self._piece(self._render(rows))
            self._count += len(rows)
            self._sum_fen += sum([row[-1] for row in rows])

    def _piece(self, text: str) -> bytes:
        piece = text.encode()
        self._hash.update(piece)
        return piece

    def facts(self) -> FileFacts:
        """Of the pieces taken so far."""
        return FileFacts(self.name, self._count, self._sum_fen, self._hash.hexdigest())


def results_file(connection: Connection, settlement_id: int, period: Period) -> Rendering:
    """results.csv of a settlement."""

    month, yuan = period.name, ShownYuan()

    def cells(row: Any) -> tuple[Any, ...]:
        promoter_id, name, level, reason, gmv, orders, gmv_target, orders_target, passed, rate, lines, fen = (
            row
        )
        who = (month, promoter_id, inert(name), inert(level or ""))
        if reason is not None:
            return *who, "no", reason, "", "", "", "", "no", "", "", ""
        # A GMV that is not there is a mistake, which the books' checks must be able to read.
        # The csv module writes null as a blank.
        measured, target = ("" if amount is None else yuan[amount] for amount in (gmv, gmv_target))
        verdict = "yes" if passed else "no"
        return *who, "yes", "", measured, orders, target, orders_target, verdict, rate, lines, yuan[fen]

    def render(rows: Sequence[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(map(cells, rows))
        return text.getvalue()

    rows = connection.execute(results_of(settlement_id, period), execution_options={"yield_per": _BATCH})
    return Rendering(RESULTS, RESULTS_HEADER, rows, render)


def lines_file(connection: Connection, settlement_id: int, period: Period) -> Rendering:
    """subsidy_lines.csv of a settlement. Its cells are digits and hyphens, so that none needs quoting."""

    month, minutes, seconds, yuan = period.name, ShownMinutes(), ShownMinutes.SECONDS, ShownYuan()

    def render(rows: Sequence[Any]) -> str:
        return "".join(
            [
                f"{month},{promoter_id},{order_sn},{minutes[paid_at // 60]}{seconds[paid_at % 60]},"
                f"{yuan[basis_fen]},{rate_permille},{yuan[subsidy_fen]}\r\n"
                for promoter_id, order_sn, paid_at, basis_fen, rate_permille, subsidy_fen in rows
            ]
        )

    rows = connection.execute(lines_of(settlement_id), execution_options={"yield_per": _BATCH})
    return Rendering(LINES, LINES_HEADER, rows, render)
