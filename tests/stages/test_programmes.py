"""Programmes at the command line: making them, naming them, and what each refuses."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent
from bounty.roster.programmes import add_programme
from tests.factories import (
    PROMOTER,
    Month,
    bounty,
    command,
    half_month_terms,
    order_row,
    plain_terms,
    promoter,
    rows_of,
    shanghai,
    terms_toml,
    write_table,
)

NOW = "2023-01-15T12:00:00+08:00"


def said(database_url: str, *arguments: str) -> str:
    ran = command(database_url, NOW, *arguments)
    assert (ran.exit_code, ran.stderr) == (0, "")
    return ran.stdout


def refused(database_url: str, *arguments: str) -> str:
    ran = command(database_url, NOW, *arguments)
    assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1), ran.output
    return ran.stderr


def test_a_programme_is_added_renamed_and_retired(engine: Engine, database_url: str) -> None:
    assert said(database_url, "programme", "add", "sprint", "--name", "冲刺") == "programme sprint added\n"
    assert "nothing changed" in said(database_url, "programme", "add", "sprint", "--name", "冲刺")
    assert "rename" in refused(database_url, "programme", "add", "sprint", "--name", "别的")
    said(database_url, "programme", "rename", "sprint", "--name", "半月冲刺")
    assert "nothing changed" in said(database_url, "programme", "rename", "sprint", "--name", "半月冲刺")
    said(database_url, "programme", "retire", "sprint")
    assert "nothing changed" in said(database_url, "programme", "retire", "sprint")
    assert json.loads(said(database_url, "programme", "list", "--json")) == [
        {"code": "main", "name": "main", "cycle": None, "retired_at": None},
        {"code": "sprint", "name": "半月冲刺", "cycle": None, "retired_at": NOW},
    ]
    for code in ("", "Sprint", "1st", "a" * 33, "a_b", "a:b", "main "):
        assert "can't be a programme's code" in refused(database_url, "programme", "add", code, "--name", "x")
    assert "at most 200" in refused(database_url, "programme", "add", "x", "--name", " ")
    for act in (("rename", "no", "--name", "x"), ("retire", "no"), ("restore", "no")):
        assert "no programme 'no'" in refused(database_url, "programme", *act)


def test_the_last_programme_stays_and_a_retired_one_comes_back(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    """Retiring opens no new period and stops nothing that is open; restoring takes it back, periods and all."""
    Month(engine, tmp_path).begin(promoter(), promoter(1000940))
    assert "the last that opens periods" in refused(database_url, "programme", "retire", "main")
    assert "not retired, nothing changed" in said(database_url, "programme", "restore", "main")
    said(database_url, "programme", "add", "goods", "--name", "618 类目")
    said(database_url, "programme", "retire", "main")
    assert "the last that opens periods" in refused(database_url, "programme", "retire", "goods")
    main = Month(engine, tmp_path)
    main.orders(order_row(number=1))
    assert "settlement 1 of 2022-12 made" in said(database_url, "settle", "2022-12")  # what is open goes on
    assert "restore main" in refused(database_url, "open", "2023-01")
    assert said(database_url, "programme", "restore", "main") == "programme main restored\n"
    assert "2 on the roster" in said(database_url, "open", "2023-01")
    with snapshot(engine) as connection:
        event = connection.execute(
            select(AuditEvent.subject, AuditEvent.before).where(AuditEvent.act == "programme.restore")
        ).one()
    assert (event.subject, json.loads(event.before)) == (
        "main",
        {"retired_at": shanghai("2023-01-15 12:00:00")},
    )


def test_the_month_of_a_programme_of_half_months(engine: Engine, tmp_path: Path, database_url: str) -> None:
    """Every step by its command, beside a main programme that knows nothing of it."""
    main = Month(engine, tmp_path)
    main.begin(promoter())
    main.orders(
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, paid="2022-12-15 23:59:59"),
        order_row(number=4, amount_fen=4, paid="2022-12-16 00:00:00", received="2022-12-20 00:00:00"),
        order_row(number=8, amount_fen=8, received="2022-12-26 00:00:00"),
    )
    path = tmp_path / "sprint.toml"
    path.write_text(half_month_terms(), encoding="utf-8")
    of_sprint = ("--programme", "sprint")
    assert "no programme 'sprint'" in refused(database_url, "terms", "add", str(path), *of_sprint)
    said(database_url, "programme", "add", "sprint", "--name", "冲刺")
    assert "No terms apply to sprint:2022-12a" in refused(database_url, "open", "2022-12a", *of_sprint)
    assert "from sprint:2022-12a added" in said(database_url, "terms", "add", str(path), *of_sprint)
    assert 'has the cycle "month"' in refused(database_url, "terms", "add", str(path))
    assert "write 2022-12a or 2022-12b" in refused(database_url, "open", "2022-12", *of_sprint)
    assert "has no period 2022-12a: add --programme sprint" in refused(database_url, "open", "2022-12a")
    assert "write 2022-12, not 2022-12a" in refused(database_url, "open", "2022-12a", "--programme", "main")
    assert said(database_url, "open", "2022-12a", *of_sprint).startswith(
        "sprint:2022-12a opened: 1 on the roster"
    )
    assert "open already" in said(database_url, "open", "sprint:2022-12a")
    assert "already open with its terms" in refused_terms(database_url, path)
    progress = json.loads(said(database_url, "progress", "2022-12a", str(PROMOTER), "--json", *of_sprint))
    assert (progress["programme"], progress["period"]) == ("sprint", "2022-12a")
    assert progress["counted"] == {"gmv_fen": 3, "orders": 2}
    assert progress["not_counted"] == [{"reason": "RECEIVED_IN_TIME", "orders": 1, "amount_fen": 8}]
    assert said(database_url, "settle", "2022-12a", *of_sprint).startswith(
        "settlement 1 of sprint:2022-12a made"
    )
    assert said(database_url, "publish", "2022-12a", *of_sprint).startswith(
        "notice 1 of sprint:2022-12a published"
    )
    assert said(database_url, "settle", "2022-12").startswith("settlement 2 of 2022-12 made")
    assert "FRESH" in refused(database_url, "publish", "2022-12")
    through = ("--through", "2023-01-11T00:00:00+08:00", "--reason", "ok")
    said(database_url, "confirm-data", "2022-12", *through)
    assert said(database_url, "publish", "2022-12").startswith("notice 1 of 2022-12 published")
    said(database_url, "export", "2022-12a", *of_sprint, "--out", str(tmp_path / "out"))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["programme"], manifest["period"], manifest["notice"]) == ("sprint", "2022-12a", 1)
    assert "2022-12a,1000939" in (tmp_path / "out" / "subsidy_lines.csv").read_text(encoding="utf-8-sig")
    said(database_url, "export", "2022-12", "--out", str(tmp_path / "main"))
    assert "programme" not in json.loads((tmp_path / "main" / "manifest.json").read_text(encoding="utf-8"))
    explained = json.loads(said(database_url, "explain", "221205-000000000000004", "--json", *of_sprint))
    assert (explained["programme"], explained["period"]) == ("sprint", "2022-12b")
    said(database_url, "programme", "retire", "sprint")
    assert "is retired" in refused(database_url, "open", "2022-12b", *of_sprint)
    assert "stands already" in said(database_url, "settle", "2022-12a", *of_sprint)


def refused_terms(database_url: str, path: Path) -> str:
    other = path.with_name("other.toml")
    other.write_text(
        path.read_text(encoding="utf-8").replace("receipt_cutoff_days = 10", "receipt_cutoff_days = 9")
    )
    return refused(database_url, "terms", "add", str(other), "--programme", "sprint")


def test_a_programme_of_other_levels_goes_from_import_to_notice(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    """Levels V2 and V3, a category and a least amount; main has nothing to do with it, and is as if alone."""
    levels = {
        "V2": 'direct_only = true\ngmv_yuan = "100.00"',
        "V3": 'direct_only = false\ngmv_yuan = "150.00"\norders = 2',
    }
    filters = '[task]\ncategory_ids = [2001]\nmin_order_yuan = "60.00"\n'
    toml = terms_toml(levels=levels, caps="", links="any").replace("[task]\n", filters)
    path = tmp_path / "goods.toml"
    path.write_text(toml, encoding="utf-8")
    people = [promoter(level="V2"), promoter(1000940, level="V3"), promoter(1000941, level="V0")]
    orders = [
        order_row(number=1, amount_fen=120_00),
        order_row(number=2, amount_fen=50_00),  # below the least
        order_row(number=3, amount_fen=90_00, cat_ids=[3001]),  # of another category
        order_row(number=4, promoter_id=1000940, amount_fen=80_00, is_direct=0),
        order_row(number=5, promoter_id=1000940, amount_fen=70_00, is_direct=0),
        order_row(number=6, promoter_id=1000941, amount_fen=500_00),
    ]
    of_goods = ("--programme", "goods")
    said(database_url, "programme", "add", "goods", "--name", "618 类目")
    said(database_url, "import", "promoters", str(write_table(tmp_path / "people.csv", people)))
    said(database_url, "terms", "add", str(path), *of_goods)
    assert "3 on the roster, 2 eligible" in said(database_url, "open", "2022-12", *of_goods)
    assert "LEVEL_NOT_OFFERED 1" in said(database_url, "open", "2022-12", *of_goods)
    Month(engine, tmp_path).orders(*orders)
    progress = json.loads(said(database_url, "progress", "2022-12", "1000940", "--json", *of_goods))
    assert (progress["level"], progress["counted"]) == ("V3", {"gmv_fen": 150_00, "orders": 2})
    progress = json.loads(said(database_url, "progress", "2022-12", str(PROMOTER), "--json", *of_goods))
    assert [(each["reason"], each["orders"]) for each in progress["not_counted"]] == [
        ("IN_CATEGORY", 1),
        ("AT_LEAST_MINIMUM", 1),
    ]
    said(database_url, "settle", "2022-12", *of_goods)
    through = ("--through", "2023-01-11T00:00:00+08:00", "--reason", "ok")
    said(database_url, "confirm-data", "2022-12", *through, *of_goods)
    said(database_url, "publish", "2022-12", *of_goods)
    said(database_url, "export", "2022-12", "--out", str(tmp_path / "out"), *of_goods)
    results = rows_of((tmp_path / "out" / "results.csv").read_bytes())
    assert [(each["level"], each["passed"], each["gmv_yuan"]) for each in results] == [
        ("V2", "yes", "120.00"),
        ("V3", "yes", "150.00"),
        ("V0", "no", ""),
    ]
    assert "main has no period 2022-12: add --programme goods" in refused(database_url, "settle", "2022-12")


def test_the_environment_names_the_programme_and_the_option_comes_before_it(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    Month(engine, tmp_path).begin()
    with transaction(engine) as connection:
        add_programme(connection, "sprint", "冲刺", 0)
    ran = bounty(database_url, "terms", "show", "2022-12", now=NOW, BOUNTY_PROGRAMME="sprint")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "No terms apply to sprint:2022-12" in ran.stderr
    ran = bounty(
        database_url, "terms", "show", "2022-12", "--programme", "main", now=NOW, BOUNTY_PROGRAMME="sprint"
    )
    assert ran.stdout.startswith("# terms of 2022-12\n")
    for arguments in (
        ("terms", "show", "sprint:2022-12", "--programme", "main"),
        ("open", "2022-12", "--programme", "X"),
    ):
        assert "programme" in refused(database_url, *arguments)


def test_an_order_of_another_programmes_notice_earns_nothing_where_the_terms_are_exclusive(
    engine: Engine, tmp_path: Path
) -> None:
    main = Month(engine, tmp_path)
    main.begin(promoter())
    main.orders(order_row(number=1, amount_fen=1), order_row(number=2, amount_fen=2, type=94))
    with transaction(engine) as connection:
        add_programme(connection, "mega", "618", main.now)
    mega = Month(engine, tmp_path / "mega", period="mega:2022-12")
    mega.folder.mkdir()
    exclusive = (
        plain_terms()
        .replace("types = [94]", "types = []")
        .replace("[subsidy]\n", "[subsidy]\nexclusive = true\n")
    )
    mega.terms(exclusive)
    mega.open()
    assert [line["order_sn"][-1] for line in mega.lines(mega.settle())] == ["1", "2"]
    main.settle()
    main.publish()
    assert mega.explain(1).as_json()["subsidy"]["reason"] is None  # by what its settlement knew
    settled = mega.settle()
    assert [line["order_sn"][-1] for line in mega.lines(settled)] == ["2"]
    clause = mega.explain(1).as_json()["subsidy"]["clauses"][-1]
    assert clause == {
        "code": "NOT_IN_OTHER_PROGRAMME",
        "holds": False,
        "fact": "main 2022-12 notice 1",
        "bound": "no line in the newest notice of another programme",
    }
    assert main.explain(1).as_json()["subsidy"]["clauses"][-1]["holds"]
    # The notice that follows takes its place.
    main.orders(order_row(number=1, amount_fen=1, status=4, modified="2023-01-14 00:00:00"))
    main.settle()
    main.publish()
    mega.orders(order_row(number=1, amount_fen=1, status=2, modified="2023-01-14 00:00:01"))
    assert [line["order_sn"][-1] for line in mega.lines(mega.settle())] == ["1", "2"]


def test_a_half_that_the_terms_do_not_reach_is_refused(engine: Engine, tmp_path: Path) -> None:
    with transaction(engine) as connection:
        add_programme(connection, "late", "下半月", 0)
    month = Month(engine, tmp_path, period="late:2022-12a")
    month.table("promoters", promoter())
    month.terms(half_month_terms(first_day=16))
    with pytest.raises(BountyError, match="begins on day 16, which late:2022-12a has not"):
        month.open()


def test_a_half_is_opened_once_the_last_half_of_its_history_is_complete(
    engine: Engine, tmp_path: Path
) -> None:
    """The first half of November ends with the 15th; ten whole days later its receipts are counted."""
    with transaction(engine) as connection:
        add_programme(connection, "sprint", "冲刺", 0)
    month = Month(engine, tmp_path, period="sprint:2022-12a", now="2022-11-25 23:59:59")
    month.table("promoters", promoter())
    month.terms(half_month_terms())
    with pytest.raises(BountyError, match="sprint:2022-12a can be opened from 2022-11-26T00:00:00"):
        month.open()
    month.now += 1
    assert month.open().on_roster == 1
