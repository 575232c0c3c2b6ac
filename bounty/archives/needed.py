"""Which archive files the books need."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bounty.errors import BountyError
from bounty.orders.archived import archives_in_use, open_archive


@dataclass(frozen=True, slots=True)
class NeededArchive:
    """An archive in which rows lie that are not in the tables."""

    file_name: str
    fault: str | None
    """Why the file can't be read, as a sentence; null where it is there and as it was made."""


def archives_needed(connection: Connection) -> list[NeededArchive]:
    """Every archive in use, the newest first."""
    needed = []
    for archive in archives_in_use(connection):
        fault = None
        try:
            open_archive(connection, archive)
        except BountyError as refusal:
            fault = str(refusal)
        needed.append(NeededArchive(archive.file_name, fault))
    return needed
