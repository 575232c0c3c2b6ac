"""The calendar: what it asked for and was done."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slots",
        sa.Column("job", db.Words(), nullable=False),
        sa.Column("slot", db.Words(), nullable=False),
        sa.Column("due_at", db.WholeNumber, nullable=False),
        sa.Column("done_at", db.WholeNumber, nullable=False),
        sa.Column("outcome", db.Words(), nullable=False),
        sa.PrimaryKeyConstraint("job", "slot", name=op.f("pk_slots")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("slots")
