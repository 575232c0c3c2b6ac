"""The one thing to do next in a period. Decided from what is given; asks nothing."""

from dataclasses import dataclass

from bounty.clock import shown
from bounty.notices.late_facts import in_words
from bounty.notices.period_status import PeriodStatus
from bounty.release.checklist import Checklist, ChecklistCode
from bounty.release.next_code import AfterNotice, next_code
from bounty.rules.clause_texts import deadline_text


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one thing to do next."""

    zh: str
    en: str
    why_zh: str
    """What it waits for, and until when."""
    why_en: str
    place: str
    """Where it is done: IMPORTS, QUARANTINE, ROSTER or SETTLING."""
    do_zh: str
    """On the button."""
    do_en: str


def next_step(
    stage: PeriodStatus, found: Checklist, came: AfterNotice, *, approval_required: bool
) -> NextStep:
    """What to do next, before a settlement and after it: ``next_code`` in words."""
    following = next_code(stage, found, came, approval_required=approval_required)
    if stage.state == "CLOSED":
        return NextStep(
            "本期已关账",
            "The period is closed",
            "每一行都已付清、作废或结转；要改动，须由两人重新打开",
            "every line is paid, void or carried; to change anything, two people reopen it",
            "SETTLING",
            "查看公示",
            "See its notices",
        )
    if following.code == "SETTLE_AGAIN":
        return _again(came)
    if stage.draft is not None:
        return _between(stage, found, approval_required=approval_required)
    if not stage.notices:
        return _before(stage, found)
    number = stage.notices[0].notice
    if following.code == "PREPARE_PAYOUT":
        return NextStep(
            f"第 {number} 号公示已发布，可以准备付款批次",
            f"Notice {number} is out: a tranche can be prepared",
            "已有佣金结算的订单等待付款，由财务准备批次",
            "orders whose commission has settled wait to be paid; finance prepares the tranche",
            "SETTLING",
            "查看公示",
            "See the notice",
        )
    return NextStep(
        f"第 {number} 号公示已发布",
        f"Notice {number} is out",
        "有更正或迟到的数据时，再核算一次，作为下一号公示",
        "if a correction or late data arrives, settle again: it becomes the next notice",
        "SETTLING",
        "查看公示与再次核算",
        "See it, or settle again",
    )


def _again(came: AfterNotice) -> NextStep:
    if came.draft_is_outdated or came.late is None:
        return NextStep(
            "再次核算",
            "Settle again",
            "草稿之后有达标被取消，这份草稿不能公示",
            "a pass was taken back since the draft, which can't be published",
            "SETTLING",
            "去再次核算",
            "Go and settle again",
        )
    zh, en = in_words(came.late)
    return NextStep(
        "公示之后有新数据：再次核算",
        "Data came after the notice: settle again",
        zh,
        en,
        "SETTLING",
        "去再次核算",
        "Go and settle again",
    )


def _before(stage: PeriodStatus, found: Checklist) -> NextStep:
    waits = found.quarantined
    bounds = stage.bounds
    starts = shown(bounds.task_from)[:10]
    (ends, ends_en), (cutoff, cutoff_en) = (
        deadline_text(instant, year=True) for instant in (bounds.task_until, bounds.receipt_cutoff)
    )
    if stage.state == "UPCOMING":
        return NextStep(
            "核对名单与目标",
            "Look through the roster and its targets",
            f"推广期 {starts} 开始",
            f"the task window begins {starts}",
            "ROSTER",
            "查看名单",
            "See the roster",
        )
    ready = stage.state == "READY_TO_SETTLE"
    half = found.failed.get("UNFINISHED")
    if half is not None:
        return NextStep(
            "先把文件导入完",
            "Finish the import first",
            half.zh,
            half.en,
            "IMPORTS",
            "去导入",
            "Go to imports",
        )
    missing = next((found.failed[code] for code in ("FRESH", "COVERAGE") if code in found.failed), None)
    if ready and missing is not None:
        return NextStep(
            f"导入截至 {cutoff} 的订单数据",
            f"Import the orders up to the cutoff, {cutoff_en}",
            f"{ChecklistCode.labels()[missing.code][0]}：{missing.zh}",
            f"{ChecklistCode.labels()[missing.code][1]}: {missing.en}",
            "IMPORTS",
            "导入订单",
            "Import orders",
        )
    if waits:
        rows = "1 quarantined row" if waits == 1 else f"{waits} quarantined rows"
        return NextStep(
            f"处理 {waits} 条隔离行{'，然后核算' if ready else ''}",
            f"Mend {rows}{', then settle' if ready else ''}",
            f"逐条修正，或写明理由放弃；收货截止 {cutoff}",
            f"mend each, or dismiss it with a reason; receipts count until {cutoff_en}",
            "QUARANTINE",
            "处理隔离行",
            "Mend the rows",
        )
    if not ready:
        return NextStep(
            "继续导入订单",
            "Keep importing orders",
            f"推广期至 {ends}，收货截止 {cutoff}，之后可以核算",
            f"the task window ends {ends_en}, receipts count until {cutoff_en}; then it can be settled",
            "IMPORTS",
            "导入订单",
            "Import orders",
        )
    return NextStep(
        "核算",
        "Settle",
        f"收货截止 {cutoff} 已过，没有等待处理的行",
        f"the receipt cutoff, {cutoff_en}, has passed, and no row waits",
        "SETTLING",
        "去核算",
        "Go and settle",
    )


_PLACES = {"QUARANTINE": "QUARANTINE", "FRESH": "IMPORTS", "UNFINISHED": "IMPORTS"}
"""Code of a line of the checklist -> where it is answered, if not where the period is settled."""


def _between(stage: PeriodStatus, found: Checklist, *, approval_required: bool) -> NextStep:
    off = [line for line in found.lines if not line.passes]
    if off:
        line, place = off[0], _PLACES.get(off[0].code, "SETTLING")
        do_zh, do_en = {
            "QUARANTINE": ("处理隔离行", "Mend the rows"),
            "IMPORTS": ("导入订单", "Import orders"),
            "SETTLING": ("去核算与公示", "Go to settle and publish"),
        }[place]
        lines = "1 line" if len(off) == 1 else f"{len(off)} lines"
        return NextStep(
            f"检查清单还差 {len(off)} 项",
            f"{lines} of the checklist to go",
            f"{ChecklistCode.labels()[line.code][0]}：{line.zh}",
            f"{ChecklistCode.labels()[line.code][1]}: {line.en}",
            place,
            do_zh,
            do_en,
        )
    draft = stage.draft
    assert draft is not None, "between a draft and its notice"
    if approval_required and stage.approvals_missing:
        return NextStep(
            "请第二人批准草稿",
            "Have a second person approve the draft",
            f"核算 {draft.settlement_id} 还差 {stage.approvals_missing} 人批准；经办人本人不算",
            f"settlement {draft.settlement_id} needs {stage.approvals_missing} more; whoever made it does not count",
            "SETTLING",
            "去批准",
            "Go and approve",
        )
    number = stage.notices[0].notice + 1 if stage.notices else 1
    return NextStep(
        f"公示（第 {number} 号）",
        f"Publish notice {number}",
        "检查清单已通过；公示后内容不再改变",
        "the checklist is clean; once published, nothing of it changes",
        "SETTLING",
        "去公示",
        "Go and publish",
    )
