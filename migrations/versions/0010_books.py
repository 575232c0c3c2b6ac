"""Which books these are: the name by which the journal outside the database knows them and every copy of them."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "books",
        sa.Column("name", db.Words(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_books")),
        sqlite_strict=True,
    )
    # Books that were used already are named after their first event, so that a copy of them which is upgraded by itself
    # has the same name. New ones get theirs at the first act.
    op.execute(
        "INSERT INTO books (name) SELECT substr(event_sha256, 1, 16) FROM audit_events WHERE event_id = 1"
    )


def downgrade() -> None:
    op.drop_table("books")
