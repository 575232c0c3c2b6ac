"""Files and folders that only their owner may read, whatever the umask: books, backups, mails, the journal."""

import os
from contextlib import suppress
from pathlib import Path


def private_folder(path: Path) -> Path:
    """A folder, made with mode 0700, as is what is missing above it; one that is there stays as it is."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    return path


def make_private_file(path: Path) -> None:
    """An empty file with mode 0600, unless there is one."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def write_private_file(path: Path, content: bytes) -> None:
    """A file with mode 0600 and this content, in place of one that is there; on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        close_to_others(path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def close_to_others(path: Path) -> None:
    """Take every right of others' from a file that is ours."""
    stands = path.stat()
    if stands.st_uid == os.geteuid() and stands.st_mode & 0o077:
        path.chmod(stands.st_mode & 0o700)
