"""Killed or refused at any statement, a command has done all or nothing, and done again it is done once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.conftest import DATABASES
from tests.faults.harness import Flow, Lab

pytestmark = pytest.mark.soak  # real processes by the hundred: minutes, and for a quiet machine

FLOWS = (
    "import tables",
    "import orders",
    "undo",
    "open",
    "settle",
    "publish",
    "publish changes",
    "export",
    "export over another",
    "payout prepare",
    "payout approve",
    "payout export",
    "payout receipt",
    "payout mark",
)
WRITING = ("import orders", "open", "settle", "publish", "publish changes", "payout prepare", "payout mark")

LabOf = Callable[[str], Lab]
Say = Callable[[object], None]


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("flow", FLOWS)
def test_every_fault_is_survived(lab: LabOf, flows: dict[str, Flow], say: Say, flow: str, kind: str) -> None:
    report = lab(kind).survive(flows[flow])
    say(report)
    assert not report.failures, str(report)
    assert report.struck["kill"] > 9


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("flow", FLOWS)
def test_every_fault_at_every_point_is_survived(
    lab: LabOf, flows: dict[str, Flow], say: Say, flow: str, kind: str
) -> None:
    report = lab(kind).survive(flows[flow], thorough=True)
    say(report)
    assert not report.failures, str(report)


def test_the_flows_are_all_struck(flows: dict[str, Flow]) -> None:
    assert tuple(flows) == FLOWS


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("flow", WRITING)
def test_a_process_that_is_overtaken_while_it_stands_still_does_no_harm(
    lab: LabOf, flows: dict[str, Flow], say: Say, flow: str, kind: str
) -> None:
    report = lab(kind).overtaken(flows[flow])
    say(report)
    assert not report.failures, str(report)


def in_the_fold(what: str, how: str) -> bool:
    """Any error, but no kill, as orders are written."""
    return what.startswith("INSERT INTO orders ") and how != "kill"


def before_the_counts(what: str, how: str) -> bool:
    """A kill as a batch's counts are written."""
    return what.startswith("UPDATE batches ") and how == "kill"


@pytest.fixture
def one_file(flows: dict[str, Flow]) -> Flow:
    """A file of orders, imported."""
    return replace(flows["import orders"], commands=flows["import orders"].commands[:1])


@pytest.mark.parametrize("kind", DATABASES)
def test_an_error_in_the_fold_is_refused(lab: LabOf, one_file: Flow, kind: str) -> None:
    report = lab(kind).survive(one_file, only=in_the_fold)
    assert not report.failures, str(report)
    assert report.struck.total() >= 3


# The harness is worth what it finds.


@pytest.mark.parametrize("kind", DATABASES)
def test_a_commit_in_the_middle_is_found(lab: LabOf, one_file: Flow, kind: str) -> None:
    report = lab(kind).survive(one_file, only=before_the_counts, plant="commit in the middle")
    assert str(report).startswith("faults survived: 0 of 1 ")
    assert "kill at point" in str(report)
    assert "UPDATE batches SET" in str(report)
    assert "half of the command is there" in str(report)


@pytest.mark.parametrize("kind", DATABASES)
def test_an_error_that_is_swallowed_is_found(lab: LabOf, one_file: Flow, kind: str) -> None:
    report = lab(kind).survive(one_file, only=in_the_fold, plant="error swallowed")
    said = "it says that all is done, and it is not" if kind == "sqlite" else "no refusal in one sentence"
    assert report.failures
    assert all(said in failure.why for failure in report.failures)


@pytest.mark.parametrize("flow", ["settle", "publish"])
def test_a_missing_begin_immediate_is_found(lab: LabOf, flows: dict[str, Flow], flow: str) -> None:
    """One of two writers is lost: both have read the same before either wrote."""
    report = lab("sqlite").overtaken(flows[flow], plant="no BEGIN IMMEDIATE", patience=3)
    assert report.failures
    assert all("one of the two ended with" in failure.why for failure in report.failures)
