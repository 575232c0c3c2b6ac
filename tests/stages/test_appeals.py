"""A promoter asks, operations answer; what is accepted is one more fact, which the next draft knows and explains."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from bounty.accounts.service import add_user
from bounty.appeals import service as appeals
from bounty.appeals.corrections import current_facts, overtaken
from bounty.audit.service import Actor, acting
from bounty.checks.books import run_checks
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AppealAnswer, AuditEvent, Batch, NoticeChange, OrderVersion
from bounty.orders.received_texts import received_text
from bounty.rules.terms import NoticeTerms
from tests.factories import PROMOTER, Month, order_row, plain_terms, promoter, shanghai, sn

OTHER = PROMOTER + 1


class Counter:
    """Both sides of the counter: a promoter who asks, an operator who answers."""

    def __init__(self, month: Month) -> None:
        self.month, self.now = month, month.now
        self.promoter = self._account(month.engine, "promoter@example.com", "promoter", PROMOTER)
        self.operator = self._account(month.engine, "operator@example.com", "operator", None)

    def _account(self, engine: Engine, email: str, role: str, promoter_id: int | None) -> Engine:
        with transaction(engine) as connection:
            user_id = add_user(
                connection,
                email=email,
                name=f"示例 {role}",
                role=role,
                promoter_id=promoter_id,
                password="sample-data-only",
                now=self.now,
            )
        return acting(engine, Actor(email, user_id, role))

    def ask(self, number: int | None = 1, words: str = "我是直推的", promoter_id: int = PROMOTER) -> int:
        order_sn = None if number is None else sn(number)
        period = self.month.period if number is None else None
        with transaction(self.promoter) as connection:
            return appeals.ask(connection, promoter_id, period, order_sn, words, self.now)

    def reply(self, appeal_id: int, number: int, words: str = "截图已发") -> bool:
        with transaction(self.promoter) as connection:
            return appeals.reply(connection, PROMOTER, appeal_id, number, words, self.now)

    def answer(
        self, appeal_id: int, number: int, verdict: str, words: str = "已核实", **corrected: Any
    ) -> bool:
        with transaction(self.operator) as connection:
            return appeals.answer(
                connection, appeal_id, number, verdict, words, self.now, corrected=corrected
            )

    def case(self, appeal_id: int) -> appeals.Case:
        with snapshot(self.operator) as connection:
            return appeals.case_of(connection, appeal_id, self.now)

    def events(self) -> list[tuple[str, ...]]:
        """Act, actor and subject of the events about appeals."""
        event = AuditEvent
        query = select(event.act, event.actor, event.subject).where(event.act.like("appeal.%"))
        with snapshot(self.operator) as connection:
            return [tuple(row) for row in connection.execute(query.order_by(event.event_id))]

    def count(self, table: Any) -> int:
        with snapshot(self.operator) as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.fixture
def counter(engine: Engine, tmp_path: Any) -> Counter:
    """December published on the 15th: order 1 counts, 2 is not direct, 4 came too late, 8 is another's."""
    month = Month(engine, tmp_path)
    month.begin(promoter(), promoter(OTHER))
    month.orders(
        order_row(number=1, amount_fen=1),
        order_row(number=2, amount_fen=2, is_direct=0),
        order_row(number=4, amount_fen=4, received="2023-01-11 00:00:00"),
        order_row(number=8, amount_fen=8, promoter_id=OTHER, is_direct=0),
        order_row(number=16, amount_fen=16, received=None),
    )
    month.settle()
    month.publish()
    return Counter(month)


