"""The index of the lines that correct earlier ones also finds those of one promoter, and lists them in order."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_tranche_lines_corrections", "tranche_lines"


def upgrade() -> None:
    _replace(["tranche_id", "promoter_id", "order_sn", "amount_fen"])


def downgrade() -> None:
    _replace(["tranche_id", "amount_fen"])


def _replace(columns: list[str]) -> None:
    op.drop_index(INDEX, TABLE)
    op.create_index(
        INDEX,
        TABLE,
        columns,
        sqlite_where=sa.text("cause <> 'EARNED'"),
        postgresql_where=sa.text("cause <> 'EARNED'"),
    )
