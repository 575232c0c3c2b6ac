"""Invitations of many promoters at once, from a file: one-time links, to be handed out."""

from pathlib import Path

from sqlalchemy import Connection, select

from bounty.accounts.service import Invited, invite
from bounty.errors import BountyError
from bounty.files import cells
from bounty.files.columns import FileColumn, match_headers
from bounty.files.problems import BadRow
from bounty.files.tables import open_table
from bounty.promoters.queries import ranked_names

MOST = 5000
"""Rows of a file."""
_TEXT = cells.text_up_to(200)
_COLUMNS = (
    FileColumn("promoter_id", "promoter_id", cells.promoter_id),
    FileColumn("email", "email", _TEXT),
    FileColumn("name", "name", _TEXT, blank=None, may_lack=True),
)


def invite_from_file(connection: Connection, path: Path, now: int) -> list[Invited]:
    """One-time links for the promoters of a file, in its order; a promoter without a name in it has their own.

    path   of a CSV: promoter_id, email, and perhaps name

    Raises BountyError, and invites nobody, if the file or one of its rows can't be.
    """
    people = _people(path)
    ranked = ranked_names().subquery("ranked")
    ids = [promoter_id for promoter_id, *_ in people]
    names = {
        row.promoter_id: row.name
        for start in range(0, len(ids), 500)
        for row in connection.execute(
            select(ranked.c.promoter_id, ranked.c.name).where(
                ranked.c.rank == 1, ranked.c.promoter_id.in_(ids[start : start + 500])
            )
        )
    }
    return invite(
        connection,
        [
            (email, name or names.get(promoter_id) or str(promoter_id), "promoter", promoter_id)
            for promoter_id, email, name in people
        ],
        now,
    )


def _people(path: Path) -> list[tuple[int, str, str | None]]:
    table = open_table(path, accepted=(".csv",))
    layout = match_headers(_COLUMNS, table.header)
    people = []
    for record in table.rows():
        if isinstance(record, BadRow):
            raise BountyError(f"Line {record.place}: {record.en}", f"第 {record.place} 行：{record.zh}")
        reading = layout.read(record.cells)
        if reading.fault is not None:
            column = "" if reading.column is None else reading.column.name
            raise BountyError(
                f"Line {record.place}: {column} can't be read.", f"第 {record.place} 行：{column} 无法识别。"
            )
        people.append((reading.facts["promoter_id"], reading.facts["email"], reading.facts["name"]))
        if len(people) > MOST:
            raise BountyError(f"At most {MOST} at once: split the file.", f"一次最多 {MOST} 行：请拆分文件。")
    if not people:
        raise BountyError("Nobody is named in the file.", "文件里没有推手。")
    return people
