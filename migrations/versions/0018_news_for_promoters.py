"""News for promoters: which messages were read, and whether to be mailed of appeals and payments."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

CHOICES = ("appeal", "payment")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("read_at", db.WholeNumber, nullable=True))
    # What was written before there was a page for it is no news.
    op.execute("UPDATE outbox SET read_at = written_at")
    op.create_index("ix_outbox_user_id", "outbox", ["user_id", "read_at"])
    for name in CHOICES:
        op.add_column("message_choices", sa.Column(name, db.Flag(), nullable=True))
    choices = sa.table("message_choices", *(sa.column(name, db.Flag()) for name in CHOICES))
    op.execute(choices.update().values(dict.fromkeys(CHOICES, True)))
    with op.batch_alter_table("message_choices") as batch_op:
        for name in CHOICES:
            batch_op.alter_column(name, existing_type=db.Flag(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("message_choices") as batch_op:
        for name in CHOICES:
            batch_op.drop_column(name)
    op.drop_index("ix_outbox_user_id", "outbox")
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_column("read_at")
