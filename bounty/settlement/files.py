"""The two files of a settlement, to the byte (docs/promises.md, Export files).

What is hashed, exported and checked is the same.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeVar

from sqlalchemy import Connection

from bounty.clock import ShownMinutes
from bounty.db import Query, QueryRow
from bounty.files.cells import FORMULA_STARTS
from bounty.money import ShownYuan
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
ResultCells = tuple[
    int,
    str,
    str | None,
    str | None,
    int | None,
    int | None,
    int | None,
    int | None,
    bool,
    int | None,
    int,
    int,
]
"""A row as ``results_of`` selects it."""
LineCells = tuple[int, str, int, int, int, int]
"""A row as ``lines_of`` selects it."""
_Cells = TypeVar("_Cells", bound=tuple[object, ...])
_FEN: Callable[[tuple[object, ...]], int] = itemgetter(-1)
ROWS_AT_A_TIME = 1_000
"""Rows rendered at a time: of five thousand each takes half as long again, as they leave the processor's cache."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file in a manifest."""

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

    parts   its rows, some at a time; their last column is the subsidy, in fen
    render  the text of some rows
    """

    def __init__(
        self,
        name: str,
        header: str,
        parts: Iterable[Sequence[_Cells]],
        render: Callable[[Sequence[_Cells]], str],
    ) -> None:
        self.name, self._header = name, header
        self._parts = ((render(rows), len(rows), sum(map(_FEN, rows))) for rows in parts)
        self._hash = hashlib.sha256()
        self._count = self._sum_fen = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self._piece(_BOM + self._header)
        for text, count, fen in self._parts:
            yield self._piece(text)
            self._count += count
            self._sum_fen += fen

    def _piece(self, text: str) -> bytes:
        piece = text.encode()
        self._hash.update(piece)
        return piece

    def facts(self) -> FileFacts:
        """Of the pieces taken so far."""
        return FileFacts(self.name, self._count, self._sum_fen, self._hash.hexdigest())


def results_file(connection: Connection, settlement_id: int, period: Period) -> Rendering:
    """results.csv of a settlement."""
    return rendered_results(parts_of(connection, results_of(settlement_id, period)), period)


def parts_of(connection: Connection, query: Query) -> Iterable[Sequence[QueryRow]]:
    """The rows of a query, so many at a time as are rendered together."""
    return connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}).partitions()


def rendered_results(parts: Iterable[Sequence[ResultCells]], period: Period) -> Rendering:
    """results.csv of rows as ``results_of`` selects them."""

    month, yuan = period.name, ShownYuan()

    def cells(row: ResultCells) -> tuple[str | int | None, ...]:
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

    def render(rows: Sequence[ResultCells]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(map(cells, rows))
        return text.getvalue()

    return Rendering(RESULTS, RESULTS_HEADER, parts, render)


def lines_file(connection: Connection, settlement_id: int, period: Period) -> Rendering:
    """subsidy_lines.csv of a settlement."""
    return rendered_lines(parts_of(connection, lines_of(settlement_id)), period)


def rendered_lines(parts: Iterable[Sequence[LineCells]], period: Period) -> Rendering:
    """subsidy_lines.csv of rows as ``lines_of`` selects them. Its cells are digits and hyphens, so that none needs
    quoting."""

    month, minutes, seconds, yuan = period.name, ShownMinutes(), ShownMinutes.SECONDS, ShownYuan()

    def render(rows: Sequence[LineCells]) -> str:
        return "".join(
            [
                f"{month},{promoter_id},{order_sn},{minutes[paid_at // 60]}{seconds[paid_at % 60]},"
                f"{yuan[basis_fen]},{rate_permille},{yuan[subsidy_fen]}\r\n"
                for promoter_id, order_sn, paid_at, basis_fen, rate_permille, subsidy_fen in rows
            ]
        )

    return Rendering(LINES, LINES_HEADER, parts, render)
