"""When a subsidy is paid by the platform's rhythm: with its order's commission, which the platform settles once a month
for what passed its audit by a day of that month (docs/promises.md, Terms)."""

from datetime import date, timedelta

from bounty.rules.periods import Period
from bounty.rules.terms import Terms

AUDIT_DAYS = 15
"""From receipt to the platform's audit, where no after-sale comes between."""


def settles_on(audited: date, terms: Terms) -> date:
    """When the platform settles the commission of an order audited on a day.

    With the 15th and the 20th: audited by 15 January, on 20 January; on the 16th, on 20 February.
    """
    subsidy = terms.subsidy
    months = int(audited.day > subsidy.audited_by_day) + int(subsidy.settled_on_day < subsidy.audited_by_day)
    return Period(audited.year, audited.month).plus(months).day(subsidy.settled_on_day)


def next_payday(day: date, terms: Terms) -> date:
    """The first day at or after one on which commissions settle, and subsidies are paid with them."""
    month = Period(day.year, day.month)
    payday = month.day(terms.subsidy.settled_on_day)
    return payday if payday >= day else month.plus(1).day(terms.subsidy.settled_on_day)


def pays_on(
    terms: Terms,
    *,
    not_before: date,
    received: date | None,
    audited: date | None,
    settled: date | None,
) -> date | None:
    """The day on which an order's subsidy is expected; null for an order that was not received: nobody knows.

    not_before   when the notice was published, or is due
    """
    if settled is not None:
        commission = settled
    elif audited is not None:
        commission = settles_on(audited, terms)
    elif received is not None:
        commission = settles_on(received + timedelta(days=AUDIT_DAYS), terms)
    else:
        return None
    return next_payday(max(commission, not_before), terms)
