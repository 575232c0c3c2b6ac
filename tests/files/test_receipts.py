"""Payers' result files as payers write them, one file a case: what is read of it."""

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
import xlwt

from bounty.errors import RefusedFile
from bounty.payment_results.files import PaymentResultRow, read_payment_results

ALIPAY = [
    "序号",
    "创建时间",
    "订单号",
    "流水号",
    "收款账号",
    "姓名",
    "金额（元）",
    "状态",
    "备注",
    "失败原因",
]
FIRST = [
    "1",
    "2023-02-20 10:00:00",
    "20230220",
    "A1",
    "13812345678",
    "陈默",
    "100.00",
    "成功",
    "P1-1000939",
    "",
]
SECOND = [
    "2",
    "2023-02-20 10:00:00",
    "20230220",
    "A2",
    "a@b.cn",
    "李雷",
    "30.00",
    "失败",
    "P1-1000940",
    "账号不存在",
]
HEAD = [
    "账号户称",
    "示例",
    "付款账户",
    "pay@example.com",
    "总金额（元）",
    "130.00",
    "成功金额（元）",
    "100.00",
]
Rows = Sequence[Sequence[str]]
Read = tuple[tuple[str, ...], str | None, str | None, int, bool]
READ: list[Read] = [
    (("P1-1000939",), "13812345678", "陈默", 100_00, True),
    (("P1-1000940",), "a@b.cn", "李雷", 30_00, False),
]


def text(rows: Rows, delimiter: str = ",") -> str:
    told = io.StringIO()
    csv.writer(told, delimiter=delimiter).writerows(rows)
    return told.getvalue()


def as_csv(path: Path, rows: Rows) -> Path:
    path = path.with_suffix(".csv")
    path.write_bytes(text(rows).encode("gb18030"))
    return path


def as_tabs(path: Path, rows: Rows) -> Path:
    path = path.with_suffix(".txt")
    path.write_text(text(rows, "\t"), encoding="utf-8")
    return path


def as_xlsx(path: Path, rows: Rows) -> Path:
    """Amounts and phone numbers are numbers there, as banks write them."""
    path, book = path.with_suffix(".xlsx"), openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append([float(cell) if cell.replace(".", "").isdigit() else cell for cell in row])
    book.save(path)
    return path


def as_xls(path: Path, rows: Rows) -> Path:
    path, book = path.with_suffix(".xls"), xlwt.Workbook()
    sheet = book.add_sheet("回单")
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.write(at, column, cell)
    book.save(str(path))
    return path


def as_zip(path: Path, rows: Rows) -> Path:
    inner, path = as_xls(path, rows), path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "批量付款结果.xls")
    return path


def read(path: Path) -> list[Read]:
    return [plain(row) for row in read_payment_results(path).rows]


def plain(row: PaymentResultRow) -> Read:
    return row.payouts, row.account, row.name, row.amount_fen, row.paid


@pytest.mark.parametrize("write", [as_csv, as_tabs, as_xlsx, as_xls, as_zip])
def test_a_receipt_is_read_from_every_kind_of_file(
    tmp_path: Path, write: Callable[[Path, Rows], Path]
) -> None:
    file = read_payment_results(write(tmp_path / "回单", [HEAD, [], ALIPAY, FIRST, SECOND]))
    assert [plain(row) for row in file.rows] == READ
    assert file.warnings == []
    lies = read_payment_results(
        write(
            tmp_path / "错", [[*HEAD[:5], "131.00"], [], ALIPAY, FIRST, SECOND, ["合计", "2笔"], ["#-----"]]
        )
    )
    assert lies.told_sha256 == file.told_sha256
    assert [en for _, en in lies.warnings] == [
        "its head says 总金额(元) 131.00, and its rows add up to 130.00: the rows hold"
        if write is not as_xlsx
        else "its head says 总金额(元) 131, and its rows add up to 130.00: the rows hold"
    ]


def row_of(**changes: str) -> list[str]:
    return list({**dict(zip(ALIPAY, FIRST, strict=True)), **changes}.values())


def renamed(**words: str) -> list[str]:
    return [words.get(name.partition("（")[0], name) for name in ALIPAY]


