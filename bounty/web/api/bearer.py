"""Who asks the API: the bearer of a token, and nobody else; a session of the pages opens nothing here."""

import re

from flask import Blueprint, Response, current_app, g, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from bounty import clock
from bounty.errors import BountyError
from bounty.tokens.limits import CallLimit
from bounty.tokens.service import Bearer, bearer_of
from bounty.web.api import problems
from bounty.web.api.compression import compressed
from bounty.web.api.problems import Problem
from bounty.web.shared.access import EVERYBODY, allowed
from bounty.web.shared.request_context import now, reading

LIMIT = "bounty.api.limit"
"""Where the application keeps the limit of calls."""
BODY_BYTES = 10_000_000
"""The largest body of a request: a thousand orders with room to spare."""
_HEADER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
blueprint.after_request(compressed)


def bearer() -> Bearer:
    """Who asks; a view that is open to some roles can rely on it."""
    found: Bearer = g.token
    return found


def own_promoter() -> int:
    """The promoter whose data a promoter's token reads."""
    promoter_id = bearer().promoter_id
    assert promoter_id is not None  # the table holds a promoter's token to it
    return promoter_id


@blueprint.before_request
def _admit() -> None:
    assert request.endpoint is not None
    roles = allowed(current_app, request.endpoint)
    if roles == EVERYBODY:
        return
    given = request.headers.get("Authorization", "")
    found = _HEADER.fullmatch(given)
    held = None
    if found:
        with reading() as connection:
            held = bearer_of(connection, found[1], now())
    if held is None:
        challenge = 'Bearer realm="bounty"' + (', error="invalid_token"' if given else "")
        raise Problem(
            401,
            "UNAUTHORIZED",
            "请在 Authorization: Bearer 中给出有效的令牌：它可能不存在、已过期或已被吊销。",
            "Give a token that holds as Authorization: Bearer. This one is unknown, has expired or was revoked.",
            {"WWW-Authenticate": challenge},
        )
    g.token = held
    limit: CallLimit = current_app.extensions[LIMIT]
    seconds = limit.seconds_to_wait(held.token_id, now(), clock.now())
    if seconds:
        raise Problem(
            429,
            "TOO_MANY_REQUESTS",
            f"该令牌的请求过于频繁：请在 {seconds} 秒后再试。",
            f"This token has made too many requests: ask again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )
    if held.role not in roles:
        raise Problem(
            403,
            "FORBIDDEN",
            f"{held.role} 的令牌没有这项权限。",
            f"A token of role {held.role} may not do this.",
        )


@blueprint.errorhandler(Problem)
def _problem(problem: Problem) -> Response:
    return problems.answer(problem)


@blueprint.errorhandler(BountyError)
def _refused(refusal: BountyError) -> Response:
    return problems.answer(problems.of_refusal(refusal))


@blueprint.errorhandler(HTTPException)
def _failed(error: HTTPException) -> Response:
    return problems.answer(problems.of_http(error))


@blueprint.errorhandler(OperationalError)
def _busy(error: OperationalError) -> Response:
    current_app.logger.warning("request %s met %s", g.get("request_id", ""), error.orig)
    return problems.answer(
        Problem(
            503,
            "BUSY",
            "账本正在写入，没有任何改动。请稍后再试。",
            "The books are being written; nothing was changed. Try again in a moment.",
            {"Retry-After": "5"},
        )
    )


@blueprint.errorhandler(Exception)
def _bug(error: Exception) -> Response:
    number = g.get("request_id", "")
    current_app.logger.error("request %s failed", number, exc_info=error)
    return problems.answer(
        Problem(
            500,
            "FAULT",
            f"程序出错，没有任何改动。请把编号 {number} 告诉管理员。",
            f"The program failed and nothing was changed. Tell an administrator the number {number}.",
        )
    )
