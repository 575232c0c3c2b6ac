"""Where a period stands: confirmations that its data is complete, and waivers from the command line."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def guard_sqlite(table: str, *key: str) -> None:
    """Let the rows of a table be written once."""
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
        f"BEGIN SELECT RAISE(ABORT, '{table}: rows are written once'); END"
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: rows are written once'); END"
        )


def rebuild_waivers(*, account_required: bool) -> None:
    """SQLite can't change a column: a new table takes the place of ``waivers``, to which no other table refers."""
    for trigger in ("replace", "update", "delete"):
        op.execute(f"DROP TRIGGER waivers_no_{trigger}")
    op.execute("ALTER TABLE waivers RENAME TO waivers_before")
    op.create_table(
        "waivers",
        sa.Column("settlement_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("line", db.Words(), nullable=False),
        sa.Column("reason", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=not account_required),
        sa.Column("waived_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_waivers_settlements")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_waivers_users")),
        sa.PrimaryKeyConstraint("settlement_id", "line", name=op.f("pk_waivers")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO waivers (settlement_id, line, reason, user_id, waived_at) "
        "SELECT settlement_id, line, reason, user_id, waived_at FROM waivers_before"
        + (" WHERE user_id IS NOT NULL" if account_required else "")
    )
    op.drop_table("waivers_before")
    guard_sqlite("waivers", "settlement_id", "line")


def upgrade() -> None:
    op.create_table(
        "data_confirmations",
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("through_at", db.WholeNumber, nullable=False),
        sa.Column("reason", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("confirmed_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_data_confirmations_periods")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_data_confirmations_users")),
        sa.PrimaryKeyConstraint("period", "number", name=op.f("pk_data_confirmations")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("waivers", "user_id", nullable=True)
        op.execute(
            "CREATE TRIGGER data_confirmations_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON data_confirmations "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        rebuild_waivers(account_required=False)
        guard_sqlite("data_confirmations", "period", "number")


def downgrade() -> None:
    """Waivers without an account go: the schema before has no place for them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE waivers DISABLE TRIGGER waivers_no_change")
        op.execute("DELETE FROM waivers WHERE user_id IS NULL")
        op.execute("ALTER TABLE waivers ENABLE TRIGGER waivers_no_change")
        op.alter_column("waivers", "user_id", nullable=False)
    else:
        rebuild_waivers(account_required=True)
    op.drop_table("data_confirmations")
