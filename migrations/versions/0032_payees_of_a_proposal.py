"""The index of a proposal's payees also has them in order, so that a page reads only those it shows."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_payees_proposal", "payees"


def upgrade() -> None:
    _replace(["proposal_id", "promoter_id"])


def downgrade() -> None:
    _replace(["proposal_id"])


def _replace(columns: list[str]) -> None:
    op.drop_index(INDEX, TABLE)
    op.create_index(INDEX, TABLE, columns)
