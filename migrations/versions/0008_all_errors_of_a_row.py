"""All errors of a quarantined row: beside the first, the others."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("quarantine", sa.Column("others", db.Words(), nullable=True))


def downgrade() -> None:
    op.drop_column("quarantine", "others")
