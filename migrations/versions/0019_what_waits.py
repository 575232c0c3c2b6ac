"""Indexes of what is open in the quarantine and unsent in the outbox, which the navigation counts on every page; every
attempt to send a message.
"""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0019"
down_revision = "0018"
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
    op.create_table(
        "message_tries",
        sa.Column("try_id", db.WholeNumber, nullable=False),
        sa.Column("message", db.Words(), nullable=False),
        sa.Column("tried_at", db.WholeNumber, nullable=False),
        sa.Column("error", db.Words(), nullable=True),
        sa.ForeignKeyConstraint(["message"], ["outbox.message"], name=op.f("fk_message_tries_outbox")),
        sa.PrimaryKeyConstraint("try_id", name=op.f("pk_message_tries")),
        sqlite_strict=True,
    )
    op.create_index("ix_message_tries_message", "message_tries", ["message"])


def downgrade() -> None:
    op.drop_table("message_tries")
    op.drop_index("ix_outbox_unsent", "outbox")
    op.drop_index("ix_quarantine_open", "quarantine")
