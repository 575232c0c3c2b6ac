"""People: accounts, the audit trail, and what people decide; a roster entry can be overridden, with its reason."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


KEYS = {
    "audit_events": ("event_id",),
    "approvals": ("settlement_id", "user_id"),
    "waivers": ("settlement_id", "line"),
    "roster_overrides": ("promoter_id", "period", "number"),
    "appeals": ("promoter_id", "appeal_id"),
    "appeal_answers": ("promoter_id", "appeal_id", "number"),
}
"""The keys of the tables whose rows are written once."""

SAME_PERSON = "NEW.promoter_id = OLD.promoter_id AND NEW.period = OLD.period AND NEW.name = OLD.name"
OVERRIDDEN = """
    EXISTS (
        SELECT 1 FROM roster_overrides AS o WHERE o.promoter_id = OLD.promoter_id AND o.period = OLD.period
        AND o.number = (SELECT max(number) FROM roster_overrides AS n
                        WHERE n.promoter_id = OLD.promoter_id AND n.period = OLD.period)
        AND o.was_ineligible {is_} OLD.reason AND o.now_ineligible {is_} NEW.reason
        AND o.was_target_gmv_fen {is_} OLD.target_gmv_fen AND o.now_target_gmv_fen {is_} NEW.target_gmv_fen
        AND o.was_target_orders {is_} OLD.target_orders AND o.now_target_orders {is_} NEW.target_orders
    ) AND NEW.level {is_} OLD.level AND NEW.registered_on = OLD.registered_on
    AND NOT EXISTS (SELECT 1 FROM settlements AS s WHERE s.period = OLD.period)
