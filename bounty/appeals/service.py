"""Asking about an order or a result, and answering: accepted, declined or asked back, each with a reason.

    asked -> (asked back -> replied)* -> accepted: the order's corrected row comes in with the answer
                                      -> declined

An accepted appeal changes no result: its row is one more fact, which the next draft knows, and whose notice says so.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from bounty.appeals.corrections import CorrectedFacts, write_correction
from bounty.appeals.notifications import announce_answer, announce_appeal, notify_answer
from bounty.appeals.queries import WITH_OPERATIONS, AppealRow, appeals, appeals_about_one
from bounty.audit.service import actor_of, record
from bounty.clock import midnight, shanghai_date, shown
from bounty.db import Query, fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.models import Appeal, AppealAnswer, Notice, OpenPeriod, RosterEntry, User
from bounty.orders.queries import owns_order
from bounty.progress.service import ExplanationJson, ProgressJson, explain, progress_of
from bounty.roster.terms import frozen_terms, terms_in_force
from bounty.rules.clause_texts import deadline_text
from bounty.rules.periods import MAIN, Period
from bounty.rules.terms import NoticeTerms

LOOKED_BACK = 2
"""Months back whose windows may still be open: one published, one unsettled."""
WORDS = 2000
"""Characters of an appeal or an answer, at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """Until when a promoter may ask about a period."""

    until: int
    """Epoch seconds, half-open."""
    is_open: bool
    days: int
    """Full days in which an appeal is answered, after the day of the appeal."""
    notice: int | None
    """The newest; null while there is none."""


class AppealAnswerRow(NamedTuple):
    """An answer in an appeal."""

    promoter_id: int
    appeal_id: int
    number: int
    verdict: str
    words: str
    user_id: int
    answered_at: int
    correction_batch_id: int | None
    by: str
    """The name of who answered."""


@dataclass(frozen=True, slots=True)
class Case:
    """An appeal with all its messages."""

    facts: AppealRow
    as_stood: ExplanationJson | ProgressJson
    """What it asks about, as it stood then: of an order as ``explain`` gives it, of a result as ``progress`` does."""
    answers: list[AppealAnswerRow]
    """In their order."""

    @property
    def next_number(self) -> int:
        """Of the answer that comes next."""
        return len(self.answers) + 1


@dataclass(frozen=True, slots=True)
class Panel:
    """What a promoter sees of appeals beside an order, or beside the result of a period."""

    period: str
    order_sn: str | None
    """Null: the result."""
    window: Window
    appeals: list[AppealRow]
    """Their appeals about it, the newest first."""

    @property
    def pending(self) -> bool:
        """Whether one of them is not answered for good."""
        return any(row.state in (*WITH_OPERATIONS, "ASKED") for row in self.appeals)


def panel(
    connection: Connection, promoter_id: int, period: Period | None, order_sn: str | None, now: int
) -> Panel | None:
    """Whether and until when it can be appealed, and the appeals so far; null where the period is not open."""
    window = None if period is None else window_of(connection, period, now)
    if period is None or window is None or not _on_roster(connection, period, promoter_id):
        return None
    asked = {"promoter_id": promoter_id, "period": str(period), "order_sn": order_sn, "now": now}
    return Panel(str(period), order_sn, window, fetch_all(connection, appeals_about_one(), AppealRow, asked))


def results_to_ask_about(connection: Connection, promoter_id: int, now: int) -> list[Panel]:
    """The promoter's last periods whose results can be appealed and are not yet, the newest first."""
    since = midnight(Period.of(shanghai_date(now)).plus(-LOOKED_BACK).first_day)
    periods = connection.execute(
        select(RosterEntry.period)
        .join(OpenPeriod, OpenPeriod.period == RosterEntry.period)
        .where(RosterEntry.promoter_id == promoter_id, OpenPeriod.month_from >= since)
        .order_by(OpenPeriod.month_from.desc(), RosterEntry.period)
    ).scalars()
    panels = [panel(connection, promoter_id, Period.parse(each), None, now) for each in list(periods)]
    return [each for each in panels if each is not None and each.window.is_open and not each.pending]


def window_of(connection: Connection, period: Period, now: int) -> Window | None:
    """Until when a promoter may ask about a period; null where it is not open yet.

    By the period's own terms: until ``notice.appeals_until_day``, and for ``notice.appeal_days`` full days after the
    day of each notice, whichever is later. So a deadline that was shown once is never earlier afterwards, whenever a
    notice comes.
    """
    frozen = frozen_terms(connection, period)
    if frozen is None:
        return None
    newest = connection.execute(
        select(Notice.notice, Notice.published_at)
        .where(Notice.period == str(period))
        .order_by(Notice.notice.desc())
        .limit(1)
    ).first()
    terms = frozen.notice
    ends = _first_deadline(period, terms)
    if newest is not None:
        ends = max(ends, _end_of_days_after(newest.published_at, terms))
    return Window(ends, now < ends, terms.appeal_days, None if newest is None else newest.notice)


