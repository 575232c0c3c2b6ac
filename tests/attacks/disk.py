"""Damage and old copies of the books' files, who may read them, sums that pass every number, and the first start."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from sqlalchemy import make_url

import config
from tests import postgres
from tests.attacks.table import Table
from tests.attacks.world import AT, Target
from tests.damage import damaged, proved_that_differ, whole_of
from tests.factories import PROMOTER, SCRIPT, environment, order_row, write_json, write_text
from tests.web.world import PAYEE_KEY

PAGES = 22


def _copy(target: Target, path: Path) -> None:
    """Of the books on SQLite."""
    holder = sqlite3.connect(str(make_url(target.site.database_url).database))
    holder.execute("VACUUM INTO ?", (str(path),))
    holder.close()


def damage(target: Target, table: Table) -> None:
    """One page of the database at a time."""
    if target.engine.dialect.name != "sqlite":
        return
    path, copy = target.folder / "whole.sqlite", target.folder / "damaged.sqlite"
    _copy(target, path)
    whole = whole_of(path)
    for at in range(PAGES):
        page = 2 + at * (whole.pages - 3) // (PAGES - 1)
        copy.write_bytes(damaged(whole, page, "tail" if at % 2 else "head"))
        env = environment(f"sqlite:///{copy}", AT, BOUNTY_BACKUPS=str(target.folder / "nowhere"))
        done = subprocess.run([SCRIPT, "check"], env=env, capture_output=True, text=True, check=False)
        found = "a traceback" if "Traceback" in done.stderr else "found"
        if (
            done.returncode == 0
        ):  # a free page, a place between cells, or a column that the check says it can't prove
            found = "clean" if proved_that_differ(whole, copy) else "nothing that it proves differs"
        right = ("found", "nothing that it proves differs")
        table.tried(f"`bounty check` of books with a damaged page {page} of {whole.pages}", found, right)


def old_copies(target: Target, table: Table) -> None:
    """Books that are older than what was done."""
    alone = {"BOUNTY_REQUIRE_APPROVAL": "0"}

    def does(*words: str | Path) -> str:
        done = target.shell(*words, **alone)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuses(*words: str | Path) -> str:
        done = target.shell(*words, **alone)
        return "done" if done.returncode == 0 else "a traceback" if "Traceback" in done.stderr else "refused"

    does("backup")
    (copy,) = (path for path in (target.folder / "backups").iterdir() if path.suffix in (".sqlite", ".dump"))
    first = target.folder / "first"
    does("payout", "export", "2", "--out", first)
    due = target.count(f"SELECT payable_fen FROM payouts WHERE tranche_id = 2 AND promoter_id = {PROMOTER}")
    receipt = f"payout_id,amount_yuan,status\nP2-{PROMOTER},{due / 100:.2f},paid\n"
    does("payout", "receipt", write_text(target.folder / "r.csv", receipt))
    live = target.site.database_url
    restored = f"sqlite:///{target.folder / 'restored.sqlite'}"
    if target.engine.dialect.name == "postgresql":
        restored = postgres.fresh_database()
    target.site = type(target.site)(target.site.url, restored, target.folder)
    try:
        does("restore", copy)
        again = target.folder / "again"
        table.tried(
            "export a tranche again from a copy of before",
            refuses("payout", "export", "2", "--out", again),
            "refused",
        )
        table.tried("that: files written", again.exists(), False)
        sha = does("payout", "show", "2").partition("content sha256:")[2][:64]
        table.tried("approve it again", refuses("payout", "approve", "2", "--sha256", sha), "refused")
        table.tried(
            "answer without a reason", refuses("payout", "answer", "2", "left", "--reason", " "), "refused"
        )
        table.tried(
            "answer for what nobody asks",
            refuses("payout", "answer", "3", "left", "--reason", "x"),
            "refused",
        )
        altered = target.folder / "altered"
        shutil.copytree(first, altered)
        lines = altered / "tranche_lines.csv"
        lines.write_bytes(lines.read_bytes().replace(b"0", b"1"))
        table.tried(
            "answer by a folder that was changed",
            refuses("payout", "answer", "2", "left", "--reason", "x", "--from", altered),
            "refused",
        )
        target.shell("payout", "answer", "2", "left", "--reason", "x")
        table.tried(
            "answer as nobody, where two people must",
            does("payout", "unanswered").startswith("nothing"),
            False,
        )
        does("payout", "answer", "2", "left", "--reason", "付款方已收到")
        does("payout", "export", "2", "--out", again)
        same = all((again / path.name).read_bytes() == path.read_bytes() for path in first.glob("alipay-*"))
        table.tried("after the answer: a file of other payments", same, True)
        strange = f"payout_id,amount_yuan,status\nP7-{PROMOTER},5.00,paid\n"
        does("payout", "receipt", write_text(target.folder / "s.csv", strange))
        table.tried(
            "a receipt of a payout that the books do not know, unseen",
            does("payout", "unanswered").startswith(f"P7-{PROMOTER}"),
            True,
        )
    finally:
        target.site = type(target.site)(target.site.url, live, target.folder)
        if target.engine.dialect.name == "postgresql":
            postgres.drop_database(restored)


def lost_log(target: Target, table: Table) -> None:
    """What was acknowledged, and taken away with the write-ahead log or by an older file."""
    if target.engine.dialect.name == "sqlite":
        folder = target.folder / "lost"
        folder.mkdir()
        path = folder / "books.sqlite"
        _copy(target, path)
        env = environment(
            f"sqlite:///{path}", AT, BOUNTY_BACKUPS=str(folder / "backups"), BOUNTY_PAYEE_KEY=PAYEE_KEY
        )

        def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [SCRIPT, *map(str, words)], env=env, capture_output=True, text=True, check=False
            )

        assert run("void", "ask", "2022-11", str(PROMOTER), "--reason", "x").returncode == 0
        assert run("audit", "verify").returncode == 0
        holder = sqlite3.connect(path)  # a reader, so that the log is not folded in at the end of the command
        holder.execute("PRAGMA journal_mode=WAL")
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM orders").fetchone()
        done = run("import", "orders", write_json(folder / "o.json", [order_row(number=950)]))
        assert done.returncode == 0, done.stderr
        kept = path.read_bytes()
        holder.close()
        lost = folder / "books.sqlite"
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        lost.write_bytes(kept)
        done = run("audit", "verify")
        table.tried(
            "the write-ahead log deleted: `bounty audit verify`",
            (done.returncode != 0, "older than the journal" in done.stderr),
            [(True, True)],
        )
        done = run("payout", "export", "2", "--out", folder / "out")
        table.tried("the write-ahead log deleted: export", done.returncode != 0, True)


def sums(target: Target, table: Table) -> None:
    """Orders whose sum passes 2^63."""
    most = target.count("SELECT count(*) FROM orders")
    for amount in (2**62, 10**17):
        rows = [
            order_row(
                number=20_000 + at + amount % 1_000,
                amount_fen=amount,
                paid="2022-12-05 12:00:00",
                received="2022-12-09 12:00:00",
            )
            for at in range(12)
        ]
        target.shell("import", "orders", write_json(target.folder / f"large{amount}.json", rows))
        for command in (("progress", "2022-12", str(PROMOTER)), ("status", "2022-12"), ("check",)):
            done = target.shell(*command)
            found = "a traceback" if "Traceback" in done.stderr else "in words"
            table.tried(f"`bounty {command[0]}` after 12 orders of {amount} fen", found, "in words")
    status = target.visitor("promoter").get("/task").status_code
    table.tried("the promoter's page after these", status, 200)
    assert most


def modes(target: Target, table: Table) -> None:
    """What another account of the machine may read, under any umask."""
    for umask in (0o022, 0):
        home = target.folder / f"home{umask}"
        env = environment(
            f"sqlite:///{home / 'data' / 'books.sqlite'}",
            AT,
            BOUNTY_BACKUPS=str(home / "backups"),
            BOUNTY_UPLOADS=str(home / "uploads"),
        )
        for words in (("db", "upgrade"), ("user", "add", "a@example.com", "--role", "operator"), ("backup",)):
            done = subprocess.run(
                [SCRIPT, *words], env=env, umask=umask, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        for path in sorted(home.rglob("*")):
            right = "0o700" if path.is_dir() else "0o600"
            name = path.name if len(path.name) < 20 else f"…{path.suffix}"
            table.tried(
                f"umask {umask:03o}: {path.parent.name}/{name}", oct(path.stat().st_mode & 0o777), right
            )


def first_start(target: Target, table: Table) -> None:
    """Four processes at once, each of which needs a key that there is not yet."""
    for turn in range(6):
        folder = target.folder / f"start{turn}"
        ask = (
            f"from pathlib import Path; import config; config.INSTANCE = Path({str(folder)!r})\n"
            "print(config.kept_key(config.Settings(), 'payee_key'))\n"
        )
        env, cwd = environment(target.site.database_url), Path(config.__file__).parent
        asking = [
            subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True, env=env, cwd=cwd)
            for _ in range(4)
        ]
        keys = {each.communicate()[0].strip() for each in asking}
        table.tried(
            f"four first starts at once, turn {turn + 1}: keys",
            len(keys) if min(map(len, keys)) >= 32 else "a weak one",
            1,
        )
    (target.folder / "start0" / "payee_key").write_text("")
    ask = (
        f"from pathlib import Path; import config; config.INSTANCE = Path({str(target.folder / 'start0')!r})\n"
        "config.kept_key(config.Settings(), 'payee_key')"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=environment(target.site.database_url),
        cwd=Path(config.__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    table.tried("an empty key of payees", "holds no key" in done.stderr, True)
