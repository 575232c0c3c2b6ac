"""What left for the payer without these books' knowing, and who answers for it.

Books that were restored from a copy, or put back by hand, don't hold what was done after the copy was made. The journal
outside the database (``audit/journal.py``) has it, and so have the exported folders and the payer's receipts. Until
every such tranche is answered for, nothing is approved or exported: it would be paid a second time.

    copy of the books ──restore──> books ── prepare ── approve, export: refused
                                     └── answer: the tranche left (it is exported), or it stayed (it is not)
"""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple, NotRequired, TypedDict

from sqlalchemy import Connection, Row, func, select, true
from sqlalchemy.orm import aliased

from bounty.audit.journal import EXPORT, Journal, JournalLine, read_journal
from bounty.audit.service import actor_of, record
from bounty.clock import shown
from bounty.db import fetch_all, wait_for_turn
from bounty.errors import BountyError
from bounty.models import AuditEvent, Receipt, ReceiptRow, Tranche, TrancheStep
from bounty.models.payment_results import MATCHED, UNMATCHED
from bounty.money import grouped_yuan
from bounty.tranches.exported_folder import ExportedFolder, bring_back
from bounty.tranches.notifications import announce_export
from bounty.tranches.state import DraftedTranche, TrancheRow, open_tranche, record_step, summary_of

ANSWERED, RESTORED, EXPORTED = "payout.answer", "backup.restore", "payout.export"
"""Acts in the audit."""
LEFT, STAYED, NOTHING_ELSE, SEEN = "left", "stayed", "nothing-else", "seen"
VERDICTS: Final = (LEFT, STAYED, NOTHING_ELSE, SEEN)
COPY = "copy"
"""The question about books that may be an old copy: whether anything else was exported since."""


class DepartedTranche(NamedTuple):
    """A tranche that left."""

    tranche: int
    content_sha256: str
    settled_before: str
    due_fen: int
    at: int | None
    """When, by the journal; epoch seconds. Null where only the exported folder tells of it."""


class UnknownPayment(NamedTuple):
    """A row of a receipt: a payment of a payout that these books never exported."""

    payout: str
    receipt_id: int
    place: int
    amount_fen: int


class AnswerFacts(TypedDict):
    """What an answer says, as the audit keeps it."""

    verdict: str
    tranche: NotRequired[int]
    content_sha256: NotRequired[str]
    holds: bool
    """Whether it is enough, or a second person must say the same."""


class AnswerRow(NamedTuple):
    """The event of an answer."""

    event_id: int
    subject: str
    user_id: int | None
    actor: str
    reason: str
    happened_at: int
    after: str


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody must answer for before anything leaves again."""

    subject: str
    """``tranche 1``, ``copy``, or a payout's id."""
    zh: str
    en: str
    """A sentence, with the command that answers it."""
    line: DepartedTranche | None = None
    """Where it is about a tranche."""
    row: UnknownPayment | None = None
    """Where it is about a payout."""


def questions(connection: Connection) -> list[Question]:
    """What must be answered for now; empty where these books know all that left."""
    journal = read_journal(connection)
    return [
        *_tranches(connection, journal),
        *_copy(connection, journal),
        *_receipts(connection),
    ]


def require_answered(connection: Connection) -> None:
    """Raises BountyError, saying what to do, while something may have left that these books don't know."""
    found = questions(connection)
    if found:
        more = len(found) - 1
        raise BountyError(
            found[0].en
            + (f" {more} more: `bounty payout unanswered` shows them." if more else "")
            + " On the site, the page Payouts has a form for each.",
            found[0].zh
            + (f" 另有 {more} 项，见 bounty payout unanswered。" if more else "")
            + "网页上可在「发放」页逐项回答。",
        )


def require_number_free(connection: Connection, drafted: DraftedTranche) -> None:
    """Raises BountyError if a draft would take the number of a tranche that left with other content: the payer's
    receipts name payouts by it."""
    for each in _tranches(connection, read_journal(connection)):
        assert each.line is not None
        same_number = each.line.tranche == drafted.tranche_id
        if same_number and each.line.content_sha256 != drafted.content_sha256:
            zh, en = _other_content(each.line)
            raise BountyError(en, zh)


