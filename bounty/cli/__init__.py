"""The bounty month by hand: import, open, look, settle, publish, export, check."""

import click

from bounty.cli.answers import check, explain, progress
from bounty.cli.books import BOOKS, Books
from bounty.cli.calendar import slots
from bounty.cli.fetching import stand_in, sync
from bounty.cli.intake import import_, quarantine
from bounty.cli.messages import outbox
from bounty.cli.month import approve, export, notice, open_, publish, settle, terms
from bounty.cli.payees import payees
from bounty.cli.payout import payout
from bounty.cli.people import audit, user
from bounty.cli.upkeep import backup, db, demo, restore
from bounty.cli.uploads import upload
from bounty.cli.voids import void

__all__ = ["BOOKS", "COMMANDS", "Books"]

COMMANDS: tuple[click.Command, ...] = (
    db,
    import_,
    quarantine,
    terms,
    open_,
    progress,
    explain,
    settle,
    approve,
    publish,
    notice,
    void,
    export,
    payees,
    payout,
    check,
    user,
    audit,
    backup,
    restore,
    demo,
    upload,
    sync,
    stand_in,
    slots,
    outbox,
)
"""What hangs on the console script, beside Flask's own commands."""
