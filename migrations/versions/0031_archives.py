"""Received rows of closed months in archives, and guards that let a move to or from an archive delete rows."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ARCHIVES, BATCHES, MOVES = "archives", "archive_batches", "archive_moves"
FIXED = (
    "archive_id, month, paid_from, paid_until, file_name, sha256, file_bytes, content_sha256, orders, rows, repeats, "
    "first_order_sn, last_order_sn, newest_file_row_at, archived_at"
)
"""What never changes of an archive."""
MOVED = ("order_versions", "received_texts")
"""Tables of which a move deletes rows, and nothing else may."""


def is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def words(name: str) -> sa.Column[str]:
    return sa.Column(name, db.Words(), nullable=False)


def whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, db.WholeNumber, nullable=nullable, autoincrement=False)


def refusal(table: str, condition: str = "") -> str:
    return f"{condition}BEGIN SELECT RAISE(ABORT, '{table}: rows are written once'); END"


REFUSE = "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
REFUSE_UNLESS_MOVED = "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_moved()"


def guard_archives() -> None:
    if is_sqlite():
        op.execute(
            f"CREATE TRIGGER archives_no_update BEFORE UPDATE OF {FIXED} ON {ARCHIVES} {refusal(ARCHIVES)}"
        )
        op.execute(f"CREATE TRIGGER archives_no_delete BEFORE DELETE ON {ARCHIVES} {refusal(ARCHIVES)}")
        same = f"WHEN EXISTS (SELECT 1 FROM {ARCHIVES} WHERE archive_id = NEW.archive_id) "
        op.execute(
            f"CREATE TRIGGER archives_no_replace BEFORE INSERT ON {ARCHIVES} {refusal(ARCHIVES, same)}"
        )
        return
    op.execute(f"CREATE TRIGGER archives_no_update BEFORE UPDATE OF {FIXED} ON {ARCHIVES} {REFUSE}")
    op.execute(f"CREATE TRIGGER archives_no_delete BEFORE DELETE OR TRUNCATE ON {ARCHIVES} {REFUSE}")


def allow_moves() -> None:
    """A transaction that has written into ``archive_moves`` may delete received rows and texts."""
    if is_sqlite():
        unless = f"WHEN NOT EXISTS (SELECT 1 FROM {MOVES}) "
        for table in MOVED:
            op.execute(f"DROP TRIGGER {table}_no_delete")
            op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal(table, unless)}")
        return
    op.execute(
        "CREATE FUNCTION refuse_change_unless_moved() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT EXISTS (SELECT 1 FROM {MOVES}) THEN "
        "RAISE EXCEPTION '%: rows are written once', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; "
        "END IF; RETURN NULL; END $$"
    )
    op.execute("DROP TRIGGER order_versions_no_delete ON order_versions")
    op.execute(
        f"CREATE TRIGGER order_versions_no_delete BEFORE DELETE ON order_versions {REFUSE_UNLESS_MOVED}"
    )
    op.execute(f"CREATE TRIGGER order_versions_no_truncate BEFORE TRUNCATE ON order_versions {REFUSE}")
    op.execute("DROP TRIGGER received_texts_no_change ON received_texts")
    op.execute(
        f"CREATE TRIGGER received_texts_no_delete BEFORE DELETE ON received_texts {REFUSE_UNLESS_MOVED}"
    )
    op.execute(
        f"CREATE TRIGGER received_texts_no_change BEFORE UPDATE OR TRUNCATE ON received_texts {REFUSE}"
    )


def forbid_moves() -> None:
    """The guards as they were."""
    if is_sqlite():
        for table in MOVED:
            op.execute(f"DROP TRIGGER {table}_no_delete")
            op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refusal(table)}")
        return
    for table, name in (
        ("order_versions", "no_delete"),
        ("order_versions", "no_truncate"),
        ("received_texts", "no_delete"),
        ("received_texts", "no_change"),
    ):
        op.execute(f"DROP TRIGGER {table}_{name} ON {table}")
    op.execute(
        f"CREATE TRIGGER order_versions_no_delete BEFORE DELETE OR TRUNCATE ON order_versions {REFUSE}"
    )
    op.execute(
        f"CREATE TRIGGER received_texts_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON received_texts {REFUSE}"
    )
    op.execute("DROP FUNCTION refuse_change_unless_moved()")


def upgrade() -> None:
    op.create_table(
        ARCHIVES,
        whole("archive_id"),
        words("month"),
        whole("paid_from"),
        whole("paid_until"),
        words("file_name"),
        words("sha256"),
        whole("file_bytes"),
        words("content_sha256"),
        whole("orders"),
        whole("rows"),
        whole("repeats"),
        words("first_order_sn"),
        words("last_order_sn"),
        whole("newest_file_row_at", nullable=True),
        whole("orders_left"),
        whole("rows_left"),
        whole("archived_at"),
        whole("restored_at", nullable=True),
        sa.PrimaryKeyConstraint("archive_id", name=op.f("pk_archives")),
        sqlite_strict=True,
    )
    op.create_table(
        BATCHES,
        whole("archive_id"),
        whole("batch_id"),
        whole("rows"),
        whole("repeats"),
        sa.ForeignKeyConstraint(
            ["archive_id"], ["archives.archive_id"], name=op.f("fk_archive_batches_archives")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_archive_batches_batches")),
        sa.PrimaryKeyConstraint("archive_id", "batch_id", name=op.f("pk_archive_batches")),
        sqlite_strict=True,
    )
    op.create_table(
        MOVES,
        whole("archive_id"),
        sa.PrimaryKeyConstraint("archive_id", name=op.f("pk_archive_moves")),
        sqlite_strict=True,
    )
    guard_archives()
    allow_moves()


def downgrade() -> None:
    if op.get_bind().execute(sa.text(f"SELECT 1 FROM {ARCHIVES} WHERE orders_left > 0")).first():
        raise RuntimeError(
            "received rows lie in archives: restore them first (bounty archive MONTH --restore)"
        )
    forbid_moves()
    for table in (MOVES, BATCHES, ARCHIVES):
        op.drop_table(table)
