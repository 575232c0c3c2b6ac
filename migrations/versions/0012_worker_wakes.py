"""When the worker last looked at the calendar."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker_wakes",
        sa.Column("job", db.Words(), nullable=False),
        sa.Column("woken_at", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_worker_wakes")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("worker_wakes")
