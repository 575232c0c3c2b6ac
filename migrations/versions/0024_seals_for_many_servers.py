"""PostgreSQL's five functions that seal a published settlement, or a whole whose parts are written, read the added rows
alone and then look for the seal: a server that holds the rows of some promoters only can't join them with other tables.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SEALS = {
    "refuse_addition": ("notices", "settlement_id", "the settlement is published"),
    "refuse_addition_to_payee_proposals_payees": ("payee_proposals", "proposal_id", "rows are written once"),
    "refuse_addition_to_tranches_tranche_lines": ("tranches", "tranche_id", "rows are written once"),
    "refuse_addition_to_tranches_payouts": ("tranches", "tranche_id", "rows are written once"),
    "refuse_addition_to_receipts_receipt_rows": ("receipts", "receipt_id", "rows are written once"),
}
"""Function -> the table whose row is the seal, its key, and what is said."""


def replace(function: str, declared: str, first: str, sealed: str, said: str) -> None:
    op.execute(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ {declared}BEGIN {first}IF EXISTS ({sealed}) THEN "
        f"RAISE EXCEPTION '%: {said}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; "
        "END IF; RETURN NULL; END $$"
    )


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for function, (table, key, said) in SEALS.items():
        replace(
            function,
            "DECLARE keys bigint[]; ",
            f"keys := ARRAY(SELECT DISTINCT {key} FROM added); ",
            f"SELECT 1 FROM {table} WHERE {key} = ANY (keys)",
            said,
        )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for function, (table, key, said) in SEALS.items():
        added = f"(SELECT DISTINCT {key} FROM added) AS a"
        replace(function, "", "", f"SELECT 1 FROM {added} JOIN {table} USING ({key})", said)
