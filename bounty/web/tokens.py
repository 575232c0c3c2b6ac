"""Tokens with which programs use the API: everybody's own; and operators may issue one for a promoter's vendor."""

import re
from typing import NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bounty.db import Query
from bounty.errors import BountyError
from bounty.models import ApiToken
from bounty.tokens import service
from bounty.web.shared.access import allows, person
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, writing
from bounty.web.shared.step_up_auth import require_fresh_code

blueprint = Blueprint("tokens", __name__, url_prefix="/tokens")
OWNERS = ("promoter", "operator", "finance")


@blueprint.get("/")
@allows(*OWNERS)
def index() -> str:
    """The tokens, and the form for a new one."""
    return _page()


@blueprint.post("/")
@allows(*OWNERS)
def issue() -> str | tuple[str, int]:
    """Make a token and show it, this once."""
    try:
        require_fresh_code()
        wanted = _wanted()
        with writing() as connection:
            issued = service.issue(connection, **wanted._asdict(), now=now())
    except BountyError as refusal:
        return _page(refused=refusal_text(refusal)), 422
    return _page(issued=issued)


@blueprint.post("/<int:token_id>/revoke")
@allows(*OWNERS)
def revoke(token_id: int) -> Response:
    """Refuse a token from now on."""
    with writing() as connection:
        if connection.execute(_tokens().where(ApiToken.token_id == token_id)).first() is None:
            abort(404)
        service.revoke(connection, token_id, now())
    flash(_("第 %(token_id)s 号令牌已吊销。", token_id=token_id), "success")
    return redirect(url_for(".index"), 303)


class _Wanted(NamedTuple):
    """The token that a form asks for."""

    name: str
    role: str
    promoter_id: int | None
    days: int
    user_id: int | None = None
    """Of who makes it for themselves."""


def _wanted() -> _Wanted:
    """What the form asks for.

    Raises BountyError for a number that is none.
    """
    who = person()
    days, promoter = request.form.get("days", "").strip(), request.form.get("promoter_id", "").strip()
    if not re.fullmatch(r"[0-9]{1,4}", days):
        raise BountyError("Write the number of days in digits.", "有效天数请填写数字。")
    name = request.form.get("name", "")
    if who.role == "operator" and promoter:
        if not re.fullmatch(r"[0-9]{1,15}", promoter):
            raise BountyError("Write the promoter's id, digits only.", "请填写推手 ID（纯数字）。")
        return _Wanted(name, "promoter", int(promoter), int(days))
    return _Wanted(name, who.role, who.promoter_id, int(days), who.user_id)


def _tokens() -> Query:
    """Those that the person may see and revoke: a promoter those for the own data, operators every promoter's too."""
    who = person()
    if who.role == "promoter" or who.viewing_as:
        return service.tokens(promoter_id=who.promoter_id)
    return service.tokens_of_account(who.user_id, and_promoters=who.role == "operator")


def _page(issued: service.Issued | None = None, refused: str | None = None) -> str:
    with reading() as connection:
        held = connection.execute(_tokens().order_by(ApiToken.token_id.desc())).all()
    return render_template(
        "tokens.html",
        tokens=held,
        issued=issued,
        refused=refused,
        days=service.DAYS,
        most_days=service.MOST_DAYS,
        now=now(),
    )
