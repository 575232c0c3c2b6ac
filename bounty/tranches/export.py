"""A tranche as files: for people, for the payers, and a manifest by which anyone can add them up. Exported is not paid.

All that can fail is done before the tranche is marked as exported: what left for the payer without the books' knowing
could leave a second time.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Final, TypedDict

from sqlalchemy import Connection, Engine, and_, select

from bounty.audit.journal import EXPORT, note, read_journal
from bounty.clock import shown
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.exports.workbooks import Cell, new_workbook, yuan_cell
from bounty.models import Payee, Payout
from bounty.notices.service import MANIFEST, ManifestFile
from bounty.payees.encryption import PayeeCipher
from bounty.private import private_folder
from bounty.settlement.files import FileFacts
from bounty.tranches.approval import export_begins
from bounty.tranches.files import (
    PayoutRow,
    TrancheLineRow,
    lines_file,
    lines_of,
    payout_id,
    payouts_file,
    payouts_of,
)
from bounty.tranches.payer_files import Payer, Payment, alipay_parts, bank_parts, refused_words, wechat_parts
from bounty.tranches.state import TrancheRow, is_due

LINES_SHEET: Final = (
    "promoter_id",
    "order_sn",
    "period",
    "notice",
    "cause",
    "corrects_tranche",
    "amount_yuan",
)
PAYOUTS_SHEET: Final = (
    "payout", "promoter_id", "state", "reason", "method", "account", "payee_name", "payee_proposal", "carry_in_yuan",
    "lines", "lines_yuan", "carry_out_yuan", "payable_yuan",
)  # fmt: skip
PARTS: Final = {"alipay": alipay_parts, "bank": bank_parts, "wechat": wechat_parts}
"""Method -> the payer's files of it."""
_OURS: Final = re.compile(r"(?:alipay|bank|wechat)-[0-9]+-[0-9]+\.csv|tranche-[0-9]+\.xlsx")
"""Files of an export whose names differ from one to the next."""
_STREAMED: Final = {"yield_per": 1000}


class TrancheManifest(TypedDict):
    """The content of a tranche's manifest.json (docs/promises.md)."""

    tranche: int
    settled_before: str
    prepared_at: str
    content_sha256: str
    remark: str
    totals: dict[str, int]
    files: list[ManifestFile]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    manifest: TrancheManifest
    refused_words: tuple[str, ...]
    """Words of the remark for which payers are known to stop payments; empty where there are none."""


def export_tranche(
    engine: Engine,
    tranche_id: int,
    folder: Path,
    seal: PayeeCipher,
    payer: Payer,
    now: int,
    *,
    approval_required: bool,
) -> Exported:
    """Write tranche_lines.csv, payouts.csv, tranche-N.xlsx, the payers' parts and manifest.json of a tranche.

    The first export is remembered; another writes the same bytes and changes nothing. The manifest comes last, and an
    older one goes before the files it describes do; parts of an older export go with it.

    Raises BountyError where the tranche may not leave yet, a payee can't be read, or the folder can't be written.
    """
    written = _Folder(folder)
    try:
        with transaction(engine) as connection:
            tranche = export_begins(
                connection,
                tranche_id,
                now,
                approval_required=approval_required,
                alipay_least_fen=payer.alipay_least_fen,
            )
            private_folder(folder)
            manifest = _write(connection, tranche, written, seal, payer)
        # After the commit and before the files are where people find them: what is in a folder is in the journal.
        _note_left(engine, tranche, now)
        written.finish()
    except OSError as error:
        raise BountyError(f"{folder} can't be written: {error.strerror or error}.") from error
    finally:
        written.clear()
    return Exported(manifest, refused_words(payer.remark))


def _note_left(engine: Engine, tranche: TrancheRow, now: int) -> None:
    """Say in the journal outside the database that a tranche leaves, unless it says so already.

    Raises BountyError if it can't be written.
    """
    with snapshot(engine) as connection:
        journal = read_journal(connection)
    if journal is None or any(
        (line["tranche"], line["content_sha256"]) == (tranche.tranche_id, tranche.content_sha256)
        for line in journal.of_kind(EXPORT, strange=False)
    ):
        return
    note(
        engine,
        EXPORT,
        now,
        tranche=tranche.tranche_id,
        content_sha256=tranche.content_sha256,
        settled_before=shown(tranche.settled_before),
        due_fen=tranche.due_fen,
    )


