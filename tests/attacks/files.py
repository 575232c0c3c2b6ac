"""Files that are small and would do large harm, and what is no file."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from tests.attacks.table import Table
from tests.attacks.world import AT, Target
from tests.factories import SCRIPT, environment
from tests.files.test_small_files_of_large_harm import FILES, MEMORY

SECONDS = 20
"""On a machine that does other work; the tests of the files themselves hold the time of the processor."""
GROWTH = {"sqlite": 100 << 20, "postgresql": 150 << 20}
"""Bytes: a file of 781 KiB may hold 400,001 bad rows, and each row of PostgreSQL has a head of its own."""
MEASURED = """
import os, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(done.returncode, peak, "Traceback" in done.stderr)
"""


def _size(target: Target) -> int:
    if target.engine.dialect.name == "postgresql":
        return target.count("SELECT pg_database_size(current_database())")
    return target.count("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")


def _import(target: Target, path: Path) -> tuple[float, int, int, bool]:
    """Seconds, bytes of memory, bytes by which the database grew, and whether it ended in words."""
    before, began = _size(target), time.monotonic()
    env = environment(target.site.database_url, AT)
    command = [sys.executable, "-c", MEASURED, SCRIPT, "import", "orders", str(path)]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    code, peak, traced = done.stdout.split()
    in_words = code in ("0", "1") and traced == "False"
    return time.monotonic() - began, int(peak) << 10, _size(target) - before, in_words


def small_files(target: Target, table: Table) -> None:
    """Each taken in by the command, in a process of its own."""
    folder, growth = target.folder / "harm", GROWTH[target.engine.dialect.name]
    folder.mkdir()
    for name, file_name, build, _code in FILES:
        path = build(folder / file_name)
        assert path.stat().st_size < 1 << 20
        seconds, peak, grown, in_words = _import(target, path)
        bounded = seconds < SECONDS and peak < MEMORY and grown < growth and in_words
        found = (
            "bounded"
            if bounded
            else f"{seconds:.1f} s, {peak >> 20} MiB, grown {grown >> 20} MiB, in words: {in_words}"
        )
        table.tried(f"import {name}, {path.stat().st_size // 1024} KiB", found, "bounded")
    for what, path in _no_files(folder):
        seconds, _peak, grown, in_words = _import(target, path)
        found = (
            "refused at once" if seconds < SECONDS and grown < 1 << 20 and in_words else f"{seconds:.1f} s"
        )
        table.tried(f"import {what}", found, "refused at once")
    for what, path in _archives(folder):
        seconds, peak, grown, in_words = _import(target, path)
        bounded = seconds < SECONDS and peak < MEMORY and grown < growth and in_words
        table.tried(
            f"import {what}", "bounded" if bounded else f"{seconds:.1f} s, {peak >> 20} MiB", "bounded"
        )
    table.tried("a file written by an archive outside of it", Path("/tmp/bounty-evil.csv").exists(), False)


def _no_files(folder: Path) -> list[tuple[str, Path]]:
    places = [
        (f"/dev/zero as {name}", folder / f"zero-{name}") for name in ("o.csv", "o.xlsx", "o.json", "o.zip")
    ]
    for _, path in places:
        path.symlink_to("/dev/zero")
    pipe, directory = folder / "pipe.csv", folder / "folder.csv"
    os.mkfifo(pipe)
    directory.mkdir()
    return [
        *places,
        ("a pipe that nobody writes to", pipe),
        ("a folder", directory),
        ("/dev/random", Path("/dev/random")),
        ("/dev/zero", Path("/dev/zero")),
        ("/dev/stdin, closed", Path("/dev/stdin")),
    ]


def _archives(folder: Path) -> list[tuple[str, Path]]:
    bomb, nested, outside, linked = (
        folder / f"{name}.zip" for name in ("bomb", "nested", "outside", "linked")
    )
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("o.csv", b"0" * (600 << 20))
    with zipfile.ZipFile(nested, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(bomb, "o.zip")
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("../../../../tmp/bounty-evil.csv", "a,b\n1,2\n")
    with zipfile.ZipFile(linked, "w") as archive:
        info = zipfile.ZipInfo("o.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    external = folder / "external.xlsx"
    with zipfile.ZipFile(external, "w") as archive:
        archive.writestr(
            "[Content_Types].xml", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
        )
        archive.writestr(
            "xl/workbook.xml", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
        )
    return [
        ("600 MB of zeros in an archive", bomb),
        ("an archive within an archive", nested),
        ("a name outside of the archive", outside),
        ("a link in an archive", linked),
        ("a workbook that names a file of the machine", external),
    ]


def uploads(target: Target, table: Table) -> None:
    """Files sent to the pages."""
    operator = target.visitor("operator")
    before = {path for path in Path("/tmp").iterdir() if "evil" in path.name}
    for name in (
        "../../evil.csv",
        "/tmp/evil.csv",
        "..\\..\\evil.csv",
        "a\x00.csv",
        "x" * 300 + ".csv",
        "evil.exe",
        "evil.php",
        ".htaccess",
        "",
    ):
        said = operator.post("/operations/imports/", {"file": (name, b"a,b\n1,2\n")}, kind="orders")
        table.tried(
            f"upload a file named {name[:16]!r}",
            said.status_code if said.status_code >= 500 else "kept or refused",
            "kept or refused",
        )
    kept = [path for path in (target.folder / "uploads").rglob("*") if path.is_file()]
    table.tried(
        "their names on the disk",
        any("evil" in path.name or path.stat().st_mode & 0o111 for path in kept),
        False,
    )
    table.tried(
        "files outside of the folder",
        {path for path in Path("/tmp").iterdir() if "evil" in path.name} - before,
        [set()],
    )
    modes = {oct(path.stat().st_mode & 0o777) for path in kept}
    table.tried("uploads read by another account of the machine", modes, [{"0o600"}])
    for kind in ("users", "../orders", ""):
        said = operator.post("/operations/imports/", {"file": ("o.csv", b"a\n")}, kind=kind)
        table.tried(f"upload a file of kind {kind!r}", said.status_code, (400, 404, 409, 422))
    said = operator.post("/operations/terms/", {"file": ("t.toml", b"[[" * 200_000)})
    table.tried("terms of brackets", said.status_code, (400, 409, 413, 422))
    said = target.visitor("finance").post("/finance/receipts/", {"file": ("r.csv", b'"' * 900_000)})
    table.tried("a receipt of quotes", said.status_code, (400, 409, 413, 422))
    for waiting in ("../../books", "0" * 64, "/etc/passwd", ""):
        said = target.visitor("finance").post("/finance/receipts/take", waiting=waiting)
        table.tried(f"take in a receipt that waits as {waiting[:12]!r}", said.status_code, 409)