def _other_content(line: DepartedTranche) -> tuple[str, str]:
    number, day, fen = line.tranche, line.settled_before[:10], grouped_yuan(line.due_fen)
    zh = (
        f"批次 {number}（{fen}）在这份账的备份之后已导出付款，现在准备出来的内容与它不同："
        f"请按 bounty payout prepare --settled-before {day} 重新准备，或用导出文件夹恢复："
        f"bounty payout answer {number} left --from FOLDER --reason …"
    )
    en = (
        f"Tranche {number} left for the payer after this copy was made ({fen}), and what would be prepared now is not "
        f"the same: run `bounty payout prepare --settled-before {day}`, or bring it back from the folder that it was "
        f"exported to with `bounty payout answer {number} left --from FOLDER --reason ...`."
    )
    return zh, en


def _tranches(connection: Connection, journal: Journal | None) -> list[Question]:
    """Tranches that the journal says left and that these books neither hold as exported nor have an answer for."""
    if journal is None:
        return []
    left = {(line["tranche"], line["content_sha256"]): line for line in journal.of_kind(EXPORT, strange=True)}
    if not left:
        return []
    held = select(Tranche.tranche_id, Tranche.content_sha256).join(
        TrancheStep, TrancheStep.tranche_id == Tranche.tranche_id
    )
    known = {tuple(row) for row in connection.execute(held.where(TrancheStep.step == "EXPORTED"))}
    stayed = {
        (after["tranche"], after["content_sha256"])
        for _, after in _answers(connection)
        if after["verdict"] == STAYED and after["holds"]
    }
    return [_left(line) for key, line in sorted(left.items()) if key not in known | stayed]


def _left(line: JournalLine) -> Question:
    number, fen = line["tranche"], grouped_yuan(line["due_fen"])
    return Question(
        f"tranche {number}",
        f"批次 {number}（{fen}）在 {shown(line['at'])} 已导出付款，而这份账由更早的备份恢复，并不知道："
        f"用 bounty payout answer {number} left --reason …（已交付款方，不再付）"
        f"或 bounty payout answer {number} stayed --reason …（没有交付款方）回答之后再继续。",
        f"Tranche {number} ({fen}) left for the payer on {shown(line['at'])}, which these books, an older copy, don't "
        f"know: before anything else is paid, run `bounty payout answer {number} left --reason ...` if the payer was "
        f"given its files, or `bounty payout answer {number} stayed --reason ...` if not.",
        DepartedTranche(number, line["content_sha256"], line["settled_before"], line["due_fen"], line["at"]),
    )


def _copy(connection: Connection, journal: Journal | None) -> list[Question]:
    """Whether these books are an old copy, and nobody can tell from the journal all that left since."""
    ahead = None if journal is None else journal.ahead
    how = (
        f"bounty payout answer {COPY} {NOTHING_ELSE} --reason …",
        (f"`bounty payout answer {COPY} {NOTHING_ELSE} --reason ...`"),
    )
    if ahead is not None:
        assert journal is not None
        return [
            Question(
                COPY,
                f"这份账比日志 {journal.path} 旧：其中没有 {shown(ahead['at'])} 的事件 {ahead['event']}。"
                f"请恢复最新的备份；如要用这份账，先回答此后付出的每个批次，再执行 {how[0]}。",
                f"These books are older than their journal {journal.path}: event {ahead['event']} of "
                f"{shown(ahead['at'])} is not in them. Restore the newest backup; or, to go on with these, answer for "
                f"each tranche that left since, and then run {how[1]}.",
            )
        ]
    restored = _restored(connection)
    if restored is None or (journal is not None and journal.reaches(restored.event_id - 1)):
        return []
    return [
        Question(
            COPY,
            f"这份账在 {shown(restored.happened_at)} 由备份 {restored.subject} 恢复，没有日志说明备份之后付出过什么："
            "请按导出文件夹里的 manifest.json 和付款方回单，逐个补回已付批次"
            f"（bounty payout answer N left --from FOLDER --reason …），再执行 {how[0]}。",
            f"These books were restored from {restored.subject} on {shown(restored.happened_at)}, and no journal tells "
            "what left after that copy was made: go by the folders that were exported and by the payer's receipts, "
            "bring back each tranche that left with `bounty payout answer N left --from FOLDER --reason ...`, and then "
            f"run {how[1]}.",
        )
    ]


