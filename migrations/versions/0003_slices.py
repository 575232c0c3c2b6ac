"""Slices: which spans of time were read from the open platform."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slices",
        sa.Column("slice_id", db.WholeNumber, nullable=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("whose", db.Words(), nullable=False),
        sa.Column("from_at", db.WholeNumber, nullable=False),
        sa.Column("until_at", db.WholeNumber, nullable=False),
        sa.Column("known_at", db.WholeNumber, nullable=False),
        sa.Column("read_at", db.WholeNumber, nullable=False),
        sa.Column("done", db.Flag(), nullable=False),
        sa.Column("why", db.Words(), nullable=True),
        sa.Column("rows_told", db.WholeNumber, nullable=True),
        sa.Column("rows_held", db.WholeNumber, nullable=False),
        sa.Column("pages", db.WholeNumber, nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=True),
        sa.CheckConstraint("kind IN ('UPDATED', 'PAID')", name=op.f("ck_slices_kind")),
        sa.CheckConstraint("from_at < until_at", name=op.f("ck_slices_span")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_slices_batches")),
        sa.PrimaryKeyConstraint("slice_id", name=op.f("pk_slices")),
        sqlite_strict=True,
    )
    op.create_index("ix_slices_span", "slices", ["kind", "until_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER slices_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON slices "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    op.execute(
        "CREATE TRIGGER slices_no_replace BEFORE INSERT ON slices "
        "WHEN EXISTS (SELECT 1 FROM slices WHERE slice_id = NEW.slice_id) "
        "BEGIN SELECT RAISE(ABORT, 'slices: rows are written once'); END"
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER slices_no_{act.lower()} BEFORE {act} ON slices "
            "BEGIN SELECT RAISE(ABORT, 'slices: rows are written once'); END"
        )


def downgrade() -> None:
    op.drop_index("ix_slices_span", "slices")
    op.drop_table("slices")