def test_an_appeal_keeps_the_clauses_as_they_stood_and_says_by_when_it_is_answered(counter: Counter) -> None:
    appeal_id = counter.ask(2)
    assert counter.ask(2) == appeal_id  # a double post
    case = counter.case(appeal_id)
    assert (case.facts.state, case.facts.promoter_id, case.facts.period) == ("OPEN", PROMOTER, "2022-12")
    assert case.facts.due_at == shanghai("2023-01-19 00:00:00")  # three days after the 15th
    assert case.as_stood == counter.month.explain(2).as_json()
    assert "task" in case.as_stood
    assert case.as_stood["task"]["reason"] == "DIRECT"
    counter.now = case.facts.due_at - 1
    assert counter.case(appeal_id).facts.state == "OPEN"
    counter.now += 1
    assert counter.case(appeal_id).facts.state == "OVERDUE"
    assert counter.events() == [("appeal.ask", "promoter@example.com", f"appeal {appeal_id}")]


def test_an_accepted_appeal_is_a_correction_in_the_next_draft_and_nothing_else_differs(
    counter: Counter,
) -> None:
    month = counter.month
    before = month.settle()
    lines = month.lines(before)
    appeal_id = counter.ask(2)
    assert counter.answer(appeal_id, 1, "ACCEPTED", is_direct=1)
    assert not counter.answer(appeal_id, 1, "ACCEPTED", is_direct=1)  # a double post
    case = counter.case(appeal_id)
    assert case.facts.state == "ACCEPTED"
    assert "task" in case.as_stood
    assert case.as_stood["task"]["reason"] == "DIRECT"  # as it stood
    assert month.explain(2).as_json()["task"]["reason"] is None
    # In the draft order 2 counts, nothing else moved: 1 + 2 fen.
    assert month.progress()["counted"] == {"gmv_fen": 1 + 2, "orders": 2}
    draft = month.settle()
    assert draft.settlement_id == before.settlement_id + 1
    assert month.lines(draft) == lines  # it earned before too: a subsidy does not ask for direct push
    notice = month.publish()
    change = NoticeChange
    with snapshot(month.engine) as connection:
        changes = connection.execute(
            select(change.order_sn, change.cause, change.was_counted_fen, change.now_counted_fen).where(
                change.settlement_id == notice.settlement_id
            )
        ).all()
        batch = connection.execute(
            select(Batch.file_name, Batch.kind, Batch.rows_changed, Batch.batch_id, OrderVersion.place)
            .join(OrderVersion, OrderVersion.batch_id == Batch.batch_id)
            .where(Batch.batch_id == case.answers[0].correction_batch_id)
        ).one()
        text = received_text(connection, batch.batch_id, batch.place)
        assert [finding.violations for finding in run_checks(connection)].count(0) == len(
            list(run_checks(connection))
        )
    assert [tuple(row) for row in changes] == [(sn(2), "CORRECTION", None, 2)]
    assert tuple(batch[:3]) == (f"appeal {appeal_id}", "orders", 1)
    assert json.loads(text or "")["appeal"] == appeal_id
    assert counter.events() == [
        ("appeal.ask", "promoter@example.com", f"appeal {appeal_id}"),
        ("appeal.answer", "operator@example.com", f"appeal {appeal_id}"),
    ]
    assert counter.count(AppealAnswer) == 1


@pytest.mark.parametrize("number", [4, 16])
def test_a_receipt_put_right_is_a_correction_whether_or_not_there_was_one(
    counter: Counter, number: int
) -> None:
    received = shanghai("2023-01-10 23:59:59")
    appeal_id = counter.ask(number, "10 日签收")
    counter.answer(appeal_id, 1, "ACCEPTED", order_receive_time=received)
    assert counter.month.progress()["counted"] == {"gmv_fen": 1 + number, "orders": 2}
    counter.month.settle()
    notice = counter.month.publish()
    with snapshot(counter.month.engine) as connection:
        causes = connection.execute(
            select(NoticeChange.order_sn, NoticeChange.cause).where(
                NoticeChange.settlement_id == notice.settlement_id
            )
        ).all()
    assert [tuple(row) for row in causes] == [(sn(number), "CORRECTION")]


