"""Headers that an operator chose to have read as another column in all files of a kind, until taken back."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from bounty.audit.service import actor_of, record
from bounty.db import insert_into
from bounty.errors import BountyError
from bounty.models import HeaderName


def kept_mapping(connection: Connection, kind: str) -> dict[str, str]:
    """Header -> the column that it is read as, in files of a kind."""
    row = HeaderName
    rows = connection.execute(
        select(row.header, row.column_name).where(row.kind == kind).order_by(row.header)
    )
    return {row.header: row.column_name for row in rows}


def keep_mapping(connection: Connection, kind: str, mapping: Mapping[str, str], now: int) -> None:
    """Have headers read as other columns from now on; what a header was read as before is replaced.

    mapping   as ``checked_mapping`` gives it, of this kind
    """
    before = {header: name for header, name in kept_mapping(connection, kind).items() if header in mapping}
    if before == mapping:
        return
    user_id = actor_of(connection).user_id
    entries = insert_into(connection.dialect.name, HeaderName).values(
        [
            {"kind": kind, "header": header, "column_name": name, "kept_at": now, "kept_by_id": user_id}
            for header, name in mapping.items()
        ]
    )
    new = {name: entries.excluded[name] for name in ("column_name", "kept_at", "kept_by_id")}
    connection.execute(entries.on_conflict_do_update(index_elements=["kind", "header"], set_=new))
    record(connection, "headers.keep", kind, now, before=before or None, after=dict(mapping))


def forget_header(connection: Connection, kind: str, header: str, now: int) -> None:
    """Have a header no longer read as another column. Raises BountyError if it is not."""
    row = HeaderName
    name = connection.execute(
        delete(row).where(row.kind == kind, row.header == header).returning(row.column_name)
    ).scalar()
    if name is None:
        raise BountyError(
            f"No header {header!r} of {kind} is read as another column: `bounty import headers {kind}` lists them.",
            f"「{header}」没有对应到别的列。",
        )
    record(connection, "headers.forget", kind, now, before={header: name})
