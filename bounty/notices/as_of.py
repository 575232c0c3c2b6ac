"""The results of a period as a settlement would have given them at a past moment."""

from typing import Any

from sqlalchemy import Connection

from bounty.db import avoid_loops
from bounty.progress.as_of import AsOf, See, as_it_is, notices_known, of_month, see_as_of
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import recomputation


def results_as_of(connection: Connection, period: Period, as_of: AsOf | None) -> list[Any]:
    """A row for each promoter on the roster, with the columns of results.csv; null: as of now.

    Raises BountyError if the period is not open.
    """
    open_period(connection, period)
    avoid_loops(connection)
    terms = terms_in_force(connection, period).terms
    see: See = as_it_is
    elsewhere = None
    if as_of is not None:
        see = see_as_of(connection, as_of, period, of_month(connection, period))
        elsewhere = notices_known(connection, as_of, period)
    rows = connection.execute(see(recomputation(period, terms, elsewhere).results_rows()))
    return sorted(rows, key=lambda row: row.promoter_id)
