"""What a promoter wants to be mailed of."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from sqlalchemy import select
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField

from bounty.models import User
from bounty.notifications import service
from bounty.web.shared.access import allows, own_promoter
from bounty.web.shared.language import t
from bounty.web.shared.request_context import now, reading, writing

blueprint = Blueprint("messages", __name__)


class ChoiceForm(FlaskForm):  # type: ignore[misc]
    """Which mails, and in which language."""

    language = RadioField(choices=[("both", ""), ("zh", ""), ("en", "")])
    target = BooleanField()
    receipts = BooleanField()
    result = BooleanField()


@blueprint.route("/messages", methods=["GET", "POST"])
@allows("promoter")
def choose() -> Response | str:
    """See the choice, and change it."""
    promoter_id = own_promoter()
    with reading() as connection:
        user_id = connection.execute(select(User.id).where(User.promoter_id == promoter_id)).scalar()
        held = service.MailChoice() if user_id is None else service.mail_choice_of(connection, user_id)
    form = ChoiceForm(obj=held)
    if form.validate_on_submit():
        choice = service.MailChoice(
            form.language.data, form.target.data, form.receipts.data, form.result.data
        )
        with writing() as connection:
            service.save_mail_choice(connection, choice, now())
        flash(t("已保存。", "Saved."), "success")
        return redirect(url_for(".choose"), 303)
    return render_template("promoter/messages.html", form=form, held=held)
