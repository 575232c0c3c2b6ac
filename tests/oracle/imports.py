"""What an import of orders reports."""

from collections.abc import Sequence

from tests.oracle.orders import Row, canonical, fold, instant_of, is_detail, live_room


def import_counts(before_rows: Sequence[Row], file_rows: Sequence[Row]) -> dict[str, int]:
    """What `bounty import orders` counts for a file of good rows, given all rows held before it.

    new, changed   orders first seen, and orders whose state is another afterwards: one row for each
    unchanged      rows held already, also from earlier in the same file
    stale          every other row that was kept
    """
    touched = {row["order_sn"] for row in file_rows}
    before = [row for row in before_rows if row["order_sn"] in touched]
    held = {_identity(row) for row in before}
    unchanged = 0
    for row in file_rows:
        if _identity(row) in held:
            unchanged += 1
        held.add(_identity(row))
    states_before = fold(before)
    states_after = fold([*before, *file_rows])
    new = changed = 0
    for order_sn, state in states_after.items():
        if order_sn not in states_before:
            new += 1
        elif state != states_before[order_sn]:
            changed += 1
    stale = len(file_rows) - new - changed - unchanged
    return {"new": new, "changed": changed, "unchanged": unchanged, "stale": stale}


def _identity(row: Row) -> tuple[str, int, bool, str, str | None, int | None]:
    """What makes a row a row of its own: two with the same are one, however they were written."""
    return (
        row["order_sn"],
        int(row["order_modify_at"]),
        is_detail(row),
        canonical(row),
        live_room(row),
        instant_of(row, "url_last_generate_time") if is_detail(row) else None,
    )
