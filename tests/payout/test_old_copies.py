"""An old copy of the books doesn't pay again: the whole drill as commands, and each way in which it can be answered."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, make_url, select

from bounty.checks import books
from bounty.db import make_engine, snapshot, transaction
from bounty.models import AuditEvent, Books, Message
from tests import forked_commands, postgres
from tests.conftest import SQLITE_AND_IN_SOAK_BOTH
from tests.factories import PROMOTER, environment, write_text
from tests.payout.desk import HEAD
from tests.payout.people import KEY, PASSWORD, Person
from tests.payout.world import OTHER, SEAL_KEY, Paying, earning

AT = "2023-01-21T12:00:00+08:00"


Said = subprocess.CompletedProcess[str]


class Shell:
    """Commands on books, each in a process of its own."""

    def __init__(self, url: str, folder: Path, *, drill: bool = False) -> None:
        self.url, self.folder, self.drill = url, folder, drill
        self.backups = folder / "backups"

    def run(self, *arguments: str | Path, by: Person | None = None, at: str = AT) -> Said:
        """What a command says. A code holds for half a minute, within which a busy machine may not start a process."""
        said = self._run(*arguments, by=by, at=at)
        late = by is not None and "wait for the next one" in said.stderr
        return self._run(*arguments, by=by, at=at) if late else said

    def _run(self, *arguments: str | Path, by: Person | None, at: str) -> Said:
        env = environment(
            self.url,
            at,
            BOUNTY_BACKUPS=str(self.backups),
            BOUNTY_PAYEE_KEY=SEAL_KEY,
            BOUNTY_TOTP_KEY=KEY,
            BOUNTY_POSTGRES_PROGRAMS=str(postgres.client_programs()),
            BOUNTY_REQUIRE_APPROVAL="1" if self.drill else "0",
            BOUNTY_CALENDAR_BACKUPS="0",
        )
        words, typed = [*map(str, arguments)], ""
        if by is not None:
            engine = make_engine(self.url)
            typed = f"{PASSWORD}\n{by.code(engine)}\n"
            engine.dispose()
            words += ["--as", by.email]
        return forked_commands.run(words, env, typed)

    def does(self, *arguments: str | Path, by: Person | None = None, at: str = AT) -> str:
        done = self.run(*arguments, by=by, at=at)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuses(self, *arguments: str | Path, by: Person | None = None, at: str = AT) -> str:
        """What a command says that refuses: one line."""
        done = self.run(*arguments, by=by, at=at)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stdout + done.stderr
        return done.stderr

    def content(self, tranche: int) -> str:
        shown = self.does("payout", "show", str(tranche))
        return shown.split("content sha256:")[1].split()[0]


in_soak_on_both = pytest.mark.parametrize("database_url", SQLITE_AND_IN_SOAK_BOTH, indirect=True)
"""For what the drill does on both databases, but for its last step."""


@pytest.fixture
def other_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """Of books of the same kind that are not there yet."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'restored.sqlite'}"
        return
    url = postgres.fresh_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def paying(engine: Engine, tmp_path: Path) -> Paying:
    """A published month of two promoters, one with a payee, that is due to be paid."""
    paying = Paying(engine, tmp_path / "files")
    paying.payee(PROMOTER)
    paying.publish(
        earning(1), earning(2, 30_00, promoter_id=OTHER), earning(3, 7_00, settled="2023-01-20 09:00:00")
    )
    return paying


def receipt_of(shell: Shell, out: Path) -> Path:
    """What the payer says of the Alipay file of an export: all paid."""
    (sent,) = out.glob("alipay-*.csv")
    rows = []
    for line in sent.read_text("gbk").splitlines()[2:]:
        number, account, name, amount, remark = line.split(",")
        rows.append(f"{number},2023-01-21 13:00:00,1,A{number},{account},{name},{amount},成功,{remark},\r\n")
    return write_text(shell.folder / "回单.csv", HEAD.format("", "", "") + "".join(rows), "gb18030")


def copy_in(shell: Shell) -> Path:
    (copy,) = (path for path in shell.backups.iterdir() if path.suffix in (".sqlite", ".dump"))
    return copy


