"""The server's own way to back up a large PostgreSQL (docs/operating.md): base backups and the archive of its log.

What was acknowledged up to the loss is there after a restore, also from an incremental backup.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from bounty import schema
from bounty.audit.service import verify
from bounty.checks.books import run_checks
from bounty.db import make_engine, snapshot
from bounty.models import Order
from tests.factories import Month, order_row, plain_terms, promoter
from tests.own_server import OwnServers, own_servers

RESTORED = 5433


@pytest.fixture
def server() -> Iterator[OwnServers]:
    """A server that archives its log, as docs/operating.md sets it up."""
    with own_servers("data", "restored") as own:
        archive = own.home / "archive"
        archive.mkdir(mode=0o777)
        archive.chmod(0o777)
        own.make(
            fsync="on",
            full_page_writes="on",
            synchronous_commit="on",
            wal_level="replica",
            archive_mode="on",
            archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f",
            summarize_wal="on",
        )
        yield own


def test_what_was_acknowledged_is_restored(server: OwnServers, tmp_path: Path) -> None:
    books = make_engine(server.url())
    schema.upgrade(books)
    month = Month(books, tmp_path)
    month.begin(promoter(), toml=plain_terms())
    server.copy("full")
    month.orders(order_row(number=1))
    server.copy("daily", f"--incremental={server.home}/full/backup_manifest")
    for name in ("full", "daily"):
        server.run("pg_verifybackup", "--no-parse-wal", name)
    month.orders(order_row(number=2))
    month.settle()
    notice = month.publish()
    books.dispose()
    last = server.ask("SELECT pg_walfile_name(pg_switch_wal())")
    server.wait_until(f"SELECT last_archived_wal >= '{last}' FROM pg_stat_archiver", 5432)
    server.stop("data")  # and its disk is lost

    server.run("pg_combinebackup", "full", "daily", "--output=restored")
    settings = server.home / "restored" / "postgresql.auto.conf"
    settings.write_text(
        f"restore_command = 'cp {server.home}/archive/%f %p'\nrecovery_target_timeline = 'latest'\n"
    )
    (server.home / "restored" / "recovery.signal").touch()
    server.start("restored", RESTORED)
    server.wait_until("SELECT NOT pg_is_in_recovery()", RESTORED)
    restored = make_engine(server.url(RESTORED))
    with snapshot(restored) as connection:
        assert len(connection.execute(select(Order.order_sn)).all()) == 2
        assert [each.name for each in run_checks(connection) if each.violations] == []
        assert verify(connection).broken == ()
    month.engine = restored
    assert month.publish() == replace(notice, created=False)  # it was published already
    restored.dispose()
