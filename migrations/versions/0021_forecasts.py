"""Forecasts of open periods, flags about promoters, and payouts that a person holds for a review."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ONCE = "rows are written once"
WRITTEN_ONCE = {
    "payout_holds": ("promoter_id", "period", "number"),
    "payout_hold_steps": ("promoter_id", "period", "number", "step"),
}


def whole(name: str, *, nullable: bool = False, autoincrement: bool | str = "auto") -> sa.Column[int]:
    return sa.Column(name, db.WholeNumber, nullable=nullable, autoincrement=autoincrement)


def promoter(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    return (
        whole("promoter_id", autoincrement=False),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f(f"fk_{table}_promoters")
        ),
    )


def period(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return (
        sa.Column("period", db.Words(), nullable=False),
        sa.ForeignKeyConstraint(["period"], ["periods.period"], name=op.f(f"fk_{table}_periods")),
    )


def user(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    return (
        whole("user_id", nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f(f"fk_{table}_users")),
    )


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def guard(table: str, columns: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    same = " AND ".join(f"{column} = NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
        f"BEGIN SELECT RAISE(ABORT, '{table}: {ONCE}'); END"
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: {ONCE}'); END"
        )


def upgrade() -> None:
    op.create_table(
        "forecasts",
        *period("forecasts"),
        whole("as_of"),
        *(
            whole(name)
            for name in (
                "seed promoters history_months passes passes_low passes_high committed_fen subsidy_fen "
                "subsidy_low_fen subsidy_high_fen"
            ).split()
        ),
        *(whole(name, nullable=True) for name in ("scored_promoters", "brier_millionths", "ranges_held")),
        key("forecasts", "period", "as_of"),
        sqlite_strict=True,
    )
    op.create_table(
        "promoter_forecasts",
        *promoter("promoter_forecasts"),
        sa.Column("period", db.Words(), nullable=False),
        whole("as_of"),
        *(
            whole(name)
            for name in (
                "probability_permille gmv_low_fen gmv_fen gmv_high_fen orders_low orders orders_high "
                "subsidy_low_fen subsidy_fen subsidy_high_fen counted_gmv_fen counted_orders pending_gmv_fen "
                "pending_orders failed_gmv_fen failed_orders needed_orders nudge_orders nudge_permille"
            ).split()
        ),
        sa.ForeignKeyConstraint(
            ["period", "as_of"],
            ["forecasts.period", "forecasts.as_of"],
            name=op.f("fk_promoter_forecasts_forecasts"),
        ),
        key("promoter_forecasts", "promoter_id", "period", "as_of"),
        sqlite_strict=True,
    )
    op.create_table(
        "anomalies",
        *promoter("anomalies"),
        *period("anomalies"),
        sa.Column("code", db.Words(), nullable=False),
        *(whole(name) for name in ("found_at", "orders", "of_orders", "norm_permille")),
        key("anomalies", "promoter_id", "period", "code"),
        sqlite_strict=True,
    )
    op.create_table(
        "payout_holds",
        *promoter("payout_holds"),
        *period("payout_holds"),
        whole("number", autoincrement=False),
        sa.Column("reason", db.Words(), nullable=False),
        whole("due_at"),
        *user("payout_holds"),
        whole("held_at"),
        key("payout_holds", "promoter_id", "period", "number"),
        sqlite_strict=True,
    )
    op.create_table(
        "payout_hold_steps",
        whole("promoter_id", autoincrement=False),
        sa.Column("period", db.Words(), nullable=False),
        whole("number", autoincrement=False),
        sa.Column("step", db.Words(), nullable=False),
        sa.Column("reason", db.Words(), nullable=False),
        *user("payout_hold_steps"),
        whole("taken_at"),
        sa.CheckConstraint("step IN ('ASKED', 'RELEASED')", name=op.f("ck_payout_hold_steps_step")),
        sa.ForeignKeyConstraint(
            ["promoter_id", "period", "number"],
            ["payout_holds.promoter_id", "payout_holds.period", "payout_holds.number"],
            name=op.f("fk_payout_hold_steps_payout_holds"),
        ),
        key("payout_hold_steps", "promoter_id", "period", "number", "step"),
        sqlite_strict=True,
    )
    for table, columns in WRITTEN_ONCE.items():
        guard(table, columns)


def downgrade() -> None:
    for table in ("payout_hold_steps", "payout_holds", "anomalies", "promoter_forecasts", "forecasts"):
        op.drop_table(table)
