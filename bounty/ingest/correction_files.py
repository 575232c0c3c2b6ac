"""Quarantined rows as files to mend: the columns they came with, what is wrong beside them, ready to import again."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bounty.files.marked_cells import shown_of
from bounty.files.problems import BadRow
from bounty.files.tables import reread_record
from bounty.ingest.quarantine import quarantine_list

ERROR_COLUMNS = ("error_code", "error_message_zh", "error_message_en")
"""Beside the file's own columns; importing overlooks them."""


def write_to_mend(
    connection: Connection, kind: str | None, folder: Path, inert: Callable[[str], str]
) -> list[tuple[Path, int]]:
    """Write the open entries, a file for each kind and header; the files with their rows.

    CSV and XLSX rows become CSV with the columns they came with; JSON rows become JSONL, whose errors `bounty
    quarantine list` tells. Rows whose cells can't be told apart stand in ``KIND-unreadable.txt`` as they were.

    inert   makes a cell that no spreadsheet takes for a formula

    Raises OSError if the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[tuple[str, str, str | None], list[Any]] = {}
    for row in quarantine_list(connection, kind):
        groups.setdefault((row.kind, row.shape, row.header), []).append(row)
    written = []
    for number, ((of_kind, shape, header), rows) in enumerate(groups.items(), start=1):
        if shape == "json":
            written.append(_write_lines(folder / f"{of_kind}-{number}.jsonl", [row.raw for row in rows]))
            continue
        names, readable, unreadable = _told_apart(shape, header or "", rows)
        if readable:
            path = folder / f"{of_kind}-{number}.csv"
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file, lineterminator="\r\n")
                writer.writerow([*names, *ERROR_COLUMNS])
                for row, cells in readable:
                    shown = [inert(shown_of(cell)) for cell in cells]
                    writer.writerow([*shown, row.code, inert(row.sentence_zh), inert(row.sentence_en)])
            written.append((path, len(readable)))
        if unreadable:
            written.append(_write_lines(folder / f"{of_kind}-{number}-unreadable.txt", unreadable))
    return written


def _told_apart(
    shape: str, header: str, rows: list[Any]
) -> tuple[list[str], list[tuple[Any, list[str]]], list[str]]:
    names: list[str] = []
    readable: list[tuple[Any, list[str]]] = []
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
