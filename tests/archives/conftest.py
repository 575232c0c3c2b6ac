"""A closed December over each database."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.archives.shelf import OTHER, Shelf
from tests.factories import promoter, terms_toml


@pytest.fixture
def shelf(engine: Engine, tmp_path: Path) -> Shelf:
    shelf = Shelf(engine, tmp_path)
    shelf.begin(promoter(), promoter(OTHER), toml=terms_toml())
    return shelf