def _restored(connection: Connection) -> Row[int, str, int] | None:
    """The event of the newest restore, unless it was answered for or a tranche has left since."""
    newest = connection.execute(
        select(AuditEvent.event_id, AuditEvent.subject, AuditEvent.happened_at)
        .where(AuditEvent.act == RESTORED)
        .order_by(AuditEvent.event_id.desc())
        .limit(1)
    ).first()
    if newest is None:
        return None
    answered = any(
        event.event_id > newest.event_id and after["verdict"] == NOTHING_ELSE and after["holds"]
        for event, after in _answers(connection)
    )
    # What was adopted by an answer, and not exported, has a reason.
    left = select(func.max(AuditEvent.event_id)).where(
        AuditEvent.act == EXPORTED, AuditEvent.reason.is_(None), AuditEvent.event_id > newest.event_id
    )
    return None if answered or connection.execute(left).scalar() is not None else newest


def _receipts(connection: Connection) -> list[Question]:
    """Payments of payouts that these books never exported, by receipts."""
    row, later, again = ReceiptRow, aliased(ReceiptRow), aliased(Receipt)
    matched = select(later.place).where(
        later.payout == row.payout, later.verdict == MATCHED, later.receipt_id > row.receipt_id
    )
    imported_again = select(again.receipt_id).where(
        again.told_sha256 == Receipt.told_sha256, again.receipt_id > Receipt.receipt_id
    )
    query = (
        select(row.payout, row.receipt_id, row.place, row.amount_fen)
        .join(Receipt, Receipt.receipt_id == row.receipt_id)
        .where(
            row.verdict == UNMATCHED,
            row.payout.is_not(None),
            row.paid.is_(true()),
            ~matched.exists(),
            ~imported_again.exists(),
        )
        .order_by(row.receipt_id, row.place)
    )
    rows = fetch_all(connection, query, UnknownPayment)
    if not rows:
        return []
    seen = {
        event.subject for event, after in _answers(connection) if after["verdict"] == SEEN and after["holds"]
    }
    return [_paid_unknown(each) for each in rows if each.payout not in seen]


def _paid_unknown(row: UnknownPayment) -> Question:
    fen = grouped_yuan(row.amount_fen)
    return Question(
        row.payout,
        f"回单 {row.receipt_id} 第 {row.place} 行说 {row.payout} 已付 {fen}，而这份账没有导出过这笔付款："
        f"补回所属批次后再导入一次回单，或用 bounty payout answer {row.payout} {SEEN} --reason … 说明，再继续。",
        f"Receipt {row.receipt_id}, line {row.place}, says that {row.payout} was paid {fen}, and these books never "
        f"exported it: bring back its tranche and take the receipt in again, or answer for it with "
        f"`bounty payout answer {row.payout} {SEEN} --reason ...`.",
        row=row,
    )


# Answering


def answer(
    connection: Connection,
    subject: str,
    verdict: str,
    reason: str,
    now: int,
    *,
    approval_required: bool,
    folder: ExportedFolder | None = None,
) -> bool:
    """Answer for what may have left; whether that is enough, or a second person must say the same.

    subject   ``tranche N``, ``copy`` or a payout's id, as ``questions`` has it
    verdict   ``left`` and ``stayed`` for a tranche, ``nothing-else`` for the copy, ``seen`` for a payout
    folder    of a tranche that left: what it was exported to, to bring it back from

    Raises BountyError without a reason, for what nobody asks, for another kind of verdict, and for a tranche that left
    and isn't in the books as it was exported.
    """
    wait_for_turn(connection)
    if not reason.strip():
        raise BountyError(
            "An answer needs a reason: say where it is known from.", "回答须写明依据：从何得知。"
        )
    open_questions = questions(connection)
    question = next((each for each in open_questions if each.subject == subject), None)
    if folder is not None:
        question = _of_folder(folder, subject, question, open_questions)
    if question is None:
        raise BountyError(
            f"Nothing is asked about {subject}: `bounty payout unanswered` shows what is.",
            f"{subject} 没有待回答的问题：见 bounty payout unanswered。",
        )
    fit = (NOTHING_ELSE,) if subject == COPY else (SEEN,) if question.line is None else (LEFT, STAYED)
    if verdict not in fit:
        raise BountyError(
            f"The answer about {subject} is {' or '.join(fit)}.",
            f"关于 {subject} 的回答应为 {' 或 '.join(fit)}。",
        )
    tranche = None
    after: AnswerFacts = {"verdict": verdict, "holds": False}
    if question.line is not None:
        line = question.line
        after = {
            "verdict": verdict,
            "tranche": line.tranche,
            "content_sha256": line.content_sha256,
            "holds": False,
        }
        if verdict == LEFT and folder is None:
            tranche = _as_it_left(connection, line)
    user_id = actor_of(connection).user_id
    same = {
        event.user_id
        for event, facts in _answers(connection)
        if event.subject == subject and {**facts, "holds": False} == after
    }
    holds = not approval_required or (user_id is not None and bool(same - {None, user_id}))
    if not holds and user_id in same:
        return False
    record(connection, ANSWERED, subject, now, after={**after, "holds": holds}, reason=reason.strip())
    if holds and folder is not None and verdict == LEFT:
        tranche = _open_as(connection, folder.tranche_id, folder.content_sha256)
        tranche = tranche or bring_back(connection, folder, reason.strip(), now)
    if holds and tranche is not None:
        record_step(connection, tranche, "EXPORTED", now)
        record(connection, EXPORTED, subject, now, after=summary_of(tranche), reason=reason.strip())
        announce_export(connection, tranche, now)
    return holds


