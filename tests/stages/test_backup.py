"""A backup is called one only after it was restored and checked; what was restored says what the books said."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from bounty.audit.service import verify
from bounty.backup.copies import read_copy, write_copy
from bounty.backup.service import Backup, back_up, restore
from bounty.checks import books
from bounty.db import make_engine, snapshot
from bounty.errors import BountyError
from bounty.models import AuditEvent, Base
from tests import postgres
from tests.factories import Month, bounty, order_row, plain_terms, promoter, shanghai

NOW = shanghai("2023-02-15 12:00:00")


@pytest.fixture(scope="module")
def programs() -> Path:
    return postgres.client_programs()


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    month = Month(engine, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    month.orders(*(order_row(number=number) for number in range(1, 8)))
    month.settle()
    month.publish()
    return month


@pytest.fixture
def empty_url(database_url: str, tmp_path: Path) -> Any:
    """Of books of the same kind that are not there yet."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'restored.sqlite'}"
        return
    url = postgres.fresh_database()
    yield url
    postgres.drop_database(url)


def content_of(engine: Engine) -> dict[str, list[Any]]:
    with snapshot(engine) as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in Base.metadata.sorted_tables
        }


def test_what_is_restored_says_what_the_books_said(
    month: Month, empty_url: str, tmp_path: Path, programs: Path
) -> None:
    path, made = back_up(month.engine, tmp_path / "backups", NOW, programs)
    before = content_of(month.engine)
    month.orders(order_row(number=9))  # after the backup
    restored = make_engine(empty_url)
    restore(restored, path, NOW + 60, programs)
    after = content_of(restored)
    events = after.pop(AuditEvent.__tablename__)
    assert events[: len(before[AuditEvent.__tablename__])] == before.pop(AuditEvent.__tablename__)
    # What waited to be sent may have been sent since: it is held.
    assert str(after.pop("outbox")).count("held after a restore") == len(before.pop("outbox"))
    assert after == before
    assert made.facts.rows["orders"] == 7
    with snapshot(restored) as connection:
        chain = verify(connection)
        assert not chain.broken
        assert chain.events == made.facts.audit_events + 1
        newest = connection.execute(select(AuditEvent.act).order_by(AuditEvent.event_id.desc())).scalar()
        assert newest == "backup.restore"
        assert sum(finding.violations for finding in books.run_checks(connection)) == 0
    restored.dispose()
    assert sorted(file.name for file in (tmp_path / "backups").iterdir()) == [path.name, f"{path.name}.json"]


def test_what_is_restored_is_still_guarded(
    month: Month, empty_url: str, tmp_path: Path, programs: Path
) -> None:
    path, _ = back_up(month.engine, tmp_path, NOW, programs)
    restored = make_engine(empty_url)
    restore(restored, path, NOW, programs)
    with pytest.raises(DBAPIError, match="rows are written once"), restored.begin() as connection:
        connection.execute(text("DELETE FROM lines"))
    restored.dispose()


def test_a_copy_is_of_one_moment_whatever_is_written_meanwhile(
    month: Month, empty_url: str, tmp_path: Path, programs: Path
) -> None:
    with snapshot(month.engine) as connection:
        rows = connection.execute(text("SELECT count(*) FROM orders")).scalar()
        month.orders(order_row(number=9), order_row(number=10))
        write_copy(connection, tmp_path / "copy", programs)
    copied = make_engine(empty_url)
    read_copy(tmp_path / "copy", copied, programs)
    with snapshot(copied) as connection:
        assert connection.execute(text("SELECT count(*) FROM orders")).scalar() == rows == 7
    copied.dispose()


def test_a_backup_that_was_touched_is_not_restored(
    month: Month, empty_url: str, tmp_path: Path, programs: Path
) -> None:
    path, _ = back_up(month.engine, tmp_path, NOW, programs)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    restored = make_engine(empty_url)
    with pytest.raises(BountyError, match="SHA-256"):
        restore(restored, path, NOW, programs)
    restored.dispose()


def test_a_copy_that_lost_a_row_is_not_called_a_backup(
    month: Month, tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loses_one(source: Path, engine: Engine, where: Path | None) -> None:
        read_copy(source, engine, where)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM orders WHERE order_sn = (SELECT min(order_sn) FROM orders)"))

    monkeypatch.setattr("bounty.backup.service.read_copy", loses_one)
    with pytest.raises(BountyError, match="6 rows of orders, not 7"):
        back_up(month.engine, tmp_path / "backups", NOW, programs)
    assert list((tmp_path / "backups").iterdir()) == []


def test_books_that_are_there_are_not_written_over(month: Month, tmp_path: Path, programs: Path) -> None:
    path, _ = back_up(month.engine, tmp_path, NOW, programs)
    before = content_of(month.engine)
    with pytest.raises(BountyError, match="already"):
        restore(month.engine, path, NOW, programs)
    assert content_of(month.engine) == before


def test_of_another_schema_it_is_for_the_program_of_that_time(
    month: Month, empty_url: str, tmp_path: Path, programs: Path
) -> None:
    path, _ = back_up(month.engine, tmp_path, NOW, programs)
    beside = path.with_name(path.name + ".json")
    facts = json.loads(beside.read_text())
    facts["facts"]["schema"] = "0000"
    beside.write_text(json.dumps(facts))
    restored = make_engine(empty_url)
    with pytest.raises(BountyError, match="schema is 0000"):
        restore(restored, path, NOW, programs)
    restored.dispose()


def test_by_hand(month: Month, database_url: str, empty_url: str, tmp_path: Path, programs: Path) -> None:
    known = {"BOUNTY_POSTGRES_PROGRAMS": str(programs)}
    made = bounty(database_url, "backup", tmp_path / "kept", now="2023-02-15T12:00:00+08:00", **known)
    assert made.returncode == 0, made.stderr
    assert "restored and checked" in made.stdout
    (path,) = (path for path in (tmp_path / "kept").iterdir() if path.suffix != ".json")
    again = bounty(empty_url, "restore", path, **known)
    assert again.returncode == 0, again.stderr
    assert "the books balance" in again.stdout
    refused = bounty(empty_url, "restore", path, **known)
    assert refused.returncode == 1
    assert "already" in refused.stderr
    missing = bounty(empty_url, "restore", tmp_path / "none.dump", **known)
    assert "is not there" in missing.stderr


def test_without_the_servers_programs_it_says_what_to_install(month: Month, tmp_path: Path) -> None:
    if month.engine.dialect.name == "sqlite":
        path, made = back_up(month.engine, tmp_path, NOW, None)  # needs none
        assert isinstance(made, Backup)
        assert path.exists()
        return
    with pytest.raises(BountyError, match="BOUNTY_POSTGRES_PROGRAMS"):
        back_up(month.engine, tmp_path, NOW, tmp_path / "nowhere")


def test_a_password_is_not_among_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    from bounty.backup import copies

    seen: list[Any] = []

    def run(command: list[str], **kwargs: Any) -> Any:
        seen.append((command, kwargs["env"].get("PGPASSWORD")))
        raise OSError(2, "No such file or directory")

    monkeypatch.setattr(subprocess, "run", run)
    url = make_url("postgresql+psycopg://bounty:canary-77@db.example/books?sslmode=require")
    with pytest.raises(BountyError):
        copies._run(url, None, "pg_dump")
    ((command, secret),) = seen
    assert "canary-77" not in " ".join(command)
    assert secret == "canary-77"
    assert "--dbname=postgresql://bounty@db.example/books?sslmode=require" in command
