"""The folder of archives: one move at a time, and files in it that are no archive of these books."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select

from bounty.errors import BountyError
from bounty.models import Archive
from bounty.orders.archive_files import unwritable
from bounty.private import make_private_file, private_folder

_NAME = re.compile(r"orders-[0-9]{4}-[0-9]{2}-[0-9]+-[0-9a-f]{12}\.parquet")


def file_name(month: str, archive_id: int, sha256: str) -> str:
    """The name of an archive's file.

    >>> file_name("2022-11", 7, "9f" * 32)
    'orders-2022-11-7-9f9f9f9f9f9f.parquet'
    """
    return f"orders-{month}-{archive_id}-{sha256[:12]}.parquet"


@contextmanager
def folder_locked(folder: Path) -> Iterator[None]:
    """The folder, made if it is missing, with no other move in it; what a killed one left half-written is deleted.

    Raises BountyError where another move is under way, or the folder can't be written.
    """
    lock = folder / ".lock"
    try:
        private_folder(folder)
        make_private_file(lock)
        descriptor = os.open(lock, os.O_RDWR)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BountyError(
                "Another `bounty archive` is at work in this folder: wait for its end.",
                "另一个 bounty archive 正在这个文件夹里工作：请等它结束。",
            ) from None
        for part in folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def strays(connection: Connection, folder: Path) -> list[str]:
    """Files with names of archives that these books do not know, as a killed move leaves one."""
    known = set(connection.execute(select(Archive.file_name)).scalars())
    found = (path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(name for name in found if name not in known)
