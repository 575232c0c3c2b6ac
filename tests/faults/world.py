"""A small month as files: every road into quarantine and out of it, a settlement, and late facts that change it.

promoters.csv     1000001 (V0), 1000002 (V1, target from history), 1000003 (V0, violation), and a bad row
first.jsonl       orders of theirs and of 1000004, whom nobody knows yet; bad rows; not all received
second.json       receipts, rows held already, an after-sale, a bad row put right
....csv           violations, links and targets, of 1000004 too
newcomers.csv     1000004: what waited goes in
late.json         after notice 1: a refund, a correction, a receipt, an order not seen before
settled.json      commissions that have settled, so that their subsidies are due
payees.csv        of two who passed, not of the third
receipt.csv       what the payer says of their payouts: one went through, one did not
"""

from dataclasses import dataclass
from pathlib import Path

from tests.factories import (
    Row,
    detail_of,
    link,
    order_row,
    payee,
    promoter,
    shanghai,
    target,
    terms_toml,
    violation,
    write_json,
    write_jsonl,
    write_table,
    write_text,
)

PERIOD = "2022-12"
NOW = "2023-02-15T12:00:00+08:00"
KNOWN, FORMULA, BARRED, NEWCOMER = 1000001, 1000002, 1000003, 1000004
LEVELS = {
    "V0": 'direct_only = true\ngmv_yuan = "300.00"\norders = 3',
    "V1": "direct_only = false\nmin_tenure_months = 2\ngmv_yuan = { history_periods = 3, "
    'factor = "1.10", floor = "100.00", step = "1.00" }',
}
CAPS = 'order_cap_yuan = "4.00"\npromoter_cap_yuan = "15.00"'


RECEIPT = f"""payout_id,account,payee_name,amount_yuan,status,serial,reason
P1-{KNOWN},,,9.93,paid,20230120001,
P1-{FORMULA},,,11.60,failed,20230120002,账户名不符
"""
"""Of the tranche that comes of this month."""


@dataclass(frozen=True, slots=True)
class World:
    """Where the files of the month are."""

    folder: Path

    def path(self, name: str) -> str:
        """The path of a file, as a command takes it."""
        return str(self.folder / name)


def write_world(folder: Path) -> World:
    """Write the files of the month."""
    first = _first_rows()
    good = order_row(number=91, promoter_id=KNOWN, amount_fen=55_55)
    lines = write_jsonl(folder / "first.jsonl", [*first, good | {"order_status": 99}])
    lines.write_text(lines.read_text() + '{"order_sn": "221205-1", "order_amount": NaN}\nnot an order\n')
    write_json(folder / "second.json", [*_second_rows(first), good])
    write_json(folder / "late.json", _late_rows(first))
    write_table(
        folder / "promoters.csv",
        [
            promoter(KNOWN),
            promoter(FORMULA, level="V1"),
            promoter(BARRED),
            promoter(BARRED, level_from="2022-02-30"),
        ],
    )
    write_table(folder / "newcomers.csv", [promoter(NEWCOMER)])
    write_table(folder / "violations.csv", [violation(BARRED), violation(NEWCOMER, cleared_on="2022-11-20")])
    write_table(
        folder / "links.csv",
        [link(first[0]["p_id"], "app"), link(f"{FORMULA}_9", "other"), link(f"{NEWCOMER}_9", "app")],
    )
    write_table(
        folder / "targets.csv",
        [target(KNOWN, gmv_yuan="400.00", orders="3"), target(NEWCOMER, gmv_yuan="350.00")],
    )
    write_json(folder / "settled.json", _settled_rows(first))
    bank = {"method": "bank", "account": "6222020000000001", "bank_name": "示例银行"}
    write_table(folder / "payees.csv", [payee(KNOWN), payee(FORMULA, **bank)])
    write_text(folder / "receipt.csv", RECEIPT)
    write_text(folder / "terms.toml", terms_toml(levels=LEVELS, caps=CAPS))
    return World(folder)


def _first_rows() -> list[Row]:
    """Eight orders of December for each promoter, every third not received yet, and a history for the formula."""
    rows: list[Row] = []
    for owner in (KNOWN, FORMULA, BARRED, NEWCOMER):
        for day in range(1, 9):
            rows.append(
                order_row(
                    number=len(rows) + 1,
                    promoter_id=owner,
                    amount_fen=80_00 + 11_11 * day,
                    paid=f"2022-12-{2 * day + 1:02d} 12:00:00",
                    status=2 if day % 3 else 1,
                    received="2022-12-22 12:00:00" if day % 3 else None,
                    type=94 if day == 8 else 0,
                )
            )
    for month in ("08", "09", "10"):
        rows.append(
            order_row(
                number=len(rows) + 1,
                promoter_id=FORMULA,
                paid=f"2022-{month}-05 12:00:00",
                received=f"2022-{month}-09 12:00:00",
            )
        )
    return rows


def _second_rows(first: list[Row]) -> list[Row]:
    """Receipts of all but the last promoter's; two rows that are held, one older than what is held, an after-sale."""
    received = "2022-12-28 12:00:00"
    receipts = [
        order_row(
            number=number,
            promoter_id=int(row["p_id"].split("_")[0]),
            amount_fen=row["order_amount"],
            paid=row["order_pay_time"],
            received=received,
        )
        for number, row in enumerate(first, 1)
        if row["order_receive_time"] is None and not row["p_id"].startswith(str(NEWCOMER))
    ]
    stale = first[3] | {"order_status": 1, "order_modify_at": first[3]["order_pay_time"]}
    return [*receipts, first[0], first[1], stale, detail_of(first[4], 0), detail_of(receipts[0], 1)]


def _settled_rows(first: list[Row]) -> list[Row]:
    """Every order that was received, its commission settled."""
    settled = {"order_status": 5, "order_settle_time": shanghai("2023-01-19 00:00:00")}
    return [
        row | settled | {"order_modify_at": row["order_modify_at"] + 40 * 86400}
        for row in first
        if row["order_receive_time"] is not None
    ]


def _late_rows(first: list[Row]) -> list[Row]:
    """What notice 2 must tell: a refund, a corrected amount, a receipt in time that came late, and a new order."""
    later = "2023-02-01 12:00:00"
    return [
        detail_of(first[0], 2) | {"order_modify_at": first[0]["order_modify_at"] + 60 * 86400},
        first[1] | {"order_amount": 31_00, "order_modify_at": first[1]["order_modify_at"] + 60 * 86400},
        order_row(
            number=27,
            promoter_id=NEWCOMER,
            amount_fen=first[26]["order_amount"],
            paid=first[26]["order_pay_time"],
            received="2023-01-05 12:00:00",
            modified=later,
        ),
        order_row(number=95, promoter_id=FORMULA, amount_fen=77_00, modified=later),
    ]
