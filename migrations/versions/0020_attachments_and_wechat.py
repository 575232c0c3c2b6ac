"""Files that a promoter adds to an appeal, whose bytes lie in the folder of uploads; payees by WeChat."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLE = "appeal_attachments"
KEY = ("promoter_id", "appeal_id", "number")
ONCE = "rows are written once"
METHODS = ("alipay", "bank")


def guard_sqlite(table: str, key: tuple[str, ...]) -> None:
    """Let the rows of a table be written once."""
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


def allow_methods(*methods: str) -> None:
    """What ``payees.method`` may be. SQLite can't change a rule: a new table takes the place of the old one."""
    listed = ", ".join(f"'{each}'" for each in methods)
    rule = f"method IN ({listed})"
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_payees_method"), "payees", type_="check")
        op.create_check_constraint(op.f("ck_payees_method"), "payees", rule)
        return
    op.create_table(
        "payees_anew",
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("proposal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("method", db.Words(), nullable=False),
        sa.Column("secret", db.Bytes, nullable=False),
        sa.Column("fingerprint", db.Words(), nullable=False),
        sa.Column("shown_account", db.Words(), nullable=False),
        sa.Column("shown_name", db.Words(), nullable=False),
        sa.CheckConstraint(rule, name=op.f("ck_payees_method")),
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
    op.execute("INSERT INTO payees_anew SELECT * FROM payees")
    op.drop_table("payees")  # with its triggers; foreign keys are off while a migration runs
    op.rename_table("payees_anew", "payees")
    op.create_index("ix_payees_proposal", "payees", ["proposal_id"])
    guard_sqlite("payees", ("promoter_id", "proposal_id"))
    op.execute(
        "CREATE TRIGGER payees_whole BEFORE INSERT ON payees "
        "WHEN EXISTS (SELECT 1 FROM payee_proposals WHERE proposal_id = NEW.proposal_id) "
        f"BEGIN SELECT RAISE(ABORT, 'payees: {ONCE}'); END"
    )


def upgrade() -> None:
    allow_methods(*METHODS, "wechat")
    op.create_table(
        TABLE,
        sa.Column("promoter_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("appeal_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("number", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("file_name", db.Words(), nullable=False),
        sa.Column("media_type", db.Words(), nullable=False),
        sa.Column("sha256", db.Words(), nullable=False),
        sa.Column("size_bytes", db.WholeNumber, nullable=False),
        sa.Column("added_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["promoter_id", "appeal_id"],
            ["appeals.promoter_id", "appeals.appeal_id"],
            name=op.f("fk_appeal_attachments_appeals"),
        ),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_appeal_attachments")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    guard_sqlite(TABLE, KEY)


def downgrade() -> None:
    """Fails where somebody is paid by WeChat: the schema before has no place for it."""
    allow_methods(*METHODS)
    op.drop_table(TABLE)
