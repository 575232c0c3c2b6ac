"""Endpoints for machines, without log-in: liveness, readiness, and metrics for Prometheus."""

import hmac
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from flask import Blueprint, Flask, Request, Response, abort, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from bounty import schema
from bounty.audit.service import newest_event_id
from bounty.calendar.schedule import SlotState, scheduled_slots
from bounty.db import ping, snapshot
from bounty.errors import BountyError
from bounty.ingest.queries import open_by_kind, rows_by_outcome
from bounty.notices.service import count_notices
from bounty.notifications.service import messages_by_state
from bounty.progress.history import data_as_of
from bounty.web.shared.access import public
from bounty.web.shared.request_context import now, reading, site

LEAST_FREE_BYTES = 1 << 30
"""Least free space of the disks with the SQLite database and the uploads; bytes."""

blueprint = Blueprint("health", __name__)

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Methods with a metric of their own. Others are counted as ``other``, because every label value uses memory while the
site runs, and a client can send any method."""
REQUESTS = Counter("bounty_http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("bounty_http_request_seconds", "From a request to its answer.", ["route"])


def install(app: Flask) -> None:
    """Count and time every response by the route's template, because a URL can contain a promoter's id."""

    @app.before_request
    def _start_timer() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def _count(response: Response) -> Response:
        route = route_of(request)
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return response


def route_of(request: Request) -> str:
    """The route template of a request, as ``/orders/<order_sn>``; ``none`` for an unknown URL."""
    return request.url_rule.rule if request.url_rule is not None else "none"


@blueprint.get("/healthz")
@public
def alive() -> Response:
    """Liveness: the process answers. No dependency is checked."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@public
def ready() -> tuple[dict[str, str], int]:
    """Readiness: dependency -> ``ok`` or the problem; status 503 unless all are ok."""
    engine = site().engine
    results = {name: _result(check, engine) for name, check in _CHECKS.items()}
    return results, 200 if set(results.values()) == {"ok"} else 503


def _result(check: Callable[[Engine], str], engine: Engine) -> str:
    try:
        return check(engine)
    except (SQLAlchemyError, BountyError, OSError) as error:
        return type(error).__name__  # without the message, which can contain hosts and paths


def _database(engine: Engine) -> str:
    with snapshot(engine) as connection:
        ping(connection)
    return "ok"


def _schema(engine: Engine) -> str:
    schema.require_current(engine)
    return "ok"


def _disk(engine: Engine) -> str:
    folders = [site().settings.uploads]
    if engine.dialect.name == "sqlite":
        folders.append(Path(str(engine.url.database)))
    free = min(shutil.disk_usage(_nearest_existing(folder)).free for folder in folders)
    return "ok" if free >= LEAST_FREE_BYTES else f"{free >> 20} MiB free"


def _nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest parent folder that exists."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


_CHECKS: dict[str, Callable[[Engine], str]] = {"database": _database, "schema": _schema, "disk": _disk}


@blueprint.get("/metrics")
@public
def metrics() -> Response:
    """Metrics of the site's processes and of the database, for requests with the metrics token."""
    token = site().settings.metrics_token
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        abort(404)
    registry = CollectorRegistry()
    if os.environ.get(
        "PROMETHEUS_MULTIPROC_DIR"
    ):  # several server processes, each with its own file in this folder
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REQUESTS)
        registry.register(SECONDS)
    with reading() as connection:
        registry.register(_DatabaseMetrics(connection))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _DatabaseMetrics(Collector):
    """Metrics that are queried at each request, from small tables only."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        rows = GaugeMetricFamily(
            "bounty_rows", "Rows taken in, by what came of them.", labels=["kind", "outcome"]
        )
        for each in rows_by_outcome(self._connection):
            rows.add_metric([each.kind, each.outcome], each.rows)
        yield rows
        waiting = GaugeMetricFamily(
            "bounty_quarantine_open", "Rows that wait in quarantine.", labels=["kind"]
        )
        for kind, count in open_by_kind(self._connection).items():
            waiting.add_metric([kind], count)
        yield waiting
        yield from self._calendar()
        for name, documentation, value in (
            (
                "bounty_orders_imported_timestamp_seconds",
                "When orders last came in.",
                data_as_of(self._connection),
            ),
            ("bounty_audit_events", "Events in the audit chain.", newest_event_id(self._connection)),
            ("bounty_notices", "Notices published.", count_notices(self._connection)),
        ):
            yield GaugeMetricFamily(name, documentation, value=value or 0)

    def _calendar(self) -> Iterable[Metric]:
        """The metrics of calendar slots and of the outbox."""
        slots = GaugeMetricFamily(
            "bounty_slots", "What the calendar has asked for, by how it stands.", labels=["state"]
        )
        moment = now()
        scheduled = scheduled_slots(self._connection, site().settings.calendar, moment)
        for state in SlotState:
            slots.add_metric([state], sum(each.state(moment) == state for each in scheduled))
        yield slots
        outbox = GaugeMetricFamily("bounty_outbox", "Messages, by how they stand.", labels=["state"])
        for of_messages, count in messages_by_state(self._connection).items():
            outbox.add_metric([of_messages], count)
        yield outbox
