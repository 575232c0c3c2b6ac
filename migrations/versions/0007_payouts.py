"""Money out: payees, tranches and what came of them, voided passes, closed periods, and statements of notices."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


KEYS = {
    "payee_proposals": ("proposal_id",),
    "payees": ("promoter_id", "proposal_id"),
    "payee_approvals": ("proposal_id",),
    "tranches": ("tranche_id",),
    "tranche_lines": ("promoter_id", "tranche_id", "order_sn"),
    "payouts": ("promoter_id", "tranche_id"),
    "tranche_steps": ("tranche_id", "number"),
    "receipts": ("receipt_id",),
    "receipt_rows": ("receipt_id", "place"),
    "payout_outcomes": ("promoter_id", "tranche_id", "number"),
    "pass_voids": ("promoter_id", "period", "number"),
    "pass_void_answers": ("promoter_id", "period", "number"),
    "period_closings": ("period", "number"),
    "notice_statements": ("number",),
}
"""The keys of the tables whose rows are written once: all of them."""

OTHER_KEYS = {"notice_statements": "settlement_id"}
"""What else is unique in them, by which REPLACE would take a row away."""

PARTS = {
    "payees": ("payee_proposals", "proposal_id"),
    "tranche_lines": ("tranches", "tranche_id"),
    "payouts": ("tranches", "tranche_id"),
    "receipt_rows": ("receipts", "receipt_id"),
}
"""Tables of the parts of a whole, which are written before it: once it is there, no part can be added."""


def guard_sqlite() -> None:
    for table, key in KEYS.items():
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        if table in OTHER_KEYS:
            same += f" OR {OTHER_KEYS[table]} = NEW.{OTHER_KEYS[table]}"
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
    for table, (whole, key) in PARTS.items():
        op.execute(
            f"CREATE TRIGGER {table}_whole BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {whole} WHERE {key} = NEW.{key}) "
            f"BEGIN SELECT RAISE(ABORT, '{table}: rows are written once'); END"
        )


def guard_postgresql() -> None:
    for table in KEYS:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, (whole, key) in PARTS.items():
        op.execute(
            f"CREATE FUNCTION refuse_addition_to_{whole}_{table}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF EXISTS (SELECT 1 FROM (SELECT DISTINCT {key} FROM added) AS a JOIN {whole} USING ({key})) "
            "THEN RAISE EXCEPTION '%: rows are written once', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; "
            "END IF; RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_whole AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_addition_to_{whole}_{table}()"
        )


def upgrade() -> None:
    op.create_table(
        "tranche_lines",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("tranche_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("settlement_id", db.WholeNumber, nullable=False),
        sa.Column("cause", db.Words(), nullable=False),
        sa.Column("corrects_id", db.WholeNumber, nullable=True),
        sa.Column("amount_fen", db.WholeNumber, nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_tranche_lines_says_something")),
        sa.PrimaryKeyConstraint("promoter_id", "tranche_id", "order_sn", name=op.f("pk_tranche_lines")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("tranche_lines", schema=None) as batch_op:
        batch_op.create_index(
            "ix_tranche_lines_tranche", ["tranche_id", "promoter_id", "order_sn"], unique=False
        )

    op.create_table(
        "payee_proposals",
        sa.Column("proposal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("reason", db.Words(), nullable=True),
        sa.Column("proposed_by_id", db.WholeNumber, nullable=True),
        sa.Column("proposed_at", db.WholeNumber, nullable=False),
        sa.Column("payees", db.WholeNumber, nullable=False),
        sa.Column("payees_sha256", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(["proposed_by_id"], ["users.user_id"], name=op.f("fk_payee_proposals_users")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_payee_proposals")),
        sqlite_strict=True,
    )
    op.create_table(
        "period_closings",
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("act", db.Words(), nullable=False),
        sa.Column("reason", db.Words(), nullable=True),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("acted_at", db.WholeNumber, nullable=False),
        sa.CheckConstraint("act IN ('CLOSED', 'REOPENING', 'REOPENED')", name=op.f("ck_period_closings_act")),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_period_closings_periods")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_period_closings_users")),
        sa.PrimaryKeyConstraint("period", "number", name=op.f("pk_period_closings")),
        sqlite_strict=True,
    )
    op.create_table(
        "receipts",
        sa.Column("receipt_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("sha256", db.Words(), nullable=False),
        sa.Column("told_sha256", db.Words(), nullable=False),
        sa.Column("rows", db.WholeNumber, nullable=False),
        sa.Column("taken_at", db.WholeNumber, nullable=False),
        sa.Column("taken_by_id", db.WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(["taken_by_id"], ["users.user_id"], name=op.f("fk_receipts_users")),
        sa.PrimaryKeyConstraint("receipt_id", name=op.f("pk_receipts")),
        sqlite_strict=True,
    )
    op.create_table(
        "tranches",
        sa.Column("tranche_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("settled_before", db.WholeNumber, nullable=False),
        sa.Column("prepared_at", db.WholeNumber, nullable=False),
        sa.Column("prepared_by_id", db.WholeNumber, nullable=True),
        sa.Column("lines_rows", db.WholeNumber, nullable=False),
        sa.Column("lines_fen", db.WholeNumber, nullable=False),
        sa.Column("lines_sha256", db.Words(), nullable=False),
        sa.Column("payouts_rows", db.WholeNumber, nullable=False),
        sa.Column("payable_fen", db.WholeNumber, nullable=False),
        sa.Column("payouts_sha256", db.Words(), nullable=False),
        sa.Column("content_sha256", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(["prepared_by_id"], ["users.user_id"], name=op.f("fk_tranches_users")),
        sa.PrimaryKeyConstraint("tranche_id", name=op.f("pk_tranches")),
        sqlite_strict=True,
    )
    op.create_table(
        "notice_statements",
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("settlement_id", db.WholeNumber, nullable=False),
        sa.Column("statement", db.Words(), nullable=False),
        sa.Column("sha256", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_notice_statements_settlements")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notice_statements")),
        sa.UniqueConstraint("settlement_id", name=op.f("uq_notice_statements_settlement_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "pass_voids",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("reason", db.Words(), nullable=False),
        sa.Column("asked_by_id", db.WholeNumber, nullable=True),
        sa.Column("asked_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["asked_by_id"], ["users.user_id"], name=op.f("fk_pass_voids_users")),
        sa.ForeignKeyConstraint(
            ["promoter_id", "period"], ["roster.promoter_id", "roster.period"], name="fk_pass_voids_roster"
        ),
        sa.PrimaryKeyConstraint("promoter_id", "period", "number", name=op.f("pk_pass_voids")),
        sqlite_strict=True,
    )
    op.create_table(
        "payee_approvals",
        sa.Column("proposal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("approved_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["payee_proposals.proposal_id"], name=op.f("fk_payee_approvals_payee_proposals")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_payee_approvals_users")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_payee_approvals")),
        sqlite_strict=True,
    )
    op.create_table(
        "payees",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("proposal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("method", db.Words(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", db.Words(), nullable=False),
        sa.Column("shown_account", db.Words(), nullable=False),
        sa.Column("shown_name", db.Words(), nullable=False),
        sa.CheckConstraint("method IN ('alipay', 'bank')", name=op.f("ck_payees_method")),
        sa.ForeignKeyConstraint(["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_payees_promoters")),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["payee_proposals.proposal_id"],
            name=op.f("fk_payees_payee_proposals"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("promoter_id", "proposal_id", name=op.f("pk_payees")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("payees", schema=None) as batch_op:
        batch_op.create_index("ix_payees_proposal", ["proposal_id"], unique=False)

    op.create_table(
        "receipt_rows",
        sa.Column("receipt_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("place", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("shown_account", db.Words(), nullable=False),
        sa.Column("shown_name", db.Words(), nullable=False),
        sa.Column("amount_fen", db.WholeNumber, nullable=False),
        sa.Column("paid", db.Flag(), nullable=False),
        sa.Column("serial", db.Words(), nullable=True),
        sa.Column("words", db.Words(), nullable=True),
        sa.Column("verdict", db.Words(), nullable=False),
        sa.Column("payout", db.Words(), nullable=True),
        sa.ForeignKeyConstraint(
            ["receipt_id"],
            ["receipts.receipt_id"],
            name=op.f("fk_receipt_rows_receipts"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("receipt_id", "place", name=op.f("pk_receipt_rows")),
        sqlite_strict=True,
    )
    op.create_table(
        "tranche_steps",
        sa.Column("tranche_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("step", db.Words(), nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("content_sha256", db.Words(), nullable=False),
        sa.Column("taken_at", db.WholeNumber, nullable=False),
        sa.CheckConstraint(
            "step IN ('APPROVED', 'EXPORTED', 'REPLACED')", name=op.f("ck_tranche_steps_step")
        ),
        sa.ForeignKeyConstraint(
            ["tranche_id"], ["tranches.tranche_id"], name=op.f("fk_tranche_steps_tranches")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_tranche_steps_users")),
        sa.PrimaryKeyConstraint("tranche_id", "number", name=op.f("pk_tranche_steps")),
        sqlite_strict=True,
    )
    op.create_table(
        "pass_void_answers",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("approved", db.Flag(), nullable=False),
        sa.Column("as_of_settlement_id", db.WholeNumber, nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("answered_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["promoter_id", "period", "number"],
            ["pass_voids.promoter_id", "pass_voids.period", "pass_voids.number"],
            name="fk_pass_void_answers_pass_voids",
        ),
        sa.ForeignKeyConstraint(
            ["as_of_settlement_id"], ["settlements.settlement_id"], name="fk_pass_void_answers_settlements"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_pass_void_answers_users")),
        sa.PrimaryKeyConstraint("promoter_id", "period", "number", name=op.f("pk_pass_void_answers")),
        sqlite_strict=True,
    )
    op.create_table(
        "payouts",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("tranche_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("carry_in_fen", db.WholeNumber, nullable=False),
        sa.Column("lines_rows", db.WholeNumber, nullable=False),
        sa.Column("lines_fen", db.WholeNumber, nullable=False),
        sa.Column("payable_fen", db.WholeNumber, nullable=False),
        sa.Column("proposal_id", db.WholeNumber, nullable=True),
        sa.CheckConstraint("payable_fen >= 0", name=op.f("ck_payouts_never_negative")),
        sa.ForeignKeyConstraint(
            ["promoter_id", "proposal_id"],
            ["payees.promoter_id", "payees.proposal_id"],
            name="fk_payouts_payees",
        ),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_payouts_promoters")
        ),
        sa.ForeignKeyConstraint(
            ["tranche_id"],
            ["tranches.tranche_id"],
            name=op.f("fk_payouts_tranches"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("promoter_id", "tranche_id", name=op.f("pk_payouts")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.create_index("ix_payouts_tranche", ["tranche_id", "promoter_id"], unique=False)

    op.create_table(
        "payout_outcomes",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("tranche_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("paid", db.Flag(), nullable=False),
        sa.Column("reason", db.Words(), nullable=True),
        sa.Column("receipt_id", db.WholeNumber, nullable=True),
        sa.Column("place", db.WholeNumber, nullable=True),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("told_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["promoter_id", "tranche_id"],
            ["payouts.promoter_id", "payouts.tranche_id"],
            name="fk_payout_outcomes_payouts",
        ),
        sa.ForeignKeyConstraint(
            ["receipt_id", "place"],
            ["receipt_rows.receipt_id", "receipt_rows.place"],
            name="fk_payout_outcomes_receipt_rows",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_payout_outcomes_users")),
        sa.PrimaryKeyConstraint("promoter_id", "tranche_id", "number", name=op.f("pk_payout_outcomes")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        guard_postgresql()
    else:
        guard_sqlite()


def downgrade() -> None:
    op.drop_table("payout_outcomes")
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.drop_index("ix_payouts_tranche")

    op.drop_table("payouts")
    op.drop_table("pass_void_answers")
    op.drop_table("tranche_steps")
    op.drop_table("receipt_rows")
    with op.batch_alter_table("payees", schema=None) as batch_op:
        batch_op.drop_index("ix_payees_proposal")

    op.drop_table("payees")
    op.drop_table("payee_approvals")
    op.drop_table("pass_voids")
    op.drop_table("notice_statements")
    op.drop_table("tranches")
    op.drop_table("receipts")
    op.drop_table("period_closings")
    op.drop_table("payee_proposals")
    with op.batch_alter_table("tranche_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_tranche_lines_tranche")

    op.drop_table("tranche_lines")
    if op.get_bind().dialect.name == "postgresql":
        for table, (whole, _) in PARTS.items():
            op.execute(f"DROP FUNCTION refuse_addition_to_{whole}_{table}()")
