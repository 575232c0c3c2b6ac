"""Programmes: which there are, the notices that a settlement of exclusive terms went by, and an order's lines in a
tranche by programme.
"""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ONCE = "rows are written once"


def guard_sqlite(table: str, key: tuple[str, ...]) -> None:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
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


def rekey_tranche_lines(key: tuple[str, ...]) -> None:
    """Another primary key; SQLite makes the table anew for it, and its guards with it."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("pk_tranche_lines", "tranche_lines", type_="primary")
        op.create_primary_key("pk_tranche_lines", "tranche_lines", list(key))
        return
    op.drop_index("ix_tranche_lines_tranche", "tranche_lines")
    op.rename_table("tranche_lines", "tranche_lines_before")
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
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_tranche_lines")),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO tranche_lines SELECT * FROM tranche_lines_before")
    op.drop_table("tranche_lines_before")
    op.create_index("ix_tranche_lines_tranche", "tranche_lines", ["tranche_id", "promoter_id", "order_sn"])
    guard_sqlite("tranche_lines", key)
    op.execute(
        "CREATE TRIGGER tranche_lines_whole BEFORE INSERT ON tranche_lines "
        "WHEN EXISTS (SELECT 1 FROM tranches WHERE tranche_id = NEW.tranche_id) "
        f"BEGIN SELECT RAISE(ABORT, 'tranche_lines: {ONCE}'); END"
    )


def upgrade() -> None:
    programmes = op.create_table(
        "programmes",
        sa.Column("code", db.Words(), nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("added_at", db.WholeNumber, nullable=False),
        sa.Column("retired_at", db.WholeNumber, nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_programmes")),
        sqlite_strict=True,
    )
    op.bulk_insert(programmes, [{"code": "main", "name": "main", "added_at": 0, "retired_at": None}])
    op.create_table(
        "known_notices",
        sa.Column("settlement_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("other_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["settlements.settlement_id"], name=op.f("fk_known_notices_settlements")
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["settlements.settlement_id"], name=op.f("fk_known_notices_other")
        ),
        sa.PrimaryKeyConstraint("settlement_id", "other_id", name=op.f("pk_known_notices")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER known_notices_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON known_notices "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        guard_sqlite("known_notices", ("settlement_id", "other_id"))
    rekey_tranche_lines(("promoter_id", "tranche_id", "order_sn", "period"))


def downgrade() -> None:
    rekey_tranche_lines(("promoter_id", "tranche_id", "order_sn"))
    op.drop_table("known_notices")
    op.drop_table("programmes")
