"""Fail if a lock pins a version that ``known_bad.csv`` lists: ``python deploy/known_bad.py LOCK...``, offline.

The list has a row for each advisory and range: package, versions (PEP 440 specifiers), advisory, why. An advisory whose
versions a later one of the same package covers is left out. This imports nothing of ours.
"""

import csv
import re
import sys
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

LIST = Path(__file__).with_name("known_bad.csv")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def known_bad(lock: str) -> list[str]:
    """A sentence for each pin of a lock's text that the list names.

    Raises ValueError for a text without pins, and for a row without all of its four parts.
    """
    pins = {canonicalize_name(name): version for name, version in PIN.findall(lock)}
    if not pins:
        raise ValueError("no versions are pinned")
    found = []
    with LIST.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            if not all(row[part] for part in ("package", "versions", "advisory", "why")):
                raise ValueError(f"{LIST.name}: a part is missing in {row}")
            version = pins.get(canonicalize_name(row["package"]))
            if version is not None and SpecifierSet(row["versions"], prereleases=True).contains(version):
                found.append(
                    f"{row['package']} {version}: {row['advisory']} ({row['versions']}): {row['why']}"
                )
    return found


def main(paths: list[str]) -> int:
    """Check the files; the exit code."""
    found = [
        f"{path}: {each}" for path in paths for each in known_bad(Path(path).read_text(encoding="utf-8"))
    ]
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
