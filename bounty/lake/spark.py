"""A settlement or a simulated month on Spark: facts exported as Parquet, and the settlement's own expressions.

It is a way past one machine and an independent proof, not a speed-up on one machine.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sqlalchemy import CTE, Connection

from bounty.db import Query, may_idle
from bounty.errors import BountyError
from bounty.lake.export import columns_named, export_facts, paid_span, rows_of, write_table
from bounty.lake.recompute import Compute, ComputedRows
from bounty.lake.spark_dialect import spark_sql
from bounty.roster.terms import TermsInForce
from bounty.rules.periods import Bounds, Period
from bounty.settlement.files import ROWS_AT_A_TIME
from bounty.settlement.queries import RowsOf, notices_elsewhere, recomputation

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = {
    # An overflow or a bad cast is an error and not null.
    "spark.sql.ansi.enabled": "true",
    # `${...}` in a text is text.
    "spark.sql.variable.substitute": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
ON_ONE_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # The rows of a partition come back together: of four, those of ten million orders did not fit the default memory.
    # Spark itself joins small ones.
    "spark.sql.shuffle.partitions": "64",
}


def on_spark(master: str) -> Compute:
    """Computed by Spark.

    master   as Spark writes it: ``local[2]``, ``local-cluster[2,1,1024]``, ``spark://HOST:PORT``. Executors on other
             machines must see the folder of temporary files (``TMPDIR``) under the same path
    """

    @contextmanager
    def compute(
        connection: Connection, period: Period, in_force: TermsInForce, elsewhere: list[int]
    ) -> Iterator[ComputedRows]:
        with (
            spark_session(master) as spark,
            on_session(spark)(connection, period, in_force, elsewhere) as rows,
        ):
            yield rows

    return compute


def on_session(spark: "SparkSession") -> Compute:
    """Computed by a Spark session that is there, from facts exported for it."""

    @contextmanager
    def compute(
        connection: Connection, period: Period, in_force: TermsInForce, elsewhere: list[int]
    ) -> Iterator[ComputedRows]:
        made = recomputation(period, in_force.terms, elsewhere)
        with TemporaryDirectory(prefix="bounty-lake-") as folder:
            facts = Path(folder) / "facts"
            manifest = export_facts(connection, period, in_force, elsewhere, facts)
            for table in manifest["tables"]:
                spark.read.parquet(str(facts / table)).createOrReplaceTempView(table)
            yield ComputedRows(rows_on(spark, made.results_rows()), rows_on(spark, made.lines_rows()))

    return compute


def simulated_on_session(spark: "SparkSession", folder: Path) -> RowsOf:
    """Simulated months computed by a Spark session, from facts exported into a folder.

    folder  empty; executors read it for as long as months are simulated. A table is exported once for all terms, and
            again where a SELECT reads more of its columns
    """
    held: dict[str, tuple[tuple[str, tuple[int, int]], set[str]]] = {}
    paths = (folder / str(number) for number in count())

    def rows_of_month(
        connection: Connection, period: Period, bounds: Bounds, query: Query, instead: Sequence[CTE]
    ) -> Iterable[Sequence[int | None]]:
        may_idle(connection)
        elsewhere = notices_elsewhere(connection, period)
        simulated = {cte.name: cte for cte in instead}
        for table, columns in columns_named([query]).items():
            month, names = (str(period), paid_span(bounds)), {column.name for column in columns}
            if table.name in simulated:
                rows = rows_of(table, columns, period, bounds, elsewhere).add_cte(simulated[table.name])
            else:
                if table.name in held and held[table.name][0] == month:
                    there = held[table.name][1]
                    if names <= there:
                        continue
                    names |= there
                held[table.name] = month, names
                all_read = [column for column in table.columns if column.name in names]
                rows = rows_of(table, all_read, period, bounds, elsewhere)
            path = next(paths)
            write_table(connection, rows, table.name, path)
            spark.read.parquet(str(path / table.name)).createOrReplaceTempView(table.name)
        return [row for part in rows_on(spark, query) for row in part]

    return rows_of_month


def rows_on(spark: "SparkSession", query: Query) -> Iterable[Sequence[Any]]:
    """The rows of a SELECT, some at a time, one partition after the other."""
    text, arguments = spark_sql(query)
    rows = spark.sql(text, arguments).toLocalIterator()
    while part := [*islice(rows, ROWS_AT_A_TIME)]:
        yield part


@contextmanager
def spark_session(master: str) -> Iterator["SparkSession"]:
    """A Spark session of its own, stopped at the end.

    Raises BountyError where pyspark or Java is missing, or Spark does not start or gives up.
    """
    try:
        from py4j.protocol import Py4JError  # noqa: PLC0415
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra, and slow to load
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise BountyError(
            "Spark needs pyspark, which is not installed: install the extra, `pip install bounty[spark]`."
        ) from None
    _require_java()
    builder = SparkSession.builder.master(master).appName("bounty")
    settings = SETTINGS | (ON_ONE_MACHINE if master.startswith("local") else {})
    for name, value in settings.items():
        builder = builder.config(name, value)
    with TemporaryDirectory(prefix="bounty-spark-") as folder:
        log = Path(folder) / "spark.log"
        try:
            with _errors_into(log):
                spark = builder.getOrCreate()
            try:
                yield spark
            finally:
                spark.stop()
        except (PySparkException, Py4JError) as error:
            raise BountyError(f"Spark on {master} gave up: {_first_line(error)}{_last_error(log)}") from error


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java") if home is None else shutil.which("java", path=str(Path(home) / "bin"))
    if java is None:
        raise BountyError(
            "Spark needs Java 17 or newer, and no `java` is on the PATH or in JAVA_HOME: install one "
            "(Debian: apt-get install default-jre-headless)."
        )


@contextmanager
def _errors_into(log: Path) -> Iterator[None]:
    """What is started within writes its standard error into a file: Spark's own log, for as long as it runs."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _last_error(log: Path) -> str:
    """The last line of Spark's log that tells of an error, in brackets; blank where there is none."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    errors = [line.strip() for line in lines if "ERROR" in line or "Exception" in line or "Error" in line]
    return f" ({errors[-1]})" if errors else ""
