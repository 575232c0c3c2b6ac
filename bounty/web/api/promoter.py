"""What a promoter's token reads: the promoter's own task and orders."""

from typing import Any

from sqlalchemy import select

from bounty.errors import BountyError
from bounty.models import Order
from bounty.progress import service
from bounty.rules.periods import Period
from bounty.web.api import models
from bounty.web.api.bearer import own_promoter
from bounty.web.api.operation import operation
from bounty.web.api.problems import Problem, not_found
from bounty.web.shared.request_context import now, reading


@operation("/me/progress/<period:period>", "promoter", answer=models.Progress)
def my_progress(period: Period) -> dict[str, Any]:
    """How far I am in a period, as `bounty progress --json` says it."""
    with reading() as connection:
        try:
            return service.progress_of(connection, period, own_promoter(), now()).as_json()
        except BountyError as refusal:  # it is not open, or I am not on its roster
            raise Problem(404, "NOT_FOUND", refusal.zh, str(refusal)) from None


@operation("/me/orders/<order_sn>", "promoter", answer=models.Explanation)
def my_order(order_sn: str) -> dict[str, Any]:
    """Why one of my orders counts or does not, as `bounty explain --json` says it."""
    with reading() as connection:
        own = select(Order.order_sn).where(Order.promoter_id == own_promoter(), Order.order_sn == order_sn)
        if connection.execute(own).first() is None:
            raise not_found()
        return service.explain(connection, order_sn, now()).as_json()
