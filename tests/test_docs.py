"""The documents: links lead somewhere, every setting and decision is listed, and what can be run runs as printed.

A block marked ``sh`` is run, its statements in order, in a folder of its own for each document. A block marked
``output`` that follows it is what it prints, where ``…`` alone in a line stands for any lines. Blocks marked ``text``
are for reading: production set-up, servers, log-ins.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from tests import forked_commands
from tests.factories import (
    PROMOTER,
    Row,
    link,
    order_row,
    payee,
    plain_terms,
    promoter,
    target,
    violation,
    write_csv_zh,
    write_json,
    write_table,
    write_text,
)

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NOW = "2023-01-20T12:00:00+08:00"
MARKDOWN = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in ("instance", "build") for part in path.relative_to(ROOT).parts)
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Links


def anchors(path: Path) -> set[str]:
    """The anchors that a Markdown file's headings get on the pages where it is read."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", _FENCE.sub("", path.read_text("utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number, one = 1, slug
        while one in found:
            one, number = f"{slug}-{number}", number + 1
        found.add(one)
    return found


def broken_links(path: Path) -> list[str]:
    """The relative links of a Markdown file that lead to no file, or to no heading of it."""
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", path.read_text("utf-8")))
    broken = []
    for link_text in _LINK.findall(text):
        if re.match(r"[a-z]+:", link_text):
            continue
        place, _, anchor = link_text.partition("#")
        aim = (path.parent / place).resolve() if place else path
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            broken.append(link_text)
    return broken


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_a_broken_link_and_a_broken_anchor_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One heading\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#one-heading) [b](other.md#two) [c](none.md) `[d](code.md)` [e](https://x.cn)\n"
    )
    assert broken_links(page) == ["other.md#two", "none.md"]


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 100


# Architecture

_FILE = re.compile(r"`([\w./]+\.(?:py|html))`")


def missing_files(text: str) -> list[str]:
    """The modules, templates and rooms of a text that neither the repository nor the package has."""
    rooms = [word for line in listed_rooms(text) for word in re.findall(r"[\w/]+(?:/|\.py)(?=\s|$)", line)]
    named = {*_FILE.findall(text), *rooms}
    return sorted(name for name in named if not any((top / name).exists() for top in (ROOT, ROOT / "bounty")))


def listed_rooms(text: str) -> list[str]:
    """What stands before the description in each line of the list of rooms."""
    blocks = [body for _, body in _FENCE.findall(text) if "\nweb/ " in body]
    return [re.split(r"\s{2,}", line)[0] for body in blocks for line in body.splitlines()]


def visited_twice(text: str) -> list[str]:
    """The files that one of the walks through the code names more than once."""
    walks = re.findall(r"^\d\. \*\*(?:.|\n(?!\d\. |\n))*", text, re.MULTILINE)
    assert len(walks) == 5
    visits = [_FILE.findall(walk) for walk in walks]
    return [name for walk in visits for name in set(walk) if walk.count(name) > 1]


def test_the_architecture_names_files_that_exist_and_walks_visit_none_twice() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert len(_FILE.findall(text)) > 50
    assert len(listed_rooms(text)) > 30
    assert missing_files(text) == []
    assert visited_twice(text) == []


def test_a_missing_file_and_a_second_visit_are_found() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert missing_files(text.replace("`orders/fold.py`", "`orders/folding.py`")) == ["orders/folding.py"]
    assert missing_files(text.replace("\nappeals/ ", "\nquestions/ ")) == ["questions/"]
    assert visited_twice(text.replace("`rules/subsidy.py`", "`rules/measure.py`")) == ["rules/measure.py"]


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (.*?) \|", (DOCS / "settings.md").read_text("utf-8"), re.MULTILINE)
    documented = re.findall(r"`(BOUNTY_\w+)`", " ".join(rows))
    assert sorted(documented) == sorted(f"BOUNTY_{name.upper()}" for name in Settings.model_fields)


def test_every_decision_is_listed_and_has_the_one_shape() -> None:
    listed = set(_LINK.findall((DOCS / "decisions" / "README.md").read_text("utf-8")))
    files = sorted(path for path in (DOCS / "decisions").glob("*.md") if path.name != "README.md")
    assert {path.name for path in files} - listed == set()
    numbers = [int(path.name.split("-")[0]) for path in files]
    assert numbers == list(range(1, len(files) + 1))
    for number, path in enumerate(files, 1):
        text = path.read_text("utf-8")
        assert text.startswith(f"# {number}. "), path.name
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)[-3:] == ["Decision", "Why", "Cost"], (
            path.name
        )


