"""Settlements on Spark: the same content hash as both databases, expression by expression and month by month."""

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.errors import ArithmeticException
from sqlalchemy import Engine, case, literal, select, union_all
from sqlalchemy.sql.compiler import SQLCompiler

from bounty.db import Query, WholeNumber, Words, snapshot
from bounty.forecast.simulation import simulate
from bounty.lake.recompute import recompute
from bounty.lake.spark import on_session, rows_on, simulated_on_session, spark_session
from bounty.lake.spark_dialect import SparkCompiler, SparkDialect, spark_sql
from bounty.rules.periods import Period
from bounty.rules.sql_math import (
    capped_at,
    count_where,
    reaches,
    running_total,
    share_half_even,
    sum_or_zero,
    whole_part,
)
from bounty.rules.subsidy import after_promoter_cap
from bounty.rules.terms import read_terms
from bounty.settlement.service import Settled
from tests.agreement import months
from tests.agreement.verdict import import_orders, import_tables, settle_case, written
from tests.factories import Month, bounty, command, order_row, plain_terms, promoter, write_text
from tests.forecast.test_simulation import other_terms

pytestmark = pytest.mark.xdist_group("spark")  # one Spark for all of them: starting it takes longest
NOW = "2023-01-15T12:00:00+08:00"


# Of small months most time goes into compiling what runs once.
BRIEFLY = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in BRIEFLY.items():
            patch.setenv(name, value)
        with spark_session("local[2]") as session:
            # The command's own test has it on.
            session.conf.set("spark.sql.codegen.wholeStage", "false")
            yield session


AMOUNTS = [0, 1, 2, 499, 500, 501, 9_999, 10_000, 10_001, 123_456_789, 900_000_000_000_000]
PERMILLES = [0, 1, 5, 125, 333, 999, 1000]


def _rows(*rows: tuple[int, ...]) -> Any:
    """Whole numbers as a relation of columns a, b, ..."""
    names = "abc"[: len(rows[0])]
    selects = [
        select(*(literal(value, WholeNumber).label(name) for name, value in zip(names, row, strict=True)))
        for row in rows
    ]
    return union_all(*selects).subquery("given")


def _arithmetic() -> dict[str, Query]:
    """Each expression of the arithmetic, over its edges, in a fixed order."""
    pairs = _rows(*((amount, permille) for amount in AMOUNTS for permille in PERMILLES))
    whole = _rows(*((amount,) for amount in AMOUNTS))
    amount, permille = pairs.c.a, pairs.c.b
    running = running_total(amount, permille, amount)
    held = select(amount, permille, running.label("running")).subquery("held").c
    return {
        "whole_part": select(whole.c.a, whole_part(whole.c.a, 1000)).order_by(whole.c.a),
        "share_half_even": select(amount, permille, share_half_even(amount, permille)).order_by(
            amount, permille
        ),
        "reaches": select(
            amount,
            permille,
            *(case((reaches(amount, permille, at), 1), else_=0) for at in (10_000, 13_333, 1_000_000)),
        )
        .where(permille > 0)
        .order_by(amount, permille),
        "lesser": select(whole.c.a, capped_at(whole.c.a, 500), capped_at(whole.c.a, None)).order_by(
            whole.c.a
        ),
        "total": select(sum_or_zero(whole.c.a), count_where(whole.c.a > 500)),
        "total of none": select(sum_or_zero(whole.c.a), count_where(whole.c.a > 500)).where(whole.c.a < 0),
        "running_total": select(amount, permille, running).order_by(amount, permille),
        "after_promoter_cap": select(
            held.a, held.b, after_promoter_cap(held.a, held.running, 10_000)
        ).order_by(held.a, held.b),
        "in no list": select(whole.c.a, case((whole.c.a.in_([]), 1), else_=0)).order_by(whole.c.a),
    }


@pytest.fixture(scope="module")
def arithmetic_on_spark(spark: Any) -> dict[str, list[tuple[Any, ...]]]:
    return {name: in_all(rows_on(spark, query)) for name, query in _arithmetic().items()}


@pytest.mark.parametrize("name", _arithmetic())
def test_an_expression_is_the_same_on_spark(
    arithmetic_on_spark: dict[str, list[tuple[Any, ...]]], engine: Engine, name: str
) -> None:
    with snapshot(engine) as connection:
        here = [tuple(row) for row in connection.execute(_arithmetic()[name])]
    assert arithmetic_on_spark[name] == here


def in_all(parts: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for part in parts for row in part]


ODD = [
    "plain",
    "O'Brien; DROP",
    "back\\slash",
    "\\",
    "\\'",
    "''",
    "${spark.app.name}",
    ":name",
    "100%",
    "名 😀",
    "a\nb",
]


def test_odd_texts_arrive_as_they_are_bound_or_written_out(spark: Any) -> None:
    for text in ODD:
        bound = select(literal(text, Words))
        assert in_all(rows_on(spark, bound)) == [(text,)]
        sql, arguments = spark_sql(bound)
        assert (arguments, text in sql) == ({"param_1": text}, False)
        written_out = bound.compile(dialect=SparkDialect(), compile_kwargs={"literal_binds": True})
        assert [tuple(row) for row in spark.sql(str(written_out)).collect()] == [(text,)]


def test_an_overflow_is_an_error_and_not_another_number(spark: Any) -> None:
    query = select(literal(2**62, WholeNumber) * literal(4, WholeNumber))
    with pytest.raises(ArithmeticException, match="OVERFLOW"):
        in_all(rows_on(spark, query))


def taken_in(engine: Engine, case: months.Case, folder: Path) -> Settled:
    verdict = written(case, folder, random.Random(case.seed), asked=0)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    return settle_case(engine, case)