def test_what_the_platform_says_later_still_holds(counter: Counter) -> None:
    appeal_id = counter.ask(2)
    counter.answer(appeal_id, 1, "ACCEPTED", is_direct=1)
    batch_id = counter.case(appeal_id).answers[0].correction_batch_id
    assert batch_id is not None
    with snapshot(counter.operator) as connection:
        assert connection.execute(overtaken(batch_id)).first() is None
    row = order_row(number=2, amount_fen=2, is_direct=0, status=4, modified="2023-01-09 12:00:00")
    counter.month.orders(row)  # refunded since; and not direct again
    assert counter.month.explain(2).as_json()["task"]["reason"] == "DIRECT"
    assert counter.month.explain(2).as_json()["subsidy"]["reason"] == "NOT_FAILED"
    with snapshot(counter.operator) as connection:
        assert connection.execute(overtaken(batch_id)).one().order_sn == sn(2)


def test_operations_ask_back_and_the_promoter_replies(counter: Counter) -> None:
    appeal_id = counter.ask(2)
    assert counter.answer(appeal_id, 1, "ASKED", "请提供推广截图")
    assert counter.case(appeal_id).facts.state == "ASKED"
    with pytest.raises(BountyError, match="answered meanwhile"):
        counter.answer(appeal_id, 2, "DECLINED")
    assert counter.reply(appeal_id, 2)
    assert not counter.reply(appeal_id, 2)
    assert counter.case(appeal_id).facts.state == "OPEN"
    with pytest.raises(BountyError, match="answered meanwhile"):
        counter.answer(appeal_id, 2, "DECLINED")  # a page from before the reply
    assert counter.answer(appeal_id, 3, "DECLINED", "平台数据为非直推")
    case = counter.case(appeal_id)
    assert (case.facts.state, case.facts.answers) == ("DECLINED", 3)
    assert [each.verdict for each in case.answers] == ["ASKED", "REPLIED", "DECLINED"]
    assert counter.month.progress()["counted"] == {"gmv_fen": 1, "orders": 1}
    with pytest.raises(BountyError, match="Nothing is asked"):
        counter.reply(appeal_id, 4)
    assert [act for act, *_ in counter.events()] == [
        "appeal.ask",
        "appeal.answer",
        "appeal.reply",
        "appeal.answer",
    ]


def test_a_result_can_be_asked_about(counter: Counter) -> None:
    appeal_id = counter.ask(None, "为什么没有达标")
    case = counter.case(appeal_id)
    assert case.facts.order_sn is None
    assert "counted" in case.as_stood
    assert case.as_stood["counted"] == {"gmv_fen": 1, "orders": 1}
    assert counter.answer(appeal_id, 1, "ACCEPTED", "已另行登记")
    assert counter.case(appeal_id).answers[0].correction_batch_id is None


def test_appeals_close_with_the_19th_or_three_full_days_after_the_newest_notice(counter: Counter) -> None:
    def window(now: str) -> appeals.Window:
        with snapshot(counter.operator) as connection:
            found = appeals.window_of(connection, counter.month.period, shanghai(now))
        assert found is not None
        return found

    # Published on the 15th: the 19th was shown before, and stays.
    assert window("2023-01-19 23:59:59").is_open
    assert not window("2023-01-20 00:00:00").is_open
    assert appeals.due_at(counter.month.period, shanghai("2023-01-17 23:59:59"), NoticeTerms()) == shanghai(
        "2023-01-20 00:00:00"
    )
    counter.now = shanghai("2023-01-20 00:00:00")
    with pytest.raises(BountyError, match="closed on 19 Jan, end of day"):
        counter.ask(2)
    # A correction on the 25th can be asked about on the 26th, 27th and 28th, and is answered in three days.
    counter.month.now = shanghai("2023-01-25 23:00:00")
    counter.month.orders(order_row(number=1, is_direct=1, amount_fen=7, modified="2023-01-24 12:00:00"))
    counter.month.settle()
    counter.month.publish()
    assert window("2023-01-28 23:59:59").is_open
    assert not window("2023-01-29 00:00:00").is_open
    assert appeals.due_at(counter.month.period, shanghai("2023-01-28 09:00:00"), NoticeTerms()) == shanghai(
        "2023-02-01 00:00:00"
    )


