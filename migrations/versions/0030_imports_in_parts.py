"""How far a large file of orders has come that goes in in parts."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

PROGRESS, ORDERS, BAD_ROWS = "import_progress", "import_orders", "import_bad_rows"


def upgrade() -> None:
    op.create_table(
        PROGRESS,
        sa.Column("batch_id", db.WholeNumber, nullable=False, autoincrement=False),
        *(
            sa.Column(f"rows_{name}", db.WholeNumber, nullable=False)
            for name in ("read", "kept", "quarantined", "new", "changed")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_import_progress_batches")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_import_progress")),
        sqlite_strict=True,
    )
    op.create_table(
        ORDERS,
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("facts", db.Words()),
        sa.Column("modified_at", db.WholeNumber),
        sa.Column("link_made_at", db.WholeNumber),
        sa.Column("failed_at", db.WholeNumber),
        sa.Column("live_room", db.Words()),
        sa.PrimaryKeyConstraint("order_sn", name=op.f("pk_import_orders")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        BAD_ROWS,
        sa.Column("raw_hash", db.Bytes, nullable=False),
        sa.Column("rows", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("raw_hash", name=op.f("pk_import_bad_rows")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    for table in (BAD_ROWS, ORDERS, PROGRESS):
        op.drop_table(table)
