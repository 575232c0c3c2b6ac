"""Totals of open periods by promoter and day. The upgrade fills them for the periods that are there (bounty/totals)."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

UNKNOWNS = "received_orders receipt_unknown category_unknown type_unknown price_compare_unknown link_unknown"
TABLES = {
    "daily_progress": (("day", "verdict"), f"orders amount_fen capped_fen {UNKNOWNS}"),
    "daily_subsidy": (("day", "tier"), "orders basis_fen earned_fen"),
    "promoter_progress": (
        (),
        f"gmv_fen orders pending_fen pending_orders window_orders paid_orders {UNKNOWNS}",
    ),
    "promoter_subsidy": (("tier",), "earned_fen orders basis_fen subsidy_fen"),
}
"""Table -> the columns of its key after the period and the promoter, and its sums."""


def key_column(name: str) -> sa.Column[object]:
    if name == "verdict":
        return sa.Column(name, db.Words(), nullable=False)
    return sa.Column(name, db.WholeNumber, nullable=False, autoincrement=False)


def upgrade() -> None:
    for table, (key, sums) in TABLES.items():
        op.create_table(
            table,
            sa.Column("period", db.Words(), nullable=False),
            *(key_column(name) for name in ("promoter_id", *key)),
            *(sa.Column(name, db.WholeNumber, nullable=False) for name in sums.split()),
            sa.ForeignKeyConstraint(
                ["promoter_id", "period"],
                ["roster.promoter_id", "roster.period"],
                name=op.f(f"fk_{table}_roster"),
            ),
            sa.PrimaryKeyConstraint("period", "promoter_id", *key, name=op.f(f"pk_{table}")),
            sqlite_strict=True,
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
