"""A code of a second factor serves once: the last one that was accepted."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("last_totp_counter", db.WholeNumber, nullable=True))


def downgrade() -> None:
    op.drop_column("users", "last_totp_counter")
