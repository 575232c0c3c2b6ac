"""A settlement computed again by its own statements, and compared with the newest one in the books."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, and_, or_, select

from bounty.db import avoid_loops, may_idle
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.models import Batch, Notice, PassVoidAnswer
from bounty.notices.service import ExportManifest, manifest_of, write_folder
from bounty.roster.terms import TermsInForce, open_period, terms_in_force
from bounty.rules.periods import Period, programme_key
from bounty.settlement.files import (
    FileFacts,
    LineCells,
    Rendering,
    ResultCells,
    content_sha256,
    parts_of,
    rendered_lines,
    rendered_results,
)
from bounty.settlement.queries import known_notices, recomputation
from bounty.settlement.service import SettlementRow, newest_settlement


@dataclass(frozen=True, slots=True)
class ComputedRows:
    """The rows of a settlement's two files, in their order."""

    results: Iterable[Sequence[ResultCells]]
    lines: Iterable[Sequence[LineCells]]


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A settlement computed again, beside the newest one in the books."""

    period: Period
    content_sha256: str
    results: FileFacts
    lines: FileFacts
    settlement_id: int
    """The newest of the period."""
    settled_sha256: str
    """Its content."""
    later: list[JsonObject]
    """What may have changed the facts since: batches, batches undone, passes taken back."""

    @property
    def equal(self) -> bool:
        """Whether the content is the newest settlement's."""
        return self.content_sha256 == self.settled_sha256

    def as_json(self) -> JsonObject:
        """For the command."""
        return {
            **programme_key(self.period),
            "period": self.period.name,
            "content_sha256": self.content_sha256,
            "settlement": self.settlement_id,
            "settled_sha256": self.settled_sha256,
            "equal": self.equal,
            "later": self.later,
            "results": self.results.rows,
            "lines": self.lines.rows,
            "subsidy_fen": self.lines.sum_fen,
        }


Compute = Callable[[Connection, Period, TermsInForce, list[int]], AbstractContextManager[ComputedRows]]
"""Where a settlement is computed; the last argument is that of ``known_notices``."""


@contextmanager
def in_the_books(
    connection: Connection, period: Period, in_force: TermsInForce, elsewhere: list[int]
) -> Iterator[ComputedRows]:
    """Computed by the database of the books."""
    avoid_loops(connection)
    made = recomputation(period, in_force.terms, elsewhere)
    yield ComputedRows(parts_of(connection, made.results_rows()), parts_of(connection, made.lines_rows()))


def recompute(
    connection: Connection, period: Period, *, out: Path | None = None, compute: Compute = in_the_books
) -> Recomputed:
    """Compute the newest settlement of a period again, from the facts known now, without writing to the books. Of other
    programmes the notices count that it went by.

    out   a folder for the two files and the manifest, as ``bounty export`` writes them; the manifest names settlement
          and notice where the content is theirs, and null where it is new

    Raises BountyError if the period is not open or has no settlement, or the folder can't be written.
    """
    open_period(connection, period)
    newest = newest_settlement(connection, period)
    if newest is None:
        raise BountyError(
            f"{period} has no settlement yet to compute again: make one with `bounty settle {period}`.",
            f"{period} 还没有核算，无从复算：请先核算。",
        )
    in_force = terms_in_force(connection, period)
    notice = connection.execute(
        select(Notice.notice).where(Notice.settlement_id == newest.settlement_id)
    ).scalar()

    def manifest(facts: list[FileFacts]) -> ExportManifest:
        content = content_sha256(in_force.sha256, *(fact.sha256 for fact in facts))
        if content != newest.content_sha256:
            return manifest_of(period, None, None, in_force.sha256, facts)
        return manifest_of(period, newest.settlement_id, notice, in_force.sha256, facts)

    elsewhere = known_notices(connection, newest.settlement_id)
    may_idle(connection)
    with compute(connection, period, in_force, elsewhere) as rows:
        files = (rendered_results(rows.results, period), rendered_lines(rows.lines, period))
        if out is None:
            _exhaust(files)
        else:
            write_folder(out, files, manifest)
    results, lines = (file.facts() for file in files)
    return Recomputed(
        period,
        content_sha256(in_force.sha256, results.sha256, lines.sha256),
        results,
        lines,
        newest.settlement_id,
        newest.content_sha256,
        _later_facts(connection, newest),
    )


def _exhaust(files: Iterable[Rendering]) -> None:
    for file in files:
        for _ in file:
            pass


def _later_facts(connection: Connection, settlement: SettlementRow) -> list[JsonObject]:
    """What came after a settlement and may change it: roster and terms are frozen, so orders, links and passes."""
    known = settlement.as_of_batch_id or 0
    batches = select(Batch.batch_id, Batch.kind, Batch.undone_at).where(
        Batch.kind.in_(["orders", "links"]),
        or_(
            Batch.batch_id > known,
            and_(Batch.batch_id <= known, Batch.undone_at >= settlement.settled_at),
        ),
    )
    voids = select(PassVoidAnswer.promoter_id).where(
        PassVoidAnswer.period == settlement.period,
        PassVoidAnswer.approved,
        PassVoidAnswer.as_of_settlement_id >= settlement.settlement_id,
    )
    return [
        *(
            {
                "code": "BATCH" if row.batch_id > known else "BATCH_UNDONE",
                "batch": row.batch_id,
                "kind": row.kind,
            }
            for row in connection.execute(batches.order_by(Batch.batch_id))
        ),
        *(
            {"code": "PASS_VOID", "promoter_id": row.promoter_id}
            for row in connection.execute(voids.order_by(PassVoidAnswer.promoter_id))
        ),
    ]
