"""Indexes of what is open in the quarantine and unsent in the outbox: the navigation counts it on every page."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0015"
branch_labels = None
depends_on = None

OPEN, UNSENT = sa.text("closed_at IS NULL"), sa.text("sent_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_quarantine_open", "quarantine", ["kind", "code"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index(
        "ix_outbox_unsent", "outbox", ["next_try_at", "tries"], sqlite_where=UNSENT, postgresql_where=UNSENT
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_unsent", "outbox")
    op.drop_index("ix_quarantine_open", "quarantine")
