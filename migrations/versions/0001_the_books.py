"""The books: everything of the month, end to end, and the guards of what is written once."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


FROZEN = (
    "terms",
    "periods",
    "roster",
    "settlements",
    "results",
    "lines",
    "notices",
    "notice_changes",
)
"""Tables whose rows are written once: the database refuses to change or delete them."""

SEALED = ("results", "lines", "notice_changes")
"""Tables to whose published settlements no row may be added."""


CONTENT = (
    "promoter_id",
    "order_sn",
    "row_hash",
    "is_detail",
    "raw",
    "p_id",
    "goods_name",
    "order_status",
    "order_amount_fen",
    "promotion_amount_fen",
    "type",
    "cat_ids",
    "is_direct",
    "price_compare_status",
    "created_at",
    "paid_at",
    "received_at",
    "verified_at",
    "settled_at",
    "modified_at",
    "return_status",
    "link_made_at",
)
"""What an order's row says; it never changes. Whose batch's row it is may, once it has been withdrawn."""


KEYS = {
    "terms": ("terms_id",),
    "periods": ("period",),
    "roster": ("promoter_id", "period"),
    "settlements": ("settlement_id",),
    "notices": ("period", "notice"),
}
"""The keys of the frozen tables to which rows are added at any time; the others are sealed by their settlement."""


def guard_sqlite() -> None:
    """Triggers. REPLACE steps over the one on DELETE on a connection without recursive_triggers, as another program's
    may be, so a row whose key is held is refused before it is inserted."""
    for table, key in KEYS.items():
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table}: rows are written once'); END"
        )
    for table in FROZEN:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table}: rows are written once'); END"
            )
    op.execute(
        f"CREATE TRIGGER order_versions_no_update BEFORE UPDATE OF {', '.join(CONTENT)} ON order_versions "
        "BEGIN SELECT RAISE(ABORT, 'order_versions: rows are written once'); END"
    )
    op.execute(
        "CREATE TRIGGER order_versions_no_move BEFORE UPDATE OF batch_id, place ON order_versions "
        "WHEN OLD.withdrawn = 0 BEGIN SELECT RAISE(ABORT, 'order_versions: rows are written once'); END"
    )
    op.execute(
        "CREATE TRIGGER order_versions_no_delete BEFORE DELETE ON order_versions "
        "BEGIN SELECT RAISE(ABORT, 'order_versions: rows are written once'); END"
    )
    for table in SEALED:
        op.execute(
            f"CREATE TRIGGER {table}_sealed BEFORE INSERT ON {table} "
            "WHEN EXISTS (SELECT 1 FROM notices WHERE settlement_id = NEW.settlement_id) "
            f"BEGIN SELECT RAISE(ABORT, '{table}: the settlement is published'); END"
        )


def guard_postgresql() -> None:
    """Triggers a statement, not a row: a settlement writes millions."""
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%: rows are written once', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE FUNCTION refuse_addition() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF EXISTS (SELECT 1 FROM (SELECT DISTINCT settlement_id FROM added) AS a "
        "JOIN notices USING (settlement_id)) THEN "
        "RAISE EXCEPTION '%: the settlement is published', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; "
        "END IF; RETURN NULL; END $$"
    )
    for table in FROZEN:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        f"CREATE TRIGGER order_versions_no_update BEFORE UPDATE OF {', '.join(CONTENT)} ON order_versions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER order_versions_no_move BEFORE UPDATE OF batch_id, place ON order_versions "
        "FOR EACH ROW WHEN (NOT OLD.withdrawn) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER order_versions_no_delete BEFORE DELETE OR TRUNCATE ON order_versions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for table in SEALED:
        op.execute(
            f"CREATE TRIGGER {table}_sealed AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_addition()"
        )


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("file_name", db.Words(), nullable=False),
        sa.Column("sha256", db.Words(), nullable=False),
        sa.Column("shape", db.Words(), nullable=False),
        sa.Column("header", db.Words(), nullable=True),
        sa.Column("encoding", db.Words(), nullable=False),
        sa.Column("imported_at", db.WholeNumber, nullable=False),
        sa.Column("rows_read", db.WholeNumber, nullable=False),
        sa.Column("rows_new", db.WholeNumber, nullable=False),
        sa.Column("rows_changed", db.WholeNumber, nullable=False),
        sa.Column("rows_unchanged", db.WholeNumber, nullable=False),
        sa.Column("rows_stale", db.WholeNumber, nullable=False),
        sa.Column("rows_quarantined", db.WholeNumber, nullable=False),
        sa.Column("undone_at", db.WholeNumber, nullable=True),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_batches")),
        sqlite_strict=True,
    )
    op.create_table(
        "category_sets",
        sa.Column("cat_ids", db.Words(), nullable=False),
        sa.Column("category_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("cat_ids", "category_id", name=op.f("pk_category_sets")),
        sqlite_strict=True,
    )
    op.create_table(
        "lines",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("settlement_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("paid_at", db.WholeNumber, nullable=False),
        sa.Column("basis_fen", db.WholeNumber, nullable=False),
        sa.Column("subsidy_fen", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("promoter_id", "settlement_id", "order_sn", name=op.f("pk_lines")),
        sqlite_strict=True,
    )
    op.create_table(
        "promoters",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("promoter_id", name=op.f("pk_promoters")),
        sqlite_strict=True,
    )
    op.create_table(
        "terms",
        sa.Column("terms_id", db.WholeNumber, nullable=False),
        sa.Column("effective_from", db.Words(), nullable=False),
        sa.Column("toml", db.Words(), nullable=False),
        sa.Column("sha256", db.Words(), nullable=False),
        sa.Column("added_at", db.WholeNumber, nullable=False),
        sa.PrimaryKeyConstraint("terms_id", name=op.f("pk_terms")),
        sqlite_strict=True,
    )
    op.create_table(
        "levels",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("level_from", db.Day(), nullable=False),
        sa.Column("level", db.Words(), nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("registered_on", db.Day(), nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_levels_batches")),
        sa.ForeignKeyConstraint(["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_levels_promoters")),
        sa.PrimaryKeyConstraint("promoter_id", "level_from", name=op.f("pk_levels")),
        sqlite_strict=True,
    )
    op.create_table(
        "links",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("p_id", db.Words(), nullable=False),
        sa.Column("channel", db.Words(), nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_links_batches")),
        sa.ForeignKeyConstraint(["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_links_promoters")),
        sa.PrimaryKeyConstraint("promoter_id", "p_id", name=op.f("pk_links")),
        sqlite_strict=True,
    )
    op.create_table(
        "order_repeats",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_order_repeats_batches")),
        sa.PrimaryKeyConstraint(
            "promoter_id", "order_sn", "row_hash", "batch_id", name=op.f("pk_order_repeats")
        ),
        sqlite_strict=True,
    )
    with op.batch_alter_table("order_repeats", schema=None) as batch_op:
        batch_op.create_index("ix_order_repeats_batch", ["batch_id"], unique=False)

    op.create_table(
        "order_versions",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("is_detail", db.Flag(), nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.Column("withdrawn", db.Flag(), nullable=False),
        sa.Column("p_id", db.Words(), nullable=False),
        sa.Column("goods_name", db.Words(), nullable=True),
        sa.Column("order_status", db.WholeNumber, nullable=False),
        sa.Column("order_amount_fen", db.WholeNumber, nullable=False),
        sa.Column("promotion_amount_fen", db.WholeNumber, nullable=False),
        sa.Column("type", db.WholeNumber, nullable=True),
        sa.Column("cat_ids", db.Words(), nullable=True),
        sa.Column("is_direct", db.WholeNumber, nullable=True),
        sa.Column("price_compare_status", db.WholeNumber, nullable=True),
        sa.Column("created_at", db.WholeNumber, nullable=True),
        sa.Column("paid_at", db.WholeNumber, nullable=True),
        sa.Column("received_at", db.WholeNumber, nullable=True),
        sa.Column("verified_at", db.WholeNumber, nullable=True),
        sa.Column("settled_at", db.WholeNumber, nullable=True),
        sa.Column("modified_at", db.WholeNumber, nullable=False),
        sa.Column("return_status", db.WholeNumber, nullable=True),
        sa.Column("link_made_at", db.WholeNumber, nullable=True),
        sa.Column("raw", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_order_versions_batches")),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_order_versions_promoters")
        ),
        sa.PrimaryKeyConstraint("promoter_id", "order_sn", "row_hash", name=op.f("pk_order_versions")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("order_versions", schema=None) as batch_op:
        batch_op.create_index("ix_order_versions_batch", ["batch_id", "place"], unique=False)
        batch_op.create_index(
            "ix_order_versions_newest",
            ["order_sn", "modified_at", "order_status", "row_hash", "is_detail", "withdrawn"],
            unique=False,
        )

    op.create_table(
        "orders",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("failed_at", db.WholeNumber, nullable=True),
        sa.Column("conflicting", db.Flag(), nullable=False),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("p_id", db.Words(), nullable=False),
        sa.Column("goods_name", db.Words(), nullable=True),
        sa.Column("order_status", db.WholeNumber, nullable=False),
        sa.Column("order_amount_fen", db.WholeNumber, nullable=False),
        sa.Column("promotion_amount_fen", db.WholeNumber, nullable=False),
        sa.Column("type", db.WholeNumber, nullable=True),
        sa.Column("cat_ids", db.Words(), nullable=True),
        sa.Column("is_direct", db.WholeNumber, nullable=True),
        sa.Column("price_compare_status", db.WholeNumber, nullable=True),
        sa.Column("created_at", db.WholeNumber, nullable=True),
        sa.Column("paid_at", db.WholeNumber, nullable=True),
        sa.Column("received_at", db.WholeNumber, nullable=True),
        sa.Column("verified_at", db.WholeNumber, nullable=True),
        sa.Column("settled_at", db.WholeNumber, nullable=True),
        sa.Column("modified_at", db.WholeNumber, nullable=False),
        sa.Column("return_status", db.WholeNumber, nullable=True),
        sa.Column("link_made_at", db.WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_orders_promoters")),
        sa.PrimaryKeyConstraint("promoter_id", "order_sn", name=op.f("pk_orders")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index(
            "ix_orders_task",
            [
                "promoter_id",
                "paid_at",
                "order_amount_fen",
                "order_status",
                "is_direct",
                "type",
                "cat_ids",
                "price_compare_status",
                "failed_at",
                "received_at",
            ],
            unique=False,
        )
        batch_op.create_index("uq_orders_order_sn", ["order_sn"], unique=True)

    op.create_table(
        "periods",
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("terms_id", db.WholeNumber, nullable=False),
        sa.Column("opened_at", db.WholeNumber, nullable=False),
        sa.Column("task_from", db.WholeNumber, nullable=False),
        sa.Column("task_until", db.WholeNumber, nullable=False),
        sa.Column("receipt_cutoff", db.WholeNumber, nullable=False),
        sa.Column("month_from", db.WholeNumber, nullable=False),
        sa.Column("month_until", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["terms_id"], ["terms.terms_id"], name=op.f("fk_periods_terms")),
        sa.PrimaryKeyConstraint("period", name=op.f("pk_periods")),
        sqlite_strict=True,
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", db.WholeNumber, nullable=False),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("kind", db.Words(), nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.Column("raw_hash", sa.LargeBinary(), nullable=False),
        sa.Column("occurrence", db.WholeNumber, nullable=False),
        sa.Column("column_name", db.Words(), nullable=True),
        sa.Column("value", db.Words(), nullable=True),
        sa.Column("code", db.Words(), nullable=False),
        sa.Column("sentence_zh", db.Words(), nullable=False),
        sa.Column("sentence_en", db.Words(), nullable=False),
        sa.Column("raw", db.Words(), nullable=False),
        sa.Column("subject", db.Words(), nullable=True),
        sa.Column("promoter_id", db.WholeNumber, nullable=True),
        sa.Column("paid_at", db.WholeNumber, nullable=True),
        sa.Column("closed_at", db.WholeNumber, nullable=True),
        sa.Column("closed_how", db.Words(), nullable=True),
        sa.Column("closed_batch_id", db.WholeNumber, nullable=True),
        sa.Column("reason", db.Words(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_quarantine_batches")),
        sa.ForeignKeyConstraint(["closed_batch_id"], ["batches.batch_id"], name="fk_quarantine_closed_by"),
        sa.PrimaryKeyConstraint("quarantine_id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint(
            "kind", "raw_hash", "occurrence", name=op.f("uq_quarantine_kind_raw_hash_occurrence")
        ),
        sqlite_strict=True,
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.create_index("ix_quarantine_subject", ["kind", "subject"], unique=False)

    op.create_table(
        "targets",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("gmv_fen", db.WholeNumber, nullable=True),
        sa.Column("orders", db.WholeNumber, nullable=True),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_targets_batches")),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_targets_promoters")
        ),
        sa.PrimaryKeyConstraint("promoter_id", "period", name=op.f("pk_targets")),
        sqlite_strict=True,
    )
    op.create_table(
        "violations",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("occurred_on", db.Day(), nullable=False),
        sa.Column("reason", db.Words(), nullable=False),
        sa.Column("cleared_on", db.Day(), nullable=True),
        sa.Column("batch_id", db.WholeNumber, nullable=False),
        sa.Column("place", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_violations_batches")),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_violations_promoters")
        ),
        sa.PrimaryKeyConstraint("promoter_id", "occurred_on", name=op.f("pk_violations")),
        sqlite_strict=True,
    )
    op.create_table(
        "roster",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("level", db.Words(), nullable=True),
        sa.Column("registered_on", db.Day(), nullable=False),
        sa.Column("reason", db.Words(), nullable=True),
        sa.Column("target_gmv_fen", db.WholeNumber, nullable=True),
        sa.Column("target_orders", db.WholeNumber, nullable=True),
        sa.Column("derivation", db.Words(), nullable=False),
        sa.CheckConstraint(
            "(reason IS NULL) = (target_gmv_fen IS NOT NULL OR target_orders IS NOT NULL)",
            name=op.f("ck_roster_judged"),
        ),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_roster_periods")),
        sa.ForeignKeyConstraint(["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_roster_promoters")),
        sa.PrimaryKeyConstraint("promoter_id", "period", name=op.f("pk_roster")),
        sqlite_strict=True,
    )
    op.create_table(
        "settlements",
        sa.Column("settlement_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("settled_at", db.WholeNumber, nullable=False),
        sa.Column("as_of_batch_id", db.WholeNumber, nullable=True),
        sa.Column("quarantined", db.WholeNumber, nullable=False),
        sa.Column("results_rows", db.WholeNumber, nullable=False),
        sa.Column("results_sha256", db.Words(), nullable=False),
        sa.Column("lines_rows", db.WholeNumber, nullable=False),
        sa.Column("lines_sha256", db.Words(), nullable=False),
        sa.Column("subsidy_fen", db.WholeNumber, nullable=False),
        sa.Column("content_sha256", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["as_of_batch_id"], ["batches.batch_id"], name=op.f("fk_settlements_batches")
        ),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_settlements_periods")),
        sa.PrimaryKeyConstraint("settlement_id", name=op.f("pk_settlements")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("settlements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_settlements_period"), ["period"], unique=False)

    op.create_table(
        "notice_changes",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("settlement_id", db.WholeNumber, nullable=False),
        sa.Column("order_sn", db.Words(), nullable=False),
        sa.Column("cause", db.Words(), nullable=False),
        sa.Column("was_counted_fen", db.WholeNumber, nullable=True),
        sa.Column("now_counted_fen", db.WholeNumber, nullable=True),
        sa.Column("was_subsidy_fen", db.WholeNumber, nullable=False),
        sa.Column("now_subsidy_fen", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_notice_changes_settlements")
        ),
        sa.PrimaryKeyConstraint("promoter_id", "settlement_id", "order_sn", name=op.f("pk_notice_changes")),
        sqlite_strict=True,
    )
    op.create_table(
        "notices",
        sa.Column("period", db.Words(), nullable=False),
        sa.Column("notice", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("settlement_id", db.WholeNumber, nullable=False),
        sa.Column("published_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f("fk_notices_periods")),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_notices_settlements")
        ),
        sa.PrimaryKeyConstraint("period", "notice", name=op.f("pk_notices")),
        sa.UniqueConstraint("settlement_id", name=op.f("uq_notices_settlement_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "results",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("settlement_id", db.WholeNumber, nullable=False),
        sa.Column("gmv_fen", db.WholeNumber, nullable=True),
        sa.Column("orders", db.WholeNumber, nullable=True),
        sa.Column("passed", db.Flag(), nullable=False),
        sa.Column("rate_permille", db.WholeNumber, nullable=True),
        sa.Column("subsidy_orders", db.WholeNumber, nullable=False),
        sa.Column("subsidy_fen", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlements.settlement_id"],
            name=op.f("fk_results_settlements"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("promoter_id", "settlement_id", name=op.f("pk_results")),
        sqlite_strict=True,
    )
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.create_index("ix_results_settlement", ["settlement_id", "promoter_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        guard_postgresql()
    else:
        guard_sqlite()


def downgrade() -> None:
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.drop_index("ix_results_settlement")

    op.drop_table("results")
    op.drop_table("notices")
    op.drop_table("notice_changes")
    with op.batch_alter_table("settlements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_settlements_period"))

    op.drop_table("settlements")
    op.drop_table("roster")
    op.drop_table("violations")
    op.drop_table("targets")
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index("ix_quarantine_subject")

    op.drop_table("quarantine")
    op.drop_table("periods")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index("uq_orders_order_sn")
        batch_op.drop_index("ix_orders_task")

    op.drop_table("orders")
    with op.batch_alter_table("order_versions", schema=None) as batch_op:
        batch_op.drop_index("ix_order_versions_newest")
        batch_op.drop_index("ix_order_versions_batch")

    op.drop_table("order_versions")
    with op.batch_alter_table("order_repeats", schema=None) as batch_op:
        batch_op.drop_index("ix_order_repeats_batch")

    op.drop_table("order_repeats")
    op.drop_table("links")
    op.drop_table("levels")
    op.drop_table("terms")
    op.drop_table("promoters")
    op.drop_table("lines")
    op.drop_table("category_sets")
    op.drop_table("batches")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
        op.execute("DROP FUNCTION refuse_addition()")