def _of_folder(
    folder: ExportedFolder, subject: str, question: Question | None, open_questions: list[Question]
) -> Question | None:
    """The question about the tranche of a folder, also where only the folder has it.

    Raises BountyError if the folder is another tranche's, or not what left by the journal.
    """
    same = question is None or question.line is None or question.line.content_sha256 == folder.content_sha256
    if subject != f"tranche {folder.tranche_id}" or not same:
        raise BountyError(
            f"The folder is of tranche {folder.tranche_id}, content sha256:{folder.content_sha256}, and not what is "
            f"asked about as {subject}.",
            f"这个文件夹是批次 {folder.tranche_id}（sha256:{folder.content_sha256}）的，不是所问的 {subject}。",
        )
    if question is None and any(each.subject != subject for each in open_questions):
        day, fen = shown(folder.settled_before), folder.due_fen
        line = DepartedTranche(folder.tranche_id, folder.content_sha256, day, fen, at=None)
        return Question(subject, "", "", line)
    return question


def _open_as(connection: Connection, number: int, content_sha256: str) -> TrancheRow | None:
    """The open tranche, if it is that of a number and content."""
    tranche = open_tranche(connection)
    same = tranche is not None and (tranche.tranche_id, tranche.content_sha256) == (number, content_sha256)
    return tranche if same else None


def _as_it_left(connection: Connection, line: DepartedTranche) -> TrancheRow:
    """The open tranche, which is what left.

    Raises BountyError if it is another one.
    """
    tranche = _open_as(connection, line.tranche, line.content_sha256)
    if tranche is None:
        number, before = line.tranche, line.settled_before
        raise BountyError(
            f"These books don't hold tranche {number} as it left: prepare it again with `bounty payout prepare "
            f"--settled-before {before[:10]}`, or bring it back with --from FOLDER, where it was exported to.",
            f"这份账里没有与导出时相同的批次 {number}：请先执行 bounty payout prepare --settled-before {before[:10]}，"
            "或用 --from FOLDER 从导出文件夹恢复。",
        )
    return tranche


class FirstAnswer(NamedTuple):
    """An answer of one person, where a second one must give the same."""

    verdict: str
    reason: str
    actor: str
    """The account's e-mail."""
    user_id: int | None
    happened_at: int
    """Epoch seconds."""


def first_answers(connection: Connection) -> dict[str, list[FirstAnswer]]:
    """What single people have answered so far, by subject, the oldest first."""
    found: dict[str, list[FirstAnswer]] = {}
    for event, after in _answers(connection):
        if after["holds"]:
            found.pop(event.subject, None)
            continue
        first = FirstAnswer(after["verdict"], event.reason, event.actor, event.user_id, event.happened_at)
        found.setdefault(event.subject, []).append(first)
    return found


def _answers(connection: Connection) -> list[tuple[AnswerRow, AnswerFacts]]:
    """Every answer so far with what it says, the oldest first."""
    query = (
        select(
            AuditEvent.event_id,
            AuditEvent.subject,
            AuditEvent.user_id,
            AuditEvent.actor,
            AuditEvent.reason,
            AuditEvent.happened_at,
            AuditEvent.after,
        )
        .where(AuditEvent.act == ANSWERED)
        .order_by(AuditEvent.event_id)
    )
    return [(row, json.loads(row.after)) for row in fetch_all(connection, query, AnswerRow)]
