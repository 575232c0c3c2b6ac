"""The month once a module and database; every test works on a copy of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from bounty import schema
from bounty.db import make_engine
from tests import postgres
from tests.frozen.world import publish_a_month


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database of each kind with the month above; every test works on a copy."""
    folder = tmp_path_factory.mktemp("month")
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{folder / 'books.sqlite'}" if sqlite else postgres.fresh_database()
    engine = make_engine(url)
    schema.upgrade(engine)
    publish_a_month(engine, folder)
    engine.dispose()
    yield url
    if not sqlite:
        postgres.drop_database(url)


@pytest.fixture
def books(published: str, tmp_path: Path) -> Iterator[Engine]:
    original = make_url(published)
    if original.get_backend_name() == "sqlite":
        copy = f"sqlite:///{shutil.copy(str(original.database), tmp_path / 'copy.sqlite')}"
    else:
        copy = postgres.fresh_database(template=published)
    engine = make_engine(copy)
    yield engine
    engine.dispose()
    if original.get_backend_name() != "sqlite":
        postgres.drop_database(copy)
