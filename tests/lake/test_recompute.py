"""Computing a settlement again: equal on the same facts, told apart on others, and the books untouched."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot, transaction
from bounty.lake.export import columns_named
from bounty.lake.recompute import in_the_books, recompute
from bounty.notices.service import export
from bounty.rules.periods import Period
from bounty.rules.terms import read_terms
from bounty.settlement.queries import recomputation
from tests.agreement import months
from tests.agreement.verdict import import_orders, import_tables, settle_case, written
from tests.factories import PROMOTER, Month, command, link, order_row, plain_terms, promoter
from tests.forecast.test_simulation import everything
from tests.frozen.test_found import drop_guards

NOW = "2023-01-15T12:00:00+08:00"
FILES = ("results.csv", "subsidy_lines.csv", "manifest.json")


@pytest.mark.parametrize("seed", [3, 12, 37])
def test_a_generated_month_computed_again_is_the_settlement_to_the_byte(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    case = months.generate(seed, promoters=40)
    verdict = written(case, tmp_path / "in", random.Random(seed), asked=0)
    import_tables(engine, case, verdict.folder)
    import_orders(engine, case, verdict)
    settled = settle_case(engine, case)
    before = everything(engine)
    period = Period.parse(case.period)
    with snapshot(engine) as connection:
        found = recompute(connection, period, out=tmp_path / "again")
        export(connection, period, tmp_path / "export", draft=True, notice=None)
    assert (found.content_sha256, found.equal, found.later) == (settled.content_sha256, True, [])
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "export" / name).read_bytes()
    assert everything(engine) == before


def test_the_server_waits_as_long_as_it_is_computed_elsewhere(month: Month, engine: Engine) -> None:
    @contextmanager
    def slowly(*asked: Any) -> Iterator[Any]:
        with in_the_books(*asked) as rows:
            time.sleep(0.5)
            yield rows

    period = Period.parse("2022-12")
    with snapshot(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
        assert recompute(connection, period, compute=slowly).equal


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022, with 1.00 and 2.00 of one promoter settled and published."""
    month = Month(engine, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    month.orders(order_row(number=1, amount_fen=1_00), order_row(number=2, amount_fen=2_00))
    month.settle()
    month.publish()
    return month


def recomputed(database_url: str, *arguments: str) -> Any:
    return command(database_url, NOW, "recompute", "2022-12", *arguments)


def test_the_command_says_that_it_is_equal_and_writes_what_export_writes(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    said = recomputed(database_url, "--out", str(tmp_path / "again"))
    assert (said.exit_code, said.stderr) == (0, "")
    content = month.settle().content_sha256
    assert said.stdout == (
        f"content sha256:{content}\n1 result, 2 lines, subsidy ¥3.00\nequal to settlement 1, sha256:{content}\n"
    )
    command(database_url, NOW, "export", "2022-12", "--out", str(tmp_path / "export"))
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "export" / name).read_bytes()
    assert json.loads((tmp_path / "again" / "manifest.json").read_text())["notice"] == 1
    assert json.loads(recomputed(database_url, "--json").stdout) == {
        "period": "2022-12",
        "content_sha256": content,
        "settlement": 1,
        "settled_sha256": content,
        "equal": True,
        "later": [],
        "results": 1,
        "lines": 2,
        "subsidy_fen": 3_00,
        "fresh_sha256": None,
    }


def test_a_fact_changed_behind_the_books_is_exit_1(month: Month, database_url: str) -> None:
    with transaction(month.engine) as connection:
        drop_guards(connection)
        connection.exec_driver_sql("UPDATE orders SET order_amount_fen = 101 WHERE order_amount_fen = 100")
    said = recomputed(database_url)
    assert said.exit_code == 1
    assert "\nnot equal to settlement 1, sha256:" in said.stdout
    assert "differs from settlement 1 on the same facts" in said.stderr
    assert said.stderr.count("\n") == 1
    said = json.loads(recomputed(database_url, "--json").stdout)
    assert (said["equal"], said["subsidy_fen"]) == (False, 3_01)


def test_what_came_later_is_named_and_is_no_failure(month: Month, database_url: str, tmp_path: Path) -> None:
    month.orders(order_row(number=3, amount_fen=4_00))
    month.table("links", link(f"{PROMOTER}_107021838", "app"))
    month.table("promoters", promoter(7))  # changes nothing of a frozen roster
    said = recomputed(database_url, "--out", str(tmp_path / "again"))
    assert (said.exit_code, said.stderr) == (0, "")
    since = [line for line in said.stdout.splitlines() if line.startswith("since that settlement batch ")]
    assert [line.split(maxsplit=5)[5] for line in since] == [
        # Each file was imported twice.
        *["of orders came"] * 2,
        *["of links came"] * 2,
    ]
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text())
    assert (manifest["settlement"], manifest["notice"]) == (None, None)
    again = month.settle()
    assert f"content sha256:{again.content_sha256}\n" in said.stdout
    assert manifest["content_sha256"] == again.content_sha256
    later = json.loads(recomputed(database_url, "--json").stdout)
    assert (later["equal"], later["later"], later["settlement"]) == (True, [], 2)


@pytest.mark.parametrize(
    ("period", "sentence"),
    [("2022-11", "2022-11 is not open"), ("2023-01", "2023-01 has no settlement yet to compute again")],
)
def test_what_can_not_be_computed_again_is_refused(
    month: Month, database_url: str, period: str, sentence: str
) -> None:
    command(database_url, NOW, "open", "2023-01")
    said = command(database_url, NOW, "recompute", period)
    assert (said.exit_code, said.stdout) == (1, "")
    assert sentence in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_recomputation_reads_neither_results_nor_lines(month: Month) -> None:
    made = recomputation(month.period, read_terms(plain_terms()))
    for table in columns_named([made.results_rows(), made.lines_rows()]):
        assert table.name not in ("results", "lines")
