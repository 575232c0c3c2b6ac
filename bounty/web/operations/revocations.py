"""Revocations of passes: requested and answered on the page of the results."""

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from bounty.errors import BountyError
from bounty.rules.periods import Period
from bounty.settlement.revocations import answer_void, ask_void
from bounty.web.shared.access import allows
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, writing
from bounty.web.shared.step_up_auth import require_fresh_code

blueprint = Blueprint("voids", __name__, url_prefix="/operations")


@blueprint.post("/periods/<period:period>/voids")
@allows("operator")
def ask(period: Period) -> ResponseReturnValue:
    """Ask for the pass of a promoter to be void."""
    text = request.form.get("promoter_id", "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise BountyError("Write the promoter's id, digits only.", "请填写推手 ID（纯数字）。")
    with writing() as connection:
        ask_void(connection, period, int(text), request.form.get("reason", ""), now())
    flash(_("已申请取消达标，等另一人答复。"), "success")
    return _back(period)


@blueprint.post("/periods/<period:period>/voids/<int:promoter_id>")
@allows("operator", "admin")
def answer(period: Period, promoter_id: int) -> ResponseReturnValue:
    """Approve that a pass is void, or decline it."""
    approve = request.form.get("verdict") == "approve"
    require_fresh_code()
    with writing() as connection:
        answer_void(connection, period, promoter_id, now(), approve=approve)
    message = _("达标已取消：重新核算并公示后生效。") if approve else _("已驳回，达标不变。")
    flash(message, "success")
    return _back(period)


def _back(period: Period) -> ResponseReturnValue:
    return redirect(url_for("results.index", period=period) + "#voids", 303)
