"""WHAT WE KEEP: tables only, a unit and a meaning on every column.

Money is whole fen (``_fen``), an instant is epoch seconds (``_at``), a date is of Shanghai (``_on``, ``_from``),
``period`` is a period's text, as ``2022-12`` or ``sprint:2022-12a``. Every
table of a promoter's rows has ``promoter_id`` first in its key.
"""

from bounty.db import Base
from bounty.models.accounts import ROLES, Invitation, Tries, User
from bounty.models.audit import AuditEvent
from bounty.models.books import Books
from bounty.models.calendar import Slot, WorkerWake
from bounty.models.decisions import (
    Appeal,
    AppealAnswer,
    Approval,
    DataConfirmation,
    RosterOverride,
    Waiver,
)
from bounty.models.ingest import Batch, Quarantined
from bounty.models.notices import Notice, NoticeChange
from bounty.models.notifications import Message, MessageChoice
from bounty.models.orders import CategorySet, Order, OrderRepeat, OrderVersion
from bounty.models.payout import (
    NoticeStatement,
    PassVoid,
    PassVoidAnswer,
    Payee,
    PayeeApproval,
    PayeeProposal,
    Payout,
    PayoutOutcome,
    PeriodClosing,
    Receipt,
    ReceiptRow,
    Tranche,
    TrancheLine,
    TrancheStep,
)
from bounty.models.promoters import Level, Link, Promoter, Target, Violation
from bounty.models.roster import OpenPeriod, Programme, RosterEntry, TermsVersion
from bounty.models.settlement import KnownNotice, Line, Result, Settlement
from bounty.models.sync import FetchWindow
from bounty.models.tokens import TOKEN_ROLES, ApiAnswer, ApiToken, ApiTokenUse
from bounty.models.uploads import Upload

FROZEN = (
    TermsVersion,
    OpenPeriod,
    RosterEntry,
    Settlement,
    KnownNotice,
    Result,
    Line,
    Notice,
    NoticeChange,
    AuditEvent,
    Approval,
    Waiver,
    DataConfirmation,
    RosterOverride,
    Appeal,
    AppealAnswer,
    FetchWindow,
    NoticeStatement,
    PassVoid,
    PassVoidAnswer,
    Payee,
    PayeeApproval,
    PayeeProposal,
    Payout,
    PayoutOutcome,
    PeriodClosing,
    Receipt,
    ReceiptRow,
    Tranche,
    TrancheLine,
    TrancheStep,
)
"""Rows of these tables are written once; the database refuses to change or delete them (migrations/). A roster entry
changes to what its newest override says, and to nothing else."""

SEALED = (Result, Line, NoticeChange)
"""Rows of a settlement, to which the database refuses an addition once the settlement is published."""

__all__ = [
    "FROZEN",
    "ROLES",
    "SEALED",
    "TOKEN_ROLES",
    "ApiAnswer",
    "ApiToken",
    "ApiTokenUse",
    "Appeal",
    "AppealAnswer",
    "Approval",
    "AuditEvent",
    "Base",
    "Batch",
    "Books",
    "CategorySet",
    "DataConfirmation",
    "FetchWindow",
    "Invitation",
    "KnownNotice",
    "Level",
    "Line",
    "Link",
    "Message",
    "MessageChoice",
    "Notice",
    "NoticeChange",
    "NoticeStatement",
    "OpenPeriod",
    "Order",
    "OrderRepeat",
    "OrderVersion",
    "PassVoid",
    "PassVoidAnswer",
    "Payee",
    "PayeeApproval",
    "PayeeProposal",
    "Payout",
    "PayoutOutcome",
    "PeriodClosing",
    "Programme",
    "Promoter",
    "Quarantined",
    "Receipt",
    "ReceiptRow",
    "Result",
    "RosterEntry",
    "RosterOverride",
    "Settlement",
    "Slot",
    "Target",
    "TermsVersion",
    "Tranche",
    "TrancheLine",
    "TrancheStep",
    "Tries",
    "Upload",
    "User",
    "Violation",
    "Waiver",
    "WorkerWake",
]