class _Folder:
    """Files written beside their places, which only their owner can read, and moved there together."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, list[str]()

    def beside(self, name: str) -> Path:
        """Where to write a file."""
        path = self._folder / f".{name}.part"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        self._names.append(name)
        return path

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        with self.beside(name).open("wb") as out:
            for piece in pieces:
                out.write(piece)

    def finish(self) -> None:
        """Move the files to their places, in the order in which they were written."""
        (self._folder / MANIFEST).unlink(missing_ok=True)
        for path in self._folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in self._names:
                path.unlink()
        while self._names:
            (self._folder / f".{self._names[0]}.part").replace(self._folder / self._names[0])
            del self._names[0]

    def clear(self) -> None:
        """Take away what was written and not moved: it has accounts in plain. The first error is reported, not what
        goes wrong here."""
        for name in self._names:
            with suppress(OSError):
                (self._folder / f".{name}.part").unlink(missing_ok=True)


def _write(
    connection: Connection, tranche: TrancheRow, folder: _Folder, seal: PayeeCipher, payer: Payer
) -> TrancheManifest:
    """Every file of a tranche; its manifest.

    Raises RuntimeError where they do not add up to the tranche, which is a mistake of the program's.
    """
    number = tranche.tranche_id
    facts: list[FileFacts] = []
    for rendered in (lines_file, payouts_file):
        file = rendered(connection, number)
        folder.write(file.name, file)
        facts.append(file.facts())
    if [fact.sha256 for fact in facts] != [tranche.lines_sha256, tranche.payouts_sha256]:
        raise RuntimeError(f"tranche {number} no longer renders as it was prepared")
    facts.append(_workbook(connection, tranche, folder))
    paid = 0
    for method, parts in PARTS.items():
        for fact, content in parts(number, _payments(connection, number, method, seal), payer):
            folder.write(fact.name, [content])
            facts.append(fact)
            paid += fact.sum_fen
    if paid != tranche.due_fen:
        raise RuntimeError(f"the payers' files of tranche {number} pay {paid} fen of {tranche.due_fen}")
    manifest = _manifest(tranche, facts, payer)
    folder.write(MANIFEST, [(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n").encode()])
    return manifest


def _payments(connection: Connection, tranche_id: int, method: str, seal: PayeeCipher) -> Iterator[Payment]:
    """The payouts of a tranche that are due, by promoter."""
    with connection.execute(
        select(Payout.promoter_id, Payee.proposal_id, Payout.payable_fen, Payee.secret)
        .join(Payee, and_(Payee.promoter_id == Payout.promoter_id, Payee.proposal_id == Payout.proposal_id))
        .where(Payout.tranche_id == tranche_id, Payee.method == method, is_due())
        .order_by(Payout.promoter_id),
        execution_options=_STREAMED,
    ) as rows:
        for promoter_id, proposal_id, payable_fen, secret in rows:
            details = seal.open(promoter_id, proposal_id, secret)
            yield Payment(payout_id(tranche_id, promoter_id), payable_fen, details)


def _workbook(connection: Connection, tranche: TrancheRow, folder: _Folder) -> FileFacts:
    number, name = tranche.tranche_id, f"tranche-{tranche.tranche_id}.xlsx"
    path = folder.beside(name)
    with new_workbook(path, tranche.prepared_at) as book:
        payouts = starmap(PayoutRow, connection.execute(payouts_of(number), execution_options=_STREAMED))
        people, payable = book.write("应付 payouts", PAYOUTS_SHEET, _payouts(number, payouts))
        lines = starmap(TrancheLineRow, connection.execute(lines_of(number), execution_options=_STREAMED))
        orders, amount = book.write("明细 lines", LINES_SHEET, _lines(lines))
        book.summarise(
            [
                ("tranche 批次", number),
                ("settled_before 结算截止", shown(tranche.settled_before)),
                ("prepared_at 准备时间", shown(tranche.prepared_at)),
                ("content_sha256", tranche.content_sha256),
                ("lines rows 明细行数", orders),
                ("lines amount_yuan 明细合计", amount),
                ("carry_in_yuan 上期结转", yuan_cell(tranche.carry_in_fen)),
                ("payouts rows 应付行数", people),
                ("payouts payable_yuan 应付合计", payable),
                ("due rows 本次付款笔数", tranche.promoters_due),
                ("due_yuan 本次付款合计", yuan_cell(tranche.due_fen)),
                ("held rows 暂缓笔数", tranche.held),
                ("held_yuan 暂缓合计", yuan_cell(tranche.held_fen)),
            ]
        )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFacts(name, people, tranche.payable_fen, sha256)


def _payouts(tranche_id: int, rows: Iterable[PayoutRow]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        yield (
            payout_id(tranche_id, row.promoter_id),
            str(row.promoter_id),
            row.state,
            row.reason,
            row.method,
            row.shown_account,
            row.shown_name,
            row.proposal_id,
            yuan_cell(row.carry_in_fen),
            row.lines_rows,
            yuan_cell(row.lines_fen),
            yuan_cell(row.carry_out_fen),
            yuan_cell(row.payable_fen),
        )


def _lines(rows: Iterable[TrancheLineRow]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        yield (
            str(row.promoter_id),
            row.order_sn,
            row.period,
            row.notice,
            row.cause,
            row.corrects_id,
            yuan_cell(row.amount_fen),
        )


def _manifest(tranche: TrancheRow, facts: list[FileFacts], payer: Payer) -> TrancheManifest:
    return {
        "tranche": tranche.tranche_id,
        "settled_before": shown(tranche.settled_before),
        "prepared_at": shown(tranche.prepared_at),
        "content_sha256": tranche.content_sha256,
        "remark": payer.remark,
        "totals": {
            "lines": tranche.lines_rows,
            "lines_fen": tranche.lines_fen,
            "carry_in_fen": tranche.carry_in_fen,
            "payouts": tranche.payouts_rows,
            "payable_fen": tranche.payable_fen,
            "due": tranche.promoters_due,
            "due_fen": tranche.due_fen,
            "held": tranche.held,
            "held_fen": tranche.held_fen,
        },
        "files": [
            {"name": fact.name, "rows": fact.rows, "sum_fen": fact.sum_fen, "sha256": fact.sha256}
            for fact in facts
        ],
    }
