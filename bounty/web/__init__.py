"""Thin views: find, call one service, render."""

from collections.abc import Callable

from flask import Blueprint, render_template
from jinja2 import StrictUndefined
from sqlalchemy import Engine

from bounty.clock import shown
from bounty.db import snapshot
from bounty.money import shown_yuan
from bounty.publication.changes import CAUSES
from bounty.publication.overview import STATES, overview

__all__ = ["StrictUndefined", "pages"]


def pages(engine: Engine, now: Callable[[], int]) -> Blueprint:
    """The pages over one database."""
    blueprint = Blueprint("pages", __name__)
    blueprint.add_app_template_filter(shown, "shanghai")
    blueprint.add_app_template_filter(shown_yuan, "yuan")

    @blueprint.get("/")
    def periods() -> str:
        moment = now()
        with snapshot(engine) as connection:
            found = overview(connection, moment)
        return render_template("periods.html", now=moment, found=found, states=STATES, causes=CAUSES)

    return blueprint
