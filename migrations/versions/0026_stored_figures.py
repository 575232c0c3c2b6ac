"""Figures that pages of large books show as of a moment, and an index of the lines that correct earlier ones."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

FIGURES, DIFFERENCES = "stored_figures", "stored_differences"


def upgrade() -> None:
    op.create_table(
        FIGURES,
        sa.Column("subject", db.Words(), nullable=False),
        sa.Column("facts", db.Words(), nullable=False),
        sa.Column("computed_at", db.WholeNumber, nullable=False),
        sa.Column("content", db.Words(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_stored_figures")),
        sqlite_strict=True,
    )
    op.create_table(
        DIFFERENCES,
        sa.Column("subject", db.Words(), nullable=False),
        sa.Column("at", db.WholeNumber, nullable=False, autoincrement=False),
        sa.Column("place", db.WholeNumber, nullable=False, autoincrement=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("promoter_id", db.WholeNumber),
        sa.Column("tranche_id", db.WholeNumber),
        sa.Column("order_sn", db.Words()),
        sa.Column("ours_fen", db.WholeNumber),
        sa.Column("theirs_fen", db.WholeNumber),
        sa.Column("receipt_id", db.WholeNumber),
        sa.Column("row_place", db.WholeNumber),
        sa.Column("payout", db.Words()),
        sa.Column("shown_account", db.Words()),
        sa.Column("shown_name", db.Words()),
        sa.Column("period", db.Words()),
        sa.ForeignKeyConstraint(
            ["subject"], [f"{FIGURES}.subject"], name=op.f("fk_stored_differences_stored_figures")
        ),
        sa.PrimaryKeyConstraint("subject", "at", "place", name=op.f("pk_stored_differences")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tranche_lines_corrections",
        "tranche_lines",
        ["tranche_id", "amount_fen"],
        sqlite_where=sa.text("cause <> 'EARNED'"),
        postgresql_where=sa.text("cause <> 'EARNED'"),
    )


def downgrade() -> None:
    op.drop_index("ix_tranche_lines_corrections", "tranche_lines")
    op.drop_table(DIFFERENCES)
    op.drop_table(FIGURES)
