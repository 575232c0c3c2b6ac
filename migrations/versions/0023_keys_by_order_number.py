"""Keys led by the order number, so that an import writes beside what it wrote last; no index that a key replaces."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEYS = {"order_versions": ("order_sn", "row_hash", "promoter_id"), "orders": ("order_sn", "promoter_id")}
OLD_KEYS = {"order_versions": ("promoter_id", "order_sn", "row_hash"), "orders": ("promoter_id", "order_sn")}
NEWEST = ("order_sn", "modified_at", "order_status", "row_hash", "is_detail", "withdrawn")
INDEXES = {
    "order_versions": {"ix_order_versions_batch": ("batch_id", "place")},
    "orders": {
        "ix_orders_task": (
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
            "live_room",
        ),
        "uq_orders_order_sn": ("order_sn",),
    },
}


def whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, db.WholeNumber, nullable=nullable, autoincrement=False)


def words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, db.Words(), nullable=nullable)


def facts() -> list[sa.Column[Any]]:
    return [
        words("p_id"),
        words("goods_name", nullable=True),
        whole("order_status"),
        whole("order_amount_fen"),
        whole("promotion_amount_fen"),
        whole("type", nullable=True),
        words("cat_ids", nullable=True),
        whole("is_direct", nullable=True),
        whole("price_compare_status", nullable=True),
        whole("created_at", nullable=True),
        whole("paid_at", nullable=True),
        whole("received_at", nullable=True),
        whole("verified_at", nullable=True),
        whole("settled_at", nullable=True),
        whole("modified_at"),
        whole("return_status", nullable=True),
        whole("link_made_at", nullable=True),
        words("live_room", nullable=True),
    ]


def columns_of(table: str) -> list[sa.Column[Any]]:
    key = [words("order_sn"), whole("promoter_id"), sa.Column("row_hash", sa.LargeBinary(), nullable=False)]
    if table == "orders":
        own = [whole("failed_at", nullable=True), sa.Column("conflicting", db.Flag(), nullable=False)]
        return [*key, *own, *facts()]
    flags = [sa.Column(name, db.Flag(), nullable=False) for name in ("is_detail", "withdrawn")]
    return [*key, *flags, whole("batch_id"), whole("place"), *facts(), words("raw")]


def rebuild(table: str, key: Sequence[str], *, clustered: bool) -> None:
    """Move a table's rows to a table with another primary key; its triggers are made again as they were.

    clustered   whether SQLite keeps the rows themselves by that key
    """
    connection = op.get_bind()
    triggers = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table ORDER BY name"),
        {"table": table},
    )
    guards = triggers.scalars().all()
    columns = columns_of(table)
    names = ", ".join(column.name for column in columns)
    parents = {"promoter_id": "promoters", **({"batch_id": "batches"} if table == "order_versions" else {})}
    op.create_table(
        f"new_{table}",
        *columns,
        *(
            sa.ForeignKeyConstraint([column], [f"{parent}.{column}"], name=op.f(f"fk_{table}_{parent}"))
            for column, parent in parents.items()
        ),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sqlite_strict=True,
        sqlite_with_rowid=not clustered,
    )
    # Sorted by the new key, a clustered table is written from its first page to its last.
    in_order = f"ORDER BY {', '.join(key)}" if clustered else ""
    op.execute(f"INSERT INTO new_{table} ({names}) SELECT {names} FROM {table} {in_order}")
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)
    for name, led_by in INDEXES[table].items():
        op.create_index(name, table, list(led_by), unique=name.startswith("uq_"))
    for guard in guards:
        op.execute(guard)
    if connection.execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None:
        # What the planner knew of the table went with it, and the next import may be too small to bring it back.
        op.execute("PRAGMA analysis_limit=1000")
        op.execute(f"ANALYZE {table}")


def rekey(keys: dict[str, tuple[str, ...]], *, clustered: bool) -> None:
    for table, key in keys.items():
        if op.get_bind().dialect.name == "sqlite":
            rebuild(table, key, clustered=clustered and table == "orders")
        else:
            op.drop_constraint(f"pk_{table}", table, type_="primary")
            op.create_primary_key(op.f(f"pk_{table}"), table, list(key))


def upgrade() -> None:
    op.drop_index("ix_order_versions_newest", "order_versions")
    rekey(KEYS, clustered=True)


def downgrade() -> None:
    rekey(OLD_KEYS, clustered=False)
    op.create_index("ix_order_versions_newest", "order_versions", list(NEWEST))
