"""Our lines, the platform's settlement and the receipts: where they agree nothing is told, and else each difference."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.accounting.reconciliation import ReconciliationDifference, reconcile, sums_of
from bounty.db import snapshot
from bounty.errors import BountyError
from tests.factories import PROMOTER, sn
from tests.payout.desk import Desk
from tests.payout.world import MARCH_20, OTHER, earning

A, B = "P1-1000939,,,100.00,paid,A,", "P1-1000940,,,30.00,paid,B,"


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


def differences(desk: Desk, tranche: int | None = None) -> list[ReconciliationDifference]:
    with snapshot(desk.engine) as connection:
        found, sums = reconcile(connection, tranche), sums_of(connection, tranche)
    for each in sums:
        of_kind = [one for one in found if one.kind == each.kind]
        added = tuple(sum(getattr(one, side) or 0 for one in of_kind) for side in ("ours_fen", "theirs_fen"))
        assert (each.differences, each.ours_fen, each.theirs_fen) == (len(of_kind), *added)
    assert sum(each.differences for each in sums) == len(found)
    assert all(one.zh and one.en and "None" not in one.zh + one.en for one in found)
    return found


def told(desk: Desk, tranche: int | None = None) -> list[tuple[object, ...]]:
    """Kind, promoter, order or payout, ours and theirs."""
    return [
        (one.kind, one.promoter_id, one.order_sn or one.payout, one.ours_fen, one.theirs_fen)
        for one in differences(desk, tranche)
    ]


def test_where_all_sides_agree_nothing_is_told(desk: Desk) -> None:
    assert told(desk) == [
        ("NO_RECEIPT", PROMOTER, "P1-1000939", 100_00, None),
        ("NO_RECEIPT", OTHER, "P1-1000940", 30_00, None),
    ]
    desk.take(desk.plain(A, B))
    assert told(desk) == told(desk, 1) == []
    with pytest.raises(BountyError, match="no tranche 2"):
        differences(desk, 2)


def test_what_the_platform_says_otherwise(desk: Desk) -> None:
    desk.take(desk.plain(A, B))
    desk.month.orders(earning(1, status=4, modified=MARCH_20))
    # Of 30 yuan only 20 are deserved by a later notice; one more settled in time and came to light after the tranche.
    corrected = earning(2, 20_00, promoter_id=OTHER, modified=MARCH_20)
    desk.publish(corrected, earning(5, 2_00, promoter_id=OTHER))
    # The first, of which the later notice has no line any more, is still held.
    assert told(desk) == [
        ("NOT_SETTLED", PROMOTER, sn(1), 100_00, 0),
        ("LINE_AMOUNT", OTHER, sn(2), 30_00, 20_00),
        ("NOT_IN_TRANCHE", OTHER, sn(5), 0, 2_00),
    ]
    desk.prepare(MARCH_20)
    assert told(desk) == []  # the next tranche holds what corrects them


def test_what_is_marked_by_hand_until_a_receipt_says_so_too(desk: Desk) -> None:
    desk.mark("P1-1000939", "P1-1000940")
    assert told(desk, 1) == [
        ("BY_HAND", PROMOTER, "P1-1000939", 100_00, None),
        ("BY_HAND", OTHER, "P1-1000940", 30_00, None),
    ]
    desk.take(desk.plain(A))
    assert [each[1] for each in told(desk)] == [OTHER]
    desk.mark("P1-1000939", paid=False)
    assert told(desk)[1:] == [("FAILED_BY_HAND", PROMOTER, "P1-1000939", 0, 100_00)]


def test_rows_of_receipts_that_are_of_no_payout_until_they_are(desk: Desk) -> None:
    short = "P1-1000940,,,29.00,paid,B,"
    desk.take(desk.plain(A, "P1-1000939,,,100.00,failed,C,", short, ",13900000000,李雷,5.00,paid,D,"))
    assert told(desk) == [
        ("NO_RECEIPT", PROMOTER, "P1-1000939", 100_00, None),
        ("NO_RECEIPT", OTHER, "P1-1000940", 30_00, None),
        ("ROW_AMOUNT", OTHER, "P1-1000940", 30_00, 29_00),
        ("ROW_AMBIGUOUS", PROMOTER, "P1-1000939", 100_00, 100_00),
        ("ROW_AMBIGUOUS", PROMOTER, "P1-1000939", 100_00, 100_00),
        ("ROW_UNMATCHED", None, None, None, 5_00),
    ]
    assert "receipt 1, line 5: 139****0000 李* ¥5.00, and it is of no payout" in [
        one.en for one in differences(desk)
    ]
    # Without the row that failed it is another receipt, whose rows take the place of those.
    desk.take(desk.plain(A, B))
    assert [each[0] for each in told(desk)] == ["ROW_AMBIGUOUS", "ROW_UNMATCHED"]
