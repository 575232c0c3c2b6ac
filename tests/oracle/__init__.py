"""The contract in plain Python loops over raw rows: a second opinion, to which the engine must agree to the fen.

Written from the contract alone and importing nothing of the package it judges; so it is slow, and says
everything once more in its own words. Money is whole fen, an instant epoch seconds, a period the text
`2022-12`, a share a fraction; nowhere a float. Input is taken to be good: what a bad row deserves is the
importer's matter.

    rows --fold--> orders --roster--> who is judged, and the targets --settle--> results, lines, files
"""

from tests.oracle.clauses import Measured, by_promoter, measure, reason_of, subsidy_verdict, task_verdict
from tests.oracle.days import first_of, instant_text, midnight, period_after
from tests.oracle.files import content_sha256, lines_csv, results_csv
from tests.oracle.imports import import_counts
from tests.oracle.orders import (
    AUDIT_FAILED,
    NO_COMMISSION,
    PUNISHED,
    UNPAID,
    Order,
    Row,
    canonical,
    fold,
    is_detail,
    link_channel,
    live_room,
)
from tests.oracle.people import RosterEntry, roster
from tests.oracle.settlement import Result, Settlement, settle
from tests.oracle.standing import progress
from tests.oracle.terms import Formula, Level, Terms, Tier, Windows, read_terms, windows
from tests.oracle.text import fen, half_even, yuan

__all__ = [
    "AUDIT_FAILED",
    "NO_COMMISSION",
    "PUNISHED",
    "UNPAID",
    "Formula",
    "Level",
    "Measured",
    "Order",
    "Result",
    "RosterEntry",
    "Row",
    "Settlement",
    "Terms",
    "Tier",
    "Windows",
    "by_promoter",
    "canonical",
    "content_sha256",
    "fen",
    "first_of",
    "fold",
    "half_even",
    "import_counts",
    "instant_text",
    "is_detail",
    "lines_csv",
    "link_channel",
    "live_room",
    "measure",
    "midnight",
    "period_after",
    "progress",
    "read_terms",
    "reason_of",
    "results_csv",
    "roster",
    "settle",
    "subsidy_verdict",
    "task_verdict",
    "windows",
    "yuan",
]
