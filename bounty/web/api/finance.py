"""What a token of finance reads: notices with their results and lines, tranches with their payouts and lines."""

from dataclasses import replace

from sqlalchemy import Connection

from bounty.accounting import finance_queries
from bounty.accounting.reconciliation import listed_differences
from bounty.db import Query
from bounty.notices.service import every_notice, settlement_of
from bounty.payment_results.queries import (
    is_payment_result_file,
    payment_result_files,
    payment_result_rows,
)
from bounty.rules.periods import Period
from bounty.settlement.queries import lines_of, results_of
from bounty.tranches.state import is_tranche
from bounty.web.api.lists import listing
from bounty.web.api.problems import not_found
from bounty.web.finance import tables
from bounty.web.finance.notices import LINE_COLUMNS, NOTICES, RESULT_COLUMNS
from bounty.web.finance.payment_results import RECEIPTS
from bounty.web.finance.payment_results import ROWS as RECEIPT_ROWS
from bounty.web.finance.reconciliation import DIFFERENCES as OF_MAIN
from bounty.web.shared.tables import Column, Table

RESULTS = Table("results", RESULT_COLUMNS, key=("promoter_id",), order="promoter_id")
SUBSIDY_LINES = Table("subsidy_lines", LINE_COLUMNS, key=("promoter_id", "order_sn"), order="promoter_id")
DIFFERENCES = replace(OF_MAIN, columns=(*OF_MAIN.columns, Column("period", "期次", "period")))


@listing("/notices", "finance", "operator", table=NOTICES)
def list_notices(_connection: Connection) -> Query:
    """Every notice, with its sums and its content hash."""
    return every_notice()


@listing("/notices/<period:period>/<int:notice>/results", "finance", "operator", table=RESULTS)
def list_results(connection: Connection, period: Period, notice: int) -> Query:
    """Who passed by a notice, on what, and what they earn."""
    return results_of(_settlement(connection, period, notice), period).order_by(None)


@listing("/notices/<period:period>/<int:notice>/subsidy-lines", "finance", "operator", table=SUBSIDY_LINES)
def list_subsidy_lines(connection: Connection, period: Period, notice: int) -> Query:
    """What each order earns by a notice."""
    return lines_of(_settlement(connection, period, notice)).order_by(None)


@listing("/tranches", "finance", table=tables.TRANCHES)
def list_tranches(_connection: Connection) -> Query:
    """Every tranche, with its state and sums."""
    return finance_queries.tranche_overview()


@listing("/tranches/<int:tranche_id>/payouts", "finance", table=tables.PAYOUTS)
def list_payouts(connection: Connection, tranche_id: int) -> Query:
    """What each promoter is paid by a tranche, and what came of it."""
    _known(connection, tranche_id)
    return finance_queries.payouts_with_outcomes(tranche_id)


@listing("/tranches/<int:tranche_id>/lines", "finance", table=replace(tables.LINES, name="tranche_lines"))
def list_tranche_lines(connection: Connection, tranche_id: int) -> Query:
    """What each order gives by a tranche, or takes back."""
    _known(connection, tranche_id)
    return finance_queries.tranche_lines_with_orders(tranche_id)


@listing("/receipts", "finance", table=RECEIPTS)
def list_receipts(_connection: Connection) -> Query:
    """Every file of a payer's results that was taken in, with its counts and sums."""
    return payment_result_files()


@listing("/receipts/<int:receipt_id>/rows", "finance", table=RECEIPT_ROWS)
def list_receipt_rows(connection: Connection, receipt_id: int) -> Query:
    """The rows of a payer's file with their verdicts; accounts and names are masked."""
    if not is_payment_result_file(connection, receipt_id):
        raise not_found()
    return payment_result_rows(receipt_id)


@listing("/reconciliation", "finance", table=DIFFERENCES)
def list_differences(connection: Connection) -> Query:
    """Where our lines, the platform and the payers' results differ; nothing where all agree."""
    return listed_differences(connection, None)


def _settlement(connection: Connection, period: Period, notice: int) -> int:
    """The settlement that a notice published."""
    settlement_id = settlement_of(connection, period, notice)
    if settlement_id is None:
        raise not_found()
    return settlement_id


def _known(connection: Connection, tranche_id: int) -> None:
    if not is_tranche(connection, tranche_id):
        raise not_found()
