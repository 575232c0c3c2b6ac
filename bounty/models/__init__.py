"""The database tables, with the unit and meaning of every column.

Suffixes of column names: ``_fen`` is money in whole fen, ``_at`` an instant in epoch seconds (UTC), ``_on`` and
``_from`` a Shanghai date. ``period`` is the text of a period, as ``2022-12`` or ``sprint:2022-12a``. In tables with
rows of promoters the primary key begins with ``promoter_id``.
"""

from bounty.db import Base
from bounty.models.accounting import PassVoid, PassVoidAnswer, PeriodClosing
from bounty.models.accounts import ROLES, AccountRole, Invitation, Passkey, PasskeyChallenge, Tries, User
from bounty.models.archives import Archive, ArchiveBatch, ArchiveMove
from bounty.models.audit import AuditEvent
from bounty.models.books import Books
from bounty.models.calendar import Slot, WorkerWake
from bounty.models.decisions import (
    Appeal,
    AppealAnswer,
    AppealAttachment,
    Approval,
    DataConfirmation,
    RosterOverride,
    Waiver,
)
from bounty.models.figures import StoredDifference, StoredFigure
from bounty.models.forecast import Anomaly, PayoutHold, PayoutHoldStep, PeriodForecast, PromoterForecast
from bounty.models.ingest import Batch, ImportBadRow, ImportOrder, ImportProgress, Quarantined
from bounty.models.notices import ChangeCause, Notice, NoticeChange, NoticeStatement
from bounty.models.notifications import Message, MessageChoice, MessageTry
from bounty.models.orders import CategorySet, Order, OrderRepeat, OrderVersion, ReceivedTexts
from bounty.models.payees import Payee, PayeeApproval, PayeeProposal
from bounty.models.payment_results import PayoutOutcome, Receipt, ReceiptRow
from bounty.models.promoters import Level, Link, LinkVersion, Promoter, Target, Violation
from bounty.models.roster import OpenPeriod, Programme, RosterEntry, TermsVersion
from bounty.models.settlement import KnownNotice, Line, Result, Settlement
from bounty.models.sync import FetchWindow
from bounty.models.tokens import TOKEN_ROLES, ApiAnswer, ApiToken, ApiTokenUse
from bounty.models.totals import DailyProgress, DailySubsidy, PromoterProgress, PromoterSubsidy
from bounty.models.tranches import LineCause, Payout, Tranche, TrancheLine, TrancheStep
from bounty.models.uploads import HeaderName, Upload
from bounty.models.webhooks import ENDPOINT_KINDS, WebhookEndpoint

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
    AppealAttachment,
    FetchWindow,
    NoticeStatement,
    PassVoid,
    PassVoidAnswer,
    Payee,
    PayeeApproval,
    PayeeProposal,
    Payout,
    PayoutHold,
    PayoutHoldStep,
    PayoutOutcome,
    PeriodClosing,
    Receipt,
    ReceiptRow,
    ReceivedTexts,
    Tranche,
    TrancheLine,
    TrancheStep,
)
"""Rows of these tables are written once. Triggers (migrations/) refuse to change or delete them, with one exception: a
roster entry may change to the values of its newest override."""

SEALED = (Result, Line, NoticeChange)
"""Rows that belong to a settlement. Triggers refuse further rows once the settlement is published."""

__all__ = [
    "ENDPOINT_KINDS",
    "FROZEN",
    "ROLES",
    "SEALED",
    "TOKEN_ROLES",
    "AccountRole",
    "Anomaly",
    "ApiAnswer",
    "ApiToken",
    "ApiTokenUse",
    "Appeal",
    "AppealAnswer",
    "AppealAttachment",
    "Approval",
    "Archive",
    "ArchiveBatch",
    "ArchiveMove",
    "AuditEvent",
    "Base",
    "Batch",
    "Books",
    "CategorySet",
    "ChangeCause",
    "DailyProgress",
    "DailySubsidy",
    "DataConfirmation",
    "FetchWindow",
    "HeaderName",
    "ImportBadRow",
    "ImportOrder",
    "ImportProgress",
    "Invitation",
    "KnownNotice",
    "Level",
    "Line",
    "LineCause",
    "Link",
    "LinkVersion",
    "Message",
    "MessageChoice",
    "MessageTry",
    "Notice",
    "NoticeChange",
    "NoticeStatement",
    "OpenPeriod",
    "Order",
    "OrderRepeat",
    "OrderVersion",
    "PassVoid",
    "PassVoidAnswer",
    "Passkey",
    "PasskeyChallenge",
    "Payee",
    "PayeeApproval",
    "PayeeProposal",
    "Payout",
    "PayoutHold",
    "PayoutHoldStep",
    "PayoutOutcome",
    "PeriodClosing",
    "PeriodForecast",
    "Programme",
    "Promoter",
    "PromoterForecast",
    "PromoterProgress",
    "PromoterSubsidy",
    "Quarantined",
    "Receipt",
    "ReceiptRow",
    "ReceivedTexts",
    "Result",
    "RosterEntry",
    "RosterOverride",
    "Settlement",
    "Slot",
    "StoredDifference",
    "StoredFigure",
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
    "WebhookEndpoint",
    "WorkerWake",
]
