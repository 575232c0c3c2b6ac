"""The sites of the pages' tests, and the table at the end of a run."""

from collections import defaultdict

import pytest

from tests.web.conftest import (  # noqa: F401 - fixtures
    own_site,
    paid_books,
    paid_books_on_postgresql,
    small_site,
    small_site_on_postgresql,
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Every attack of this run, and how many of them were refused."""
    rows: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "attack" and report.when == "call":
                    rows[value[0]].append(tuple(value[1:]))
    if not rows:
        return
    terminalreporter.section("attacks: what was tried, expected, found")
    whole = terminalreporter.verbosity > 0
    for database, each in sorted(rows.items()):
        for group, tried, expected, found, refused in each:
            if whole or refused != "refused":
                terminalreporter.write_line(
                    f"{database} {group}: {tried}: expected {expected}, found {found}: {refused}"
                )
        count = sum(row[-1] == "refused" for row in each)
        terminalreporter.write_line(f"{database}: {count} of {len(each)} refused")
