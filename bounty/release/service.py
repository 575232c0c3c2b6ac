"""What people do about a checklist: run the checks, let a line pass, approve and publish what they saw."""

from sqlalchemy import Connection, Engine, insert

from bounty.audit.service import actor_of, record
from bounty.checks.books import CHECKS, Finding, run_checks
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import Waiver
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.notices.service import PublishedNotice, publish
from bounty.release.checklist import CHECKED, WAIVABLE, ChecklistCode, checklist
from bounty.rules.periods import Period
from bounty.settlement.approval import approve
from bounty.settlement.period_lock import require_not_closed


def keep_checks(connection: Connection, period: Period, findings: list[Finding], now: int) -> None:
    """Keep what a run of the checks found, for the newest settlement of a period.

    findings   of ``checks.books.run_checks``, read in a snapshot of their own: they take long, and nobody has to wait
    """
    newest = period_status(connection, period, now).newest
    found = {
        "checks": len(CHECKS),
        "violations": {finding.name: finding.violations for finding in findings if finding.violations},
        "settlement": None if newest is None else newest.settlement_id,
    }
    record(connection, CHECKED, str(period), now, after=found)


def waive(
    connection: Connection,
    period: Period,
    settlement_id: int,
    line: str,
    reason: str,
    now: int,
    *,
    approval_required: bool,
) -> bool:
    """Answer for a line of the checklist of the newest draft, with a reason; whether it was needed. Where the line
    holds, or is answered for, nothing changes.

    settlement_id       the draft that the person saw
    approval_required   whether it takes an account, and one that did not make the draft

    Raises BountyError without a reason, from the draft's maker or nobody where another account is needed, for a line
    that nobody can waive, and where the newest draft is no longer what was seen.
    """
    actor, stage = actor_of(connection), period_status(connection, period, now)
    if approval_required and actor.user_id is None:
        raise BountyError("A waiver needs an account: log in with --as EMAIL.", "放行需要账号：请先登录。")
    reason = reason.strip()
    if not reason or len(reason) > 500:
        raise BountyError(
            "Say why it may pass, in at most 500 characters.", "请写明放行理由，不超过 500 字。"
        )
    _require_seen(stage, settlement_id)
    if line not in WAIVABLE:
        raise BountyError(
            f"{line} can't be waived: it has to hold. What can be is {', '.join(WAIVABLE)}.",
            "这一项不能放行：必须满足后才能公示。",
        )
    found = next((each for each in checklist(connection, stage, now).lines if each.code == line), None)
    if found is None or found.passes:
        return False
    maker = None if stage.draft is None else stage.draft.prepared_by_id
    if approval_required and maker == actor.user_id:
        raise BountyError(
            "Whoever made a draft can't answer for a line of its checklist: let a second person do so.",
            "经办人不能为自己草稿的检查项放行：请由另一人写明理由。",
        )
    connection.execute(
        insert(Waiver).values(
            settlement_id=settlement_id, line=line, reason=reason, user_id=actor.user_id, waived_at=now
        )
    )
    record(
        connection,
        "settlement.waive",
        str(period),
        now,
        after={"settlement": settlement_id, "line": line, "found": found.en},
        reason=reason,
    )
    return True


def approve_seen(
    connection: Connection, period: Period, settlement_id: int, content_sha256: str, now: int
) -> None:
    """Approve the newest draft as it was seen, once its checklist is clean: what is waived is seen by two.

    Raises BountyError as ``approval.approve`` does, and while a line of the checklist is open.
    """
    stage = period_status(connection, period, now)
    _require_seen(stage, settlement_id)
    _require_clean(connection, stage, now)
    approve(connection, period, settlement_id, content_sha256, now)


def publish_checked(
    connection: Connection,
    period: Period,
    now: int,
    *,
    approval_required: bool,
    seen: tuple[int, str] | None = None,
) -> PublishedNotice:
    """Publish the newest draft as the next notice, once its checklist is clean: for the shell and the pages alike.
    Without a draft, the newest notice stands as it is.

    seen   settlement_id and content_sha256 of the draft that a person saw on a page; null in the shell

    Raises BountyError as ``notices/service.py`` does, while a line of the checklist is open, and where the newest
    draft is no longer what was seen.
    """
    stage = period_status(connection, period, now)
    if seen is not None:
        _require_seen(stage, *seen)
    if stage.draft is not None:
        require_not_closed(connection, period)
        _require_clean(connection, stage, now, approval_required=approval_required)
    return publish(connection, period, now, approval_required=approval_required)


def checks_to_run(connection: Connection, period: Period, now: int) -> bool:
    """Whether the books have not checked themselves since the newest draft of a period was made."""
    stage = period_status(connection, period, now)
    if stage.draft is None:
        return False
    checks = checklist(connection, stage, now).failed.get("CHECKS")
    return checks is not None and not checks.found


def run_checks_once(engine: Engine, period: Period, now: int) -> None:
    """Run the checks of the books for the newest draft of a period, unless they have run since it was made.

    They read in a snapshot of their own, because they take long and no writer should wait for them.
    """
    with snapshot(engine) as connection:
        if not checks_to_run(connection, period, now):
            return
        findings = list(run_checks(connection))
    with transaction(engine) as connection:
        if checks_to_run(connection, period, now):
            keep_checks(connection, period, findings, now)


def _require_seen(stage: PeriodStatus, settlement_id: int, content_sha256: str | None = None) -> None:
    draft = stage.draft
    if (
        draft is None
        or draft.settlement_id != settlement_id
        or content_sha256 not in (None, draft.content_sha256)
    ):
        raise BountyError(
            f"The newest draft of {stage.period} is no longer the one you saw: look at it again.",
            f"{stage.period} 的最新草稿已不是您看到的那一份：请重新查看后再操作。",
        )


def _require_clean(
    connection: Connection, stage: PeriodStatus, now: int, *, approval_required: bool = False
) -> None:
    """Raises BountyError while a line of the checklist is open; it names a missing approval where one is required."""
    off = checklist(connection, stage, now).failed.values()
    if off:
        answers = "; ".join(
            f"{line.code}: {line.en} ({_answer(line.code, stage.period, stage.bounds.receipt_cutoff)})"
            for line in off
        )
        missing = stage.approvals_missing if approval_required else 0
        accounts = "a second account" if missing == 1 else f"{missing} accounts"
        then = f" After that it needs the approval of {accounts} that did not make it." if missing else ""
        raise BountyError(
            f"Not yet: {answers}.{then}",
            "还不能："
            + "；".join(f"{ChecklistCode.labels()[line.code][0]}：{line.zh}" for line in off)
            + "。",
        )


def _answer(code: str, period: Period, cutoff: int) -> str:
    """The command that answers a failed line of the checklist."""
    waiver = f"`bounty waive {period} {code} --reason …`"
    return {
        "UNFINISHED": "import the file again, or take its batch back; it can't be waived",
        "FRESH": f"import the orders up to the cutoff, or `bounty confirm-data {period} --through {shown(cutoff)} "
        f"--reason …`, or {waiver}",
        "COVERAGE": f"`bounty sync`, or {waiver}",
        "QUARANTINE": f"`bounty quarantine list`, or {waiver}",
        "CUTOFF": f"wait until {shown(cutoff)}",
        "CHECKS": "`bounty check` shows what is broken; it can't be waived",
    }[code]
