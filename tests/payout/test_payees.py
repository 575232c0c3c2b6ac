"""Payees: taken in whole or not at all, kept sealed, shown masked, in force once a second account stands for them."""

import json
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.checks.payees import payees_changed
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.files.problems import BadRow
from bounty.models import AuditEvent, Payee, PayeeApproval, PayeeProposal
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow, read_payees
from bounty.payees.service import (
    Proposed,
    approve_payees,
    payees_in_force,
    payees_of,
    propose_payees,
    waiting_proposals,
)
from tests.factories import PROMOTER, Month, Row, command, payee, promoter, write_table
from tests.payout.world import Paying
from tests.test_rows_visited import Visited

KEY = "q7Zt-3mVx9Kd_2bWs8Ru5Yh1Jf6Gn4Lc"
NOW = 1_673_000_000
BANK = {
    "method": "bank",
    "account": "6222021234567890123",
    "payee_name": "示例（上海）有限公司",
    "bank_name": "中国工商银行上海徐汇支行",
    "bank_code": "102290024433",
}


class Desk:
    """Promoters 1, 2 and 3, and two accounts of finance."""

    def __init__(self, engine: Engine, folder: Path, *, approval_required: bool = True) -> None:
        self.engine, self.folder, self.approval_required = engine, folder, approval_required
        self.seal = PayeeCipher(KEY)
        Month(engine, folder).table("promoters", *(promoter(number) for number in (1, 2, 3)))
        with transaction(engine) as connection:
            self.ids = {
                name: add_user(
                    connection,
                    email=f"{name}@example.com",
                    name=name,
                    role="finance",
                    password="p" * 12,
                    now=1,
                )
                for name in ("qian", "sun")
            }

    def as_(self, name: str | None) -> Engine:
        return acting(self.engine, Actor(name or "command line: ops", self.ids.get(name or "")))

    def propose(self, *rows: Row, by: str | None = "qian", reason: str | None = None) -> Proposed | None:
        path = write_table(self.folder / "payees.csv", rows)
        with transaction(self.as_(by)) as connection:
            return propose_payees(
                connection,
                read_payees(path),
                self.seal,
                NOW,
                reason=reason,
                approval_required=self.approval_required,
            )

    def proposed(self, *rows: Row, by: str | None = "qian", reason: str | None = None) -> Proposed:
        found = self.propose(*rows, by=by, reason=reason)
        assert found is not None
        return found

    def approve(self, proposed: Proposed, by: str | None, sha256: str | None = None) -> bool:
        with transaction(self.as_(by)) as connection:
            return approve_payees(connection, proposed.proposal_id, sha256 or proposed.payees_sha256, NOW)

    def in_force(self) -> dict[int, tuple[int, str]]:
        """Promoter -> proposal and account, in plain."""
        with snapshot(self.engine) as connection:
            rows = connection.execute(payees_in_force()).all()
        return {
            row.promoter_id: (
                row.proposal_id,
                self.seal.open(row.promoter_id, row.proposal_id, row.secret).account,
            )
            for row in rows
        }

    def rows(self, query: Any) -> list[Any]:
        with snapshot(self.engine) as connection:
            return list(connection.execute(query))


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


def test_a_proposal_is_in_force_once_a_second_account_approves_it(desk: Desk) -> None:
    first = desk.proposed(payee(1), payee(2, **BANK))
    assert (first.proposal_id, first.payees, first.in_force, first.created) == (1, 2, False, True)
    assert desk.in_force() == {}
    assert [row.proposed_by for row in desk.rows(waiting_proposals())] == ["qian@example.com"]
    assert desk.approve(first, "sun")
    assert desk.in_force() == {1: (1, "13812345678"), 2: (1, BANK["account"])}
    assert not desk.approve(first, "sun")
    assert desk.rows(waiting_proposals()) == []


def test_neither_its_proposer_nor_nobody_nor_who_saw_another_approves(desk: Desk) -> None:
    first = desk.proposed(payee(1))
    with pytest.raises(BountyError, match="Whoever proposed"):
        desk.approve(first, "qian")
    with pytest.raises(BountyError, match="needs an account"):
        desk.approve(first, None)
    with pytest.raises(BountyError, match="no longer the one you saw"):
        desk.approve(first, "sun", "0" * 64)
    assert desk.in_force() == {}


def test_nobody_proposes_where_an_account_approves(desk: Desk) -> None:
    """Or whoever has the shell would propose without a name, and approve as themselves."""
    with pytest.raises(BountyError, match="log in with --as"):
        desk.propose(payee(1), by=None)


