"""The channel that each promotion link had from a batch on, so that a past moment can be shown with its own links."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLE = "link_versions"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("promoter_id", db.WholeNumber, nullable=False, autoincrement=False),
        sa.Column("p_id", db.Words(), nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=False, autoincrement=False),
        sa.Column("channel", db.Words(), nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_link_versions_promoters")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_link_versions_batches")),
        sa.PrimaryKeyConstraint("promoter_id", "p_id", "batch_id", name=op.f("pk_link_versions")),
        sqlite_strict=True,
    )
    # Earlier channels of a link were overwritten: each link begins with the batch that it has now.
    op.execute(
        f"INSERT INTO {TABLE} (promoter_id, p_id, batch_id, channel, place) "
        "SELECT promoter_id, p_id, batch_id, channel, place FROM links"
    )


def downgrade() -> None:
    op.drop_table(TABLE)