"""
"""Whether a roster entry changes to what its newest override says, while nothing of its period is settled."""


def guard_sqlite() -> None:
    for table, key in KEYS.items():
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
    op.execute("DROP TRIGGER roster_no_update")
    op.execute(
        "CREATE TRIGGER roster_no_update BEFORE UPDATE ON roster "
        f"WHEN NOT ({SAME_PERSON} AND {OVERRIDDEN.format(is_='IS')}) "
        "BEGIN SELECT RAISE(ABORT, 'roster: rows are written once'); END"
    )


def unguard_sqlite() -> None:
    op.execute("DROP TRIGGER roster_no_update")
    op.execute(
        "CREATE TRIGGER roster_no_update BEFORE UPDATE ON roster "
        "BEGIN SELECT RAISE(ABORT, 'roster: rows are written once'); END"
    )


def guard_postgresql() -> None:
    for table in KEYS:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION refuse_change_of_roster() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT ({SAME_PERSON} AND {OVERRIDDEN.format(is_='IS NOT DISTINCT FROM')}) THEN "
        "RAISE EXCEPTION 'roster: rows are written once' USING ERRCODE = 'restrict_violation'; "
        "END IF; RETURN NEW; END $$"
    )
    op.execute("DROP TRIGGER roster_no_change ON roster")
    op.execute(
        "CREATE TRIGGER roster_no_change BEFORE DELETE OR TRUNCATE ON roster "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER roster_no_update BEFORE UPDATE ON roster "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_roster()"
    )


def unguard_postgresql() -> None:
    op.execute("DROP TRIGGER roster_no_update ON roster")
    op.execute("DROP TRIGGER roster_no_change ON roster")
    op.execute("DROP FUNCTION refuse_change_of_roster()")
    op.execute(
        "CREATE TRIGGER roster_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON roster "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def upgrade() -> None:
    op.create_table(
        "failed_logins",
        sa.Column("failed_login_id", db.WholeNumber, nullable=False),
        sa.Column("email", db.Words(), nullable=False),
        sa.Column("address", db.Words(), nullable=False),
        sa.Column("failed_at", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("failed_login_id", name=op.f("pk_failed_logins")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("failed_logins", schema=None) as batch_op:
        batch_op.create_index("ix_failed_logins_address", ["address", "failed_at"], unique=False)
        batch_op.create_index("ix_failed_logins_email", ["email", "failed_at"], unique=False)

    op.create_table(
        "invitations",
        sa.Column("invitation_id", db.WholeNumber, nullable=False),
        sa.Column("token_sha256", db.Words(), nullable=False),
        sa.Column("email", db.Words(), nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("role", db.Words(), nullable=False),
        sa.Column("invited_promoter_id", db.WholeNumber, nullable=True),
        sa.Column("invited_at", db.WholeNumber, nullable=False),
        sa.Column("expires_at", db.WholeNumber, nullable=False),
        sa.Column("accepted_at", db.WholeNumber, nullable=True),
        sa.CheckConstraint(
            "role IN ('promoter', 'operator', 'finance', 'admin')", name=op.f("ck_invitations_role")
        ),
        sa.ForeignKeyConstraint(
            ["invited_promoter_id"], ["promoters.promoter_id"], name="fk_invitations_promoters"
        ),
        sa.PrimaryKeyConstraint("invitation_id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_invitations_token_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "users",
        sa.Column("user_id", db.WholeNumber, nullable=False),
        sa.Column("email", db.Words(), nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("role", db.Words(), nullable=False),
        sa.Column("promoter_id", db.WholeNumber, nullable=True),
        sa.Column("password", db.Words(), nullable=True),
        sa.Column("active", db.Flag(), nullable=False),
        sa.Column("fs_uniquifier", db.Words(), nullable=False),
        sa.Column("tf_primary_method", db.Words(), nullable=True),
        sa.Column("tf_totp_secret", db.Words(), nullable=True),
        sa.Column("created_at", db.WholeNumber, nullable=False),
        sa.CheckConstraint("(role = 'promoter') = (promoter_id IS NOT NULL)", name=op.f("ck_users_promoter")),
        sa.CheckConstraint(
            "role IN ('promoter', 'operator', 'finance', 'admin')", name=op.f("ck_users_role")
        ),
        sa.ForeignKeyConstraint(["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_users_promoters")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("fs_uniquifier", name=op.f("uq_users_fs_uniquifier")),
        sa.UniqueConstraint("promoter_id", name=op.f("uq_users_promoter_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "appeals",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("appeal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("order_sn", db.Words(), nullable=True),
        sa.Column("words", db.Words(), nullable=False),
        sa.Column("as_stood", db.Words(), nullable=False),
        sa.Column("asked_at", db.WholeNumber, nullable=False),
        sa.Column("due_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_appeals_periods")),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_appeals_promoters")
        ),
        sa.PrimaryKeyConstraint("promoter_id", "appeal_id", name=op.f("pk_appeals")),
        sqlite_strict=True,
    )
    op.create_table(
        "audit_events",
        sa.Column("event_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("happened_at", db.WholeNumber, nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("actor", db.Words(), nullable=False),
        sa.Column("role", db.Words(), nullable=True),
        sa.Column("address", db.Words(), nullable=True),
        sa.Column("request", db.Words(), nullable=True),
        sa.Column("act", db.Words(), nullable=False),
        sa.Column("subject", db.Words(), nullable=False),
        sa.Column("before", db.Words(), nullable=True),
        sa.Column("after", db.Words(), nullable=True),
        sa.Column("reason", db.Words(), nullable=True),
        sa.Column("previous_sha256", db.Words(), nullable=False),
        sa.Column("event_sha256", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_audit_events_users")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_events")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index("ix_audit_events_subject", ["subject"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("upload_id", db.WholeNumber, nullable=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("file_name", db.Words(), nullable=False),
        sa.Column("sha256", db.Words(), nullable=False),
        sa.Column("size_bytes", db.WholeNumber, nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=False),
        sa.Column("uploaded_at", db.WholeNumber, nullable=False),
        sa.Column("tried", db.Words(), nullable=True),
        sa.Column("refused", db.Words(), nullable=True),
        sa.Column("batch_id", db.WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_uploads_batches")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_uploads_users")),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_uploads")),
        sqlite_strict=True,
    )
    op.create_table(
        "appeal_answers",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("appeal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("verdict", db.Words(), nullable=False),
        sa.Column("words", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=False),
        sa.Column("answered_at", db.WholeNumber, nullable=False),
        sa.Column("correction_batch_id", db.WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(
            ["correction_batch_id"], ["batches.batch_id"], name="fk_appeal_answers_batches"
        ),
        sa.ForeignKeyConstraint(
            ["promoter_id", "appeal_id"],
            ["appeals.promoter_id", "appeals.appeal_id"],
            name="fk_appeal_answers_appeals",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_appeal_answers_users")),
        sa.PrimaryKeyConstraint("promoter_id", "appeal_id", "number", name=op.f("pk_appeal_answers")),
        sqlite_strict=True,
    )
    op.create_table(
        "approvals",
        sa.Column("settlement_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("user_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("content_sha256", db.Words(), nullable=False),
        sa.Column("approved_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_approvals_settlements")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_approvals_users")),
        sa.PrimaryKeyConstraint("settlement_id", "user_id", name=op.f("pk_approvals")),
        sqlite_strict=True,
    )
    op.create_table(
        "roster_overrides",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("was_ineligible", db.Words(), nullable=True),
        sa.Column("now_ineligible", db.Words(), nullable=True),
        sa.Column("was_target_gmv_fen", db.WholeNumber, nullable=True),
        sa.Column("now_target_gmv_fen", db.WholeNumber, nullable=True),
        sa.Column("was_target_orders", db.WholeNumber, nullable=True),
        sa.Column("now_target_orders", db.WholeNumber, nullable=True),
        sa.Column("reason", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=False),
        sa.Column("overridden_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_roster_overrides_periods")),
        sa.ForeignKeyConstraint(
            ["promoter_id", "period"],
            ["roster.promoter_id", "roster.period"],
            name="fk_roster_overrides_roster",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_roster_overrides_users")),
        sa.PrimaryKeyConstraint("promoter_id", "period", "number", name=op.f("pk_roster_overrides")),
        sqlite_strict=True,
    )
    op.create_table(
        "waivers",
        sa.Column("settlement_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("line", db.Words(), nullable=False),
        sa.Column("reason", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=False),
        sa.Column("waived_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_waivers_settlements")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_waivers_users")),
        sa.PrimaryKeyConstraint("settlement_id", "line", name=op.f("pk_waivers")),
        sqlite_strict=True,
    )
    op.add_column("settlements", sa.Column("prepared_by_id", db.WholeNumber, nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        guard_postgresql()
    else:
        guard_sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        unguard_postgresql()
    else:
        unguard_sqlite()
    op.drop_column("settlements", "prepared_by_id")
    op.drop_table("waivers")
    op.drop_table("roster_overrides")
    op.drop_table("approvals")
    op.drop_table("appeal_answers")
    op.drop_table("uploads")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_events_subject")

    op.drop_table("audit_events")
    op.drop_table("appeals")
    op.drop_table("users")
    op.drop_table("invitations")
    with op.batch_alter_table("failed_logins", schema=None) as batch_op:
        batch_op.drop_index("ix_failed_logins_email")
        batch_op.drop_index("ix_failed_logins_address")

    op.drop_table("failed_logins")
