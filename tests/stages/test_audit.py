"""Every act leaves one event in its own transaction; an act that changes nothing leaves none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

import bounty
from bounty import importer
from bounty.audit.act_labels import ACTS
from bounty.audit.service import FIRST, Actor, acting, record, verify
from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, Batch
from tests.factories import Month, order_row, plain_terms, promoter

ZHOU = Actor("zhou@example.com", role="operator", address="127.0.0.1", request="r1")


def events(engine: Engine) -> list[Any]:
    with snapshot(engine) as connection:
        return list(connection.execute(select(AuditEvent.__table__).order_by(AuditEvent.event_id)))


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    return Month(acting(engine, ZHOU), tmp_path)


def test_a_month_leaves_an_event_an_act_and_names_who_acted(month: Month) -> None:
    # Each step is taken twice by itself.
    month.begin(promoter(), toml=plain_terms())
    month.orders(order_row())
    month.settle()
    month.publish()
    found = events(month.engine)
    acts = [event.act for event in found]
    # A file that brought nothing new is a batch all the same; the other acts are not done twice.
    assert acts.count("batch.import") == 4
    assert [act for act in acts if act != "batch.import"] == [
        "terms.add",
        "period.open",
        "settlement.make",
        "notice.publish",
    ]
    assert {(event.actor, event.role, event.address, event.request) for event in found} == {
        ("zhou@example.com", "operator", "127.0.0.1", "r1")
    }
    assert [event.event_id for event in found] == list(range(1, len(found) + 1))


def test_the_chain_begins_at_nothing_and_each_event_names_the_one_before(month: Month) -> None:
    month.begin(promoter(), toml=plain_terms())
    found = events(month.engine)
    assert found[0].previous_sha256 == FIRST
    assert [event.previous_sha256 for event in found[1:]] == [event.event_sha256 for event in found[:-1]]
    with snapshot(month.engine) as connection:
        chain = verify(connection)
    assert (chain.events, chain.head, chain.broken) == (len(found), found[-1].event_sha256, ())


def test_the_end_of_the_chain_can_be_read_by_itself(month: Month) -> None:
    month.begin(promoter(), toml=plain_terms())
    with snapshot(month.engine) as connection:
        whole, end = verify(connection), verify(connection, last=2)
    assert (whole.read, end.read) == (whole.events, 2)
    assert (end.events, end.head, end.broken) == (whole.events, whole.head, ())


def test_before_and_after_are_one_canonical_text(engine: Engine) -> None:
    for _ in range(2):
        with transaction(engine) as connection:
            record(connection, "a.b", "c", 1, before={"b": 1, "a": "名"}, after=[2, None])
    first, second = events(engine)
    assert (first.before, first.after) == ('{"a":"名","b":1}', "[2,null]")
    # Alike but for their places in the chain, and so with other hashes.
    assert first.event_sha256 != second.event_sha256


def test_what_is_rolled_back_leaves_no_event_and_no_gap(engine: Engine) -> None:
    with engine.connect() as connection:
        record(connection, "a.b", "c", 1)
        connection.rollback()
    with transaction(engine) as connection:
        record(connection, "a.b", "c", 1)
    assert [event.event_id for event in events(engine)] == [1]


def test_without_its_event_there_is_no_act(month: Month) -> None:
    """The audit refuses to be written to: the import it would tell of is undone as a whole."""
    refuse = {
        "sqlite": "CREATE TRIGGER no_more BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'full'); END",
        "postgresql": "ALTER TABLE audit_events ADD CONSTRAINT no_more CHECK (event_id < 0) NOT VALID",
    }
    with transaction(month.engine) as connection:
        connection.execute(text(refuse[month.engine.dialect.name]))
    with pytest.raises(DBAPIError):
        month.table("promoters", promoter())
    with snapshot(month.engine) as connection:
        assert connection.execute(select(Batch.batch_id)).all() == []


def test_the_event_of_an_import_tells_file_and_counts(month: Month) -> None:
    month.table("promoters", promoter())
    event, _again = events(month.engine)
    told = json.loads(event.after)
    assert (event.act, event.subject) == ("batch.import", "batch 1")
    assert told["kind"] == "promoters"
    assert told["counts"].startswith("read=1 new=1 ")
    assert len(told["sha256"]) == 64


def test_a_retry_that_releases_nothing_leaves_no_event(month: Month) -> None:
    assert importer.retry(month.engine, 1) == []
    assert events(month.engine) == []


def test_every_act_has_a_label_in_both_languages() -> None:
    kinds = "|".join(sorted({act.partition(".")[0] for act in ACTS}))
    package = Path(bounty.__file__).parent
    sources = [
        path for path in package.rglob("*.py") if "web" not in path.parts
    ]  # where endpoints look like acts
    found = {act for path in sources for act in re.findall(rf'"((?:{kinds})\.[a-z_]+)"', path.read_text())}
    assert found - ACTS.keys() == set()
    assert all(zh and en and zh != en for zh, en in ACTS.values())
