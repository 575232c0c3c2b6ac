"""What people do about a checklist: run the checks, let a line pass, approve and publish what they saw."""

from sqlalchemy import Connection, insert

from bounty.audit.service import actor_of, record
from bounty.checks.books import CHECKS, Finding
from bounty.errors import BountyError
from bounty.models import Waiver
from bounty.notices.period_status import PeriodStatus, period_status
from bounty.notices.service import PublishedNotice, publish
from bounty.release.checklist import CHECKED, LINES, WAIVABLE, checklist
from bounty.rules.periods import Period
from bounty.settlement.approval import approve


def keep_checks(connection: Connection, period: Period, findings: list[Finding], now: int) -> None:
    """Keep what a run of the checks found, for the newest settlement of a period.

    findings   of ``checks.run_checks``, read in a snapshot of their own: they take long, and nobody has to wait
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
) -> None:
    """Answer for a line of the checklist of the newest draft, with a reason; again: nothing changes.

    settlement_id       the draft that the person saw
    approval_required   whether orders that may be missing take somebody who did not make the draft

    Raises BountyError without a reason or an account, from the draft's maker where another is needed, for a line that
    nobody can waive or that holds, and where the newest draft is no longer what was seen.
    """
    actor, stage = actor_of(connection), period_status(connection, period, now)
    if actor.user_id is None:
        raise BountyError("A waiver needs an account: log in.", "放行需要账号：请先登录。")
    reason = reason.strip()
    if not reason or len(reason) > 500:
        raise BountyError(
            "Say why it may pass, in at most 500 characters.", "请写明放行理由，不超过 500 字。"
        )
    _require_seen(stage, settlement_id)
    found = next((each for each in checklist(connection, stage, now).lines if each.code == line), None)
    if found is None or line not in WAIVABLE:
        raise BountyError(
            "This line can't be waived: it has to hold.", "这一项不能放行：必须满足后才能公示。"
        )
    if found.passes:
        return
    maker = None if stage.draft is None else stage.draft.prepared_by_id
    if line == "COVERAGE" and approval_required and maker == actor.user_id:
        raise BountyError(
            "Whoever made a draft can't answer for orders that may be missing from it: let a second person do so.",
            "经办人不能为自己草稿的缺口放行：请由另一人写明理由。",
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


def publish_seen(
    connection: Connection,
    period: Period,
    settlement_id: int,
    content_sha256: str,
    now: int,
    *,
    approval_required: bool,
) -> PublishedNotice:
    """Publish the newest draft as it was seen, once its checklist is clean.

    Raises BountyError as ``publication.publish`` does, while a line is open, and where the newest draft is another.
    """
    stage = period_status(connection, period, now)
    _require_seen(stage, settlement_id, content_sha256)
    _require_clean(connection, stage, now)
    return publish(connection, period, now, approval_required=approval_required)


def require_coverage(connection: Connection, period: Period, now: int) -> None:
    """Raises BountyError where orders may be missing from the draft of a period and nobody answers for it."""
    stage = period_status(connection, period, now)
    for line in checklist(connection, stage, now).lines if stage.draft is not None else ():
        if line.code == "COVERAGE" and not line.passes:
            raise BountyError(
                f"{LINES[line.code][1]}: {line.en}. Run `bounty sync`, or have its coverage waived on the page.",
                f"{LINES[line.code][0]}：{line.zh}；或为草稿写明理由放行。",
            )


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


def _require_clean(connection: Connection, stage: PeriodStatus, now: int) -> None:
    off = [line for line in checklist(connection, stage, now).lines if not line.passes]
    if off:
        raise BountyError(
            "Not yet: " + "; ".join(f"{LINES[line.code][1]}: {line.en}" for line in off) + ".",
            "还不能：" + "；".join(f"{LINES[line.code][0]}：{line.zh}" for line in off) + "。",
        )
