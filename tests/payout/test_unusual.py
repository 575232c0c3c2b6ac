"""What is far beyond the past is told before it is approved; sums beyond 64 bits end in a sentence."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from bounty.db import snapshot, transaction
from bounty.models import Order
from bounty.tranches.unusual_amounts import unusual
from tests.factories import PROMOTER, Month, order_row, promoter, terms_toml
from tests.factories import command as in_process
from tests.payout.world import FEBRUARY_20, OTHER, Paying, earning

LATE = {"settled": "2023-02-19 00:00:00"}


@pytest.mark.parametrize(("amount_fen", "told"), [(299_00, 0), (301_00, 2)])
def test_a_tranche_far_beyond_the_past_is_told(
    engine: Engine, tmp_path: Path, database_url: str, amount_fen: int, told: int
) -> None:
    paying = Paying(engine, tmp_path, toml=terms_of_everything())
    paying.payee(PROMOTER, OTHER)
    paying.publish(earning(1), earning(2, amount_fen, **LATE))
    first = paying.pay()
    with snapshot(engine) as connection:
        assert unusual(connection, first, 3) == []  # there is nothing to compare it with
    second = paying.prepare(FEBRUARY_20)
    with snapshot(engine) as connection:
        assert len(unusual(connection, second, 3)) == told
        assert unusual(connection, second, 4) == []
    shown = in_process(database_url, "2023-02-21T12:00:00", "payout", "show", "2").stdout
    assert ("more than 3 times the largest so far (¥100.00)" in shown) is bool(told)


def terms_of_everything() -> str:
    """An order earns all that was paid for it."""
    return terms_toml(
        levels={"V0": 'direct_only = true\ngmv_yuan = "0.01"'},
        caps="",
        tiers=(("1.00", 1000),),
        order_cap_yuan="5000.00",
    )


def test_sums_beyond_64_bits_end_in_a_sentence(engine: Engine, tmp_path: Path, database_url: str) -> None:
    month = Month(engine, tmp_path)
    month.begin(promoter())
    month.orders(*(order_row(number=number, is_direct=0) for number in (1, 2)))
    # Of amounts that an import lets in it takes 92,000 orders; two stand for them here.
    with transaction(engine) as connection:
        connection.execute(update(Order).values(order_amount_fen=2**63 - 1))
    said = in_process(database_url, "2023-01-12T12:00:00", "rebuild")
    assert (said.exit_code, said.stderr.count("\n")) == (1, 1), said.output
    assert "A sum is beyond what 64 bits hold" in said.stderr
