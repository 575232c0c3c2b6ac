"""What the program is built from: no version with a known fault in the locks, and a list of what they pin."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")


def known_bad(*locks: Path) -> subprocess.CompletedProcess[str]:
    # Without our own folder on the path: the list imports nothing of ours.
    command = [sys.executable, "-P", str(ROOT / "deploy/known_bad.py"), *map(str, locks)]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def test_the_locks_pin_no_known_bad_version() -> None:
    checked = known_bad(*LOCKS)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "deploy/known_bad.py requirements.lock requirements-dev.lock" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    ("name", "bad", "advisory"),
    [
        ("werkzeug", "3.1.5", "CVE-2026-27199"),
        ("jinja2", "3.1.0rc1", "CVE-2025-27516"),
        ("urllib3", "2.6.2", "CVE-2026-21441"),
    ],
)
def test_a_planted_known_bad_version_fails(tmp_path: Path, name: str, bad: str, advisory: str) -> None:
    planted = tmp_path / "requirements.lock"
    text, changed = re.subn(rf"(?m)^{name}==\S+", f"{name}=={bad}", LOCKS[0].read_text())
    assert changed == 1
    planted.write_text(text)
    checked = known_bad(LOCKS[1], planted)
    assert checked.returncode == 1
    assert f"{planted}: {name} {bad}: {advisory}" in checked.stderr
    assert str(LOCKS[1]) not in checked.stderr


def test_a_lock_without_pins_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    empty = tmp_path / "requirements.lock"
    empty.write_text("# nothing\n")
    assert "no versions are pinned" in known_bad(empty).stderr


def test_the_sbom_is_valid_the_same_each_time_and_names_no_place(tmp_path: Path) -> None:
    made = []
    for folder in ("one", "other"):
        lock = tmp_path / folder / "requirements.lock"
        lock.parent.mkdir()
        lock.write_text(LOCKS[0].read_text())
        target = lock.with_name("bounty.cdx.json")
        subprocess.run([sys.executable, ROOT / "deploy/sbom.py", lock, target], check=True, cwd=lock.parent)
        made.append(target.read_text())
    assert made[0] == made[1]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made[0]) is None
    listed = {f"{each['name']}=={each['version']}" for each in json.loads(made[0])["components"]}
    assert listed == set(re.findall(r"(?m)^[a-z0-9._-]+==[^\s;]+", LOCKS[0].read_text()))
    for place in ("https:", "file:", "pypi.org", str(tmp_path), str(ROOT), str(Path.home())):
        assert place not in made[0]


def test_the_locks_name_no_registry_and_every_pin_has_a_hash() -> None:
    for lock in LOCKS:
        text = lock.read_text()
        line = r"[a-z0-9._-]+==[^\s:]+( ; [^:]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|( {4})?#( [^:]*:?)?"
        assert [each for each in text.splitlines() if not re.fullmatch(line, each)] == []
        pins = re.split(r"(?m)^(?=[a-z0-9._-]+==)", text)[1:]
        assert all("--hash=sha256:" in pin for pin in pins)