def test_the_drill(paying: Paying, database_url: str, other_url: str, tmp_path: Path) -> None:
    """Backup, prepare, approve, export, receipt; the copy restored; and nothing leaves twice."""
    qian, shen = (Person(paying.engine, name, "finance") for name in ("qian", "shen"))
    old = Shell(database_url, tmp_path, drill=True)
    old.does("backup")
    assert "tranche 1 prepared" in old.does("payout", "prepare", "--settled-before", "2023-01-20", by=qian)
    old.does("payout", "approve", "1", "--sha256", old.content(1), by=shen)
    out = tmp_path / "out"
    old.does("payout", "export", "1", "--out", out, by=qian)
    assert "now paid 1 ¥100.00" in old.does("payout", "receipt", receipt_of(old, out), by=qian)
    sent = (out / "alipay-1-1.csv").read_bytes()

    new = Shell(other_url, tmp_path, drill=True)
    told = new.does("restore", copy_in(new))
    assert "Tranche 1 (¥100.00) left for the payer" in told
    assert "until then" in told.lower()
    assert new.does("audit", "verify").count("the chain holds") == 1
    # Of other orders it would be another tranche under the number that the payer knows.
    refused = new.refuses("payout", "prepare", "--settled-before", "2023-01-21", by=qian)
    assert "Tranche 1 left for the payer after this copy was made" in refused
    assert "tranche 1 prepared" in new.does("payout", "prepare", "--settled-before", "2023-01-20", by=qian)
    content = new.content(1)
    for command in (
        ("payout", "approve", "1", "--sha256", content),
        ("payout", "export", "1", "--out", tmp_path / "again"),
    ):
        said = new.refuses(*command, by=shen)
        assert "which these books, an older copy, don't know" in said
        assert "bounty payout answer 1 left --reason" in said
    assert not (tmp_path / "again").exists()
    # The receipt is of a payout that these books never exported.
    assert "unmatched=1" in new.does("payout", "receipt", tmp_path / "回单.csv", by=qian)
    listed = new.does("payout", "unanswered")
    assert [line.split(": ")[0] for line in listed.splitlines()] == ["tranche 1", "P1-1000939"]
    # Two people, the same answer, with a reason.
    answer = ("payout", "answer", "1", "left", "--reason", "网银流水")
    assert "a second person runs the same command" in new.does(*answer, by=qian)
    assert "a second person runs the same command" in new.does(*answer, by=qian)
    assert "left for the payer" in new.refuses("payout", "export", "1", "--out", tmp_path / "again", by=qian)
    assert new.does(*answer, by=shen) == "tranche 1: left\n"
    assert "Nothing is asked about tranche 1" in new.refuses(*answer, by=shen)
    assert "matched=1" in new.does("payout", "receipt", tmp_path / "回单.csv", by=qian)
    assert new.does("payout", "unanswered") == "nothing: these books know all that left\n"
    # And on it goes: what settled since, and no more.
    assert "tranche 2 prepared" in new.does("payout", "prepare", "--settled-before", "2023-01-21", by=qian)
    new.does("payout", "approve", "2", "--sha256", new.content(2), by=shen)
    new.does("payout", "export", "2", "--out", tmp_path / "next", by=qian)
    (rest,) = (tmp_path / "next").glob("alipay-*.csv")
    assert [line.split(",")[3] for line in rest.read_text("gbk").splitlines()[2:]] == ["7.00"]
    new.does("payout", "export", "1", "--out", tmp_path / "looked", by=qian)
    assert (tmp_path / "looked" / "alipay-1-1.csv").read_bytes() == sent
    assert new.run("check").returncode == 0, new.run("check").stdout


def restored(paying: Paying, database_url: str, other_url: str, tmp_path: Path) -> tuple[Shell, Shell]:
    """Books that were copied, then paid a tranche; and what their copy was restored to."""
    old, new = Shell(database_url, tmp_path), Shell(other_url, tmp_path)
    old.does("backup")
    old.does("payout", "prepare", "--settled-before", "2023-01-20")
    old.does("payout", "export", "1", "--out", tmp_path / "out")
    new.does("restore", copy_in(new))
    return old, new


@in_soak_on_both
def test_a_tranche_that_can_not_be_made_again_is_brought_back_from_its_folder(
    paying: Paying, database_url: str, other_url: str, tmp_path: Path
) -> None:
    _, new = restored(paying, database_url, other_url, tmp_path)
    said = new.refuses("payout", "answer", "1", "left", "--reason", "x")
    assert "prepare it again with `bounty payout prepare --settled-before 2023-01-20`" in said
    (tmp_path / "touched").mkdir()
    for path in (tmp_path / "out").iterdir():
        shutil.copy(path, tmp_path / "touched")
    lines = tmp_path / "touched" / "tranche_lines.csv"
    lines.write_bytes(lines.read_bytes().replace(b"100.00", b"900.00"))
    given = ("payout", "answer", "1", "left", "--reason", "x", "--from")
    assert "not those that its manifest names" in new.refuses(*given, tmp_path / "touched")
    assert "can't be read" in new.refuses(*given, tmp_path / "nowhere")
    assert new.does(*given, tmp_path / "out") == "tranche 1: left\n"
    new.does("payout", "export", "1", "--out", tmp_path / "again")
    first, again = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("out", "again")
    )
    assert {name for name, content in first.items() if again[name] != content} == set()
    assert "matched=1" in new.does("payout", "receipt", receipt_of(new, tmp_path / "out"))
    assert new.run("check").returncode == 0, new.run("check").stdout


