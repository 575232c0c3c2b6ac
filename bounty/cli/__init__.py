"""The command line: one module for each noun, imported only when one of its commands is run."""

from typing import Final, NamedTuple

BOOKS: Final = "bounty.books"
"""Key in click's ``meta`` of the function that opens the books."""


class Entry(NamedTuple):
    """A command in the list of ``bounty --help``."""

    place: str
    """``MODULE:NAME`` within this package."""
    summary: str
    """One line for the list; the command's own help says more."""


COMMANDS: Final[dict[str, dict[str, Entry]]] = {
    "The month": {
        "programme": Entry("programmes:programme", "Programmes that run side by side: add, list, retire, restore"),
        "terms": Entry("month:terms", "Add and show versions of the terms"),
        "open": Entry("month:open_", "Freeze the roster of a period"),
        "status": Entry("status:status", "Show where periods stand and what comes next"),
        "progress": Entry("query:progress", "Show a promoter's progress in a period"),
        "explain": Entry("query:explain", "Explain why an order counts or does not"),
        "results": Entry("query:results", "Show the results of a period, now or as of a past moment"),
        "settle": Entry("month:settle", "Compute a draft settlement of a period"),
        "waive": Entry("status:waive", "Waive a failed check of the newest draft, with a reason"),
        "confirm-data": Entry("status:confirm", "Confirm that a period's data is complete up to an instant"),
        "approve": Entry("month:approve", "Approve the newest draft, as a second person"),
        "publish": Entry("month:publish", "Publish the newest draft as the next notice"),
        "notice": Entry("month:notice", "Show a notice and what it changed"),
        "void": Entry("revocations:void", "Revoke a published pass; two people"),
        "export": Entry("month:export", "Write the files of a settlement"),
        "check": Entry("query:check", "Check the invariants of the books"),
    },
    "Looking ahead and back": {
        "simulate": Entry("simulate:simulate", "Simulate other terms in past months"),
        "forecast": Entry("forecast:forecast", "Show a period's forecast, or how good forecasts have been"),
        "recompute": Entry("recompute:recompute", "Compute the newest settlement again; writes nothing"),
        "lake": Entry("recompute:lake", "Export facts as Parquet files"),
    },
    "Data in": {
        "import": Entry("imports:import_", "Import files, list batches, undo one"),
        "quarantine": Entry("imports:quarantine", "List, export, retry and dismiss rows that wait"),
        "sync": Entry("sync:sync", "Fetch orders from the open platform"),
        "stand-in": Entry("sync:stand_in", "Run a stand-in for the open platform"),
    },
    "Money out": {
        "payees": Entry("payees:payees", "Import, list and approve payees"),
        "payout": Entry("tranches:payout", "Tranches, holds, exports, payment results, closing a period"),
    },
    "People and messages": {
        "user": Entry("accounts:user", "Invite, change, disable, enable and list accounts"),
        "token": Entry("tokens:token", "Issue, list and revoke API tokens"),
        "audit": Entry("accounts:audit", "Verify the audit log"),
        "outbox": Entry("notifications:outbox", "List messages, and send failed ones again"),
        "webhook": Entry("webhooks:webhook", "Add, change, list, test and disable endpoints of events"),
    },
    "Running it": {
        "db": Entry("admin:db", "Create or upgrade the database schema"),
        "rebuild": Entry("admin:rebuild", "Recompute the totals of open periods"),
        "figures": Entry("admin:figures", "Compute what pages of large books show as of a moment"),
        "slots": Entry("schedule:slots", "List what the calendar did and missed"),
        "archive": Entry("archive:archive", "Move received rows of a closed month to Parquet, or back"),
        "backup": Entry("admin:backup", "Back up the database"),
        "restore": Entry("admin:restore", "Restore a backup into an empty database"),
        "demo": Entry("admin:demo", "Fill an empty database with sample data"),
    },
}  # fmt: skip
"""Heading in ``--help`` -> the commands below it."""
HIDDEN: Final = {"upload": Entry("uploads:upload", "Started by the upload page")}
"""Commands that no person types."""
