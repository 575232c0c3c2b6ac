"""`bounty check` finds damage of the database's own files, and says what it could not look at."""

from pathlib import Path

from sqlalchemy import Engine, text

from bounty.checks.books import run_checks
from bounty.db import make_engine, snapshot
from bounty.storage import not_looked_at, unsound_parts
from tests.factories import Month, bounty, order_row


def test_a_damaged_page_is_found(engine: Engine, tmp_path: Path) -> None:
    """An index that lacks a row, which every query of the books still answers from."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("CREATE EXTENSION amcheck"))
    month = Month(engine, tmp_path)
    month.begin()
    month.orders(*(order_row(number=number) for number in range(1, 200)))
    with snapshot(engine) as connection:
        assert unsound_parts(connection) == 0
        assert not_looked_at(connection) == ""
    damage(engine)
    with snapshot(engine) as connection:
        assert unsound_parts(connection) > 0
        assert {finding.name: finding.violations for finding in run_checks(connection)}["storage-sound"] > 0


def damage(engine: Engine) -> None:
    """Let an index and its table disagree."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA writable_schema=ON")
            connection.exec_driver_sql(
                "UPDATE sqlite_master SET sql = replace(sql, 'user_id', 'happened_at') WHERE 0"
            )
            root = connection.exec_driver_sql(
                "SELECT rootpage FROM sqlite_master WHERE name = 'ix_audit_events_subject'"
            ).scalar_one()
            size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        else:
            connection.exec_driver_sql(
                "UPDATE pg_index SET indisready = false WHERE indexrelid = 'ix_audit_events_subject'::regclass"
            )
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        content = bytearray(path.read_bytes())
        at = (root - 1) * size
        content[at + size - 20 : at + size] = bytes(20)
        path.write_bytes(content)
        return
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_events (event_id, happened_at, actor, act, subject, previous_sha256, event_sha256) "
            "SELECT event_id + 1, happened_at, actor, act, subject, previous_sha256, event_sha256 "
            "FROM audit_events ORDER BY event_id DESC LIMIT 1"
        )
        connection.exec_driver_sql(
            "UPDATE pg_index SET indisready = true WHERE indexrelid = 'ix_audit_events_subject'::regclass"
        )


def test_it_says_what_it_could_not_look_at(database_url: str) -> None:
    said = bounty(database_url, "check")
    assert said.returncode == 0
    kind = make_engine(database_url).dialect.name
    assert ("CREATE EXTENSION amcheck" in said.stderr) == (kind == "postgresql")
    if kind == "postgresql" and "has a checksum" in said.stderr:
        return
    assert "order_versions (created_at, goods_name)" in said.stderr
    assert " users" in said.stderr.partition("Not proved")[2]