ONE = [READ[0]]
STATES = {
    "付款成功": True,
    "转账成功": True,
    "交易成功": True,
    "支付成功": True,
    "已付款": True,
    "退票": False,
}
STATES |= {"付款失败": False, "转账失败": False, "交易失败": False, "已退票": False}
CASES: dict[str, tuple[Rows, list[Read]]] = {
    "the words of Alipay's newer files": (
        [
            renamed(
                收款账号="收款方支付宝账号",
                姓名="收款方姓名",
                金额="付款金额（元）",
                状态="付款状态",
                流水号="支付宝流水号",
            ),
            FIRST,
        ],
        ONE,
    ),
    "the marks of the template that was uploaded": (
        [
            renamed(
                收款账号="收款方支付宝账号（必填）",
                姓名="收款方姓名（必填）",
                金额="金额（必填，单位：元）",
                备注="备注（选填）",
            ),
            FIRST,
        ],
        ONE,
    ),
    "a bank's words": (
        [
            renamed(
                收款账号="收款方账号",
                姓名="收款方名称",
                金额="金额",
                状态="交易状态",
                备注="附言/用途",
                失败原因="退票原因",
            ),
            FIRST,
        ],
        ONE,
    ),
    "another bank's words": (
        [renamed(收款账号="收款账户", 姓名="收款人姓名", 金额="转账金额(元)", 状态="处理结果", 备注="用途"), FIRST],
        ONE,
    ),
    "the payout's id in one of two remarks": (
        [[*renamed(失败原因="附言")], row_of(备注="代发", 失败原因="推广服务费 P1-1000939")],
        ONE,
    ),
    "an id with another hyphen": ([ALIPAY, row_of(备注="推广服务费 P1–1000939")], ONE),
    "a wrapped account": ([ALIPAY, row_of(收款账号="`13812345678")], ONE),
    "an account as a formula": ([ALIPAY, row_of(收款账号='="13812345678"')], ONE),
    "an account that ends in a tab": ([ALIPAY, row_of(收款账号="13812345678\t", 流水号="\tA1")], ONE),
    "an account with a zero-width space": ([ALIPAY, row_of(收款账号="\u200b13812345678\u200e")], ONE),
    "an amount with its thousands": ([ALIPAY, row_of(**{"金额（元）": "¥100.00"})], ONE),
    "a total and a remark": ([ALIPAY, FIRST, ["合计", "", "", "", "", "", "100.00", "", "", ""], ["#-------"]], ONE),
    "a count below": ([ALIPAY, FIRST, ["共 1 笔"], ["导出时间：2023-02-20 10:00:00"]], ONE),
    "the header once more": ([ALIPAY, FIRST, ALIPAY], ONE),
    "what is under way is no news": ([ALIPAY, FIRST, row_of(状态="处理中", 备注="P1-1")], ONE),
    "no names, but ids": (
        [["付款编号", "金额(元)", "状态"], ["P1-1000939", "100", "成功"]],
        [(("P1-1000939",), None, None, 100_00, True)],
    ),
    **{
        f"status {word}": ([ALIPAY, row_of(状态=word)], [(*READ[0][:4], paid)])
        for word, paid in STATES.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_receipt_is_read_as_its_payer_means_it(tmp_path: Path, name: str) -> None:
    rows, expected = CASES[name]
    assert read(as_csv(tmp_path / "回单", rows)) == expected
    assert read(as_xls(tmp_path / "回单", rows)) == expected


REFUSED = {
    "an account that lost digits": ([ALIPAY, row_of(收款账号="6.22202E+18")], "E-ID-MANGLED 第 2 行“收款账号”"),
    "an unknown status under the file's own word": (
        [renamed(状态="付款状态"), row_of(状态="挂起")],
        "E-STATUS 第 2 行“付款状态”",
    ),
    "two columns of amounts": ([[*ALIPAY, "付款金额"], [*FIRST, "1"]], "E-HEAD 表头有重复的列：金额(元), 付款金额"),
    "no amount": ([["收款账号", "姓名", "状态"], ["1", "2", "成功"]], "E-HEAD 这不是回单"),
    "an amount in fen": ([renamed(金额="金额（分）"), FIRST], "E-HEAD 这不是回单"),
    "all under way": ([ALIPAY, row_of(状态="处理中")], "E-BLANK 回单里的付款都还在处理中"),
    "nothing but a total": ([ALIPAY, ["合计"]], "E-BLANK 回单里没有一笔付款"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_receipt_that_can_not_be_believed_is_refused(tmp_path: Path, name: str) -> None:
    rows, sentence = REFUSED[name]
    for write in (as_csv, as_xls):
        with pytest.raises(RefusedFile) as refusal:
            read(write(tmp_path / "回单", rows))
        assert refusal.value.zh.startswith(sentence), refusal.value.zh


def test_a_cell_of_a_workbook_that_holds_no_value_refuses_the_receipt(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (ALIPAY, row_of(状态='=IF(1=1,"成功","失败")')):
        book.active.append(list(row))
    book.save(tmp_path / "回单.xlsx")
    with pytest.raises(RefusedFile, match="E-FORMULA line 2, 状态"):
        read(tmp_path / "回单.xlsx")


def test_what_is_under_way_is_told_and_belongs_to_the_head_s_total(tmp_path: Path) -> None:
    under_way = row_of(状态="处理中", 备注="P1-7")
    under_way[6] = "30.00"
    file = read_payment_results(as_csv(tmp_path / "回单", [HEAD, ALIPAY, FIRST, under_way]))
    assert [en for _, en in file.warnings] == [
        "still under way, with no news yet: 1 of its payments, ¥30.00 in all"
    ]
