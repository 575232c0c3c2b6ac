"""Pages for accepting an invitation, and for staff to view a promoter's pages."""

from flask import Blueprint, Flask, flash, redirect, render_template, request, session
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField
from wtforms.validators import InputRequired

from bounty.accounts import login
from bounty.accounts import service as accounts
from bounty.accounts.demo_accounts import DEMO_PASSWORD, demo_accounts_in
from bounty.accounts.passkeys import new_options
from bounty.audit.service import record
from bounty.errors import BountyError
from bounty.json_types import JsonObject
from bounty.promoters.queries import is_promoter
from bounty.web.shared.access import allows, person, public
from bounty.web.shared.errors import refusal_text
from bounty.web.shared.language import _
from bounty.web.shared.request_context import now, reading, writing

blueprint = Blueprint("people", __name__)


def install(app: Flask, *, production: bool) -> None:
    """Let the page for logging in offer the accounts of the sample data; never in production."""

    def offered() -> list[tuple[str, str, str]]:
        if production:
            return []
        with reading() as connection:
            return demo_accounts_in(connection)

    app.jinja_env.globals.update(demo_accounts=offered, demo_password="" if production else DEMO_PASSWORD)


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """The form with a new password and its repetition."""

    password = PasswordField(validators=[InputRequired()])
    again = PasswordField(validators=[InputRequired()])


@blueprint.route("/invitation/<token>", methods=["GET", "POST"])
@public
def invitation(token: str) -> Response | str:
    """Accept an invitation by choosing a password; this creates the account and logs it in."""
    with reading() as connection:
        invited = accounts.invitation_of(connection, token, now())
    form = PasswordForm()
    refused = None
    if form.validate_on_submit():
        if form.password.data != form.again.data:
            refused = _("两次输入的密码不同。")
        else:
            try:
                with writing() as connection:
                    user_id = accounts.accept(connection, token, form.password.data, now())
            except BountyError as refusal:
                refused = refusal_text(refusal)
            else:
                leading: Response | None = login.enter(user_id)
                if leading is None:
                    flash(_("账号已建立，您已登录。"), "success")
                return leading or redirect("/", 303)
    return render_template("people/invitation.html", invited=invited, form=form, refused=refused)


@blueprint.post("/passkeys/challenge")
@allows("promoter", "operator", "finance", "admin")
def passkey_challenge() -> JsonObject:
    """What a passkey of the account has to sign before an important action, as the browser takes it."""
    with writing() as connection:
        return new_options(connection, person().user_id, request.host.split(":")[0], now())


@blueprint.post("/view-as")
@allows("operator", "admin")
def view_as() -> Response:
    """View the pages of a promoter without acting; recorded in the audit log."""
    text = request.form.get("promoter_id", "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise BountyError("Write the promoter's id, digits only.", "请填写推手 ID（纯数字）。")
    with writing() as connection:
        if not is_promoter(connection, int(text)):
            raise BountyError(f"There is no promoter {text}.", f"没有推手 {text}。")
        record(connection, "promoter.view_as", f"promoter {text}", now())
    session["viewing_as"] = int(text)
    return redirect("/", 303)


@blueprint.post("/view-as/end")
@allows("operator", "admin", "promoter")
def end_viewing() -> Response:
    """End the viewing of a promoter's pages."""
    session.pop("viewing_as", None)
    return redirect("/", 303)
