"""Passkeys as a second factor, the challenges that they answer, and recovery codes."""

import sqlalchemy as sa
from alembic import op

from bounty import db

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("fs_webauthn_user_handle", db.Words(), nullable=True))
    op.add_column("users", sa.Column("mf_recovery_codes", db.Words(), nullable=True))
    op.create_table(
        "passkeys",
        sa.Column("passkey_id", db.WholeNumber, nullable=False),
        sa.Column("user_id", db.WholeNumber, nullable=False),
        sa.Column("name", db.Words(), nullable=False),
        sa.Column("credential_id", db.Bytes, nullable=False),
        sa.Column("public_key", db.Bytes, nullable=False),
        sa.Column("sign_count", db.WholeNumber, nullable=False),
        sa.Column("created_at", db.WholeNumber, nullable=False),
        sa.Column("last_used_at", db.WholeNumber, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_passkeys_users")),
        sa.PrimaryKeyConstraint("passkey_id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_passkeys_user_id_name")),
        sqlite_strict=True,
    )
    op.create_table(
        "passkey_challenges",
        sa.Column("user_id", db.WholeNumber, autoincrement=False, nullable=False),
        sa.Column("challenge", db.Words(), nullable=False),
        sa.Column("expires_at", db.WholeNumber, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_passkey_challenges_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_passkey_challenges")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("passkey_challenges")
    op.drop_table("passkeys")
    op.drop_column("users", "mf_recovery_codes")
    op.drop_column("users", "fs_webauthn_user_handle")