@in_soak_on_both
def test_one_that_never_reached_the_payer_leaves_once(
    paying: Paying, database_url: str, other_url: str, tmp_path: Path
) -> None:
    _, new = restored(paying, database_url, other_url, tmp_path)
    assert "The answer about tranche 1 is left or stayed" in new.refuses(
        "payout", "answer", "1", "seen", "--reason", "x"
    )
    new.does("payout", "answer", "1", "stayed", "--reason", "文件已删除")
    new.does("payout", "prepare", "--settled-before", "2023-01-20")
    new.does("payout", "export", "1", "--out", tmp_path / "again")
    assert new.does("payout", "unanswered").startswith("nothing")


@in_soak_on_both
def test_where_the_journal_is_lost_somebody_must_say_that_nothing_else_left(
    paying: Paying, database_url: str, other_url: str, tmp_path: Path
) -> None:
    old, new = Shell(database_url, tmp_path), Shell(other_url, tmp_path)
    old.does("backup")
    copy = copy_in(old)
    old.does("payout", "prepare", "--settled-before", "2023-01-20")
    old.does("payout", "export", "1", "--out", tmp_path / "out")
    new.backups = tmp_path / "elsewhere"
    told = new.does("restore", copy)
    assert "no journal tells what left after that copy was made" in told
    new.does("payout", "prepare", "--settled-before", "2023-01-20")
    said = new.refuses("payout", "export", "1", "--out", tmp_path / "again")
    assert "bounty payout answer copy nothing-else" in said
    # The folder tells of the tranche though no journal does.
    new.does("payout", "answer", "1", "left", "--reason", "x", "--from", tmp_path / "out")
    assert "no journal tells" in new.does("payout", "unanswered")
    new.does("payout", "answer", "copy", "nothing-else", "--reason", "网银流水里没有别的")
    assert new.does("payout", "unanswered").startswith("nothing")
    assert "is replaced" not in new.does("payout", "list")


@in_soak_on_both
def test_a_copy_put_back_by_hand_is_found_out_too(paying: Paying, database_url: str, tmp_path: Path) -> None:
    shell = Shell(database_url, tmp_path)
    shell.does("backup")
    paying.engine.dispose()
    put_back(shell, lambda: spend(shell, tmp_path))
    said = shell.refuses("audit", "verify")
    assert "older than the journal" in said
    shell.does("payout", "prepare", "--settled-before", "2023-01-20")
    assert "Tranche 1 (¥100.00) left" in shell.refuses("payout", "export", "1", "--out", tmp_path / "again")
    shell.does("payout", "answer", "1", "left", "--reason", "x")
    assert "older than their journal" in shell.does("payout", "unanswered")
    shell.does("payout", "answer", "copy", "nothing-else", "--reason", "x")
    assert shell.does("payout", "unanswered").startswith("nothing")
    assert "the chain holds" in shell.does("audit", "verify")


def test_books_that_lost_their_name_do_not_begin_another_journal(
    paying: Paying, database_url: str, tmp_path: Path
) -> None:
    """Without its name nobody would find the journal that tells what left."""
    shell = Shell(database_url, tmp_path)
    spend(shell, tmp_path)
    (journal,) = shell.backups.glob("journal-*.jsonl")
    with transaction(paying.engine) as connection:
        connection.execute(delete(Books))
    paying.engine.dispose()
    for words in (
        ("audit", "verify"),
        ("payout", "unanswered"),
        ("backup",),
        ("payout", "export", "1", "--out", tmp_path / "again"),
        ("void", "ask", "2022-12", str(PROMOTER), "--reason", "x"),
    ):
        assert "journal-NAME.jsonl" in shell.refuses(*words)
    assert list(shell.backups.glob("journal-*.jsonl")) == [journal]
    with transaction(paying.engine) as connection:
        name = journal.stem.removeprefix("journal-")
        connection.execute(insert(Books).values(name=name))
    paying.engine.dispose()
    assert "the chain holds" in shell.does("audit", "verify")


def spend(shell: Shell, tmp_path: Path) -> None:
    shell.does("payout", "prepare", "--settled-before", "2023-01-20")
    shell.does("payout", "export", "1", "--out", tmp_path / "out")


