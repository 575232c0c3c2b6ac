"""File downloads, streamed from one snapshot of the database."""

from collections.abc import Iterator, Mapping

from flask import Response, stream_with_context

from bounty.db import Query, snapshot
from bounty.web.shared.language import language
from bounty.web.shared.request_context import engine
from bounty.web.shared.tables import AddedColumn, Table, check, csv_of


def csv_response(
    table: Table, rows: Query, args: Mapping[str, str], name: str, added: AddedColumn | None = None
) -> Response:
    """The rows of a table that match its filters, as a CSV download.

    name   the file's name without its ending
    added  a last column that Python works out

    Raises BountyError for a filter or sort that the table does not have.
    """
    check(
        table, rows, args
    )  # before the first byte is sent, because a later error could only truncate the file
    database, chinese = engine(), language() == "zh"

    def pieces() -> Iterator[bytes]:
        with snapshot(database) as connection:
            yield from csv_of(connection, table, rows, args, chinese=chinese, added=added)

    return attachment(pieces(), f"{name}.csv", "text/csv; charset=utf-8")


def attachment(pieces: Iterator[bytes], name: str, kind: str) -> Response:
    """A response that the browser saves as a file.

    name  the file's name
    kind  the media type
    """
    response = Response(stream_with_context(pieces), mimetype=kind.partition(";")[0], content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
