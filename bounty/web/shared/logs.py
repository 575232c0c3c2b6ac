"""What the site writes of itself: one line of JSON a record, with the request's number, and nothing that is secret.

A request is its route's template, not its address; no body, query, cookie or header is written. An error of the
database is written without the values it was given (``db.make_engine``).
"""

import logging
import sys
import time
from typing import Any

import structlog
from flask import Flask, g, has_request_context, request
from structlog.typing import EventDict, Processor
from werkzeug.wrappers import Response

from bounty.web.shared.health import route_of

_log = structlog.stdlib.get_logger("bounty.site")
_QUIET = frozenset({"static", "health.alive", "health.ready", "health.metrics"})
"""Asked for every few seconds by machines."""


def _with_request(_logger: Any, _method: str, record: EventDict) -> EventDict:
    if has_request_context():
        record["request_id"] = g.get("request_id")
    return record


def write_json() -> None:
    """Everything that any library logs, as JSON to standard error."""
    every: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_request,
    ]
    structlog.configure(
        processors=[*every, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *every],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def install(app: Flask) -> None:
    """All logs as JSON; and a line for every request."""
    write_json()
    app.logger.handlers.clear()  # its own would write the same again

    @app.after_request
    def _said(response: Response) -> Response:
        if request.endpoint not in _QUIET:
            who, token = g.get("person"), g.get("token")
            _log.info(
                "request",
                method=request.method,
                route=route_of(request),
                status=response.status_code,
                ms=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000, 1),
                user_id=None if who is None else who.user_id,
                token_id=None if token is None else token.token_id,
            )
        return response
