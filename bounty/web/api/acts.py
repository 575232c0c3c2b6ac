"""What an operator's program does: it sends orders, settles a period, and tries terms. A person publishes and pays."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256

from flask import request
from sqlalchemy import Connection

from bounty.clock import shown
from bounty.errors import BountyError
from bounty.forecast.simulation import Simulated, periods_from_to, simulate
from bounty.importer import Opened, import_opened
from bounty.ingest.batches import Source
from bounty.orders.pushed import pushed_orders
from bounty.release.service import run_checks_once
from bounty.rules.periods import Period, programme_key
from bounty.rules.terms import read_terms
from bounty.settlement.service import settle
from bounty.tokens.idempotency import KeyReused, StillRunning, once
from bounty.web.api import models
from bounty.web.api.bearer import bearer
from bounty.web.api.bodies import read_body
from bounty.web.api.operation import KEY, operation
from bounty.web.api.operations import open_stage
from bounty.web.api.problems import Problem
from bounty.web.operations.simulation import MOST_MONTHS
from bounty.web.shared.request_context import engine, now, reading, writing


@operation("/orders", "operator", method="POST", answer=models.ImportedBody, body=models.PushedOrders)
def push_orders() -> str:
    """Take in up to 1,000 orders, as a file of them: one batch, with its quarantine and its counts.

    A row that can't be taken in waits in quarantine and is counted there; the others go in.
    """
    body, moment = _json(), now()
    rows = pushed_orders(body)
    source = Source("orders", f"(api) {bearer().name}", sha256(body).hexdigest(), "json", None, "utf-8")

    def take(connection: Connection) -> str:
        imported = import_opened(connection, Opened(source, rows), moment)
        counts = asdict(imported.counts)
        return json.dumps({"batch": imported.batch_id, "as_of": shown(moment), **counts})

    return _once(take)


@operation("/periods/<period:period>/settle", "operator", method="POST", answer=models.SettledBody)
def settle_period(period: Period) -> str:
    """Make a draft settlement, or find that the newest still says the same; then the books check themselves.

    A person approves and publishes it.
    """
    with reading() as connection:
        open_stage(connection, period)

    def make(connection: Connection) -> str:
        settled = settle(connection, period, now())
        found = {
            **programme_key(period),
            "period": period.name,
            "as_of": shown(now()),
            **settled.as_json(),
            "changed": settled.created,
        }
        return json.dumps(found)

    answer = _once(make)
    # A process that is killed before this line leaves the checks to the repeated request.
    run_checks_once(engine(), period, now())
    return answer


@operation(
    "/simulations", "operator", method="POST", answer=models.SimulatedBody, body=models.SimulationAsked
)
def simulate_terms() -> str:
    """What terms would have given in up to 12 periods, as `bounty simulate --json` says it. Nothing is written."""
    body = read_body(_json(), models.SimulationAsked)
    terms, periods = read_terms(body.terms), periods_from_to(body.periods, body.programme)
    if len(periods) > MOST_MONTHS:
        raise BountyError(
            f"A request tries at most {MOST_MONTHS} periods; `bounty simulate` takes more.",
            f"一次最多试算 {MOST_MONTHS} 期；更多请用 `bounty simulate`。",
        )
    found: list[Simulated] = []

    def compute() -> None:
        with reading() as connection:
            found.extend(simulate(connection, terms, period, now()) for period in periods)

    def answer(_connection: Connection | None) -> str:
        return json.dumps({"as_of": shown(now()), "simulations": [month.as_json() for month in found]})

    if _key() is None:
        compute()
        return answer(None)
    return _once(answer, before=compute)


def _json() -> bytes:
    """The body. Raises Problem for another media type."""
    if request.mimetype != "application/json":
        raise Problem(
            415,
            "MEDIA_TYPE",
            "请求正文须为 JSON：请设置 Content-Type: application/json。",
            "The body must be JSON: send Content-Type: application/json.",
        )
    return request.get_data()


def _key() -> str | None:
    """The Idempotency-Key; null without one. Raises Problem for one that can't be."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(KEY, key):
        raise Problem(
            400,
            "E-KEY",
            "Idempotency-Key 须为 1 至 200 个可见的 ASCII 字符。",
            "An Idempotency-Key has 1 to 200 visible ASCII characters.",
        )
    return key


def _once(effect: Callable[[Connection], str], before: Callable[[], None] | None = None) -> str:
    """Have an effect; with a key once, however often it is requested."""
    key = _key()
    if key is None:
        with writing() as connection:
            return effect(connection)
    what = sha256(f"{request.method} {request.path}\n".encode() + request.get_data()).hexdigest()
    try:
        return once(engine(), bearer().token_id, key, what, now(), effect, before=before)
    except KeyReused as refusal:
        raise Problem(422, "KEY_REUSED", refusal.zh, str(refusal)) from None
    except StillRunning as refusal:
        raise Problem(409, "STILL_RUNNING", refusal.zh, str(refusal), {"Retry-After": "1"}) from None
