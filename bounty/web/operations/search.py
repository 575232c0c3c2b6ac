"""Search: one box for an order number, a promoter's id or name, or a payout's id. One hit leads to its page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from bounty.errors import BountyError
from bounty.ingest.queries import count_open_of_order
from bounty.orders.queries import order_numbered
from bounty.payment_results.payout_lookup import ids_of
from bounty.promoters.queries import promoters_named
from bounty.tranches.files import payout_id
from bounty.tranches.state import has_payout
from bounty.web.shared.access import allows, person
from bounty.web.shared.language import _, _p
from bounty.web.shared.request_context import now, reading

blueprint = Blueprint("search", __name__, url_prefix="/search")
MOST = 20
"""Promoters that are listed; a longer list asks for more of the name."""
LONGEST = 100
"""Characters of what is looked for."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found, with the page that it is on."""

    kind: str
    """What it is, in the reader's language."""
    name: str
    note: str
    place: str | None
    """Null for a promoter who is on no roster."""


@blueprint.get("/")
@allows("operator", "finance", "admin")
def index() -> Response | str:
    """The page of the one hit, or a list of all."""
    words = request.args.get("q", "").strip()[:LONGEST]
    hits: list[Hit] = []
    if words:
        with reading() as connection:
            hits = list(_hits(connection, words))
    if len(hits) == 1 and hits[0].place is not None:
        return redirect(hits[0].place, 303)
    return render_template(
        "operations/search.html", words=words, hits=hits[:MOST], more=len(hits) > MOST, now=now()
    )


def _hits(connection: Connection, words: str) -> Iterator[Hit]:
    yield from _payouts(connection, words.upper())
    yield from _orders(connection, words)
    yield from _promoters(connection, words)


def _payouts(connection: Connection, words: str) -> Iterator[Hit]:
    try:
        tranche_id, promoter_id = ids_of(words)
    except BountyError:
        return
    if has_payout(connection, tranche_id, promoter_id):
        yield Hit(
            _("付款"),
            payout_id(tranche_id, promoter_id),
            _("批次 %(tranche_id)s", tranche_id=tranche_id),
            url_for("payouts.tranche", tranche_id=tranche_id, q=promoter_id),
        )


def _orders(connection: Connection, words: str) -> Iterator[Hit]:
    """The order of this number, and the rows in quarantine that name it, for who may look at those."""
    row = order_numbered(connection, words)
    if row is not None:
        place = url_for("payouts.order", promoter_id=row.promoter_id, order_sn=words)
        yield Hit(_p("forecast_promoter", "订单"), words, row.goods_name or "", place)
    if person().role == "finance" or not re.fullmatch(r"[0-9]{6}-[0-9]{1,30}", words):
        return
    entries = count_open_of_order(connection, words)
    if entries:
        yield Hit(
            _("隔离行"),
            words,
            _("%(entries)s 条待处理", entries=entries),
            url_for("quarantine.index", q=words),
        )


def _promoters(connection: Connection, words: str) -> Iterator[Hit]:
    for row in connection.execute(promoters_named(words, MOST + 1)):
        place = row.period or _("不在任何一期名单上")
        yield Hit(
            _("推手"),
            row.name,
            f"{row.promoter_id} · {place}",
            _place_of(row.promoter_id, row.period),
        )


def _place_of(promoter_id: int, period: str | None) -> str | None:
    """The promoter's entry in the newest roster that has them; finance see the results of that period."""
    if period is None:
        return None
    if person().role == "finance":
        return url_for("results.index", period=period, q=promoter_id)
    return url_for("roster.entry", period=period, promoter_id=promoter_id)
