"""Finance: results and lines of every notice, with sums that equal what is shown, and the files to keep."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import cast, false, true

from bounty.db import Words, snapshot
from bounty.publication import service as publication
from bounty.publication.workbook import write_workbook
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.settlement.queries import lines_of, results_of
from bounty.web.access import allows
from bounty.web.books import engine, now, reading
from bounty.web.downloads import attachment, csv_response
from bounty.web.tables import Column, Filter, Option, Search, Table, equal, page_of

blueprint = Blueprint("finance", __name__, url_prefix="/finance")
READERS = ("finance", "operator", "admin")
PIECE = 65_536
"""Bytes sent at a time."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_RESULT_COLUMNS = (
    Column("promoter_id", "推手", "promoter", "id", sortable=True),
    Column("name", "姓名", "name"),
    Column("level", "等级", "level"),
    Column("reason", "无资格原因", "why not eligible"),
    Column("gmv_fen", "计入 GMV", "counted GMV", "money", sortable=True, summed=True),
    Column("target_gmv_fen", "GMV 目标", "GMV target", "money"),
    Column("orders", "计入单数", "counted orders", "count", sortable=True, summed=True),
    Column("target_orders", "单数目标", "orders target", "count"),
    Column("passed", "达标", "passed", "flag"),
    Column("rate_permille", "比例", "rate", "permille"),
    Column("subsidy_orders", "补贴单数", "subsidy orders", "count", sortable=True, summed=True),
    Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
)
_LINE_COLUMNS = (
    Column("promoter_id", "推手", "promoter", "id", sortable=True),
    Column("order_sn", "订单", "order"),
    Column("paid_at", "付款时间", "paid at", "instant", sortable=True),
    Column("basis_fen", "补贴基数", "basis", "money", sortable=True, summed=True),
    Column("rate_permille", "比例", "rate", "permille"),
    Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
)


def _results_table(terms: Any) -> Table:
    levels = tuple(Option(level, level, level, equal("level", level)) for level in sorted(terms.levels))
    verdicts = (
        Option("passed", "达标", "passed", lambda row: row.c.passed.is_(true())),
        Option(
            "not",
            "有资格未达标",
            "eligible, not passed",
            lambda row: row.c.reason.is_(None) & row.c.passed.is_(false()),
        ),
        Option("ineligible", "无资格", "not eligible", lambda row: row.c.reason.is_not(None)),
    )
    return Table(
        "results",
        _RESULT_COLUMNS,
        key=("promoter_id",),
        order="promoter_id",
        filters=(
            Filter("verdict", "结果", "result", verdicts),
            Filter("level", "等级", "level", levels),
            _rates(terms),
        ),
        search=Search(
            "推手 ID 或姓名",
            "promoter id or name",
            lambda row, words: (
                row.c.name.contains(words, autoescape=True)
                | cast(row.c.promoter_id, Words).startswith(words, autoescape=True)
            ),
        ),
    )


def _lines_table(terms: Any) -> Table:
    return Table(
        "subsidy_lines",
        _LINE_COLUMNS,
        key=("promoter_id", "order_sn"),
        order="promoter_id",
        filters=(_rates(terms),),
        search=Search(
            "推手 ID 或订单编号",
            "promoter id or order number",
            lambda row, words: (
                row.c.order_sn.startswith(words, autoescape=True) | (cast(row.c.promoter_id, Words) == words)
            ),
        ),
    )


def _rates(terms: Any) -> Filter:
    rates = sorted({tier.rate_permille for tier in terms.subsidy.tiers})
    return Filter(
        "rate",
        "比例",
        "rate",
        tuple(Option(str(rate), f"{rate}‰", f"{rate}‰", equal("rate_permille", rate)) for rate in rates),
    )


@blueprint.get("/")
@allows(*READERS)
def index() -> str:
    """Every notice, the newest first, with its sums and files."""
    with reading() as connection:
        notices = publication.notices(connection)
    newest: dict[str, int] = {}
    for row in notices:
        newest.setdefault(row.period, row.notice)
    return render_template("finance/index.html", notices=notices, newest=newest, now=now())


@blueprint.get("/<period>/<int:notice>/results")
@allows(*READERS)
def results(period: str, notice: int) -> str:
    """Who passed, on what, and what they earn."""
    month = _month(period)
    with reading() as connection:
        chosen = _chosen(connection, month, notice)
        terms = terms_in_force(connection, month).terms
        rows = results_of(chosen.settlement_id, month).order_by(None)
        page = page_of(connection, _results_table(terms), rows, request.args)
    return render_template("finance/results.html", chosen=chosen, period=period, notice=notice, page=page)


@blueprint.get("/<period>/<int:notice>/lines")
@allows(*READERS)
def lines(period: str, notice: int) -> str:
    """What each order earns."""
    month = _month(period)
    with reading() as connection:
        chosen = _chosen(connection, month, notice)
        terms = terms_in_force(connection, month).terms
        rows = lines_of(chosen.settlement_id).order_by(None)
        page = page_of(connection, _lines_table(terms), rows, request.args)
    return render_template("finance/lines.html", chosen=chosen, period=period, notice=notice, page=page)


@blueprint.get("/<period>/<int:notice>/results.csv")
@allows(*READERS)
def results_csv(period: str, notice: int) -> Response:
    """Exactly the results that the filters leave."""
    month = _month(period)
    with reading() as connection:
        chosen = _chosen(connection, month, notice)
        terms = terms_in_force(connection, month).terms
    rows = results_of(chosen.settlement_id, month).order_by(None)
    return csv_response(_results_table(terms), rows, request.args, f"results-{month}-{notice}-filtered")


@blueprint.get("/<period>/<int:notice>/lines.csv")
@allows(*READERS)
def lines_csv(period: str, notice: int) -> Response:
    """Exactly the lines that the filters leave."""
    month = _month(period)
    with reading() as connection:
        chosen = _chosen(connection, month, notice)
        terms = terms_in_force(connection, month).terms
    rows = lines_of(chosen.settlement_id).order_by(None)
    return csv_response(_lines_table(terms), rows, request.args, f"subsidy_lines-{month}-{notice}-filtered")


@blueprint.get("/<period>/<int:notice>/export.zip")
@allows(*READERS)
def export(period: str, notice: int) -> Response:
    """What ``bounty export`` writes, byte for byte, in one file."""
    month = _month(period)
    return _made(month, notice, f"bounty-{month}-{notice}.zip", "application/zip", _write_zip)


@blueprint.get("/<period>/<int:notice>/workbook.xlsx")
@allows(*READERS)
def workbook(period: str, notice: int) -> Response:
    """The same content as a workbook with control totals."""
    month = _month(period)
    return _made(month, notice, f"bounty-{month}-{notice}.xlsx", XLSX, write_workbook)


def _month(period: str) -> Period:
    try:
        return Period.parse(period)
    except ValueError:
        abort(404)


def _chosen(connection: Any, month: Period, notice: int) -> Any:
    found = [row for row in publication.notices(connection, month) if row.notice == notice]
    if not found:
        abort(404)
    return found[0]


def _made(month: Period, notice: int, name: str, kind: str, write: Any) -> Response:
    """A file that is made in a folder of its own, sent, and removed."""
    with reading() as connection:
        _chosen(connection, month, notice)
    database = engine()

    def pieces() -> Iterator[bytes]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            with snapshot(database) as connection:
                write(connection, month, notice, path)
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece

    return attachment(pieces(), name, kind)


def _write_zip(connection: Any, month: Period, notice: int, path: Path) -> None:
    folder = path.parent / "files"
    publication.export(connection, month, folder, draft=False, notice=notice)
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