def put_back(shell: Shell, meanwhile: Any) -> None:
    """Keep the database by hand, let something be done, and put it back."""
    url = make_url(shell.url)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        engine = make_engine(shell.url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        shutil.copy(path, shell.folder / "kept")
        meanwhile()
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        shutil.copy(shell.folder / "kept", path)
        return
    kept = postgres.fresh_database(template=shell.url)
    meanwhile()
    postgres.renew_database(shell.url, kept)
    postgres.drop_database(kept)


def test_a_receipt_of_a_payout_that_the_books_do_not_know_stops_the_next_export(
    paying: Paying, database_url: str, tmp_path: Path
) -> None:
    shell = Shell(database_url, tmp_path)
    path = write_text(tmp_path / "strange.csv", "payout_id,amount_yuan,status\nP7-1000939,5.00,paid\n")
    assert "unmatched=1" in shell.does("payout", "receipt", path)
    shell.does("payout", "prepare", "--settled-before", "2023-01-20")
    said = shell.refuses("payout", "export", "1", "--out", tmp_path / "out")
    assert "says that P7-1000939 was paid ¥5.00, and these books never exported it" in said
    assert "needs a reason" in shell.refuses("payout", "answer", "P7-1000939", "seen", "--reason", " ")
    shell.does("payout", "answer", "P7-1000939", "seen", "--reason", "别的账套")
    shell.does("payout", "export", "1", "--out", tmp_path / "out")


def test_messages_that_waited_when_the_copy_was_made_are_not_sent_again_unseen(
    paying: Paying, database_url: str, other_url: str, tmp_path: Path
) -> None:
    waiting = {"channel": "webhook", "kind": "notice", "recipient": "webhook", "subject": "x", "body": "{}"}
    with transaction(paying.engine) as connection:
        connection.execute(delete(Message))
        for name, values in {
            "msg_waits": {"tries": 0, "next_try_at": 1},
            "msg_sent": {"tries": 1, "sent_at": 2},
        }.items():
            connection.execute(insert(Message).values(message=name, written_at=1, **waiting, **values))
    old, new = (Shell(url, tmp_path, drill=True) for url in (database_url, other_url))
    old.does("backup")
    assert "1 message that waited when the copy was made may have been sent since" in new.does(
        "restore", copy_in(new)
    )
    held = new.does("outbox", "list", "--state", "failed")
    assert "msg_waits" in held
    assert "held after a restore" in held
    new.does("worker", "--once")
    assert "msg_waits" in new.does("outbox", "list", "--state", "failed")


def test_a_copy_of_books_that_paid_nothing_since_goes_on_at_once(
    paying: Paying, database_url: str, other_url: str, tmp_path: Path
) -> None:
    old, new = Shell(database_url, tmp_path), Shell(other_url, tmp_path)
    old.does("backup")
    old.does(
        "payout", "prepare", "--settled-before", "2023-01-20"
    )  # what was not exported can't have been paid
    assert "Until then" not in new.does("restore", copy_in(new))
    spend(new, tmp_path)
    # The books that were left behind are now the old ones.
    assert "older than their journal" in old.does("payout", "unanswered")


def test_the_journal_survives_a_writer_that_was_killed_and_tells_of_one_who_changed_it(
    paying: Paying, database_url: str, tmp_path: Path
) -> None:
    shell = Shell(database_url, tmp_path)
    shell.does("payout", "prepare", "--settled-before", "2023-01-20")
    (journal,) = shell.backups.glob("journal-*.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"kind": "he')
    shell.does("payout", "export", "1", "--out", tmp_path / "out")
    kinds = [json.loads(line)["kind"] for line in journal.read_bytes().splitlines() if line.endswith(b"}")]
    assert kinds[-1] == "export"
    assert "the chain holds" in shell.does("audit", "verify")
    assert journal.stat().st_mode & 0o077 == 0
    journal.write_bytes(b'{"kind": 1}\n' + journal.read_bytes())
    assert "Line 1 of the journal" in shell.refuses("audit", "verify")


def test_an_acknowledged_act_that_was_lost_is_told(paying: Paying, database_url: str, tmp_path: Path) -> None:
    """As when a write-ahead log was deleted: the chain of what is left holds, and the journal knows better."""
    shell = Shell(database_url, tmp_path)
    shell.does("backup")
    paying.engine.dispose()
    put_back(shell, lambda: shell.does("void", "ask", "2022-12", str(PROMOTER), "--reason", "x"))
    said = shell.refuses("audit", "verify")
    assert "have lost what was written last" in said
    with snapshot(paying.engine) as connection:
        assert connection.execute(select(AuditEvent.event_id)).first() is not None
        assert sum(finding.violations for finding in books.run_checks(connection)) == 0
