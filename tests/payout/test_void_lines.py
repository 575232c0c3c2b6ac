"""Which lines of a notice are void is decided once: the order list and the payments of a promoter cannot disagree."""

from pathlib import Path

from sqlalchemy import Engine

from bounty.accounting.promoter_statement import books_of_promoter, month_lines
from bounty.db import snapshot
from bounty.progress.history import month_of
from bounty.rules.periods import Period
from bounty.tranches.entitlement import void_order_numbers
from tests.factories import PROMOTER, plain_terms, shanghai, sn
from tests.payout.test_tranches import AFTER
from tests.payout.world import Paying, earning

DECEMBER = Period(2022, 12)
LATER = shanghai("2023-12-20 00:00:00")


def test_the_order_list_and_the_payments_agree_on_what_is_void(engine: Engine, tmp_path: Path) -> None:
    paying = Paying(engine, tmp_path, toml=plain_terms(caps="lapse_months = 6"))
    paying.payee(PROMOTER)
    never = {"settled": None, "status": 3}
    paying.publish(earning(1, 1_00), earning(2, 2_00), earning(3, 3_00, **never), earning(4, 4_00, **never))
    paying.pay()
    # Order 1 was paid and is no longer settled: it does not lapse. Order 2 was refunded, 3 lapsed, 4 failed.
    paying.month.orders(
        earning(1, 1_00, status=3, settled=None, modified=AFTER),
        earning(2, 2_00, status=10, modified=AFTER),
        earning(4, 4_00, status=10, settled=None, modified=AFTER),
    )
    numbers = [sn(number) for number in (1, 2, 3, 4)]
    with snapshot(engine) as connection:
        month = month_of(connection, PROMOTER, DECEMBER)
        assert month is not None
        lines = connection.execute(
            month_lines(connection, books_of_promoter(connection, PROMOTER, LATER), month, LATER)
        )
        by_payments = {line.order_sn for line in lines if line.state in ("VOID", "TAKEN_BACK")}
        by_list = void_order_numbers(connection, PROMOTER, DECEMBER, numbers, LATER)
    assert by_list == by_payments == {sn(2), sn(3), sn(4)}
