"""What books hold, and what their checks find in them."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bounty.checks.books import CHECKS, run_checks
from bounty.db import Base, snapshot


def content(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table."""
    with snapshot(engine) as connection:
        return {
            table.name: list(connection.execute(select(table).order_by(*table.primary_key)).all())
            for table in Base.metadata.sorted_tables
        }


def found(engine: Engine) -> set[str]:
    """The names of the checks that find something."""
    with snapshot(engine) as connection:
        findings = list(run_checks(connection))
    assert [finding.name for finding in findings] == list(CHECKS)
    return {finding.name for finding in findings if finding.violations}


def tables(models: Sequence[type[Base]]) -> list[Any]:
    return [
        pytest.param(Base.metadata.tables[model.__tablename__], id=model.__tablename__) for model in models
    ]
