"""Checks before each run that floors and alternatives import nothing of the program, directly or indirectly."""

import ast
import sys
from pathlib import Path

ALLOWED = {"msgspec", "psycopg", "bench.floors.connect", *sys.stdlib_module_names}
"""Modules that a floor may import; for a dotted name the first part is sufficient."""
ALTERNATIVES = {"duckdb", "pandas", "sqlalchemy", *sys.stdlib_module_names}
"""Modules that a script may import which somebody would write in place of the program."""


def imported_by(source: str) -> set[str]:
    """The modules that a source file imports.

    >>> sorted(imported_by("import os.path\\nfrom bounty.db import load\\n"))
    ['bounty.db', 'os.path']
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def hold_all(root: Path) -> list[str]:
    """The names of floors and alternatives in the bench's folder, checked as ``hold`` does."""
    return [*hold(root / "floors"), *hold(root / "alternatives", ALTERNATIVES)]


def hold(folder: Path, permitted: set[str] = ALLOWED) -> list[str]:
    """The names of the checked files. Raises SystemExit with file and module if one has a forbidden import."""
    looked_at = sorted(folder.glob("*.py"))
    for path in looked_at:
        for name in sorted(imported_by(path.read_text(encoding="utf-8"))):
            if name not in permitted and name.partition(".")[0] not in permitted:
                raise SystemExit(f"{path.name} imports {name}: it stands on its own.")
    return [path.stem for path in looked_at if path.stem != "__init__"]
