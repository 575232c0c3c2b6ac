"""Checks before each run that the floors import nothing of the product, neither directly nor indirectly."""

import ast
import sys
from pathlib import Path

ALLOWED = {"msgspec", "psycopg", "bench.floors.connect", *sys.stdlib_module_names}
"""Modules that a floor may import; for a dotted name the first part is sufficient."""


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


def hold(folder: Path) -> list[str]:
    """The names of the checked floors. Raises SystemExit with file and module if a floor has a forbidden import."""
    looked_at = sorted(folder.glob("*.py"))
    for path in looked_at:
        for name in sorted(imported_by(path.read_text(encoding="utf-8"))):
            if name not in ALLOWED and name.partition(".")[0] not in ALLOWED:
                raise SystemExit(f"{path.name} imports {name}: a floor stands on its own.")
    return [path.stem for path in looked_at if path.stem != "__init__"]