def test_the_days_of_appeals_are_those_of_the_period_s_terms(engine: Engine, tmp_path: Any) -> None:
    month = Month(engine, tmp_path, now="2023-01-11 09:00:00")
    month.begin(toml=f"{plain_terms()}\n[notice]\nappeals_until_day = 12\nappeal_days = 5\n")
    month.orders(order_row())
    month.settle()
    month.publish()
    with snapshot(engine) as connection:
        window = appeals.window_of(connection, month.period, month.now)
    assert window is not None
    assert (window.until, window.days) == (shanghai("2023-01-17 00:00:00"), 5)


@pytest.mark.parametrize("published", ["2023-01-11 09:00:00", "2023-01-18 09:00:00", "2023-02-20 09:00:00"])
def test_a_deadline_that_was_shown_is_never_earlier_afterwards(
    engine: Engine, tmp_path: Any, published: str
) -> None:
    month = Month(engine, tmp_path, now=published)
    month.begin()
    month.orders(order_row())

    def until(now: int) -> int:
        with snapshot(engine) as connection:
            found = appeals.window_of(connection, month.period, now)
        assert found is not None
        return found.until

    before = until(month.now)
    month.settle()
    month.publish()
    assert until(month.now) >= max(before, month.now + 3 * 86_400)


def test_while_nothing_is_published_it_can_be_asked(engine: Engine, tmp_path: Any) -> None:
    month = Month(engine, tmp_path, now="2022-12-15 12:00:00")
    month.begin()
    month.orders(order_row(number=1, is_direct=0))
    counter = Counter(month)
    appeal_id = counter.ask(1)
    assert counter.case(appeal_id).facts.due_at == shanghai("2022-12-19 00:00:00")
    with snapshot(engine) as connection:
        window = appeals.window_of(connection, month.period, month.now)
    assert window == appeals.Window(shanghai("2023-01-20 00:00:00"), True, 3, None)


def test_what_cannot_be_is_refused_with_a_sentence(counter: Counter) -> None:
    with pytest.raises(BountyError, match="There is no order"):
        counter.ask(8)  # another's
    with pytest.raises(BountyError, match="There is no order"):
        counter.ask(99)
    with pytest.raises(BountyError, match="Say why"):
        counter.ask(2, "  ")
    appeal_id = counter.ask(2)
    with pytest.raises(BountyError, match="not answered yet"):
        counter.ask(2, "再问一次")
    with pytest.raises(BountyError, match="puts something right"):
        counter.answer(appeal_id, 1, "ACCEPTED", is_direct=0)
    with pytest.raises(BountyError, match="E-"):
        counter.answer(appeal_id, 1, "ACCEPTED", order_amount=-1)
    with pytest.raises(appeals.NoSuchAppeal), snapshot(counter.promoter) as connection:
        appeals.case_of(connection, appeal_id, counter.now, promoter_id=OTHER)
    assert counter.case(appeal_id).facts.state == "OPEN"
    assert counter.count(AppealAnswer) == 0


def test_the_facts_that_can_be_put_right_are_shown_as_they_stand(counter: Counter) -> None:
    with snapshot(counter.operator) as connection:
        assert current_facts(connection, sn(2)) == {
            "is_direct": 0,
            "price_compare_status": 0,
            "order_pay_time": shanghai("2022-12-05 12:00:00"),
            "order_receive_time": shanghai("2022-12-09 12:00:00"),
            "order_amount": 2,
            "type": 0,
            "cat_ids": [239, 2001],
        }
