"""Orders that an operator's program sends."""

import json
import re
from dataclasses import asdict
from hashlib import sha256

from flask import request
from sqlalchemy import Connection

from bounty.clock import shown
from bounty.importer import Opened, import_opened
from bounty.ingest.batches import Source
from bounty.orders.pushed import pushed_orders
from bounty.tokens.idempotency import KeyReused, StillRunning, once
from bounty.web.api import models
from bounty.web.api.bearer import bearer
from bounty.web.api.operation import KEY, operation
from bounty.web.api.problems import Problem
from bounty.web.shared.request_context import engine, now, writing


@operation("/orders", "operator", method="POST", answer=models.ImportedBody, body=models.PushedOrders)
def push_orders() -> str:
    """Take in up to 1,000 orders, as a file of them: one batch, with its quarantine and its counts.

    A row that can't be taken in waits in quarantine and is counted there; the others go in.
    """
    if request.mimetype != "application/json":
        raise Problem(
            415,
            "MEDIA_TYPE",
            "请求正文须为 JSON：请设置 Content-Type: application/json。",
            "The body must be JSON: send Content-Type: application/json.",
        )
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(KEY, key):
        raise Problem(
            400,
            "E-KEY",
            "Idempotency-Key 须为 1 至 200 个可见的 ASCII 字符。",
            "An Idempotency-Key has 1 to 200 visible ASCII characters.",
        )
    body, moment = request.get_data(), now()
    rows = pushed_orders(body)
    source = Source("orders", f"(api) {bearer().name}", sha256(body).hexdigest(), "json", None, "utf-8")

    def take(connection: Connection) -> str:
        imported = import_opened(connection, Opened(source, rows), moment)
        counts = asdict(imported.counts)
        return json.dumps({"batch": imported.batch_id, "as_of": shown(moment), **counts})

    if key is None:
        with writing() as connection:
            return take(connection)
    what = sha256(f"{request.method} {request.path}\n".encode() + body).hexdigest()
    try:
        return once(engine(), bearer().token_id, key, what, moment, take)
    except KeyReused as refusal:
        raise Problem(422, "KEY_REUSED", refusal.zh, str(refusal)) from None
    except StillRunning as refusal:
        raise Problem(409, "STILL_RUNNING", refusal.zh, str(refusal), {"Retry-After": "1"}) from None
