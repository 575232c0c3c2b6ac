"""Files that a promoter adds to an appeal: images, which are re-encoded, and PDF.

What a file is, is judged by its content. The bytes lie in a private folder beside the uploads, under their hash.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import Connection, insert, select

from bounty.audit.service import record
from bounty.db import fetch_all, fetch_first
from bounty.errors import BountyError
from bounty.models import Appeal, AppealAttachment
from bounty.private import private_folder, write_private_file

ENDINGS: Final = {"image/jpeg": ".jpg", "image/png": ".png", "application/pdf": ".pdf"}
"""Media type of a stored file -> the ending of its name."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_MOST_PIXELS: Final = 40_000_000
"""A photo of a phone has 12 to 50 million pixels; a picture of more is meant to exhaust the memory."""
_LONGEST_SIDE: Final = 4096
_NAME_LENGTH: Final = 80
_NOT_ACCEPTED: Final = BountyError(
    "Only pictures (JPEG, PNG, WebP, GIF, BMP) and PDF are accepted, and they must be whole.",
    "只接受图片（JPEG、PNG、WebP、GIF、BMP）和 PDF，且文件须完整。",
)


@dataclass(frozen=True, slots=True)
class AttachmentLimits:
    """What an appeal may carry."""

    files: int
    """Files of one appeal."""
    megabytes: int
    """Size of one file."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that was checked by its content and may be stored."""

    name: str
    media_type: str
    """A key of ENDINGS."""
    content: bytes


def check_file(name: str, content: bytes, limits: AttachmentLimits) -> CheckedFile:
    """Judge a file by its content; a picture is re-encoded, without what it carries beside its pixels.

    Raises BountyError for a file that is too large, of another kind, or damaged.
    """
    if len(content) > limits.megabytes * 1_000_000:
        raise BountyError(
            f"{name} is larger than {limits.megabytes} MB: send a smaller one.",
            f"「{name}」超过 {limits.megabytes} MB：请换小一些的文件。",
        )
    if content.startswith(b"%PDF-"):
        if b"%%EOF" not in content[-1024:]:
            raise _NOT_ACCEPTED
        return CheckedFile(_plain_name(name, ".pdf"), "application/pdf", content)
    media_type, picture = _re_encoded(content)
    return CheckedFile(_plain_name(name, ENDINGS[media_type]), media_type, picture)


def _re_encoded(content: bytes) -> tuple[str, bytes]:
    """Media type and bytes of a picture's first frame, upright, at most 4,096 pixels wide or high."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise _NOT_ACCEPTED
                photo = opened.format == "JPEG"
                upright = ImageOps.exif_transpose(opened)
                picture = upright.convert("RGB" if photo else "RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _NOT_ACCEPTED from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # what Pillow raises for damaged pictures
        raise _NOT_ACCEPTED from error
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    written = io.BytesIO()
    picture.info.clear()
    picture.save(written, format="JPEG" if photo else "PNG", **({"quality": 85} if photo else {}))
    return "image/jpeg" if photo else "image/png", written.getvalue()


def _plain_name(name: str, ending: str) -> str:
    """A file name without a path, control characters or an ending of another kind.

    >>> _plain_name("../a\\x00/聊天 截图.jpeg", ".jpg"), _plain_name(".htaccess", ".png")
    ('聊天 截图.jpg', 'file.png')
    """
    last = re.split(r"[/\\]", name)[-1]
    stem = re.sub(r"[\x00-\x1f\x7f\"'<>|:*?\u200e\u200f\u202a-\u202e]", "", last).rpartition(".")[0] or "file"
    return f"{stem[:_NAME_LENGTH].strip() or 'file'}{ending}"


def attach(
    connection: Connection,
    folder: Path,
    appeal_id: int,
    files: Sequence[CheckedFile],
    limits: AttachmentLimits,
    now: int,
) -> None:
    """Add files to an appeal. A file that the appeal has already is not added again.

    Raises BountyError if the appeal would have too many.
    """
    if not files:
        return
    promoter_id: int = connection.execute(
        select(Appeal.promoter_id).where(Appeal.appeal_id == appeal_id)
    ).scalar_one()
    held = {row.sha256 for row in attachments_of(connection, appeal_id)}
    new = {hashlib.sha256(file.content).hexdigest(): file for file in files}
    new = {sha256: file for sha256, file in new.items() if sha256 not in held}
    if len(held) + len(new) > limits.files:
        raise BountyError(
            f"An appeal has at most {limits.files} files.", f"一份申诉最多附 {limits.files} 个文件。"
        )
    for number, (sha256, file) in enumerate(new.items(), len(held) + 1):
        write_private_file(stored_path(folder, sha256, file.media_type), file.content)
        facts = {
            "file_name": file.name,
            "media_type": file.media_type,
            "sha256": sha256,
            "size_bytes": len(file.content),
        }
        key = {"promoter_id": promoter_id, "appeal_id": appeal_id, "number": number}
        connection.execute(insert(AppealAttachment).values(**key, **facts, added_at=now))
        record(connection, "appeal.attach", f"appeal {appeal_id}", now, after={"number": number, **facts})


class AttachmentRow(NamedTuple):
    """A row of ``appeal_attachments``."""

    promoter_id: int
    appeal_id: int
    number: int
    file_name: str
    media_type: str
    sha256: str
    size_bytes: int
    added_at: int


def attachments_of(connection: Connection, appeal_id: int) -> list[AttachmentRow]:
    """The files of an appeal in the order in which they were added."""
    row = AppealAttachment
    query = select(row.__table__).where(row.appeal_id == appeal_id).order_by(row.number)
    return fetch_all(connection, query, AttachmentRow)


def attachment(
    connection: Connection, appeal_id: int, number: int, *, promoter_id: int | None = None
) -> AttachmentRow | None:
    """One file of an appeal; None if there is none such.

    promoter_id  whose appeal it must be, where a promoter looks
    """
    row = AppealAttachment
    whose = [] if promoter_id is None else [row.promoter_id == promoter_id]
    query = select(row.__table__).where(row.appeal_id == appeal_id, row.number == number, *whose)
    return fetch_first(connection, query, AttachmentRow)


def stored_path(folder: Path, sha256: str, media_type: str) -> Path:
    """Where the bytes lie, below the folder of uploads."""
    return private_folder(folder / "attachments") / f"{sha256}{ENDINGS[media_type]}"