def due_at(period: Period, asked_at: int, terms: NoticeTerms) -> int:
    """Until when operations answer an appeal of that instant: epoch seconds, half-open.

    The end of the ``appeal_days``-th day after; but an appeal before the first deadline is answered by then.
    """
    due, first = _end_of_days_after(asked_at, terms), _first_deadline(period, terms)
    return min(due, first) if asked_at < first else due


def _first_deadline(period: Period, terms: NoticeTerms) -> int:
    return midnight(
        Period(period.year, period.month).plus(1).day(terms.appeals_until_day) + timedelta(days=1)
    )


def _end_of_days_after(at: int, terms: NoticeTerms) -> int:
    return midnight(shanghai_date(at) + timedelta(days=terms.appeal_days + 1))


def ask(
    connection: Connection,
    promoter_id: int,
    period: Period | None,
    order_sn: str | None,
    words: str,
    now: int,
) -> int:
    """Ask about an order of one's own, or about the result of a period; the appeal's number.

    period  of the result; of an order its programme alone is looked at, and the period is the order's own

    The same words about the same thing are the same appeal. Raises BountyError if it is not the promoter's, the window
    is over, the text is blank, or another appeal about it is not answered yet.
    """
    words = _cleaned(words)
    as_stood: ExplanationJson | ProgressJson | None
    if order_sn is not None:
        if not owns_order(connection, promoter_id, order_sn):
            raise BountyError(f"There is no order {order_sn} of yours.", f"没有您的订单 {order_sn}。")
        explained = explain(connection, order_sn, now, MAIN if period is None else period.programme)
        period, as_stood = explained.period, explained.as_json()
    else:
        as_stood = None if period is None else progress_of(connection, period, promoter_id, now).as_json()
    window = None if period is None else window_of(connection, period, now)
    if period is None or window is None or not _on_roster(connection, period, promoter_id):
        raise BountyError(
            "Only what belongs to an open period of yours can be asked about.",
            "只能对您参与且已开期的期次提出申诉。",
        )
    pending = connection.execute(_pending(promoter_id, period, order_sn, now)).first()
    if pending is not None:
        if pending.words == words:
            return int(pending.appeal_id)
        raise BountyError(
            f"Appeal {pending.appeal_id} about this is not answered yet: add to that one.",
            f"这件事的申诉 {pending.appeal_id} 尚未办结：请在那里补充。",
        )
    if not window.is_open:
        zh, en = deadline_text(window.until)
        raise BountyError(f"Appeals about {period} closed on {en}.", f"{period} 的申诉已于 {zh}截止。")
    appeal_id: int = connection.execute(select(func.coalesce(func.max(Appeal.appeal_id), 0) + 1)).scalar_one()
    due = due_at(period, now, terms_in_force(connection, period).terms.notice)
    connection.execute(
        insert(Appeal).values(
            promoter_id=promoter_id,
            appeal_id=appeal_id,
            period=str(period),
            order_sn=order_sn,
            words=words,
            as_stood=json.dumps(as_stood, ensure_ascii=False, separators=(",", ":")),
            asked_at=now,
            due_at=due,
        )
    )
    what = {"period": str(period), "promoter_id": promoter_id, "order_sn": order_sn, "due_at": shown(due)}
    record(connection, "appeal.ask", f"appeal {appeal_id}", now, after=what, reason=words)
    announce_appeal(connection, appeal_id, period, order_sn, due, now)
    return appeal_id


def reply(
    connection: Connection, promoter_id: int, appeal_id: int, number: int, words: str, now: int
) -> bool:
    """The promoter's answer to a question of operations; False if the same answer is already there.

    number  of the answer it is to be; two of one number can't be given
    """
    case = case_of(connection, appeal_id, now, promoter_id=promoter_id)
    words = _cleaned(words)
    if _is_repeated(case, number, "REPLIED", words):
        return False
    if case.facts.state != "ASKED" or number != case.next_number:
        raise BountyError(
            f"Nothing is asked of you in appeal {appeal_id} now.", f"申诉 {appeal_id} 目前没有需要您补充的。"
        )
    _answer(connection, case, "REPLIED", words, now)
    return True


