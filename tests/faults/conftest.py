"""The fork server and the files of the month, once a run."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.forks import Forks
from tests.faults.harness import Flow, Lab, flows_of
from tests.faults.world import write_world


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """A fork server; it holds no connection."""
    server = Forks(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flow]:
    """The flows of a month, by name."""
    return flows_of(write_world(tmp_path_factory.mktemp("world")))


@pytest.fixture
def lab(forks: Forks, tmp_path: Path) -> Callable[[str], Lab]:
    """A lab over books of a kind."""
    return lambda kind: Lab(forks, kind, tmp_path)


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Callable[[object], None]:
    """Says a figure where whoever runs the tests sees it, whatever is captured."""

    def said(figure: object) -> None:
        with capfd.disabled():
            print(f"\n{figure}", file=sys.stderr, flush=True)  # a worker's standard output is not shown

    return said
