"""One open appeal of the sample: a promoter asks why an order does not count."""

from typing import Final

from sqlalchemy import Connection, Engine, select

from bounty.appeals import service as appeals
from bounty.audit.service import Actor, acting
from bounty.db import snapshot, transaction
from bounty.models import Order, User
from bounty.progress.service import explain
from bounty.rules.periods import Period
from bounty.sample.context import DAY, HOUR

_LOOKED_AT: Final = 50
_WORDS: Final = "这一单是用户从我的推广链接直接下单的，为什么没有计入任务？聊天记录可以提供。"


def ask_about_an_order(
    engine: Engine, periods: list[Period], promoter_id: int | None, now: int
) -> int | None:
    """Ask about the promoter's newest order that does not count in the last two periods, a day ago; the appeal's
    number, None if there is no such order."""
    if promoter_id is None:
        return None
    with snapshot(engine) as connection:
        order = _refused(connection, promoter_id, {str(each) for each in periods[-2:]}, now)
        account = connection.execute(
            select(User.id.label("user_id"), User.email).where(User.promoter_id == promoter_id)
        ).one()
    if order is None:
        return None
    order_sn, paid_at = order
    actor = Actor(account.email, account.user_id, "promoter")
    appealed_at = min(max(paid_at + HOUR, now - DAY - 2 * HOUR), now)
    with transaction(acting(engine, actor)) as connection:
        return appeals.ask(connection, promoter_id, None, order_sn, _WORDS, appealed_at)


def _refused(connection: Connection, promoter_id: int, periods: set[str], now: int) -> tuple[str, int] | None:
    """Number and payment time of the newest order that fails a task clause other than the receipt."""
    newest = connection.execute(
        select(Order.order_sn, Order.paid_at)
        .where(Order.promoter_id == promoter_id, Order.paid_at.is_not(None))
        .order_by(Order.paid_at.desc(), Order.order_sn)
        .limit(_LOOKED_AT)
    ).all()
    for row in newest:
        found = explain(connection, row.order_sn, now).as_json()
        appealable = found["task"]["reason"] in ("DIRECT", "NOT_VIRTUAL", "NOT_FAILED")
        if appealable and found["period"] in periods:
            return row.order_sn, row.paid_at
    return None
