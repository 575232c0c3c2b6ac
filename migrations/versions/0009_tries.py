"""Guesses and resets are counted in one row for each account, device and address, with the wait that they have led to.

What was counted before is dropped: it held for a quarter of an hour.
"""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("failed_logins")
    op.create_table(
        "tries",
        sa.Column("subject", db.Words(), nullable=False),
        sa.Column("tries", db.WholeNumber, nullable=False),
        sa.Column("last_at", db.WholeNumber, nullable=False),
        sa.Column("free_at", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_tries")),
        sqlite_strict=True,
    )
    op.create_index("ix_tries_last_at", "tries", ["last_at"])


def downgrade() -> None:
    op.drop_table("tries")
    op.create_table(
        "failed_logins",
        sa.Column("failed_login_id", db.WholeNumber, nullable=False),
        sa.Column("email", db.Words(), nullable=False),
        sa.Column("address", db.Words(), nullable=False),
        sa.Column("failed_at", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("failed_login_id", name=op.f("pk_failed_logins")),
        sqlite_strict=True,
    )
    op.create_index("ix_failed_logins_address", "failed_logins", ["address", "failed_at"])
    op.create_index("ix_failed_logins_email", "failed_logins", ["email", "failed_at"])
