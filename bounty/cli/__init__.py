"""The bounty month by hand: import, open, look, settle, publish, export, check."""

import click

from bounty.cli.accounts import audit, user
from bounty.cli.admin import backup, db, demo, restore
from bounty.cli.context import BOOKS, Books
from bounty.cli.imports import import_, quarantine
from bounty.cli.month import approve, export, notice, open_, publish, settle, terms
from bounty.cli.notifications import outbox
from bounty.cli.payees import payees
from bounty.cli.programmes import programme
from bounty.cli.query import check, explain, progress
from bounty.cli.revocations import void
from bounty.cli.schedule import slots
from bounty.cli.sync import stand_in, sync
from bounty.cli.tranches import payout
from bounty.cli.uploads import upload

__all__ = ["BOOKS", "COMMANDS", "Books"]

COMMANDS: tuple[click.Command, ...] = (
    db,
    import_,
    quarantine,
    programme,
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
