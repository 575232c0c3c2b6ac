"""Finance: results and lines of every notice, with sums that equal what is shown, and the files to keep."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

from flask import Blueprint, Response, abort, render_template, request
from sqlalchemy import Connection, false, true

from bounty.db import Query, equal, snapshot
from bounty.figures import books_are_small
from bounty.notices import service as publication
from bounty.notices.public_index import counts_by_level
from bounty.notices.workbook import write_workbook
from bounty.roster.terms import terms_in_force
from bounty.rules.periods import Period
from bounty.rules.terms import Terms
from bounty.settlement.period_lock import closed_periods
from bounty.settlement.queries import lines_of, results_of
from bounty.web.period_names import by_programme
from bounty.web.shared.access import allows
from bounty.web.shared.downloads import attachment, csv_response
from bounty.web.shared.request_context import engine, now, reading
from bounty.web.shared.table_filters import ORDER_SEARCH, PROMOTER_SEARCH, Filter, Option, Search
from bounty.web.shared.tables import Column, Table, Totals, page_of

blueprint = Blueprint("finance", __name__, url_prefix="/finance")
READERS = ("finance", "operator", "admin")
PIECE = 65_536
"""Bytes sent at a time."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

RESULT_COLUMNS = (
    Column("promoter_id", "推手", "promoter", "id", sortable=True),
    Column("name", "姓名", "name"),
    Column("level", "等级", "level"),
    Column("reason", "无资格原因", "why not eligible", "ineligible"),
    Column("gmv_fen", "计入 GMV", "counted GMV", "money", sortable=True, summed=True),
    Column("target_gmv_fen", "GMV 目标", "GMV target", "money"),
    Column("orders", "计入单数", "counted orders", "count", sortable=True, summed=True),
    Column("target_orders", "单数目标", "orders target", "count"),
    Column("passed", "达标", "passed", "flag"),
    Column("rate_permille", "比例", "rate", "permille"),
    Column("subsidy_orders", "补贴单数", "subsidy orders", "count", sortable=True, summed=True),
    Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
)
LINE_COLUMNS = (
    Column("promoter_id", "推手", "promoter", "id", sortable=True),
    Column("order_sn", "订单", "order"),
    Column("paid_at", "付款时间", "paid at", "instant", sortable=True),
    Column("basis_fen", "补贴基数", "basis", "money", sortable=True, summed=True),
    Column("rate_permille", "比例", "rate", "permille"),
    Column("subsidy_fen", "补贴", "subsidy", "money", sortable=True, summed=True),
)
NOTICES = Table(
    "notices",
    (
        Column("period", "期次", "Period", sortable=True),
        Column("notice", "公示", "Notice", "id"),
        Column("newest", "最新", "newest", "flag", shown=False),
        Column("published_at", "公示时间", "published at", "instant", shown=False),
        Column("results_rows", "名单人数", "On the roster", "count"),
        Column("lines_rows", "补贴单数", "Subsidy orders", "count", sortable=True),
        Column("subsidy_fen", "补贴合计", "Subsidy", "money", sortable=True),
        Column("stands_fen", "其中现行公示", "By the newest notice", "money", summed=True),
        Column("content_sha256", "指纹与文件", "Hash and files"),
    ),
    key=("period", "notice"),
    order="-period",
    filters=(
        Filter(
            "state",
            "状态",
            "state",
            (
                Option("newest", "最新", "newest", lambda row: row.c.newest.is_(true())),
                Option("corrected", "已被更正", "corrected since", lambda row: row.c.newest.is_(false())),
            ),
        ),
    ),
    search=Search("期次", "period", lambda row, words: row.c.begins.startswith(words, autoescape=True)),
)
"""What is corrected is not owed twice: the footer adds up what stands."""


def _notices() -> Table:
    return by_programme(NOTICES, newest_first="begins")


def _results_table(terms: Terms) -> Table:
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
        RESULT_COLUMNS,
        key=("promoter_id",),
        order="promoter_id",
        filters=(
            Filter("verdict", "结果", "result", verdicts),
            Filter("level", "等级", "level", levels),
            _rates(terms),
        ),
        search=PROMOTER_SEARCH,
    )


def _lines_table(terms: Terms) -> Table:
    return Table(
        "subsidy_lines",
        LINE_COLUMNS,
        key=("promoter_id", "order_sn"),
        order="promoter_id",
        filters=(_rates(terms),),
        search=ORDER_SEARCH,
    )


