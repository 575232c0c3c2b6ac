"""Live rooms: which orders were made in one."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TASK_INDEX = (
    "promoter_id",
    "paid_at",
    "order_amount_fen",
    "order_status",
    "is_direct",
    "type",
    "cat_ids",
    "price_compare_status",
    "failed_at",
    "received_at",
)


def upgrade() -> None:
    for table in ("order_versions", "orders"):
        op.add_column(table, sa.Column("live_room", db.Words(), nullable=True))
    op.drop_index("ix_orders_task", "orders")
    op.create_index("ix_orders_task", "orders", [*TASK_INDEX, "live_room"])


def downgrade() -> None:
    op.drop_index("ix_orders_task", "orders")
    op.create_index("ix_orders_task", "orders", list(TASK_INDEX))
    for table in ("orders", "order_versions"):
        op.drop_column(table, "live_room")
