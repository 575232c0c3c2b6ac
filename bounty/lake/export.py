"""The facts of a settlement as Parquet: only the tables and columns that its statements name, from one snapshot.

Rows of a promoter lie in ``TABLE/bucket=N/``, by the promoter's id, so that executors read them in parallel; other
tables are one file each. The manifest comes last: a folder that has one is whole.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from sqlalchemy import Alias, BigInteger, Boolean, Column, Connection, Integer, Table, select
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine

from bounty.db import Day, Flag, Query
from bounty.errors import BountyError
from bounty.ingest.unfinished import require_finished
from bounty.models import Batch, Line, Order, OrderVersion
from bounty.roster.terms import TermsInForce, open_period
from bounty.rules.periods import MAIN, Bounds, Period
from bounty.schema import stored_revision
from bounty.settlement.queries import recomputation

if TYPE_CHECKING:
    import pyarrow

MANIFEST = "manifest.json"
BUCKETS = 8
ROWS_AT_A_TIME = 5_000
ROWS_OF_A_GROUP = 20_000
"""Of a row group in a file; so many rows of each bucket at most wait in memory."""


class FactsFile(TypedDict):
    """A Parquet file."""

    name: str
    rows: int
    sha256: str


class TableManifest(TypedDict):
    """A table as files."""

    rows: int
    columns: list[str]
    files: list[FactsFile]


class FactsManifest(TypedDict):
    """The content of the manifest."""

    programme: NotRequired[str]
    period: str
    schema_revision: str | None
    as_of_batch: int | None
    terms_sha256: str
    terms: str
    tables: dict[str, TableManifest]


def columns_named(queries: Sequence[Query]) -> dict[Table, list[Column[Any]]]:
    """Table -> the columns that statements name, in the order of the table."""
    named: dict[str, set[str]] = {}
    tables: dict[str, Table] = {}
    for query in queries:
        for element in visitors.iterate(query):
            if not isinstance(element, Column):
                continue
            table = element.table.element if isinstance(element.table, Alias) else element.table
            if isinstance(table, Table):
                named.setdefault(table.name, set()).add(element.name)
                tables[table.name] = table
    return {
        tables[name]: [column for column in tables[name].columns if column.name in columns]
        for name, columns in sorted(named.items())
    }


def export_facts(
    connection: Connection, period: Period, in_force: TermsInForce, elsewhere: list[int], folder: Path
) -> FactsManifest:
    """Write what a settlement of a period reads into an empty folder; the manifest.

    elsewhere   the settlements of the notices of other programmes that exclusive terms go by

    Raises BountyError if the period is not open, a large file is not in whole, pyarrow is not installed, or the folder
    is not empty or can't be written.
    """
    bounds = open_period(connection, period)
    require_finished(connection)
    made = recomputation(period, in_force.terms, elsewhere)
    named = columns_named([made.results_rows(), made.lines_rows()])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BountyError(
                f"{folder} is not empty: name a new folder, so that no older facts lie among these."
            )
        tables = {
            table.name: write_table(
                connection, rows_of(table, columns, period, bounds, elsewhere), table.name, folder
            )
            for table, columns in named.items()
        }
        manifest: FactsManifest = {
            "period": period.name,
            "schema_revision": stored_revision(connection),
            "as_of_batch": connection.execute(
                select(Batch.batch_id).order_by(Batch.batch_id.desc())
            ).scalar(),
            "terms_sha256": in_force.sha256,
            "terms": in_force.toml,
            "tables": tables,
        }
        if period.programme != MAIN:
            manifest = {"programme": period.programme, **manifest}
        text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BountyError(f"{folder} can't be written: {error.strerror or error}.") from error
    return manifest


def rows_of(
    table: Table, columns: list[Column[Any]], period: Period, bounds: Bounds, elsewhere: list[int]
) -> Query:
    """The rows of a table that may matter to a period."""
    query = select(*columns)
    paid_from, paid_until = paid_span(bounds)
    if table is Order.__table__:
        return query.where(table.c.paid_at >= paid_from, table.c.paid_at < paid_until)
    if table is OrderVersion.__table__:
        paid = select(Order.order_sn).where(Order.paid_at >= paid_from, Order.paid_at < paid_until)
        return query.where(table.c.order_sn.in_(paid)).distinct()
    if table is Line.__table__:
        return query.where(table.c.settlement_id.in_(elsewhere))
    return query.where(table.c.period == str(period)) if "period" in table.c else query


def paid_span(bounds: Bounds) -> tuple[int, int]:
    """When orders are paid that may matter to a period: from, until; epoch seconds."""
    return min(bounds.task_from, bounds.month_from), max(bounds.task_until, bounds.month_until)


@dataclass(slots=True)
class _File:
    """One Parquet file on its way."""

    path: Path
    writer: Any
    waiting: list[Any] = field(default_factory=list)
    """Arrow tables of the next row group."""
    waiting_rows: int = 0
    rows: int = 0


def write_table(connection: Connection, query: Query, name: str, folder: Path) -> TableManifest:
    """Write a table's rows; its rows, columns, and files with their rows and hashes. Raises BountyError where pyarrow
    is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra: only the lake needs it
        import pyarrow.compute as pc  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise BountyError(
            "Parquet files need pyarrow, which is not installed: install the extra, `pip install bounty[spark]`."
        ) from None
    columns = list(query.selected_columns)
    schema = pa.schema([(column.name, _arrow_type(pa, column.type)) for column in columns])
    bucketed = "promoter_id" in schema.names
    files: dict[int, _File] = {}

    def file_of(bucket: int) -> _File:
        if bucket not in files:
            path = folder / name / (f"bucket={bucket}" if bucketed else "") / "part-0.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            files[bucket] = _File(path, pq.ParquetWriter(path, schema))
        return files[bucket]

    def flush(file: _File) -> None:
        if file.waiting:
            file.writer.write_table(pa.concat_tables(file.waiting).combine_chunks())
        file.waiting, file.waiting_rows = [], 0

    for rows in connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}).partitions():
        cells = zip(*rows, strict=True)
        part = pa.table(
            [pa.array(cell, each.type) for cell, each in zip(cells, schema, strict=True)], schema=schema
        )
        # bit_wise_and is the remainder, as the number of buckets is a power of two.
        buckets = pc.bit_wise_and(part["promoter_id"], BUCKETS - 1) if bucketed else None
        for bucket in range(BUCKETS if bucketed else 1):
            own = part if buckets is None else part.filter(pc.equal(buckets, bucket))
            if own.num_rows:
                file = file_of(bucket)
                file.waiting.append(own)
                file.waiting_rows += own.num_rows
                file.rows += own.num_rows
                if file.waiting_rows >= ROWS_OF_A_GROUP:
                    flush(file)
    if not files:
        file_of(0)  # so that an empty table is a table
    for file in files.values():
        flush(file)
        file.writer.close()
    listed = [files[bucket] for bucket in sorted(files)]
    return {
        "rows": sum(file.rows for file in listed),
        "columns": schema.names,
        "files": [
            {"name": str(file.path.relative_to(folder)), "rows": file.rows, "sha256": _sha256(file.path)}
            for file in listed
        ],
    }


def _arrow_type(pa: Any, kind: TypeEngine[Any]) -> "pyarrow.DataType":
    if isinstance(kind, Flag | Boolean):
        return pa.bool_()
    if isinstance(kind, Day):
        return pa.date32()
    return pa.int64() if isinstance(kind, BigInteger | Integer) else pa.string()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
