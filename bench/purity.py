"""A floor imports nothing of the product, nor of anything that does: looked at in its source before each run."""

import ast
import sys
from pathlib import Path

ALLOWED = {"msgspec", "psycopg", "bench.floors.connect", *sys.stdlib_module_names}
"""Modules that a floor may name; of a dotted name the first part is enough."""


def imported_by(source: str) -> set[str]:
    """The modules that a source file names in its imports.

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
    """The floors that were looked at. Raises SystemExit, naming file and module, where one imports what it may not."""
    looked_at = sorted(folder.glob("*.py"))
    for path in looked_at:
        for name in sorted(imported_by(path.read_text(encoding="utf-8"))):
            if name not in ALLOWED and name.partition(".")[0] not in ALLOWED:
                raise SystemExit(f"{path.name} imports {name}: a floor stands on its own.")
    return [path.stem for path in looked_at if path.stem != "__init__"]
