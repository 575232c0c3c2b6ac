"""Attacks on the site as it is served, on its commands and files: each is refused, on both databases.

What was tried, expected and found stands at the end of the run (with ``-v`` every row), and ``N of N refused``. In the
suite only one group runs, on SQLite; all of them with ``make soak``.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.attacks import access, disk, files, guessing, money, places, sessions, texts, tokens
from tests.attacks.table import Table
from tests.attacks.world import Target, target
from tests.conftest import SQLITE_AND_IN_SOAK_BOTH
from tests.web.world import Site

Group = Callable[[Target, Table], None]
QUICK: list[Group] = [access.spellings]
GROUPS: list[Group] = [
    access.every_route,
    access.others,
    sessions.forms_of_others,
    sessions.sessions,
    sessions.second_factors,
    sessions.production,
    sessions.recorded,
    texts.scripts,
    texts.formulas,
    money.by_hand,
    money.approvals,
    guessing.guesses,
    guessing.links,
    places.redirects,
    places.parameters,
    places.requests,
    tokens.tokens,
    files.small_files,
    files.uploads,
    disk.damage,
    disk.old_copies,
    disk.lost_log,
    disk.sums,
    disk.modes,
    disk.first_start,
]


def _runs() -> list[Any]:
    soaked = [pytest.param(group, id=group.__name__, marks=pytest.mark.soak) for group in GROUPS]
    return [*(pytest.param(group, id=group.__name__) for group in QUICK), *soaked]


@pytest.mark.parametrize("database", SQLITE_AND_IN_SOAK_BOTH)
@pytest.mark.parametrize("group", _runs())
def test_every_attack_is_refused(
    group: Group, database: str, own_site: Callable[..., Site], record_property: Callable[[str, object], None]
) -> None:
    table = Table()
    try:
        with target(own_site, database) as attacked:
            group(attacked, table)
    finally:  # also what was tried before a group broke off
        for row in table.rows:
            words = (row.tried, row.expected, row.found, "refused" if row.refused else "NOT REFUSED")
            record_property("attack", (database, group.__name__, *words))
    assert table.not_refused == []
