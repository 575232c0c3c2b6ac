"""The command line: one module for each noun."""

import click

from bounty.cli.accounts import audit, user
from bounty.cli.admin import backup, db, demo, restore
from bounty.cli.context import BOOKS, CommandContext
from bounty.cli.forecast import forecast
from bounty.cli.imports import import_, quarantine
from bounty.cli.month import approve, export, notice, open_, publish, settle, terms
from bounty.cli.notifications import outbox
from bounty.cli.payees import payees
from bounty.cli.programmes import programme
from bounty.cli.query import check, explain, progress, results
from bounty.cli.recompute import lake, recompute
from bounty.cli.revocations import void
from bounty.cli.schedule import slots
from bounty.cli.simulate import simulate
from bounty.cli.status import confirm, status, waive
from bounty.cli.sync import stand_in, sync
from bounty.cli.tokens import token
from bounty.cli.tranches import payout
from bounty.cli.uploads import upload

__all__ = ["BOOKS", "COMMANDS", "CommandContext"]

COMMANDS: dict[str, tuple[click.Command, ...]] = {
    "The month": (
        programme, terms, open_, status, progress, explain, results, settle, waive, confirm, approve, publish, notice,
        void, export, check,
    ),
    "Looking ahead and back": (simulate, forecast, recompute, lake),
    "Data in": (import_, quarantine, sync, stand_in),
    "Money out": (payees, payout),
    "People and messages": (user, token, audit, outbox),
    "Running it": (db, slots, backup, restore, demo, upload),
}  # fmt: skip
"""Heading in ``--help`` -> the commands below it."""