def test_what_is_in_force_already_is_left_out_and_a_change_needs_a_reason(desk: Desk) -> None:
    desk.approve(desk.proposed(payee(1), payee(2, **BANK)), "sun")
    assert desk.propose(payee(2, **BANK), payee(1)) is None
    moved = payee(1, account="ab.cd@example.com")
    with pytest.raises(BountyError, match="promoter 1 would change: say why"):
        desk.propose(moved, payee(2, **BANK), payee(3))
    with pytest.raises(BountyError, match="say why"):
        desk.propose(moved, reason="  ")
    second = desk.proposed(moved, payee(2, **BANK), payee(3), reason="换号")
    assert (second.proposal_id, second.payees) == (2, 2)
    assert desk.in_force() == {1: (1, "13812345678"), 2: (1, BANK["account"])}
    desk.approve(second, "sun")
    assert desk.in_force() == {1: (2, "ab.cd@example.com"), 2: (1, BANK["account"]), 3: (2, "13812345678")}


def test_a_file_that_waits_already_waits_once(desk: Desk) -> None:
    first = desk.proposed(payee(1))
    again = desk.proposed(payee(1), by="sun")
    assert (again.proposal_id, again.created) == (first.proposal_id, False)
    assert desk.proposed(payee(1), payee(2)).proposal_id == 2
    acts = select(AuditEvent.act, AuditEvent.subject).where(AuditEvent.act.like("payees.%"))
    assert [tuple(row) for row in desk.rows(acts)] == [
        ("payees.propose", "payees 1"),
        ("payees.propose", "payees 2"),
    ]


def test_where_no_approval_is_required_a_proposal_stands_for_itself(engine: Engine, tmp_path: Path) -> None:
    desk = Desk(engine, tmp_path, approval_required=False)
    assert desk.proposed(payee(1)).in_force
    assert desk.in_force() == {1: (1, "13812345678")}
    assert [row.user_id for row in desk.rows(select(PayeeApproval.user_id))] == [None]


def test_each_act_is_one_event_with_the_hash_and_no_secret(desk: Desk) -> None:
    first = desk.proposed(payee(1), reason="首次登记")
    desk.approve(first, "sun")
    events = desk.rows(select(AuditEvent.__table__).where(AuditEvent.act.like("payees.%")))
    assert [(row.act, row.user_id, row.reason) for row in events] == [
        ("payees.propose", desk.ids["qian"], "首次登记"),
        ("payees.approve", desk.ids["sun"], None),
    ]
    assert json.loads(events[0].after) == {
        "payees": 1,
        "payees_sha256": first.payees_sha256,
        "in_force": False,
    }
    assert json.loads(events[1].after) == {"payees_sha256": first.payees_sha256}


def test_people_see_masks(desk: Desk) -> None:
    desk.proposed(payee(1), payee(2, **BANK), payee(3, account="abc@example.com", payee_name="John Smith"))
    shown = desk.rows(select(Payee.shown_account, Payee.shown_name).order_by(Payee.promoter_id))
    assert [tuple(row) for row in shown] == [
        ("138****5678", "陈*"),
        ("**** 0123", "示***"),
        ("ab***@example.com", "J***"),
    ]


def test_another_key_and_another_promoter_open_nothing() -> None:
    details = PayeeDetails("alipay", "13812345678", "陈默", "", "")
    secret = PayeeCipher(KEY).close(1, 1, details)
    assert PayeeCipher(KEY).open(1, 1, secret) == details
    for seal, promoter_id, proposal_id, held in (
        (PayeeCipher(KEY + "x"), 1, 1, secret),
        (PayeeCipher(KEY), 2, 1, secret),
        (PayeeCipher(KEY), 1, 2, secret),
        (PayeeCipher(KEY), 1, 1, secret[:-4] + b"AAA="),
    ):
        with pytest.raises(BountyError, match=f"promoter {promoter_id} .* can't be read"):
            seal.open(promoter_id, proposal_id, held)
    assert PayeeCipher(KEY).fingerprint(details) == PayeeCipher(KEY).fingerprint(details)
    assert PayeeCipher(KEY).fingerprint(details) != PayeeCipher(KEY + "x").fingerprint(details)


