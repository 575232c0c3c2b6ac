"""What a copy of the books must say to be as good as the books: counts, the audit chain, the books' own checks."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from bounty.audit.service import verify
from bounty.checks import books
from bounty.checks.archives import ARCHIVES
from bounty.errors import BountyError
from bounty.models import Base
from bounty.schema import stored_revision


@dataclass(frozen=True, slots=True)
class Facts:
    """What was in the books at one moment."""

    schema: str
    """The revision of the schema."""
    rows: dict[str, int]
    """Per table."""
    audit_events: int
    audit_head: str
    """The hash of the newest event, hex."""


def facts_of(connection: Connection) -> Facts:
    """What is in the books now. The whole audit chain is read; see ``require_good`` for what else a copy must hold.

    Raises BountyError if the chain is broken: such books are looked into, not copied.
    """
    chain = verify(connection)
    if chain.broken:
        raise BountyError(
            f"The audit chain is broken at {len(chain.broken)} events, the first of them {chain.broken[0]}: "
            "find out why before anything else (`bounty audit verify`)."
        )
    rows = {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
    }
    return Facts(stored_revision(connection) or "none", rows, chain.events, chain.head)


def require_good(connection: Connection, wanted: Facts) -> None:
    """Raises BountyError, saying what is off, unless a copy holds what it should and its books balance."""
    if connection.dialect.name == "sqlite":
        problems = connection.execute(text("PRAGMA integrity_check")).scalars().all()
        if problems != ["ok"]:
            raise BountyError(f"The copy is damaged: {problems[0]}.")
    found = facts_of(connection)
    if found.schema != wanted.schema:
        raise BountyError(f"The copy's schema is {found.schema}, not {wanted.schema}.")
    for table, count in wanted.rows.items():
        if found.rows.get(table) != count:
            raise BountyError(f"The copy has {found.rows.get(table)} rows of {table}, not {count}.")
    if (found.audit_events, found.audit_head) != (wanted.audit_events, wanted.audit_head):
        raise BountyError("The copy's audit chain ends otherwise than that of the books.")
    # Archive files are no part of a copy; `bounty restore` says which of them the restored books need.
    for finding in books.run_checks(connection, but=ARCHIVES):
        if finding.violations:
            raise BountyError(
                f"The copy's books do not balance: {finding.violations} violations of {finding.name}."
            )
