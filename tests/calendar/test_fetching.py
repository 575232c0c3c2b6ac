"""The worker over the platform: it fetches by itself, and drafts nothing while there is a gap."""

from pathlib import Path

from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, Message, Settlement, Slot
from bounty.sync.service import sync, windows_to_read
from bounty.worker import once
from tests.calendar.world import LEVELS, desk
from tests.factories import Month, promoter, shanghai, terms_toml
from tests.platform.world import World, a_world

SELLERS = (1000, 1001, 1002)
FIRST, LAST = "2022-12-02 12:00:00", "2023-01-11 12:00:00"


def begin(engine: Engine, folder: Path, world: World) -> None:
    """December is open, and its first day was fetched."""
    month = Month(engine, folder, now="2022-11-25 12:00:00")
    month.table("promoters", *map(promoter, SELLERS))
    month.terms(terms_toml(levels=LEVELS))
    month.open()
    with transaction(engine) as connection:
        add_user(connection, email="o@example.com", name="o", role="operator", password="x", now=month.now)
    platform = world.platform()
    spans = windows_to_read(engine, platform, world.clock.at, shanghai("2022-12-01 00:00:00"), None)
    assert all(
        read.reading.incomplete_reason is None
        for read in sync(engine, platform, world.clock.now, "UPDATED", spans)
    )


def drafts(engine: Engine) -> list[str]:
    with snapshot(engine) as connection:
        return list(connection.execute(select(Settlement.period)).scalars())


def test_a_gap_holds_the_draft_back_and_operators_are_told_once(engine: Engine, tmp_path: Path) -> None:
    with a_world(now=FIRST, orders=60, promoters=SELLERS) as world:
        begin(engine, tmp_path, world)
        world.clock.at = shanghai(LAST)
        for _ in range(2):  # a worker that can't reach the platform
            (refused,) = once(desk(engine, shanghai(LAST), tmp_path))
            assert refused.startswith(
                "settle 2022-12: 2022-12 has a gap in what was fetched, the first from 2022-12-02"
            )
        assert drafts(engine) == []
        with snapshot(engine) as connection:
            mails = (
                connection.execute(select(Message.recipient).where(Message.kind == "coverage"))
                .scalars()
                .all()
            )
        assert sorted(mails) == ["o@example.com", "webhook"]
        assert once(desk(engine, shanghai(LAST), tmp_path, world.account())) == []
    assert drafts(engine) == ["2022-12"]
    with snapshot(engine) as connection:
        said = connection.execute(select(Slot.outcome).where(Slot.job == "settle")).scalar_one()
        acts = (
            connection.execute(select(AuditEvent.act).where(AuditEvent.act == "sync.sweep")).scalars().all()
        )
        told = connection.execute(select(Message.recipient).where(Message.kind == "draft")).scalars().all()
    assert said.startswith("settlement 1 drafted: ")
    assert acts == ["sync.sweep"]
    assert sorted(told) == ["o@example.com", "webhook"]
