"""Queries over the payers' files and their rows."""

from sqlalchemy import Connection, case, func, select

from bounty.db import Query, QueryRow, row_where
from bounty.models import Receipt, ReceiptRow, User
from bounty.models.payment_results import AMBIGUOUS, UNMATCHED, RowVerdict
from bounty.rules.sql_math import count_where, sum_or_zero


def payment_result_files() -> Query:
    """Each payer's file with who brought it, how many rows have which verdict, and what the payer says was paid and
    was not, in fen."""
    row = ReceiptRow
    verdicts = (
        select(
            row.receipt_id,
            *(count_where(row.verdict == code).label(code.lower()) for code in map(str, RowVerdict)),
            sum_or_zero(case((row.paid, row.amount_fen), else_=0)).label("paid_fen"),
            sum_or_zero(case((row.paid, 0), else_=row.amount_fen)).label("failed_fen"),
        )
        .group_by(row.receipt_id)
        .subquery("of_rows")
    )
    return (
        select(
            Receipt.receipt_id,
            Receipt.name,
            Receipt.taken_at,
            User.name.label("taken_by"),
            Receipt.rows.label("rows_read"),
            *(
                func.coalesce(verdicts.c[code.lower()], 0).label(code.lower())
                for code in map(str, RowVerdict)
            ),
            verdicts.c.paid_fen,
            verdicts.c.failed_fen,
            Receipt.sha256,
        )
        .outerjoin(verdicts, verdicts.c.receipt_id == Receipt.receipt_id)
        .outerjoin(User, User.id == Receipt.taken_by_id)
    )


def payment_result_file(connection: Connection, receipt_id: int) -> QueryRow | None:
    """One of the payers' files, as ``payment_result_files`` has it; null where there is none."""
    return row_where(connection, payment_result_files(), receipt_id=receipt_id)


def payment_result_rows(receipt_id: int) -> Query:
    """The rows of a payer's file, columns as of ``ReceiptRow``, and ``at``: the unmatched first, the doubtful next."""
    at = case({UNMATCHED: 0, AMBIGUOUS: 1}, value=ReceiptRow.verdict, else_=2)
    return select(ReceiptRow.__table__, at.label("at")).where(ReceiptRow.receipt_id == receipt_id)


def is_payment_result_file(connection: Connection, receipt_id: int) -> bool:
    """Whether there is a payer's file of this number."""
    return (
        connection.execute(select(Receipt.rows).where(Receipt.receipt_id == receipt_id)).first() is not None
    )