BAD = [
    (payee(1, method="paypal"), "method: E-PAYEE write alipay, bank or wechat"),
    (payee(1, account="12812345678"), "account: E-PAYEE an Alipay account is"),
    (payee(1, account="1381234567"), "account: E-PAYEE an Alipay account is"),
    (payee(1, account="+a@example.com"), "account: E-PAYEE an Alipay account is"),
    (payee(1, account="a@example"), "account: E-PAYEE an Alipay account is"),
    (payee(1, account=""), "account: E-BLANK"),
    (payee(1, bank_name="工商银行"), "bank_name: E-PAYEE leave it blank"),
    (payee(1, payee_name=" "), "payee_name: E-BLANK"),
    (payee(1, payee_name="=陈默"), "payee_name: E-PAYEE it holds no commas"),
    (payee(1, payee_name="＠陈默"), "payee_name: E-PAYEE it holds no commas"),
    (payee(1, payee_name="陈,默"), "payee_name: E-PAYEE it holds no commas"),
    (payee(1, payee_name='陈"默'), "payee_name: E-PAYEE it holds no commas"),
    (payee(1, payee_name="陈\n默"), "payee_name: E-PAYEE it holds no commas"),
    (payee(1, payee_name="陈\x07默"), "payee_name: E-CTRL"),
    (payee(1, payee_name="𠮷田"), "payee_name: E-PAYEE it holds a character that GBK lacks"),
    (payee(1, payee_name="陈" * 61), "payee_name: E-LIMIT"),
    (payee(1, **BANK | {"account": "1234567"}), "account: E-PAYEE write a bank account"),
    (payee(1, **BANK | {"account": "6222 0212 x456"}), "account: E-PAYEE write a bank account"),
    (payee(1, **BANK | {"account": "6.22202E+18"}), "account: E-ID-MANGLED"),
    (payee(1, **BANK | {"account": "6222021234567890000"}), "account: E-ID-MANGLED"),
    (payee(1, **BANK | {"bank_name": ""}), "bank_name: E-BLANK"),
    (payee(1, **BANK | {"bank_code": "10229002443"}), "bank_code: E-PAYEE write the bank's code"),
    (payee(4), "promoter_id: E-PAYEE this promoter is not known"),
    (payee(0), "promoter_id: E-ID"),
]


def test_one_bad_row_and_nothing_is_taken_in(desk: Desk) -> None:
    for row, said in BAD:
        with pytest.raises(BountyError) as refusal:
            desk.propose(payee(2), row)
        assert str(refusal.value).startswith("1 of 2 rows are wrong, and none was taken in: line 3 "), row
        assert said in str(refusal.value), row
        assert "13812345678" not in str(refusal.value)
    assert desk.rows(select(PayeeProposal.proposal_id)) == []


def test_a_promoter_stands_once_and_the_first_bad_rows_are_told(desk: Desk) -> None:
    with pytest.raises(
        BountyError, match="line 3 promoter_id: E-PAYEE the promoter stands in line 2 already"
    ):
        desk.propose(payee(1), payee(1, account="a@example.com"))
    with pytest.raises(BountyError, match=r"^4 of 4 rows .*line 2 .*; line 3 .*; line 4 .* \.\.\.$"):
        desk.propose(*(payee(number, method="") for number in (1, 2, 3, 1)))


def test_files_of_excel_are_read_as_any_other(desk: Desk, tmp_path: Path) -> None:
    path = write_table(tmp_path / "gbk.csv", [payee(1, account="'１３８12345678 ")], "gbk")
    with transaction(desk.as_("qian")) as connection:
        proposed = propose_payees(
            connection, read_payees(path), desk.seal, NOW, reason=None, approval_required=False
        )
    assert proposed is not None
    assert desk.in_force() == {1: (1, "13812345678")}


def test_a_workbook_is_read_too_and_what_its_numbers_lost_is_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "payees.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["promoter_id", "method", "account", "payee_name", "bank_name"])
        sheet.write_row(1, 0, [1, "alipay", 13812345678, "陈默"])
        sheet.write_row(2, 0, [2, "bank", "6222021234567890123", "李雷", "中国银行"])
        sheet.write_row(3, 0, [3, "bank", 6222021234567890123, "韩梅梅", "中国银行"])
    good_one, good_two, bad = read_payees(path)
    assert isinstance(good_one, PayeeRow)
    assert isinstance(good_two, PayeeRow)
    assert (good_one.details.account, good_two.details.account) == ("13812345678", "6222021234567890123")
    assert isinstance(bad, BadRow)
    assert (bad.place, bad.column, bad.code) == (4, "account", "E-ID-MANGLED")
    assert "6222" not in str(bad)


