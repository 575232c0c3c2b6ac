"""The results of a period as a settlement would have given them at a past moment."""

from sqlalchemy import Connection

from bounty.db import avoid_loops, fetch_all
from bounty.progress.as_of import AsOf, See, as_it_is, notices_known, of_month, see_as_of
from bounty.roster.terms import open_period, terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import ResultRow, recomputation


def results_as_of(connection: Connection, period: Period, as_of: AsOf | None) -> list[ResultRow]:
    """A row for each promoter on the roster; null: as of now.

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
    query = see(recomputation(period, terms, elsewhere).results_rows())
    rows = fetch_all(connection, query, ResultRow)
    return sorted(rows, key=lambda row: row.promoter_id)
