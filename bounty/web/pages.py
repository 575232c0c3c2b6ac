"""Where a person begins, and the periods and notices as anybody sees them."""

from flask import Blueprint, render_template
from werkzeug.wrappers import Response

from bounty.publication.changes import CAUSES
from bounty.publication.overview import STATES, overview
from bounty.web.access import public
from bounty.web.books import now, reading

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
@public
def start() -> Response | str:
    """Each to their own first page; who is not logged in sees the notices."""
    with reading() as connection:
        found = overview(connection, now())
    return render_template("periods.html", now=now(), found=found, states=STATES, causes=CAUSES)