def test_the_books_hold_no_account_and_no_name_in_plain(desk: Desk, database_url: str) -> None:
    desk.approve(desk.proposed(payee(1), payee(2, **BANK), payee(3, account="abc@example.com")), "sun")
    with pytest.raises(BountyError):
        desk.propose(payee(1, account="13912345679", bank_name="x"), payee(4, account="13712345670"))
    secrets = ["13812345678", "13912345679", "13712345670", "abc@example.com", "陈默", *BANK.values()]
    secrets.remove("bank")
    with snapshot(desk.engine) as connection:
        for table in Payee.metadata.sorted_tables:
            rows = connection.execute(select(table)).all()
            held = "".join(str(row).replace("\\\\", "\\") for row in rows)
            assert not [secret for secret in secrets if secret in held], table.name
    if desk.engine.dialect.name == "sqlite":
        path = Path(desk.engine.url.database or "")
        for part in (path, path.with_name(f"{path.name}-wal")):
            content = part.read_bytes() if part.exists() else b""
            assert not [secret for secret in secrets if secret.encode() in content]


def test_the_check_finds_what_was_changed_behind_it(desk: Desk) -> None:
    first = desk.proposed(payee(1), payee(2, **BANK))
    desk.approve(first, "sun")
    second = desk.proposed(payee(1, account="ab@example.com"), payee(3), reason="换号")
    with snapshot(desk.engine) as connection:
        assert payees_changed(connection) == 0
    drop_guards(desk.engine)
    sun, qian = desk.ids["sun"], desk.ids["qian"]
    swapped = "shown_account, secret, fingerprint"
    tampering = {
        "another's secret": f"UPDATE payees SET ({swapped}) = (SELECT {swapped} FROM payees WHERE promoter_id = 2) "
        "WHERE promoter_id = 1 AND proposal_id = 1",
        "an account shown otherwise": "UPDATE payees SET shown_account = '139****0000' WHERE promoter_id = 3",
        "a payee taken out": "DELETE FROM payees WHERE promoter_id = 3",
        "a reason put otherwise": "UPDATE payee_proposals SET reason = 'x' WHERE proposal_id = 2",
        "a proposer put otherwise": "UPDATE payee_proposals SET proposed_by_id = NULL WHERE proposal_id = 1",
        "an approval put in": f"INSERT INTO payee_approvals VALUES (2, {sun}, {NOW})",
        "an approval of nobody's": f"INSERT INTO payee_approvals VALUES (2, NULL, {NOW})",
        "an approval of the proposer's": f"UPDATE payee_approvals SET user_id = {qian}",
        "an approval taken out": "DELETE FROM payee_approvals",
        "a proposal taken out whole": "DELETE FROM payees WHERE proposal_id = 2; DELETE FROM payee_proposals "
        "WHERE proposal_id = 2",
    }
    for what, statements in tampering.items():
        with desk.engine.connect() as connection, connection.begin() as attempt:
            for statement in statements.split("; "):
                connection.exec_driver_sql(statement)
            assert payees_changed(connection) > 0, what
            attempt.rollback()
    assert second.proposal_id == 2


def drop_guards(engine: Engine) -> None:
    """Let the tables of payees be changed, as whoever holds the file can."""
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            for table in ("payees", "payee_proposals", "payee_approvals"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            return
        found = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'payee%'"
        )
        for (name,) in found.all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")


def test_the_commands_take_in_and_show_masked(desk: Desk, database_url: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "payees.csv", [payee(1), payee(2, **BANK)])
    at = "2023-01-20T00:00:00+08:00"
    told = command(database_url, at, "payees", "import", str(path))
    assert (told.exit_code, told.stderr) == (0, "")
    assert f"{path} read=2 changed=2: proposal 1 in force" in told.stdout
    assert "nothing changed" in command(database_url, at, "payees", "import", str(path)).stdout
    listed = command(database_url, at, "payees", "list").stdout
    assert listed.splitlines() == [
        "1 alipay 138****5678 陈*, proposal 1",
        "2 bank **** 0123 示***, proposal 1",
    ]
    write_table(path, [payee(1, account="nobody"), payee(2, **BANK)])
    refused = command(database_url, at, "payees", "import", str(path))
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert "1 of 2 rows are wrong" in refused.stderr
    assert "nobody" not in refused.stderr


def test_a_proposal_of_many_visits_each_payee_a_few_times(engine: Engine, tmp_path: Path) -> None:
    many = range(PROMOTER, PROMOTER + 1_500)
    paying = Paying(engine, tmp_path, promoters=[promoter(each) for each in many])
    paying.payee(*many)
    visited = Visited(engine)
    with snapshot(engine) as connection:
        rows = connection.execute(payees_of(1)).all()
    assert [row.promoter_id for row in rows] == [*many]
    assert {(row.was_method, row.was_account) for row in rows} == {("alipay", rows[0].shown_account)}
    assert visited.count < {"sqlite": 600_000, "postgresql": 30_000}[engine.dialect.name]
