"""Webhook endpoints that are managed on a page, and what they answered to each delivery."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KINDS = "kind IN ('webhook', 'dingtalk', 'wecom', 'feishu')"
WHY = "disabled_why IN ('BY_HAND', 'FAILING', 'GONE')"
INDEX = "ix_outbox_endpoint_id"


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("endpoint_id", db.WholeNumber, nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("sealed", db.Words(), nullable=False),
        sa.Column("shown_url", db.Words(), nullable=False),
        sa.Column("events", db.Words(), nullable=False),
        sa.Column("programme", db.Words(), nullable=True),
        sa.Column("made_at", db.WholeNumber, nullable=False),
        sa.Column("rotated_at", db.WholeNumber, nullable=True),
        sa.Column("failing_since", db.WholeNumber, nullable=True),
        sa.Column("disabled_at", db.WholeNumber, nullable=True),
        sa.Column("disabled_why", db.Words(), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_webhook_endpoints_kind")),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_why IS NULL)", name=op.f("ck_webhook_endpoints_disabled")
        ),
        sa.CheckConstraint(WHY, name=op.f("ck_webhook_endpoints_disabled_why")),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_webhook_endpoints")),
        sqlite_strict=True,
    )
    # Without a foreign key, which SQLite could only add by writing the whole outbox anew; endpoints are never deleted.
    op.add_column("outbox", sa.Column("endpoint_id", db.WholeNumber, nullable=True))
    op.create_index(INDEX, "outbox", ["endpoint_id", "written_at"])
    op.add_column("message_tries", sa.Column("status", db.WholeNumber, nullable=True))
    op.add_column("message_tries", sa.Column("answer", db.Words(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("message_tries") as batch_op:
        batch_op.drop_column("answer")
        batch_op.drop_column("status")
    op.drop_index(INDEX, "outbox")
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_column("endpoint_id")
    op.drop_table("webhook_endpoints")