def answer(
    connection: Connection,
    appeal_id: int,
    number: int,
    verdict: str,
    words: str,
    now: int,
    *,
    corrected: CorrectedFacts | None = None,
) -> bool:
    """Operations' answer, with its reason; False if just this was answered already.

    number     of the answer it is to be; two of one number can't be given
    verdict    ACCEPTED, DECLINED or ASKED
    corrected  of an accepted appeal about an order, by the names of correction.FACTS: the facts put right. Its row
               comes in as a batch of its own in this transaction

    Raises BountyError if it is not operations' turn, no reason is given, or accepting would put nothing right.
    """
    case = case_of(connection, appeal_id, now)
    words = _cleaned(words)
    if verdict not in ("ACCEPTED", "DECLINED", "ASKED"):
        raise BountyError(
            f"{verdict!r} is no answer: accept, decline or ask.", "请选择支持、驳回或请推手补充。"
        )
    if _is_repeated(case, number, verdict, words):
        return False
    if case.facts.state not in WITH_OPERATIONS or number != case.next_number:
        raise BountyError(
            f"Appeal {appeal_id} was answered meanwhile: see what stands there now.",
            f"申诉 {appeal_id} 已有新的答复：请看最新内容。",
        )
    batch_id = None
    if verdict == "ACCEPTED" and case.facts.order_sn is not None:
        batch_id = write_correction(connection, appeal_id, case.facts.order_sn, corrected or {}, now)
    _answer(connection, case, verdict, words, now, batch_id=batch_id, corrected=corrected)
    notify_answer(connection, case.facts, number, verdict, words, now)
    announce_answer(connection, case.facts, number, verdict, now)
    return True


def case_of(connection: Connection, appeal_id: int, now: int, *, promoter_id: int | None = None) -> Case:
    """An appeal with all its answers.

    promoter_id  whose it must be, where a promoter looks

    Raises NoSuchAppeal.
    """
    whose = [] if promoter_id is None else [Appeal.promoter_id == promoter_id]
    row = fetch_first(connection, appeals(now).where(Appeal.appeal_id == appeal_id, *whose), AppealRow)
    if row is None:
        raise NoSuchAppeal(f"There is no appeal {appeal_id}.", f"没有申诉 {appeal_id}。")
    as_stood = connection.execute(
        select(Appeal.as_stood).where(Appeal.promoter_id == row.promoter_id, Appeal.appeal_id == appeal_id)
    ).scalar_one()
    answers = (
        select(AppealAnswer.__table__, User.name.label("by"))
        .join(User, User.id == AppealAnswer.user_id)
        .where(AppealAnswer.promoter_id == row.promoter_id, AppealAnswer.appeal_id == appeal_id)
        .order_by(AppealAnswer.number)
    )
    return Case(row, json.loads(as_stood), fetch_all(connection, answers, AppealAnswerRow))


class NoSuchAppeal(BountyError):
    """There is none of that number, or it is somebody else's."""


def _cleaned(words: str) -> str:
    words = "\n".join(line.rstrip() for line in words.strip().splitlines())
    if not words:
        raise BountyError("Say why, in a sentence or two.", "请用一两句话写明理由。")
    if len(words) > WORDS:
        raise BountyError(f"Say it in {WORDS} characters at most.", f"请不要超过 {WORDS} 字。")
    return words


def _on_roster(connection: Connection, period: Period, promoter_id: int) -> bool:
    entry = select(RosterEntry.period).where(
        RosterEntry.period == str(period), RosterEntry.promoter_id == promoter_id
    )
    return connection.execute(entry).first() is not None


def _pending(promoter_id: int, period: Period, order_sn: str | None, now: int) -> Query:
    """The appeal about the same thing that is not answered for good."""
    every = appeals(now).subquery("every")
    return select(every.c.appeal_id, every.c.words).where(
        every.c.promoter_id == promoter_id,
        every.c.period == str(period),
        every.c.order_sn.is_not_distinct_from(order_sn),
        every.c.state.in_((*WITH_OPERATIONS, "ASKED")),
    )


def _is_repeated(case: Case, number: int, verdict: str, words: str) -> bool:
    """Whether the answer of this number is just this one: somebody posted it twice."""
    given = next((each for each in case.answers if each.number == number), None)
    return given is not None and (given.verdict, given.words) == (verdict, words)


def _answer(
    connection: Connection,
    case: Case,
    verdict: str,
    words: str,
    now: int,
    *,
    batch_id: int | None = None,
    corrected: CorrectedFacts | None = None,
) -> None:
    user_id = actor_of(connection).user_id
    if user_id is None:
        raise BountyError(
            "Only an account can answer: log in on the page.", "答复须由账号作出：请在页面登录后办理。"
        )
    facts = case.facts
    connection.execute(
        insert(AppealAnswer).values(
            promoter_id=facts.promoter_id,
            appeal_id=facts.appeal_id,
            number=case.next_number,
            verdict=verdict,
            words=words,
            user_id=user_id,
            answered_at=now,
            correction_batch_id=batch_id,
        )
    )
    after: dict[str, object] = {"verdict": verdict, "number": case.next_number}
    if batch_id is not None:
        after |= {"batch": batch_id, "order_sn": facts.order_sn, "corrected": corrected}
    record(
        connection,
        "appeal.reply" if verdict == "REPLIED" else "appeal.answer",
        f"appeal {facts.appeal_id}",
        now,
        before={"state": facts.state},
        after=after,
        reason=words,
    )
