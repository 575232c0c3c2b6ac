"""A tranche as it left, read from the folder that it was exported to, and brought back into books that lost it.

The folder proves itself: its manifest hashes its files, and the content hash is of both. What is brought back renders
to the same bytes again, or it isn't brought back.
"""

import csv
import hashlib
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final
from zipfile import BadZipFile, ZipFile

from sqlalchemy import Connection, func, insert, select

from bounty.audit.service import actor_of, record
from bounty.clock import read_instant
from bounty.errors import BountyError
from bounty.models import Notice, Payee, Payout, Promoter, Tranche, TrancheLine
from bounty.money import read_yuan
from bounty.tranches.files import LINES, PAYOUTS, content_sha256, lines_file, payouts_file
from bounty.tranches.state import TrancheRow, open_tranche, record_step, summary_of, tranche_of

MANIFEST = "manifest.json"
LARGEST: Final = 200 << 20
"""Bytes of a file in an archive; the lines of a million orders take less."""
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExportedFolder:
    """What an export folder says of its tranche."""

    tranche_id: int
    content_sha256: str
    settled_before: int
    """Epoch seconds."""
    prepared_at: int
    """Epoch seconds."""
    due_fen: int
    lines: tuple[Row, ...]
    """By the headers of tranche_lines.csv."""
    payouts: tuple[Row, ...]
    """By the headers of payouts.csv."""


