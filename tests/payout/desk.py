"""A tranche that was exported, and the payer's receipts of it."""

from pathlib import Path
from typing import Any

import openpyxl
import xlwt
from sqlalchemy import Engine, func, select

from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, PayoutOutcome, Receipt, ReceiptRow
from bounty.payees.encryption import PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.payment_results.files import PaymentResultFile, read_payment_results
from bounty.payment_results.service import ImportedResults, import_results, mark_by_hand, preview
from tests.factories import PROMOTER, write_text
from tests.payout.world import FEBRUARY_20, OTHER, SEAL, Paying, earning

PEOPLE = {PROMOTER: ("13812345678", "陈默"), OTHER: ("6222021234567890123", "示例（上海）有限公司")}
BANK = {PROMOTER: ("", ""), OTHER: ("中国工商银行上海徐汇支行", "102290024433")}
HEAD = (
    "账号户称,示例,付款账户,pay@example.com,订单号,1,付款状态,成功,总金额（元）,{},成功金额（元）,{},失败金额（元）,{}\r\n\r\n"
    "序号,创建时间,订单号,流水号,收款账号,姓名,金额（元）,状态,备注,失败原因\r\n"
)


class Desk(Paying):
    """A tranche of two payouts, exported: 100 yuan to the one, 30 to the other."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        super().__init__(engine, folder)
        self.folder, self.files = folder, 0
        self.payee(*PEOPLE)
        late = {"settled": "2023-02-19 00:00:00"}
        self.publish(
            earning(1),
            earning(2, 30_00, promoter_id=OTHER),
            earning(3, 7_00, **late),
            earning(4, 1_00, **late),
        )
        self.prepare()
        self.export(1)

    def payee(self, *promoter_ids: int) -> None:
        with transaction(self.engine) as connection:
            given = [
                PayeeRow(
                    2, each, PayeeDetails("bank" if each == OTHER else "alipay", *PEOPLE[each], *BANK[each])
                )
                for each in promoter_ids
            ]
            propose_payees(connection, given, SEAL, 0, reason="换号", approval_required=False)

    def file(self, text: str, encoding: str = "utf-8-sig") -> PaymentResultFile:
        self.files += 1
        return read_payment_results(write_text(self.folder / f"回单{self.files}.csv", text, encoding))

    def alipay(
        self, *rows: str, sums: tuple[str, str, str] = ("", "", ""), encoding: str = "utf-8-sig"
    ) -> PaymentResultFile:
        return self.file(HEAD.format(*sums) + "".join(f"{row}\r\n" for row in rows), encoding)

    def plain(self, *rows: str) -> PaymentResultFile:
        """Rows of payout_id, account, payee_name, amount_yuan, status, serial and reason."""
        header = "payout_id,account,payee_name,amount_yuan,status,serial,reason\n"
        return self.file(header + "".join(f"{row}\n" for row in rows))

    def workbook(self, rows: list[list[str]], ending: str) -> PaymentResultFile:
        """A receipt as a workbook of text."""
        self.files += 1
        path = self.folder / f"回单{self.files}.{ending}"
        if ending == "xls":
            old = xlwt.Workbook()
            sheet = old.add_sheet("结果")
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    sheet.write(at, column, cell)
            old.save(str(path))
        else:
            book = openpyxl.Workbook()
            assert book.active is not None
            for row in rows:
                book.active.append(row)
            book.save(path)
        return read_payment_results(path)

    def take(self, file: PaymentResultFile) -> ImportedResults:
        """Take a receipt in, as its preview foretold, and again: nothing changes."""
        with snapshot(self.engine) as connection:
            seen = preview(connection, file, SEAL)
        with transaction(self.engine) as connection:
            taken = import_results(connection, file, SEAL, FEBRUARY_20)
        assert [(each.verdict, each.why) for each in seen] == [
            (each.verdict, each.why) for each in taken.rows
        ]
        held = self.held()
        with transaction(self.engine) as connection:
            again = import_results(connection, file, SEAL, FEBRUARY_20)
        assert (again.receipt_id, again.created) == (taken.receipt_id, False)
        assert self.held() == held
        return taken

    def mark(self, *payouts: str, paid: bool = True, reason: str = "网银流水") -> list[str]:
        with transaction(self.engine) as connection:
            return mark_by_hand(connection, payouts, paid=paid, reason=reason, now=FEBRUARY_20)

    def outcomes(self) -> list[tuple[Any, ...]]:
        """Promoter, tranche, number, whether paid, reason, and the receipt's number."""
        row = PayoutOutcome
        query = select(row.promoter_id, row.tranche_id, row.number, row.paid, row.reason, row.receipt_id)
        with snapshot(self.engine) as connection:
            return [tuple(each) for each in connection.execute(query.order_by(*row.__table__.primary_key))]

    def held(self) -> list[Any]:
        with snapshot(self.engine) as connection:
            counts = [
                connection.execute(select(func.count()).select_from(each)).scalar_one()
                for each in (Receipt, ReceiptRow, AuditEvent)
            ]
        return [*counts, *self.outcomes()]
