"""Figures that pages of large books show as of a moment: recomputing them in the background, and how far that is."""

import os
import sys
from pathlib import Path

from flask import Blueprint, Response, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from bounty.accounting.stored_figures import out_of_date
from bounty.clock import shown
from bounty.uploads.processes import ImportProcess, launch, run_of
from bounty.web.shared.access import allows
from bounty.web.shared.request_context import now, reading, site

blueprint = Blueprint("figures", __name__, url_prefix="/figures")
READERS = ("operator", "finance", "admin")


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """How many figures are of the past, and how far their computation is."""
    with reading() as connection:
        waiting = out_of_date(connection, now())
    return render_template("operations/figures.html", run=_run(), waiting=waiting, now=now())


@blueprint.post("/")
@allows(*READERS)
def compute() -> ResponseReturnValue:
    """Start the process that computes them; one that runs already goes on."""
    environment = os.environ | {"BOUNTY_DATABASE_URL": site().settings.database_url}
    fixed = site().settings.now
    if fixed is not None:
        environment |= {"BOUNTY_NOW": shown(fixed)}
    command = [str(Path(sys.executable).with_name("bounty")), "figures"]
    launch(
        _progress_file(),
        ImportProcess("figures"),
        lambda descriptor: [*command, "--report", str(descriptor)],
        environment,
    )
    return redirect(url_for(".index"), 303)


@blueprint.get("/progress")
@allows(*READERS)
def progress() -> Response:
    """The bar alone, for a page that asks for it again and again; once there is none, the page is to reload."""
    run = _run()
    response = make_response(render_template("operations/figures_progress.html", run=run))
    if run is None or not run.alive:
        response.headers["HX-Refresh"] = "true"
    return response


def _run() -> ImportProcess | None:
    return run_of(_progress_file())


def _progress_file() -> Path:
    folder: Path = site().settings.uploads
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "figures.progress"
