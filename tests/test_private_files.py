"""What only its owner may read is so under any umask; keys of development are made once, by whoever comes first."""

import subprocess
import sys
from pathlib import Path

import pytest

import config
from bounty.errors import BountyError
from tests.factories import SCRIPT, environment

AT = "2022-12-15T12:00:00+08:00"


def test_books_backups_journal_and_mails_are_their_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = environment(
        f"sqlite:///{home / 'data' / 'books.sqlite'}",
        AT,
        BOUNTY_BACKUPS=str(home / "backups"),
        BOUNTY_UPLOADS=str(home / "site" / "uploads"),
    )

    def run(*words: str) -> str:
        done = subprocess.run(
            [SCRIPT, *words], env=env, capture_output=True, encoding="utf-8", check=False, umask=0
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("db", "upgrade")
    run("user", "add", "zhou@example.com", "--role", "operator")
    run("backup")
    mail = (
        "from config import Settings; from bounty.app import post_of\n"
        "from bounty.notifications.mail import MailSession\n"
        "from types import SimpleNamespace\n"
        "row = SimpleNamespace(message='msg_1', recipient='a@example.com', subject='x', body='x', path=None, kind='x', "
        "written_at=1)\n"
        "MailSession(post_of(Settings()).mail).send(row)\n"
    )
    subprocess.run(
        [sys.executable, "-c", mail], env=env, check=True, umask=0, cwd=Path(config.__file__).parent
    )
    found = {path: path.stat().st_mode & 0o777 for path in [home, *home.rglob("*")]}
    names = " ".join(path.name for path in found)
    for part in ("books.sqlite", ".sqlite.json", "journal-", "msg_1.eml"):
        assert part in names
    assert {path: mode for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_of_many_processes_that_start_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    for turn in range(6):
        folder = tmp_path / str(turn)
        ask = (
            "import sys, time; from pathlib import Path; import config\n"
            f"config.INSTANCE = Path({str(folder)!r})\n"
            "settings = config.Settings()\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            "print(config.kept_key(settings, 'payee_key'))\n"
        )
        asking = [
            subprocess.Popen(
                [sys.executable, "-c", ask],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment("sqlite:///x"),
                cwd=Path(config.__file__).parent,
            )
            for _ in range(4)
        ]
        for each in asking:
            assert each.stdout is not None
            each.stdout.readline()
        for each in asking:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        keys = {each.communicate()[0].strip() for each in asking}
        assert len(keys) == 1, keys
        assert len(keys.pop()) >= config.SHORTEST_KEY
        assert [path.name for path in folder.iterdir()] == ["payee_key"]
        assert (folder / "payee_key").stat().st_mode & 0o777 == 0o600


def test_an_empty_key_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "INSTANCE", tmp_path)
    (tmp_path / "payee_key").write_text("")
    with pytest.raises(BountyError, match="payee_key holds no key"):
        config.kept_key(config.Settings(), "payee_key")
    assert (tmp_path / "payee_key").stat().st_size == 0
