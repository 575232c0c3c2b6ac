"""The floors of the bench stand on their own: they import nothing of the program, and the look at them bites."""

from pathlib import Path

import pytest

from bench import floors, purity


def test_the_floors_import_nothing_of_the_program() -> None:
    purity.hold(Path(floors.__file__).parent)


@pytest.mark.parametrize("line", ["import bounty.db", "from bounty import db", "from tests import oracle"])
def test_a_floor_that_imports_the_program_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "borrowed.py").write_text(f"def floor():\n    {line}\n")
    with pytest.raises(SystemExit, match=r"borrowed\.py imports"):
        purity.hold(tmp_path)
