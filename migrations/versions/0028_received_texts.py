"""The texts of received rows: out of the row and compressed, many to a record."""

import json
import zlib
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ROWS_A_RECORD = 1_000
ROWS_AT_A_TIME = 20_000
GUARDED = (
    "promoter_id, order_sn, row_hash, is_detail, p_id, goods_name, order_status, order_amount_fen, "
    "promotion_amount_fen, type, cat_ids, is_direct, price_compare_status, created_at, paid_at, received_at, "
    "verified_at, settled_at, modified_at, return_status, link_made_at"
)
"""What never changes in a received row; a guard of its own holds the live room."""


def whole(name: str) -> sa.Column[int]:
    return sa.Column(name, db.WholeNumber, nullable=False, autoincrement=False)


def is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def records() -> Iterator[dict[str, object]]:
    """The texts of the rows, by batch and place, as records of the new table."""
    found = op.get_bind().execute(
        sa.text("SELECT batch_id, place, raw FROM order_versions ORDER BY batch_id, place"),
        execution_options={"yield_per": ROWS_AT_A_TIME},
    )
    for batch_id, rows in groupby(found, key=itemgetter(0)):
        while record := [(place, text) for _, place, text in islice(rows, ROWS_A_RECORD)]:
            packed = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
            yield {"batch_id": batch_id, "first_place": record[0][0], "texts": zlib.compress(packed, 1)}


def write_texts_once() -> None:
    """Guards of the new table, like those of the others whose rows are written once."""
    if not is_sqlite():
        op.execute(
            "CREATE TRIGGER received_texts_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON received_texts "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'received_texts: rows are written once'); END"
    op.execute(
        "CREATE TRIGGER received_texts_no_replace BEFORE INSERT ON received_texts "
        "WHEN EXISTS (SELECT 1 FROM received_texts WHERE batch_id = NEW.batch_id AND first_place = NEW.first_place) "
        f"{refuse}"
    )
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER received_texts_no_{act.lower()} BEFORE {act} ON received_texts {refuse}")


def guard_facts(*, with_text: bool) -> None:
    """Make the guard of a received row's facts again."""
    on_table, refuse = " ON order_versions", "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    if is_sqlite():
        on_table, refuse = "", "BEGIN SELECT RAISE(ABORT, 'order_versions: rows are written once'); END"
    op.execute(f"DROP TRIGGER order_versions_no_update{on_table}")
    guarded = f"{GUARDED}, raw" if with_text else GUARDED
    op.execute(
        f"CREATE TRIGGER order_versions_no_update BEFORE UPDATE OF {guarded} ON order_versions {refuse}"
    )


def upgrade() -> None:
    table = op.create_table(
        "received_texts",
        whole("batch_id"),
        whole("first_place"),
        sa.Column("texts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.batch_id"], name=op.f("fk_received_texts_batches")),
        sa.PrimaryKeyConstraint("batch_id", "first_place", name=op.f("pk_received_texts")),
        sqlite_strict=True,
    )
    found = records()
    while some := list(islice(found, 100)):
        op.bulk_insert(table, some)
    write_texts_once()
    guard_facts(with_text=False)
    op.drop_column("order_versions", "raw")


def downgrade() -> None:
    connection = op.get_bind()
    blank = sa.text("''")
    op.add_column("order_versions", sa.Column("raw", db.Words(), nullable=False, server_default=blank))
    restore = sa.text("UPDATE order_versions SET raw = :raw WHERE batch_id = :batch_id AND place = :place")
    some = sa.text("SELECT batch_id, texts FROM received_texts ORDER BY batch_id, first_place")
    for batch_id, texts in connection.execute(some, execution_options={"yield_per": 10}):
        rows = json.loads(zlib.decompress(texts))
        connection.execute(
            restore, [{"batch_id": batch_id, "place": place, "raw": text} for place, text in rows]
        )
    guard_facts(with_text=True)
    op.drop_table("received_texts")