def test_the_architecture_names_every_room_and_files_that_exist() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    package = ROOT / "bounty"
    rooms = [f"{path.name}/" if path.is_dir() else path.name for path in package.iterdir()]
    unnamed = [
        room for room in rooms if not room.startswith("_") and room not in text and room[:-1] not in text
    ]
    assert unnamed == []
    named = re.findall(r"`([\w/]+\.(?:py|html))`", text)
    missing = [name for name in named if not (ROOT / name).exists() and not any(package.rglob(name))]
    assert missing == []


def test_the_package_cites_papers_that_are_in_the_tree() -> None:
    cited: dict[str, set[str]] = {}
    for path in [*(ROOT / "bounty").rglob("*.py"), ROOT / "config.py"]:
        for paper in re.findall(r"\b[\w/.-]+\.md\b", path.read_text("utf-8")):
            cited.setdefault(paper, set()).add(name_of(path))
    assert {paper: where for paper, where in cited.items() if not (ROOT / paper).exists()} == {}


# Examples


def blocks(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """The blocks of a document that can be run: line, text, and what is printed, or null where that is not shown."""
    text = path.read_text("utf-8")
    found = list(_FENCE.finditer(text))
    for at, fence in enumerate(found):
        if fence[1] != "sh":
            continue
        after = found[at + 1] if at + 1 < len(found) else None
        follows = after is not None and after[1] == "output" and not text[fence.end() : after.start()].strip()
        yield text.count("\n", 0, fence.start()) + 1, fence[2], after[2] if after and follows else None


RUNNABLE = [path for path in MARKDOWN if any(blocks(path))]


def statements(block: str) -> Iterator[str]:
    """The statements of a block: a line each, but for here-documents, braces and lines that end in a backslash."""
    lines = iter(block.splitlines())
    for line in lines:
        statement = line
        if here := re.search(r"<<'(\w+)'", line):
            for more in lines:
                statement += f"\n{more}"
                if more == here[1]:
                    break
        while statement.endswith("\\"):
            statement += f"\n{next(lines)}"
        if statement.startswith("{ ") and "}" not in statement:
            for more in lines:
                statement += f"\n{more}"
                if more.startswith("}"):
                    break
        if statement.strip() and not statement.startswith("#"):
            yield statement


class Shell:
    """Runs statements in a folder: a command of ours in a forked process, which is quicker, and all else in bash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keys = {
            name: f"{name} of the tests, which keeps nothing secret" for name in ("SECRET", "TOTP", "PAYEE")
        }
        self.env = {
            "BOUNTY_DATABASE_URL": f"sqlite:///{folder / 'bounty.sqlite'}",
            "BOUNTY_NOW": NOW,
            "BOUNTY_BACKUPS": str(folder / "backups"),
            "BOUNTY_UPLOADS": str(folder / "uploads"),
            **{f"BOUNTY_{name}_KEY": key for name, key in keys.items()},
        }

    def run(self, block: str) -> str:
        return "".join(self._statement(statement) for statement in statements(block))

    def _statement(self, statement: str) -> str:
        if statement.startswith("export "):
            for word in shlex.split(statement)[1:]:
                name, _, value = word.partition("=")
                self.env[name] = value
            return ""
        words = shlex.split(statement, comments=True)
        redirected = words[-2] == ">" if len(words) > 2 else False
        if words[0] != "bounty" or {"|", "||", "&&", ";", "<"} & set(words) or "$(" in statement:
            return self._bash(statement)
        printed = self._bounty(words[1:-2] if redirected else words[1:])
        if not redirected:
            return printed
        write_text(self.folder / words[-1], printed)
        return ""

    def _bounty(self, words: list[str]) -> str:
        done = forked_commands.run(words, self.env)
        assert done.returncode == 0, f"bounty {shlex.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _bash(self, statement: str) -> str:
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", statement],
            cwd=self.folder, env=self.env | {"PATH": path, "LC_ALL": "C.UTF-8"},
            capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{statement}\n{done.stderr}"
        return done.stdout


def is_printed(shown: str, printed: str) -> bool:
    """Whether a block shows what was printed; ``…`` alone in a line stands for any lines."""
    parts = [".*" if line == "…" else re.escape(line) for line in shown.replace("\ufeff", "").splitlines()]
    pattern = "\n".join(parts).replace(".*\n", "(?:.*\n)??").replace("\n.*", "(?:\n.*)?")
    return re.fullmatch(pattern, printed.replace("\ufeff", "").rstrip("\n"), re.DOTALL) is not None


def small_files(folder: Path) -> None:
    """What the documents call their files: a month of one promoter, who passes and is paid 100.00."""
    settled: Row = {"status": 5, "verified": "2022-12-25 00:00:00", "settled": "2023-01-19 00:00:00"}
    rows = [
        order_row(order_sn="221219-123456789012345", **settled),
        order_row(number=2, amount_fen=50_00, paid="2022-12-25 12:00:00", received="2022-12-29 12:00:00"),
    ]
    write_table(folder / "promoters.csv", [promoter(), promoter(1000940)])
    write_table(folder / "violations.csv", [violation(1000940)])
    write_table(folder / "links.csv", [link(f"{PROMOTER}_107021838", "app")])
    write_table(folder / "targets.csv", [target(gmv_yuan="80.00", orders="1")])
    write_csv_zh(folder / "orders.csv", rows)
    write_json(folder / "orders.json", rows)
    write_text(folder / "terms.toml", plain_terms())
    write_table(folder / "payees.csv", [payee()])
    shutil.copy(ROOT / "bounty" / "web" / "static" / "verify_export.py", folder)
    write_text(folder / "result.csv", f"payout_id,amount_yuan,status\nP1-{PROMOTER},100.00,paid\n")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small files, and books in which they are taken in and December is open."""
    folder = tmp_path_factory.mktemp("opened")
    small_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        kinds = ("promoters", "violations", "links", "targets", "orders")
        imports = "\n".join(f"bounty import {kind} {kind}.csv" for kind in kinds)
        Shell(folder).run(f"bounty db upgrade\n{imports}\nbounty terms add terms.toml\nbounty open 2022-12")
    return folder


@pytest.mark.parametrize("path", RUNNABLE, ids=name_of)
def test_what_can_be_run_runs_as_printed(
    path: Path, opened: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that makes its own books begins with the files alone, any other one with December open."""
    if "bounty db upgrade" in next(blocks(path))[1]:
        small_files(tmp_path)
    else:
        shutil.copytree(opened, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)
    for line, block, shown in blocks(path):
        printed = shell.run(block)
        if shown is not None:
            assert is_printed(shown, printed), f"{name_of(path)}:{line} prints\n{printed}"


def unlike(shown: Any, printed: Any, path: str = "") -> list[str]:
    """Where JSON that a page shows has other keys, or another order of them, than what is printed; lists by their first
    element."""
    if isinstance(shown, list) and isinstance(printed, list):
        return unlike(shown[0], printed[0], f"{path}[0]") if shown and printed else []
    if not isinstance(shown, dict) or not isinstance(printed, dict):
        return [] if None in (shown, printed) or type(shown) is type(printed) else [path]
    if list(shown) != list(printed):
        return [f"{path}: {list(shown)} but {list(printed)}"]
    return [each for key, value in shown.items() for each in unlike(value, printed[key], f"{path}.{key}")]


def test_the_json_of_the_promises_is_what_commands_print(
    opened: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks in their order, after a notice, an order that failed since, and other terms."""
    shutil.copytree(opened, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)
    failed = order_row(order_sn="221219-123456789012345", status=4, modified="2023-01-19 12:00:00")
    write_csv_zh(tmp_path / "failed.csv", [failed])
    write_text(tmp_path / "other.toml", plain_terms(levels={"V0": "direct_only = true\norders = 2"}))
    shell.run("bounty settle 2022-12\nbounty waive 2022-12 FRESH --reason x\nbounty publish 2022-12")
    shell.run("bounty import orders failed.csv")
    commands = (
        f"progress 2022-12 {PROMOTER}",
        "explain 221219-123456789012345",
        "status 2022-12",
        "simulate other.toml --periods 2022-12",
    )
    printed = [json.loads(shell.run(f"bounty {command} --json")) for command in commands]
    text = (DOCS / "promises.md").read_text("utf-8")
    shown = [json.loads(block) for kind, block in _FENCE.findall(text) if kind == "json"]
    assert [unlike(*pair) for pair in zip(shown, printed, strict=True)] == [[]] * len(commands)


def test_a_block_that_shows_something_else_is_found() -> None:
    assert is_printed("a\n…\nd\n", "a\nb\nc\nd\n")
    assert is_printed("…\nb\n", "b\n")
    assert is_printed("…\nb\n", "a\nb\n")
    assert is_printed("a\n…\n", "a\n")
    assert not is_printed("a\n…\nd\n", "a\nb\nc\n")
    assert not is_printed("a\nd\n", "a\nb\nd\n")
    assert not is_printed("a\n", "a\nb\n")
    assert unlike({"a": [{"b": 1}]}, {"a": [{"c": 1}]}) != []
    assert unlike({"a": "text"}, {"a": 1}) != []
    assert unlike({"a": None, "b": []}, {"a": {"c": 1}, "b": [2]}) == []