def read_exported_folder(folder: Path) -> ExportedFolder:
    """Read and prove an export folder.

    Raises BountyError if it is none, or its files aren't those that its manifest hashes.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        files = {name: (folder / name).read_bytes() for name in (LINES, PAYOUTS)}
        in_manifest = {file["name"]: file["sha256"] for file in manifest["files"]}
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        settled_before, prepared_at = (
            read_instant(manifest[name]) for name in ("settled_before", "prepared_at")
        )
        whole = content_sha256(settled_before, hashes[LINES], hashes[PAYOUTS])
        if (
            any(in_manifest[name] != sha256 for name, sha256 in hashes.items())
            or whole != manifest["content_sha256"]
        ):
            raise BountyError(
                f"The files in {folder} are not those that its manifest names: find the folder as it was exported.",
                f"{folder} 中的文件与 manifest.json 不符：请找到导出时的原文件夹。",
            )
        lines, payouts = (tuple(_rows(files[name])) for name in (LINES, PAYOUTS))
        return ExportedFolder(
            int(manifest["tranche"]),
            whole,
            settled_before,
            prepared_at,
            int(manifest["totals"]["due_fen"]),
            lines,
            payouts,
        )
    except OSError as error:
        raise BountyError(
            f"{error.filename} can't be read ({error.strerror}): name the folder that a tranche was exported to.",
            f"无法读取 {error.filename}：请指定批次导出时的文件夹。",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BountyError(
            f"{folder / MANIFEST} is not the manifest of a tranche.", f"{folder / MANIFEST} 不是批次的清单。"
        ) from error


def read_exported_archive(archive: IO[bytes]) -> ExportedFolder:
    """Read and prove the archive of an exported tranche, as the site gives it or as somebody packed the folder.

    Raises BountyError if it is none, and for a file in it that is larger than any tranche's.
    """
    try:
        with ZipFile(archive) as packed, TemporaryDirectory() as place:
            for info in packed.infolist():
                name = info.filename.rpartition("/")[2]
                if name not in (MANIFEST, LINES, PAYOUTS):
                    continue
                with packed.open(info) as file:
                    content = file.read(LARGEST + 1)
                if len(content) > LARGEST:
                    raise BountyError(f"{name} in the archive is too large.", f"压缩包里的 {name} 过大。")
                (Path(place) / name).write_bytes(content)
            missing = [name for name in (MANIFEST, LINES, PAYOUTS) if not (Path(place) / name).exists()]
            if missing:
                raise BountyError(
                    f"The archive has no {missing[0]}: choose the tranche's zip as it was exported.",
                    f"压缩包里没有 {missing[0]}：请选择导出时的批次压缩包。",
                )
            return read_exported_folder(Path(place))
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise BountyError(
            "The file is no zip archive that can be read: choose the tranche's zip as it was exported.",
            "文件不是可以读取的 zip 压缩包：请选择导出时的批次压缩包。",
        ) from error


def _rows(content: bytes) -> list[Row]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def bring_back(connection: Connection, folder: ExportedFolder, reason: str, now: int) -> TrancheRow:
    """Write a tranche into the books as it left, under its number; its row. The one that is open is replaced.

    Raises BountyError where its number is taken or not the next, and where a notice, a promoter or a payee that it
    names isn't in the books, or is another.
    """
    number = folder.tranche_id
    newest: int = connection.execute(select(func.coalesce(func.max(Tranche.tranche_id), 0))).scalar_one()
    opened = open_tranche(connection)
    if number != newest + 1:
        raise BountyError(
            f"Tranche {number} can't be brought back: the next number of these books is {newest + 1}. Bring back the "
            "earlier ones first; where the number is taken by another tranche, restore the copy again.",
            f"无法恢复批次 {number}：这份账的下一个批次号是 {newest + 1}。请先恢复更早的批次；"
            "如号码已被其他批次占用，请重新恢复备份。",
        )
    _require_known(connection, folder)
    connection.execute(insert(TrancheLine), list(_lines(connection, folder)))
    connection.execute(insert(Payout), [_payout(row, number) for row in folder.payouts])
    of_lines, of_payouts = lines_file(connection, number), payouts_file(connection, number)
    for file in (of_lines, of_payouts):
        for _ in file:
            pass
    lines, payouts = of_lines.facts(), of_payouts.facts()
    if content_sha256(folder.settled_before, lines.sha256, payouts.sha256) != folder.content_sha256:
        raise BountyError(
            f"Tranche {number} can't be brought back: the payees of these books are not those by which it left. Import "
            "the payees that were in force then.",
            f"无法恢复批次 {number}：这份账的收款信息与导出时不同。请先导入当时生效的收款信息。",
        )
    connection.execute(
        insert(Tranche).values(
            tranche_id=number,
            settled_before=folder.settled_before,
            prepared_at=folder.prepared_at,
            prepared_by_id=actor_of(connection).user_id,
            lines_rows=lines.rows,
            lines_fen=lines.sum_fen,
            lines_sha256=lines.sha256,
            payouts_rows=payouts.rows,
            payable_fen=payouts.sum_fen,
            payouts_sha256=payouts.sha256,
            content_sha256=folder.content_sha256,
        )
    )
    if opened is not None:
        record_step(connection, opened, "REPLACED", now)
    made = tranche_of(connection, number)
    before = None if opened is None else summary_of(opened)
    record(
        connection,
        "payout.prepare",
        f"tranche {number}",
        folder.prepared_at,
        before=before,
        after=summary_of(made),
        reason=reason,
    )
    return made


def _require_known(connection: Connection, folder: ExportedFolder) -> None:
    promoters = {int(row["promoter_id"]) for row in folder.payouts}
    missing = promoters - set(connection.execute(select(Promoter.promoter_id)).scalars())
    if missing:
        raise BountyError(
            f"Tranche {folder.tranche_id} pays promoter {min(missing)}, who isn't in these books: import the promoters "
            "that came in after the copy first.",
            f"批次 {folder.tranche_id} 付给推手 {min(missing)}，这份账里没有：请先导入备份之后的推手资料。",
        )
    payees = {
        (int(row["promoter_id"]), int(row["payee_proposal"]))
        for row in folder.payouts
        if row["payee_proposal"]
    }
    held = {tuple(row) for row in connection.execute(select(Payee.promoter_id, Payee.proposal_id))}
    if payees - held:
        promoter_id, proposal = min(payees - held)
        raise BountyError(
            f"Tranche {folder.tranche_id} pays promoter {promoter_id} by payee proposal {proposal}, which isn't in "
            "these books: import the payees that came in after the copy first.",
            f"批次 {folder.tranche_id} 按收款提案 {proposal} 付给推手 {promoter_id}，这份账里没有："
            "请先导入备份之后的收款信息。",
        )


def _lines(connection: Connection, folder: ExportedFolder) -> list[dict[str, str | int | None]]:
    settlements = {
        (row.period, row.notice): row.settlement_id
        for row in connection.execute(select(Notice.period, Notice.notice, Notice.settlement_id))
    }
    lines: list[dict[str, str | int | None]] = []
    for row in folder.lines:
        settlement = settlements.get((row["period"], int(row["notice"])))
        if settlement is None:
            raise BountyError(
                f"Tranche {folder.tranche_id} pays by notice {row['notice']} of {row['period']}, which isn't in these "
                "books: publish that first.",
                f"批次 {folder.tranche_id} 依据 {row['period']} 期第 {row['notice']} 次公示，这份账里没有：请先公示。",
            )
        lines.append(
            {
                "promoter_id": int(row["promoter_id"]),
                "tranche_id": folder.tranche_id,
                "order_sn": row["order_sn"],
                "period": row["period"],
                "settlement_id": settlement,
                "cause": row["cause"],
                "corrects_id": int(row["corrects_tranche"]) if row["corrects_tranche"] else None,
                "amount_fen": _fen(row["amount_yuan"]),
            }
        )
    return lines


def _payout(row: Row, tranche_id: int) -> dict[str, int | None]:
    return {
        "promoter_id": int(row["promoter_id"]),
        "tranche_id": tranche_id,
        "carry_in_fen": _fen(row["carry_in_yuan"]),
        "lines_rows": int(row["lines"]),
        "lines_fen": _fen(row["lines_yuan"]),
        "payable_fen": _fen(row["payable_yuan"]),
        "proposal_id": int(row["payee_proposal"]) if row["payee_proposal"] else None,
    }


def _fen(text: str) -> int:
    return -read_yuan(text[1:]) if text.startswith("-") else read_yuan(text)
