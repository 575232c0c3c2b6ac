"""A tranche leaves as files that payers take and people can add up: to the byte, in parts, and the same every time."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.db import transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, TrancheStep
from bounty.money import shown_yuan
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.tranches.export import Exported, export_tranche
from bounty.tranches.files import content_sha256
from bounty.tranches.payer_files import (
    ALIPAY_HEAD,
    BANK_HEAD,
    Payer,
    Payment,
    alipay_parts,
    bank_parts,
    refused_words,
    unfit_remark,
)
from config import Settings
from tests.factories import PROMOTER, command, promoter, rows_of
from tests.payout.world import JANUARY_20, OTHER, SEAL, Paying, earning

HELD = 1000941
PAYER = Payer("推广服务费", 1000)
BY_ALIPAY = PayeeDetails("alipay", "13812345678", "陈默", "", "")
BY_BANK = PayeeDetails(
    "bank", "6222021234567890123", "示例（上海）公司", "中国工商银行徐汇支行", "102290024433"
)
SAMPLES = Path(__file__).parents[1] / "samples"
AT = "2023-01-20T00:00:00+08:00"


@pytest.fixture
def paying(engine: Engine, tmp_path: Path) -> Paying:
    """A tranche of 100.00 by Alipay, 30.50 by bank, and 7.00 that has nowhere to go."""
    made = Paying(engine, tmp_path, promoters=[promoter(), promoter(OTHER), promoter(HELD)])
    made.publish(
        earning(1, 100_00),
        earning(2, 30_50, promoter_id=OTHER),
        earning(3, 7_00, promoter_id=HELD),
    )
    propose(made, {PROMOTER: BY_ALIPAY, OTHER: BY_BANK})
    made.prepare()
    return made


def propose(paying: Paying, payees: dict[int, PayeeDetails]) -> None:
    given = [PayeeRow(2, promoter_id, details) for promoter_id, details in payees.items()]
    with transaction(paying.engine) as connection:
        propose_payees(connection, given, SEAL, 0, reason="x", approval_required=False)


def export(
    paying: Paying, folder: Path, *, payer: Payer = PAYER, required: bool = False, **how: Any
) -> Exported:
    seal = how.get("seal", SEAL)
    return export_tranche(
        paying.engine, how.get("tranche", 1), folder, seal, payer, JANUARY_20, approval_required=required
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file()]


def test_the_payers_files_begin_as_their_templates() -> None:
    assert ALIPAY_HEAD.encode("gbk") == (SAMPLES / "alipay_batch_template.csv").read_bytes()
    assert BANK_HEAD.encode("gbk") == (SAMPLES / "mybank_template.csv").read_bytes()


def test_every_file_to_the_byte(paying: Paying, tmp_path: Path) -> None:
    manifest = export(paying, tmp_path / "out").manifest
    files = contents(tmp_path / "out")
    assert [*files] == [
        "alipay-1-1.csv",
        "bank-1-1.csv",
        "manifest.json",
        "payouts.csv",
        "tranche-1.xlsx",
        "tranche_lines.csv",
    ]
    assert files["alipay-1-1.csv"].decode("gbk") == (
        f"{ALIPAY_HEAD}1,13812345678,陈默,100.00,推广服务费 P1-1000939\r\n"
    )
    assert files["bank-1-1.csv"].decode("gbk") == (
        f"{BANK_HEAD}示例（上海）公司,6222021234567890123,中国工商银行徐汇支行,102290024433,30.50,"
        "推广服务费 P1-1000940\r\n"
    )
    states = [(row["promoter_id"], row["state"], row["reason"]) for row in rows_of(files["payouts.csv"])]
    assert states == [("1000939", "DUE", ""), ("1000940", "DUE", ""), ("1000941", "HELD", "NO_PAYEE")]
    assert json.loads(files["manifest.json"]) == manifest
    assert manifest["totals"] == {
        "lines": 3,
        "lines_fen": 137_50,
        "carry_in_fen": 0,
        "payouts": 3,
        "payable_fen": 137_50,
        "due": 2,
        "due_fen": 130_50,
        "held": 1,
        "held_fen": 7_00,
    }
    for file in manifest["files"]:
        assert hashlib.sha256(files[file["name"]]).hexdigest() == file["sha256"]
    hashes = {file["name"]: file["sha256"] for file in manifest["files"]}
    assert manifest["content_sha256"] == content_sha256(
        JANUARY_20, hashes["tranche_lines.csv"], hashes["payouts.csv"]
    )
    shown = b"".join(files[name] for name in ("payouts.csv", "tranche-1.xlsx", "manifest.json"))
    assert b"13812345678" not in shown


def test_again_is_the_same_and_is_remembered_once(paying: Paying, tmp_path: Path) -> None:
    export(paying, tmp_path / "out")
    first = contents(tmp_path / "out")
    export(paying, tmp_path / "out")
    export(paying, tmp_path / "elsewhere")
    assert contents(tmp_path / "out") == contents(tmp_path / "elsewhere") == first
    with transaction(paying.engine) as connection:
        steps = connection.execute(select(TrancheStep.step)).scalars().all()
        acts = connection.execute(select(AuditEvent.act).where(AuditEvent.act == "payout.export")).all()
    assert (steps, len(acts)) == (["EXPORTED"], 1)
    assert paying.tranche(1).state == "exported"


def test_parts_of_an_older_export_do_not_linger(paying: Paying, tmp_path: Path) -> None:
    out = tmp_path / "out"
    propose(paying, {HELD: BY_ALIPAY})
    paying.prepare()
    export(paying, out, tranche=2, payer=Payer("", 1))
    assert {"alipay-2-1.csv", "alipay-2-2.csv"} < contents(out).keys()
    (out / "alipay-notes.csv").write_text("ours")
    export(paying, out, tranche=2)
    assert {name for name in contents(out) if name.startswith("alipay")} == {
        "alipay-2-1.csv",
        "alipay-notes.csv",
    }


def test_what_lacks_an_approval_or_its_key_does_not_leave(paying: Paying, tmp_path: Path) -> None:
    with pytest.raises(BountyError, match="needs the approval"):
        export(paying, tmp_path / "out", required=True)
    assert not (tmp_path / "out").exists()
    with pytest.raises(BountyError, match="BOUNTY_PAYEE_KEY is not"):
        export(paying, tmp_path / "out", seal=PayeeCipher("another"))
    (tmp_path / "file").write_text("")
    with pytest.raises(BountyError, match="can't be written"):
        export(paying, tmp_path / "file" / "out")
    assert paying.tranche(1).state == "prepared"
    assert contents(tmp_path / "out") == {}


def test_what_was_stopped_half_way_is_exported_again_whole(paying: Paying, tmp_path: Path) -> None:
    export(paying, tmp_path / "whole")
    out = tmp_path / "out"
    (out / "bank-1-1.csv").mkdir(parents=True)  # where no file can come to stand
    (out / "manifest.json").write_text("of an older export")
    with pytest.raises(BountyError, match="can't be written"):
        export(paying, out)
    assert "manifest.json" not in files_in(out)
    assert not [name for name in files_in(out) if name.endswith(".part")]
    (out / "bank-1-1.csv").rmdir()
    export(paying, out)
    assert contents(out) == contents(tmp_path / "whole")


def test_only_their_owner_reads_the_payers_files(paying: Paying, tmp_path: Path) -> None:
    export(paying, tmp_path / "out")
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out").iterdir()} == {0}


@pytest.mark.parametrize(("payments", "parts"), [(0, []), (999, [999]), (1000, [1000]), (1001, [1000, 1])])
def test_a_part_holds_what_the_payer_takes(payments: int, parts: list[int]) -> None:
    def given() -> Any:
        return (Payment(f"P1-{at}", at, BY_ALIPAY) for at in range(1, payments + 1))

    for make, head in ((alipay_parts, ALIPAY_HEAD), (bank_parts, BANK_HEAD)):
        made = list(make(1, given(), PAYER))
        assert [fact.rows for fact, _ in made] == parts
        assert sum(fact.sum_fen for fact, _ in made) == sum(range(1, payments + 1))
        for (fact, content), rows in zip(made, parts, strict=True):
            lines = content.decode("gbk").removeprefix(head).split("\r\n")
            assert (len(lines), lines[-1]) == (rows + 1, "")
            assert fact.sha256 == hashlib.sha256(content).hexdigest()
    numbers = [
        part.decode("gbk").split("\r\n")[2].split(",")[0] for _, part in alipay_parts(1, given(), PAYER)
    ]
    assert numbers == ["1"] * len(parts)


def test_a_remark_is_short_plain_and_free_of_what_payers_refuse() -> None:
    assert unfit_remark("推广服务费") is None
    assert unfit_remark("") is None
    for remark in ("推" * 21, "推,广", '推"广', "推\n广", "=推广", "推广𠮷", " -推广"):
        assert unfit_remark(remark) is not None, remark
        with pytest.raises(ValueError, match="payout_remark"):
            Settings(payout_remark=remark)
    assert refused_words("推广服务费") == ()
    assert refused_words("推广补贴奖金") == ("补贴", "奖金")


def test_the_command_exports_and_warns(
    paying: Paying, database_url: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("BOUNTY_PAYEE_KEY", "a key of the tests, which keeps no secret")
    monkeypatch.setenv("BOUNTY_PAYOUT_REMARK", "补贴")
    told = command(database_url, AT, "payout", "export", "1", "--out", str(tmp_path / "out"))
    assert (told.exit_code, "remark says 补贴" in told.stderr) == (0, True)
    assert f"alipay-1-1.csv 1 row ¥{shown_yuan(100_00)}" in told.stdout
    assert contents(tmp_path / "out")["alipay-1-1.csv"].decode("gbk").endswith("补贴 P1-1000939\r\n")
