"""Headers of files that are read as other columns: of one upload, and of all files of a kind."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("mapping", db.Words(), nullable=True))
    op.create_table(
        "header_names",
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("header", db.Words(), nullable=False),
        sa.Column("column_name", db.Words(), nullable=False),
        sa.Column("kept_at", db.WholeNumber, nullable=False),
        sa.Column("kept_by_id", db.WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(["kept_by_id"], ["users.user_id"], name=op.f("fk_header_names_users")),
        sa.PrimaryKeyConstraint("kind", "header", name=op.f("pk_header_names")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("header_names")
    op.drop_column("uploads", "mapping")
