"""Finance's month in a real browser: payees, prepare, a second person, export, receipt, paid; and the sums agree."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.factories import PROMOTER
from tests.web.test_browser import faults_of, sideways
from tests.web.test_journeys import fen_in, saved
from tests.web.world import DECEMBER, Site


def total_of(page: Page, line: int) -> int:
    """Of the control totals of a tranche: 0 net payable, 1 due, 2 held, 3 paid; whole fen."""
    return fen_in(page.locator("section[aria-labelledby=totals] tfoot tr").nth(line).inner_text())


def asked_of(archive: bytes) -> dict[str, int]:
    """What the payers' files of a tranche ask for: payout -> whole fen."""
    asked: dict[str, int] = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        for name in files.namelist():
            if name.startswith(("alipay-", "bank-")):
                head, place = (2, 3) if name.startswith("alipay-") else (1, 4)
                lines = list(csv.reader(io.StringIO(files.read(name).decode("gbk"))))
                asked |= {row[-1].split()[-1]: fen_in(f"¥{row[place]}") for row in lines[head:]}
            elif name.startswith("wechat-"):
                lines = list(csv.reader(io.StringIO(files.read(name).decode("utf-8-sig"))))
                asked |= {row[-1].split()[-1]: fen_in(f"¥{row[4]}") for row in lines[10:]}
    return asked


def receipt_of(asked: dict[str, int], failed: str, path: Path) -> Path:
    """What the payer says of them: all paid but one."""
    path.write_text(
        "payout_id,amount_yuan,status,reason\n"
        + "".join(
            f"{payout},{fen // 100}.{fen % 100:02d},{'failed,账号已注销' if payout == failed else 'paid,'}\n"
            for payout, fen in asked.items()
        ),
        encoding="utf-8",
    )
    return path


def propose(finance: Page, file: Path, *, by_form: bool) -> None:
    """A payee for who has none: by the form, paid by WeChat; or by a file, paid by bank."""
    if not by_form:
        file.write_text(
            "promoter_id,method,account,payee_name,bank_name,bank_code\n"
            f"{PROMOTER + 2},bank,6222021234561234,示例收款人,示例银行,102100099996\n",
            encoding="utf-8",
        )
        finance.set_input_files("#file", file)
        finance.get_by_role("button", name="上传并提交").click()
        return
    finance.fill("#one-promoter_id", str(PROMOTER + 2))
    finance.select_option("#one-method", "wechat")
    finance.fill("#one-payee_name", "示例收款人")
    finance.fill("#one-account", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
    finance.get_by_role("button", name="提交", exact=True).click()


@pytest.mark.parametrize(
    ("size", "javascript", "database"),
    [("desktop", True, "postgresql"), ("phone", False, "sqlite")],
    ids=["desktop-scripts-postgresql", "phone-no-scripts-sqlite"],
)
def test_finance_pays_what_is_due_and_the_receipt_says_so(
    visit: Callable[..., Page],
    own_site: Callable[..., Site],
    tmp_path: Path,
    size: str,
    javascript: bool,
    database: str,
) -> None:
    site = own_site(DECEMBER, database, paid=True)
    finance = visit(site, "finance", size=size, javascript=javascript)
    second = visit(site, "admin", size=size, javascript=javascript)

    # Somebody's money has nowhere to go: a payee for them.
    finance.goto("/")
    finance.get_by_role("link", name="收款信息", exact=True).click()
    assert "1 位推手" in finance.inner_text("main")
    propose(finance, tmp_path / "payees.csv", by_form=javascript)
    finance.get_by_text("已生效").first.wait_for()

    # Prepared again, the tranche pays them too; whoever prepared it can't approve it.
    finance.goto("/finance/tranches")
    finance.get_by_role("button", name="准备批次").click()
    finance.wait_for_url("**/tranches/3")
    assert "没有：每位推手都有收款信息" in finance.inner_text("main")
    assert finance.get_by_role("button", name="批准这个批次").count() == 0
    second.goto("/finance/tranches/3")
    second.get_by_role("button", name="批准这个批次").click()
    second.get_by_text("您已批准。").wait_for()
    finance.reload()
    due = total_of(finance, 1)
    finance.get_by_role("button", name="导出", exact=True).click()
    finance.get_by_text("已导出：下载文件").wait_for()

    # The payers' files pay just what is due; one payment comes back.
    asked = asked_of(saved(finance, "text=全部文件（ZIP）"))
    assert sum(asked.values()) == due
    failed = f"P3-{PROMOTER + 2}"
    receipt = receipt_of(asked, failed, tmp_path / "receipt.csv")
    finance.get_by_role("link", name="导入回单").click()
    finance.set_input_files("#file", receipt)
    finance.get_by_role("button", name="查看匹配").click()
    finance.get_by_text("尚未写入").wait_for()
    if javascript:  # which axe needs
        assert faults_of(finance) == ""
    assert sideways(finance) <= 0
    finance.get_by_role("button", name="确认导入").click()
    finance.get_by_text("全部匹配").wait_for()

    # What is paid, here and there.
    finance.goto("/finance/tranches/3")
    text = finance.inner_text("main")
    assert "已有结果：失败 1 笔" in text
    assert "账号已注销" in text
    paid = due - asked[failed]
    assert (
        fen_in(finance.locator("#totals").locator("xpath=../..").locator("tfoot tr").last.inner_text())
        == paid
    )
    finance.goto("/finance/reconcile?tranche=3")
    assert (
        "付款结果" not in finance.inner_text("main table") if finance.locator("main table").count() else True
    )
    promoter = visit(site, "promoter", size=size, javascript=javascript)
    promoter.goto("/payments/3")
    assert fen_in(promoter.locator("p.value").inner_text()) == asked[f"P3-{PROMOTER}"]
    assert "已发放" in promoter.inner_text(".head")
