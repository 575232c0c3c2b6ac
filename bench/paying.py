"""What comes after a draft: publishing it, payees, a tranche and its receipt, a late file, and the figures of pages.

Each runs in a separate process (bench.run). They are measured, and leave books that pages of finance have much to show
of: a published month, paid in part, of which some orders changed since.
"""

import csv
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.data import PERIOD, epoch
from bench.pages import KEY
from bounty import importer
from bounty.accounting.stored_figures import refresh
from bounty.db import make_engine, snapshot, transaction
from bounty.models import Payout, RosterEntry, TrancheLine
from bounty.money import shown_yuan
from bounty.notices.service import publish as publish_draft
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.payment_results.files import read_payment_results
from bounty.payment_results.service import import_results
from bounty.rules.periods import Period
from bounty.settlement.service import settle
from bounty.tranches import approval, preparation

MONTH = Period.parse(PERIOD)
PUBLISHED_AT = "2023-01-21T10:00:00+08:00"
SETTLED_BEFORE = "2023-02-20T00:00:00+08:00"
PAID_AT = "2023-02-20T10:00:00+08:00"
LATE_AT = "2023-02-25T10:00:00+08:00"


def publish(url: str) -> dict[str, Any]:
    """The draft, as the month's first notice."""
    engine = make_engine(url)
    with transaction(engine) as connection:
        published = publish_draft(connection, MONTH, epoch(PUBLISHED_AT), approval_required=False)
    engine.dispose()
    assert published.created
    return {"notice": published.notice}


def payees(url: str) -> dict[str, Any]:
    """An account of Alipay for everybody on the roster."""
    engine = make_engine(url)
    with transaction(engine) as connection:
        ids = connection.execute(
            select(RosterEntry.promoter_id).where(RosterEntry.period == PERIOD)
        ).scalars()
        given = [
            PayeeRow(place, each, PayeeDetails("alipay", f"{13_000_000_000 + each}", "示例收款人", "", ""))
            for place, each in enumerate(ids, 2)
        ]
        propose_payees(
            connection, given, PayeeCipher(KEY), epoch(PUBLISHED_AT), reason=None, approval_required=False
        )
    engine.dispose()
    return {"rows": len(given)}


def tranche(url: str) -> dict[str, Any]:
    """Gather what has settled, and let it leave for the payer."""
    engine = make_engine(url)
    with transaction(engine) as connection:
        made, created = preparation.prepare(connection, epoch(SETTLED_BEFORE), epoch(PAID_AT))
    with transaction(engine) as connection:
        approval.export_begins(connection, made.tranche_id, epoch(PAID_AT), approval_required=False)
    with snapshot(engine) as connection:
        payouts, lines = (
            connection.execute(select(func.count()).where(row.tranche_id == made.tranche_id)).scalar_one()
            for row in (Payout, TrancheLine)
        )
    engine.dispose()
    assert created
    return {"payouts": payouts, "rows": lines}


def receipt(url: str, folder: str) -> dict[str, Any]:
    """The payer's file: every tenth payment failed, the others were paid."""
    engine, path = make_engine(url), Path(folder, "receipt.csv")
    with snapshot(engine) as connection:
        asked = select(Payout.tranche_id, Payout.promoter_id, Payout.payable_fen).where(
            Payout.payable_fen > 0
        )
        payouts = connection.execute(asked.order_by(Payout.promoter_id)).all()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("payout_id", "amount_yuan", "status", "reason"))
        for place, (number, promoter_id, fen) in enumerate(payouts):
            state = ("failed", "账户名与姓名不符") if place % 10 == 9 else ("paid", "")
            writer.writerow((f"P{number}-{promoter_id}", shown_yuan(fen), *state))
    with transaction(engine) as connection:
        import_results(connection, read_payment_results(path), PayeeCipher(KEY), epoch(PAID_AT))
    engine.dispose()
    return {"rows": len(payouts)}


def late(url: str, path: str) -> dict[str, Any]:
    """A file of orders that changed after they were published and paid."""
    engine = make_engine(url)
    counts = importer.import_file(engine, "orders", Path(path), epoch(LATE_AT)).counts
    engine.dispose()
    assert not counts.quarantined, counts
    return {"rows": counts.read, "changed": counts.changed}


def settle_again(url: str) -> dict[str, Any]:
    """A second draft, by the facts that came late."""
    engine = make_engine(url)
    with transaction(engine) as connection:
        settled = settle(connection, MONTH, epoch(LATE_AT))
    engine.dispose()
    assert settled.created
    return {"rows": settled.lines.rows, "subsidy_fen": settled.lines.sum_fen}


def figures(url: str, at: str) -> dict[str, Any]:
    """The figures that pages show as of a moment, as the worker computes them."""
    engine = make_engine(url)
    computed = refresh(engine, epoch(at))
    engine.dispose()
    return {"figures": computed}
