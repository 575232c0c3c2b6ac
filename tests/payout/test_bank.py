"""At the command line: what a payer is sent comes back as a receipt; marking, reconciling, closing and reopening."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from bounty.db import snapshot
from bounty.models import Receipt
from tests.factories import command
from tests.payout.desk import HEAD, Desk
from tests.payout.people import Person, typed, typed_as
from tests.payout.world import SEAL_KEY

AT = "2023-02-21T12:00:00"
Said = Callable[..., list[str]]


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


@pytest.fixture
def said(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Said:
    """The lines that a command prints."""
    monkeypatch.setenv("BOUNTY_PAYEE_KEY", SEAL_KEY)

    def run(*arguments: str, code: int = 0) -> list[str]:
        result = command(database_url, AT, "payout", *arguments)
        assert result.exit_code == code, result.output
        return result.output.splitlines()

    return run


def test_what_a_payer_was_sent_comes_back_and_closes_the_period(desk: Desk, said: Said) -> None:
    said("export", "1", "--out", str(desk.folder / "out"))
    (sent,) = (desk.folder / "out").rglob("*alipay*.csv")
    number, account, name, amount, remark = sent.read_text("gb18030").splitlines()[2].split(",")
    row = f"{number},2023-02-20 10:00:00,1,A1,{account},{name},{amount},成功,{remark},"
    path = desk.folder / "回单.csv"
    path.write_text(HEAD.format("130.00", "", "") + row + "\r\n", encoding="gb18030")
    told = said("receipt", str(path))
    assert told == [
        "回单.csv receipt 1 read=1 matched=1 unmatched=0 ambiguous=0: now paid 1 ¥100.00, failed 0 ¥0.00",
        "  warning: its head says 总金额(元) 130.00, and its rows add up to 100.00: the rows hold",
        "  line 4: P1-1000939 138****5678 陈* ¥100.00 paid: MATCHED, paid",
    ]
    assert "taken in before: nothing changed" in said("receipt", str(path))[0]
    waits = "P1-1000940 (¥30.00) was exported, and nothing is told of it"
    assert said("reconcile") == [
        "1 NO_RECEIPT, exported, and nothing told of it: ours ¥30.00, theirs ¥0.00",
        f"  promoter 1000940: {waits}: take in the receipt, or mark it",
    ]
    (refusal,) = said("close", "2022-12", code=1)
    assert "1 line ¥30.00 exported, and nothing told of its payout" in refusal
    assert said("mark", "P1-1000940", "paid", "--reason", "网银流水") == ["paid: P1-1000940"]
    assert said("mark", "P1-1000940", "paid", "--reason", "x") == ["paid already, nothing changed"]
    said("prepare")
    said("export", "2", "--out", str(desk.folder / "out2"))
    said("mark", "P2-1000939", "paid", "--reason", "网银流水")
    assert said("close", "2022-12") == ["2022-12 closed"]
    assert "ask to reopen it with --reason" in said("reopen", "2022-12", code=1)[0]
    assert "asked to reopen it" in said("reopen", "2022-12", "--reason", "漏了一单")[0]
    assert said("reopen", "2022-12") == ["2022-12 reopened"]
    assert said("reconcile", "2")[0].startswith("1 BY_HAND, marked paid by hand, without a receipt")


def test_where_approval_is_required_it_takes_a_log_in_as_finance(engine: Engine, database_url: str) -> None:
    operator, finance = Person(engine, "zhou", "operator"), Person(engine, "qian", "finance")
    for arguments in (
        ("mark", "P1-1000939", "paid", "--reason", "x"),
        ("receipt", "no such file"),
        ("close", "2022-12"),
        ("reopen", "2022-12", "--reason", "x"),
    ):
        given = (database_url, AT, "payout", *arguments)
        results = (typed(*given), typed_as(operator, *given), typed_as(finance, *given))
        assert [each.exit_code for each in results] == [1, 1, 1]
        by_nobody, by_operator, by_finance = (each.output for each in results)
        assert "--as" in by_nobody
        assert "takes an account that is finance or admin" in by_operator
        assert "takes" not in by_finance  # it is refused for what it asks, not for who asks


def test_one_bad_file_among_several_takes_in_none(engine: Engine, tmp_path: Path, said: Said) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("payout_id,amount_yuan,status\nP1-1000939,100.00,paid\n", encoding="utf-8")
    bad.write_text("payout_id,amount_yuan,status\nP1-1000939,100.00,pending\n", encoding="utf-8")
    assert "line 2, status" in said("receipt", str(good), str(bad), code=1)[0]
    with snapshot(engine) as connection:
        assert connection.execute(select(Receipt.name)).all() == []
