"""Tokens of the API, how often they are used, and answers kept for repeated requests."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("token_id", db.WholeNumber, nullable=False),
        sa.Column("token_sha256", db.Words(), nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("role", db.Words(), nullable=False),
        sa.Column("promoter_id", db.WholeNumber, nullable=True),
        sa.Column("user_id", db.WholeNumber, nullable=True),
        sa.Column("issued_at", db.WholeNumber, nullable=False),
        sa.Column("expires_at", db.WholeNumber, nullable=False),
        sa.Column("revoked_at", db.WholeNumber, nullable=True),
        sa.CheckConstraint("role IN ('promoter', 'operator', 'finance')", name=op.f("ck_api_tokens_role")),
        sa.CheckConstraint(
            "(role = 'promoter') = (promoter_id IS NOT NULL)", name=op.f("ck_api_tokens_promoter")
        ),
        sa.ForeignKeyConstraint(
            ["promoter_id"], ["promoters.promoter_id"], name=op.f("fk_api_tokens_promoters")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_api_tokens_users")),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_api_tokens_token_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "api_token_uses",
        sa.Column("token_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("last_used_at", db.WholeNumber, nullable=False),
        sa.Column("minute_at", db.WholeNumber, nullable=False),
        sa.Column("calls", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.token_id"], name=op.f("fk_api_token_uses_api_tokens")
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_token_uses")),
        sqlite_strict=True,
    )
    op.create_table(
        "api_answers",
        sa.Column("token_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("key", db.Words(), nullable=False),
        sa.Column("request_sha256", db.Words(), nullable=False),
        sa.Column("body", db.Words(), nullable=False),
        sa.Column("answered_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.token_id"], name=op.f("fk_api_answers_api_tokens")
        ),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_api_answers")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("api_answers")
    op.drop_table("api_token_uses")
    op.drop_table("api_tokens")
