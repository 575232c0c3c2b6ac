"""The outbox, and what each account wants to be mailed of."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message_choices",
        sa.Column("user_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("language", db.Words(), nullable=False),
        sa.Column("target", db.Flag(), nullable=False),
        sa.Column("receipts", db.Flag(), nullable=False),
        sa.Column("result", db.Flag(), nullable=False),
        sa.Column("chosen_at", db.WholeNumber, nullable=False),
        sa.CheckConstraint("language IN ('both', 'zh', 'en')", name=op.f("ck_message_choices_language")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_message_choices_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_message_choices")),
        sqlite_strict=True,
    )
    op.create_table(
        "outbox",
        sa.Column("message", db.Words(), nullable=False),
        sa.Column("channel", db.Words(), nullable=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("recipient", db.Words(), nullable=False),
        sa.Column("subject", db.Words(), nullable=False),
        sa.Column("body", db.Words(), nullable=False),
        sa.Column("path", db.Words(), nullable=True),
        sa.Column("written_at", db.WholeNumber, nullable=False),
        sa.Column("tries", db.WholeNumber, nullable=False),
        sa.Column("next_try_at", db.WholeNumber, nullable=True),
        sa.Column("sent_at", db.WholeNumber, nullable=True),
        sa.Column("last_error", db.Words(), nullable=True),
        sa.CheckConstraint("channel IN ('mail', 'webhook')", name=op.f("ck_outbox_channel")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_outbox_users")),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_outbox")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_next_try_at", ["next_try_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_next_try_at")

    op.drop_table("outbox")
    op.drop_table("message_choices")