@pytest.mark.parametrize("seed", [12, pytest.param(29, marks=pytest.mark.soak)])
def test_a_generated_month_is_the_same_on_both_databases_and_on_spark_also_under_other_terms(
    spark: Any, engine: Engine, tmp_path: Path, seed: int
) -> None:
    case = months.generate(seed, promoters=40)
    settled = taken_in(engine, case, tmp_path)
    assert settled.lines.rows > 20
    period, terms = Period.parse(case.period), read_terms(other_terms(case, seed + 300, same_levels=True))
    outcomes = simulated_on_session(spark, tmp_path / "lake")
    with snapshot(engine) as connection:
        found = recompute(connection, period, compute=on_session(spark))
        here = simulate(connection, terms, period, case.now)
        there = simulate(connection, terms, period, case.now, outcomes)
    assert (found.content_sha256, found.equal, found.later) == (settled.content_sha256, True, [])
    assert there == here
    assert here.difference is not None
    assert here.difference.was != here.figures  # the terms do change it
    exported = {path.parent.parent for path in tmp_path.glob("lake/*/orders/bucket=*/*.parquet")}
    assert 1 <= len(exported) <= 3  # for all terms, and again only where a SELECT reads more columns


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_division_that_is_none_of_whole_numbers_is_noticed(
    spark: Any, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mistake that a general translator makes."""
    case = months.generate(12, promoters=40)
    assert taken_in(engine, case, tmp_path).lines.rows > 0
    monkeypatch.setattr(SparkCompiler, "visit_custom_op_binary", SQLCompiler.visit_custom_op_binary)
    try:
        with snapshot(engine) as connection:
            equal = recompute(connection, Period.parse(case.period), compute=on_session(spark)).equal
    except ValueError:  # a part of a fen can't be rendered
        equal = False
    assert not equal


DECEMBER = Path(__file__).resolve().parent.parent / "months" / "december_2022"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_computes_december_on_spark_to_the_byte(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path / "month", now="2023-01-11 00:00:00")
    for kind in ("promoters", "violations", "links", "targets"):
        month.take(kind, DECEMBER / f"{kind}.csv")
    month.terms((DECEMBER / "terms.toml").read_text(encoding="utf-8"))
    month.open()
    for name in ("orders-1000939.csv", "orders-1000940.json", "orders-others.jsonl"):
        month.take("orders", DECEMBER / name)
    settled = month.settle()
    month.publish()
    again = tmp_path / "again"
    asked = ("recompute", "2022-12", "--on", "local[2]", "--out", again)
    ran = bounty(database_url, *asked, now=NOW, **BRIEFLY)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0] == f"content sha256:{settled.content_sha256}"
    for name in ("results.csv", "subsidy_lines.csv", "manifest.json"):
        assert (again / name).read_bytes() == (DECEMBER / "expected" / name).read_bytes()


def test_the_lake_holds_the_months_facts_with_their_hashes(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    month = Month(engine, tmp_path / "month")
    month.begin(*(promoter(who) for who in range(1, 20)), toml=plain_terms())
    month.orders(
        *(order_row(number=who, promoter_id=who, amount_fen=who) for who in range(1, 20)),
        order_row(number=20, promoter_id=1, paid="2022-11-30 23:59:59"),
        order_row(number=21, promoter_id=1, paid="2023-01-01 00:00:00"),
    )
    out = tmp_path / "lake"
    said = command(database_url, NOW, "lake", "export", "2022-12", "--out", str(out))
    assert (said.exit_code, said.stderr) == (0, "")
    manifest = json.loads((out / "manifest.json").read_text())
    orders = manifest["tables"]["orders"]
    assert (manifest["period"], orders["rows"], len(orders["files"])) == ("2022-12", 19, 8)
    assert {"goods_name", "raw", "name"}.isdisjoint(orders["columns"])
    paid = []
    for table in manifest["tables"].values():
        for file in table["files"]:
            content = (out / file["name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            held = pq.ParquetFile(out / file["name"]).read()
            assert (held.num_rows, held.column_names) == (file["rows"], table["columns"])
            if table is orders:
                bucket = int(Path(file["name"]).parent.name.removeprefix("bucket="))
                assert {promoter_id % 8 for promoter_id in held["promoter_id"].to_pylist()} == {bucket}
                paid += held["order_amount_fen"].to_pylist()
    assert sorted(paid) == list(range(1, 20))
    refused = command(database_url, NOW, "lake", "export", "2022-12", "--out", str(out))
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "is not empty" in refused.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_java_or_with_no_such_master_it_says_so_in_one_sentence(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = Month(engine, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    month.orders(order_row())
    month.settle()
    asked = (database_url, "recompute", "2022-12", "--on")
    without = bounty(*asked, "local[2]", now=NOW, JAVA_HOME=str(tmp_path))
    assert (without.returncode, without.stdout, without.stderr.count("\n")) == (1, "", 1)
    assert "Spark needs Java 17 or newer" in without.stderr
    terms = write_text(tmp_path / "terms.toml", plain_terms())
    with monkeypatch.context() as patch:
        patch.setenv("JAVA_HOME", str(tmp_path))
        simulated = command(
            database_url, NOW, "simulate", str(terms), "--periods", "2022-12", "--on", "local[2]"
        )
    assert (simulated.exit_code, simulated.stdout) == (1, "")
    assert simulated.stderr == without.stderr
    nowhere = bounty(*asked, "nowhere", now=NOW, **BRIEFLY)
    assert (nowhere.returncode, nowhere.stdout, nowhere.stderr.count("\n")) == (1, "", 1)
    assert "Spark on nowhere gave up" in nowhere.stderr