def _rates(terms: Terms) -> Filter:
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
        page = page_of(connection, _notices(), publication.every_notice(), request.args)
        closed = closed_periods(connection)
    return render_template("finance/index.html", page=page, closed=closed, now=now())


@blueprint.get("/notices.csv")
@allows(*READERS)
def notices_csv() -> Response:
    """Exactly the notices that the filters leave."""
    return csv_response(_notices(), publication.every_notice(), request.args, "notices")


@blueprint.get("/<period:period>/<int:notice>/results")
@allows(*READERS)
def results(period: Period, notice: int) -> str:
    """Who passed, on what, and what they earn."""
    return _page("results", period, notice)


@blueprint.get("/<period:period>/<int:notice>/lines")
@allows(*READERS)
def lines(period: Period, notice: int) -> str:
    """What each order earns."""
    return _page("lines", period, notice)


@blueprint.get("/<period:period>/<int:notice>/results.csv")
@allows(*READERS)
def results_csv(period: Period, notice: int) -> Response:
    """Exactly the results that the filters leave."""
    return _file("results", period, notice)


@blueprint.get("/<period:period>/<int:notice>/lines.csv")
@allows(*READERS)
def lines_csv(period: Period, notice: int) -> Response:
    """Exactly the lines that the filters leave."""
    return _file("lines", period, notice)


def _page(part: str, period: Period, notice: int) -> str:
    """One of the two parts of a notice, ``results`` or ``lines``."""
    with reading() as connection:
        chosen, table, rows = _part(connection, part, period, notice)
        few = books_are_small(connection)
        page = page_of(
            connection,
            table,
            rows,
            request.args,
            known=lambda filters: None if few or filters else _totals(connection, part, chosen, period),
        )
    return render_template(
        "finance/notice.html", part=part, chosen=chosen, period=period, notice=notice, page=page
    )


def _totals(connection: Connection, part: str, chosen: publication.NoticeRow, period: Period) -> Totals:
    """Of all results, by their levels, or of all lines, as the settlement says."""
    if part == "lines":
        return Totals(chosen.lines_rows, {"subsidy_fen": chosen.subsidy_fen})
    levels = counts_by_level(connection, chosen.settlement_id, period, now())
    summed = ("gmv_fen", "orders", "subsidy_orders", "subsidy_fen")
    sums = {name: sum(getattr(level, name) for level in levels) for name in summed}
    return Totals(sum(level.on_roster for level in levels), sums)


def _file(part: str, period: Period, notice: int) -> Response:
    with reading() as connection:
        _, table, rows = _part(connection, part, period, notice)
    return csv_response(table, rows, request.args, f"{table.name}-{period.slug}-{notice}-filtered")


def _part(
    connection: Connection, part: str, month: Period, notice: int
) -> tuple[publication.NoticeRow, Table, Query]:
    """The notice's row, and the table of a part of it."""
    chosen = _chosen(connection, month, notice)
    terms = terms_in_force(connection, month).terms
    if part == "results":
        return chosen, _results_table(terms), results_of(chosen.settlement_id, month).order_by(None)
    return chosen, _lines_table(terms), lines_of(chosen.settlement_id).order_by(None)


FileWriter = Callable[[Connection, Period, int, Path], None]
"""Writes a file of a period's notice to a path."""


@blueprint.get("/<period:period>/<int:notice>/export.zip")
@allows(*READERS)
def export(period: Period, notice: int) -> Response:
    """What ``bounty export --statements`` writes, byte for byte, in one file."""
    return _made(period, notice, f"bounty-{period.slug}-{notice}.zip", "application/zip", _write_zip)


@blueprint.get("/<period:period>/<int:notice>/workbook.xlsx")
@allows(*READERS)
def workbook(period: Period, notice: int) -> Response:
    """The same content as a workbook with control totals."""
    return _made(period, notice, f"bounty-{period.slug}-{notice}.xlsx", XLSX, write_workbook)


def _chosen(connection: Connection, month: Period, notice: int) -> publication.NoticeRow:
    found = [row for row in publication.notices(connection, month) if row.notice == notice]
    if not found:
        abort(404)
    return found[0]


def _made(month: Period, notice: int, name: str, kind: str, write: FileWriter) -> Response:
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


def _write_zip(connection: Connection, month: Period, notice: int, path: Path) -> None:
    folder = path.parent / "files"
    publication.export(connection, month, folder, draft=False, notice=notice, statements=True)
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
