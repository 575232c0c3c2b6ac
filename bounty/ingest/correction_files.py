"""Quarantined rows as files to mend: the columns they came with, what is wrong beside them, ready to import again."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection

from bounty.files.cells import FORMULA_STARTS, normalised
from bounty.files.csv_records import Record
from bounty.files.marked_cells import shown_of
from bounty.files.problems import BadRow
from bounty.files.tables import reread_record
from bounty.ingest.quarantine import errors_of, quarantine_list
from bounty.ingest.queries import EntryRow

ERROR_COLUMNS = ("error_code", "error_message_zh", "error_message_en")
"""Beside the file's own columns; importing overlooks them."""
ENTRY_COLUMN = "quarantine_id"
"""The column, and in JSON the field, that says from which entry a row was exported: the row closes it when it comes
back."""
_AT_THE_END = re.compile(rf',"{ENTRY_COLUMN}":([0-9]{{1,15}})\}}\s*\Z')


def noting_entries(
    header: list[str], rows: Iterator[Record | BadRow], entries: set[int]
) -> Iterator[Record | BadRow]:
    """The rows of a table; of one to mend, as they stood before they were written for spreadsheets.

    entries   gains the entries that its rows name
    """
    if ENTRY_COLUMN not in header:
        yield from rows
        return
    at = header.index(ENTRY_COLUMN)
    for row in rows:
        if isinstance(row, Record):
            if re.fullmatch("[0-9]{1,15}", number := normalised(row.cells[at])):
                entries.add(int(number))
            yield _as_it_stood(row)
        else:
            yield row


def _as_it_stood(row: Record) -> Record:
    """A row without the apostrophes that keep spreadsheets from taking its cells for formulas."""
    cells = [
        cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell for cell in row.cells
    ]
    if cells == row.cells:
        return row
    if row.raw.startswith("["):
        return Record(row.place, cells, json.dumps(cells, ensure_ascii=False))
    raw = io.StringIO()
    csv.writer(raw, lineterminator="").writerow(cells)
    return Record(row.place, cells, raw.getvalue())


def without_entry(raw: bytes) -> tuple[bytes, int | None]:
    """The JSON of an order without the entry that it names, and that entry.

    >>> without_entry(b'{"order_sn":"1","quarantine_id":7}')
    (b'{"order_sn":"1"}', 7)
    """
    if ENTRY_COLUMN.encode() not in raw:
        return raw, None
    text = raw.decode()
    if found := _AT_THE_END.search(text):
        return (text[: found.start()] + "}").encode(), int(found[1])
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return raw, None
    number = fields.pop(ENTRY_COLUMN, None) if isinstance(fields, dict) else None
    if not re.fullmatch("[0-9]{1,15}", str(number)):
        return raw, None
    return json.dumps(fields, ensure_ascii=False).encode(), int(str(number))


def _with_entry(raw: str, number: int) -> str:
    """The JSON of an order with the entry that it is exported from; as it is where it is no whole object."""
    text = raw.strip()
    return (
        f'{text[:-1].rstrip()},"{ENTRY_COLUMN}":{number}}}'
        if re.match(r"\{\s*\".*\}\Z", text, re.DOTALL)
        else raw
    )


def write_to_mend(
    connection: Connection, kind: str | None, folder: Path, inert: Callable[[str], str]
) -> list[tuple[Path, int]]:
    """Write the open entries, a file for each kind and header; the files with their rows.

    CSV and XLSX rows become CSV with the columns they came with; JSON rows become JSONL, whose errors `bounty
    quarantine list` tells. Rows whose cells can't be separated are in ``KIND-unreadable.txt`` as they were.

    inert   makes a cell that no spreadsheet takes for a formula

    Raises OSError if the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[tuple[str, str, str | None], list[EntryRow]] = {}
    for row in quarantine_list(connection, kind):
        groups.setdefault((row.kind, row.shape, row.header), []).append(row)
    written = []
    for number, ((of_kind, shape, header), rows) in enumerate(groups.items(), start=1):
        if shape == "json":
            written.append(
                _write_lines(
                    folder / f"{of_kind}-{number}.jsonl",
                    [_with_entry(row.raw, row.quarantine_id) for row in rows],
                )
            )
            continue
        names, readable, unreadable = _split_readable(shape, header or "", rows)
        if readable:
            path = folder / f"{of_kind}-{number}.csv"
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file, lineterminator="\r\n")
                own = [at for at, name in enumerate(names) if name not in (ENTRY_COLUMN, *ERROR_COLUMNS)]
                writer.writerow([*(names[at] for at in own), ENTRY_COLUMN, *ERROR_COLUMNS])
                for row, cells in readable:
                    errors = errors_of(row)
                    descriptions = (
                        "; ".join(dict.fromkeys(error.code for error in errors)),
                        "；".join(
                            f"{error.column}：{error.zh}" if error.column else error.zh for error in errors
                        ),
                        "; ".join(
                            f"{error.column}: {error.en}" if error.column else error.en for error in errors
                        ),
                    )
                    writer.writerow(
                        [
                            *(inert(shown_of(cells[at])) for at in own),
                            row.quarantine_id,
                            *map(inert, descriptions),
                        ]
                    )
            written.append((path, len(readable)))
        if unreadable:
            written.append(_write_lines(folder / f"{of_kind}-{number}-unreadable.txt", unreadable))
    return written


def _split_readable(
    shape: str, header: str, rows: list[EntryRow]
) -> tuple[list[str], list[tuple[EntryRow, list[str]]], list[str]]:
    names: list[str] = []
    readable: list[tuple[EntryRow, list[str]]] = []
    unreadable: list[str] = []
    for row in rows:
        names, record = reread_record(shape, header, row.raw, row.place)
        if isinstance(record, BadRow):
            unreadable.append(row.raw)
        else:
            readable.append((row, record.cells))
    return names, readable, unreadable


def _write_lines(path: Path, rows: list[str]) -> tuple[Path, int]:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{row.rstrip()}\n" for row in rows)
    return path, len(rows)
