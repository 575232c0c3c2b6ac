"""The command line: one module for each noun."""

import click

from bounty.cli.accounts import audit, user
from bounty.cli.admin import backup, db, demo, restore
from bounty.cli.context import BOOKS, Books
from bounty.cli.imports import import_, quarantine
from bounty.cli.month import approve, export, notice, open_, publish, settle, terms
from bounty.cli.notifications import outbox
from bounty.cli.payees import payees
from bounty.cli.query import check, explain, progress
from bounty.cli.revocations import void
from bounty.cli.schedule import slots
from bounty.cli.sync import stand_in, sync
from bounty.cli.tranches import payout
from bounty.cli.uploads import upload

__all__ = ["BOOKS", "COMMANDS", "Books"]

COMMANDS: dict[str, tuple[click.Command, ...]] = {
    "The month": (terms, open_, progress, explain, settle, approve, publish, notice, void, export, check),
    "Data in": (import_, quarantine, sync, stand_in),
    "Money out": (payees, payout),
    "People and messages": (user, audit, outbox),
    "Running it": (db, slots, backup, restore, demo, upload),
}
"""Heading in ``--help`` -> the commands below it."""
