"""When commissions settle and subsidies are paid with them, by the platform's rhythm and by terms that name another."""

from datetime import date

import pytest

from bounty.rules.paydays import next_payday, pays_on, settles_on
from bounty.rules.terms import Terms, read_terms
from tests.factories import terms_toml

USUAL = read_terms(terms_toml())


def rhythm(audited_by: int, settled_on: int) -> Terms:
    named = f"[subsidy]\naudited_by_day = {audited_by}\nsettled_on_day = {settled_on}\n"
    return read_terms(terms_toml().replace("[subsidy]\n", named))


@pytest.mark.parametrize(
    ("audited", "settled"),
    [("2023-01-15", "2023-01-20"), ("2023-01-16", "2023-02-20"), ("2022-12-31", "2023-01-20")],
)
def test_what_is_audited_by_the_15th_settles_on_the_20th(audited: str, settled: str) -> None:
    assert settles_on(date.fromisoformat(audited), USUAL) == date.fromisoformat(settled)


def test_terms_may_name_another_rhythm_and_hash_as_before_where_they_name_the_usual_one() -> None:
    assert settles_on(date(2023, 1, 25), rhythm(25, 31)) == date(2023, 1, 31)
    assert settles_on(date(2023, 1, 25), rhythm(25, 5)) == date(2023, 2, 5)
    assert settles_on(date(2023, 1, 26), rhythm(25, 5)) == date(2023, 3, 5)
    assert rhythm(15, 20).sha256 == USUAL.sha256
    assert rhythm(15, 21).sha256 != USUAL.sha256
    assert rhythm(14, 20).sha256 != USUAL.sha256


def test_an_order_is_paid_with_its_commission_and_never_before_the_notice() -> None:
    notice = date(2023, 1, 12)
    of = {"received": None, "audited": None, "settled": None}
    assert pays_on(USUAL, not_before=notice, **of) is None
    assert pays_on(USUAL, not_before=notice, **of | {"received": date(2022, 12, 31)}) == date(2023, 1, 20)
    assert pays_on(USUAL, not_before=notice, **of | {"received": date(2023, 1, 1)}) == date(2023, 2, 20)
    assert pays_on(USUAL, not_before=notice, **of | {"audited": date(2023, 1, 3)}) == date(2023, 1, 20)
    early = of | {"audited": date(2022, 12, 14), "settled": date(2022, 12, 20)}
    assert pays_on(USUAL, not_before=notice, **early) == date(2023, 1, 20)
    assert pays_on(USUAL, not_before=date(2023, 1, 21), **early) == date(2023, 2, 20)
    assert next_payday(date(2023, 1, 20), USUAL) == date(2023, 1, 20)
