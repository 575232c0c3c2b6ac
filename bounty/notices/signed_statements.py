"""What a notice states, as one text with a hash, which names the hash of the notice published before it.

The statements of all periods of a programme are one chain in the order of publication, so that none can be changed,
taken out or put in without every later hash saying so. ``web/static/verify_export.py`` follows it without us.
"""

import hashlib
import json
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, true

from bounty.clock import shown
from bounty.db import Query, fetch_first
from bounty.models import Notice, NoticeStatement, OpenPeriod, Result, Settlement, TermsVersion
from bounty.rules.periods import Period, in_programme, programme_key

FIRST = "0" * 64
"""What the first statement has for the hash of the one before."""
CHAIN = "notices.jsonl"
"""The file of an export that has the statements up to its notice, one a line."""


class StatedNotice(NamedTuple):
    """What a notice states, but for its place in the chain."""

    period: str
    notice: int
    settlement_id: int
    published_at: int
    settled_at: int
    terms_sha256: str
    results_rows: int
    passed: int
    lines_rows: int
    subsidy_fen: int
    results_sha256: str
    lines_sha256: str
    content_sha256: str


class StatementRow(NamedTuple):
    """A statement of the chain."""

    number: int
    statement: str
    sha256: str


def stated() -> Query:
    """What each notice states, as ``StatedNotice``."""
    passed = (
        select(func.count())
        .where(Result.settlement_id == Settlement.settlement_id, Result.passed.is_(true()))
        .correlate(Settlement.__table__)
        .scalar_subquery()
    )
    return (
        select(
            Notice.period,
            Notice.notice,
            Notice.settlement_id,
            Notice.published_at,
            Settlement.settled_at,
            TermsVersion.sha256.label("terms_sha256"),
            Settlement.results_rows,
            passed.label("passed"),
            Settlement.lines_rows,
            Settlement.subsidy_fen,
            Settlement.results_sha256,
            Settlement.lines_sha256,
            Settlement.content_sha256,
        )
        .join(Settlement, Settlement.settlement_id == Notice.settlement_id)
        .join(OpenPeriod, OpenPeriod.period == Notice.period)
        .join(TermsVersion, TermsVersion.terms_id == OpenPeriod.terms_id)
    )


def statement_text(number: int, row: StatedNotice, previous_sha256: str) -> str:
    """The statement of a notice: JSON with sorted keys and no blanks.

    number   of the statement, over all periods of the programme
    """
    period = Period.parse(row.period)
    statement = {
        **programme_key(period),
        "number": number,
        "period": period.name,
        "notice": row.notice,
        "settlement": row.settlement_id,
        "published_at": shown(row.published_at),
        "as_of": shown(row.settled_at),
        "terms_sha256": row.terms_sha256,
        "counts": {"results": row.results_rows, "passed": row.passed, "lines": row.lines_rows},
        "sums": {"subsidy_fen": row.subsidy_fen},
        "results_sha256": row.results_sha256,
        "lines_sha256": row.lines_sha256,
        "content_sha256": row.content_sha256,
        "previous_sha256": previous_sha256,
    }
    return json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hash_of(statement: str) -> str:
    """The hash of a statement's text, hex."""
    return hashlib.sha256(statement.encode()).hexdigest()


def write_statement(connection: Connection, settlement_id: int) -> str:
    """Add the statement of a notice that was just published to the chain; its hash."""
    row = StatedNotice(*connection.execute(stated().where(Notice.settlement_id == settlement_id)).one())
    before = connection.execute(_chain_of(row.period).order_by(NoticeStatement.number.desc())).all()
    statement = statement_text(len(before) + 1, row, before[0].sha256 if before else FIRST)
    sha256 = hash_of(statement)
    number = connection.execute(select(func.coalesce(func.max(NoticeStatement.number), 0) + 1)).scalar_one()
    connection.execute(
        insert(NoticeStatement).values(
            number=number, settlement_id=settlement_id, statement=statement, sha256=sha256
        )
    )
    return sha256


def _chain_of(period: str) -> Query:
    """The statements of the programme of a period: number, statement, sha256."""
    return (
        select(NoticeStatement.number, NoticeStatement.statement, NoticeStatement.sha256)
        .join(Notice, Notice.settlement_id == NoticeStatement.settlement_id)
        .where(in_programme(Notice.period.expression, Period.parse(period).programme))
    )


def statement_of(connection: Connection, settlement_id: int) -> StatementRow | None:
    """The statement of a notice; null for one from before statements were kept."""
    query = select(NoticeStatement.number, NoticeStatement.statement, NoticeStatement.sha256).where(
        NoticeStatement.settlement_id == settlement_id
    )
    return fetch_first(connection, query, StatementRow)


def statements_until(connection: Connection, settlement_id: int) -> list[str]:
    """The texts of the chain up to that of a notice; none for a notice that has none."""
    last = connection.execute(
        select(NoticeStatement.number, Notice.period)
        .join(Notice, Notice.settlement_id == NoticeStatement.settlement_id)
        .where(NoticeStatement.settlement_id == settlement_id)
    ).first()
    if last is None:
        return []
    chain = _chain_of(last.period).where(NoticeStatement.number <= last.number)
    return [row.statement for row in connection.execute(chain.order_by(NoticeStatement.number))]


def broken_statements(connection: Connection, recorded: list[str]) -> int:
    """Statements that do not follow from their notice and the statement before, or differ from those recorded.

    recorded   the hashes in the audit record of publishing, in its order
    """
    rows = connection.execute(
        stated()
        .add_columns(NoticeStatement.number, NoticeStatement.statement, NoticeStatement.sha256)
        .join(NoticeStatement, NoticeStatement.settlement_id == Notice.settlement_id)
        .order_by(NoticeStatement.number)
    ).all()
    stored: int = connection.execute(select(func.count()).select_from(NoticeStatement)).scalar_one()
    violations = stored - len(rows)  # statements of no notice
    chains: dict[str, tuple[int, str]] = {}  # programme -> its last statement's number and hash
    for row in rows:
        programme = Period.parse(row.period).programme
        number, previous = chains.get(programme, (0, FIRST))
        facts = StatedNotice(*row[: len(StatedNotice._fields)])
        stated_so = row.statement == statement_text(number + 1, facts, previous)
        violations += not (stated_so and row.sha256 == hash_of(row.statement))
        chains[programme] = number + 1, row.sha256
    hashes = [row.sha256 for row in rows]
    differing: int = sum(one != other for one, other in zip(hashes, recorded, strict=False))
    return violations + differing + abs(len(hashes) - len(recorded))
