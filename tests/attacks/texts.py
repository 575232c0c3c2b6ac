"""Texts that a page would run as a script, and cells that a spreadsheet would run as a formula."""

import csv
import html
import io
import re
from collections.abc import Iterator
from zipfile import ZipFile

from openpyxl import load_workbook

from tests.attacks.table import Table
from tests.attacks.world import Target, Visitor
from tests.factories import PROMOTER, order_row, promoter, sn, write_json, write_table
from tests.web.world import NEIGHBOUR

FORMULAS = ("=cmd|'/c calc'!A1", "+1+1", "-1+cmd", "@SUM(1)", "\t=1+1", '=HYPERLINK("http://evil.example")')
STARTS = (
    "/",
    "/task",
    "/orders",
    "/months/2022-12/orders",
    "/appeals/",
    "/operations/periods",
    "/operations/imports/",
    "/operations/imports/uploads",
    "/operations/quarantine/",
    "/operations/roster/",
    "/operations/appeals/",
    "/operations/audit/",
    "/finance/",
    "/finance/tranches",
    "/finance/receipts/",
    "/tokens/",
    "/operations/terms/",
    "/operations/outbox/",
)


def _script(number: int) -> str:
    return f"<img src=x onerror=alert({number})>\"'><script>alert({number})</script>"


def _pages(who: Visitor, most: int = 150) -> Iterator[tuple[str, bytes, str]]:
    """Every answer that can be reached by links: its address, content and kind."""
    waiting, seen = list(STARTS), set(STARTS)
    while waiting:
        path = waiting.pop(0)
        said = who.get(path)
        kind = said.headers.get("content-type", "").partition(";")[0]
        yield path, said.content, kind
        links = re.findall(r'href="(/[^"#]*)', said.text) if kind == "text/html" else []
        links += [said.headers["location"]] if said.headers.get("location", "").startswith("/") else []
        for link in map(html.unescape, links):
            if link not in seen and len(seen) < most and not link.startswith("/static/"):
                seen.add(link)
                waiting.append(link)


def _plant(target: Target, mark: str, texts: list[str]) -> None:
    """Put texts wherever somebody may write one: names, goods, files' names, reasons, appeals, accounts, tokens.

    texts   one for each place, named by PLACES
    """
    name, goods, file_name, cell, words, reason, account, token, answer = texts
    files = target.folder / f"files-{mark}"
    files.mkdir()
    people = write_table(files / "p.csv", [promoter(PROMOTER, name=name), promoter(NEIGHBOUR, name=name)])
    for kind, path in (
        ("promoters", people),
        (
            "orders",
            write_json(
                files / "o.json",
                [order_row(number=200, goods_name=goods, modified="2022-12-14 09:00:00", amount_fen=12_000)],
            ),
        ),
    ):
        done = target.shell("import", kind, path)
        assert done.returncode == 0, done.stderr
    target.second_factor("operator")
    operator, member = target.visitor("operator"), target.visitor("promoter")
    # A row that is bad in the cell, in a file of such a name.
    text = f'promoter_id,name,level,level_from,registered_on\n1817118,"{cell.replace(chr(34), chr(34) * 2)}",V9,x,x\n'
    said = operator.post(
        "/operations/imports/", {"file": (f"{file_name}.csv", text.encode())}, kind="promoters"
    )
    assert said.status_code == 303, said.text[-2000:]
    bad = files / "bad.csv"
    bad.write_text(text, encoding="utf-8")
    target.shell("import", "promoters", bad)
    said = member.post("/appeals/new", order_sn=sn(111), period="2022-11", words=words)
    assert said.status_code == 303, said.text
    number = target.count("SELECT max(appeal_id) FROM appeals")
    page = operator.get(f"/operations/appeals/{number}").text
    (following,) = re.findall(r'name="number" value="(\d+)"', page)
    said = operator.post(f"/operations/appeals/{number}", verdict="DECLINED", words=answer, number=following)
    assert said.status_code == 303, said.text
    said = operator.post(
        f"/operations/roster/2022-12/{NEIGHBOUR}", why=reason, ineligible="", gmv_yuan="800.00", orders="7"
    )
    assert said.status_code == 303, said.text
    said = operator.post("/tokens/", name=token, days="30", code=target.codes["operator"].fresh())
    assert said.status_code == 200, said.text
    done = target.shell("user", "add", f"{mark}@example.com", "--role", "operator", "--name", account)
    assert done.returncode == 0, done.stderr


PLACES = (
    "a promoter's name",
    "a good's title",
    "a file's name",
    "a cell that is not read",
    "an appeal",
    "a reason",
    "an account's name",
    "a token's name",
    "the answer to an appeal",
)


def scripts(target: Target, table: Table) -> None:
    """A script in every text; then every page of every role."""
    _plant(target, "scripts", [_script(number) for number in range(1, len(PLACES) + 1)])
    run: set[str] = set()
    seen: set[str] = set()
    for role in ("promoter", "operator", "finance", "admin"):
        for _path, content, kind in _pages(target.visitor(role)):
            text = content.decode("utf-8", "replace")
            if kind == "text/html":
                run |= set(re.findall(r"<(?:img src=x onerror|script>)[=a]?[a-z]*\((\d)", text))
                run |= set(re.findall(r"<[a-z]+[^>]*\son[a-z]+=", text))
                seen |= set(re.findall(r"alert\((\d)\)", html.unescape(text)))
    for number, place in enumerate(PLACES, 1):
        found = "run" if str(number) in run else "shown" if str(number) in seen else "nowhere"
        # A file's name and what could not be read of it are shown where somebody looks into that upload.
        right = ("shown", "nowhere") if number in (3, 4) else ("shown",)
        table.tried(f"a script in {place}", found, right)
    table.tried("a handler of any kind in any page", sorted(run), [[]])
    for what, given in (
        ("search", "?q="),
        ("sorting", "?sort="),
        ("a filter", "?verdict="),
        ("a place in a list", "?after="),
    ):
        text = target.visitor("operator").get(f"/operations/periods/2022-12/results{given}" + _script(0)).text
        table.tried(
            f"a script in {what} of the address", "<img src=x" in text or "<script>alert" in text, False
        )
    text = target.stranger().get("/" + _script(0)).text
    table.tried(
        "a script in an address that there is not", "<img src=x" in text or "<script>alert" in text, False
    )
    said = target.stranger().get("/%22%3E%3Cscript%3Ealert(0)", headers={"Accept-Language": _script(0)}).text
    table.tried("a script in the language asked for", "<script>alert" in said, False)
    said = target.stranger().post("/login", email=_script(0), password="x").text
    table.tried("a script as the e-mail of a log-in", "<img src=x" in said or "<script>alert" in said, False)
    policy = target.stranger().get("/login").headers["content-security-policy"]
    table.tried(
        "a script within a page, had one come through",
        "unsafe" not in policy and "default-src 'none'" in policy,
        True,
    )
    sniffed = target.visitor("operator").get("/operations/audit/audit.csv").headers
    table.tried(
        "a file taken for a page",
        (sniffed["x-content-type-options"], "attachment" in sniffed["content-disposition"]),
        [("nosniff", True)],
    )


def formulas(target: Target, table: Table) -> None:
    """A formula in every text; then every table that can be loaded."""
    _plant_formulas(target)
    cells: list[str] = []
    for role in ("promoter", "operator", "finance", "admin"):
        who = target.visitor(role)
        for path, content, kind in _pages(who):
            if kind == "text/csv":
                cells += [
                    cell
                    for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
                    for cell in row
                ]
            elif path.endswith(".xlsx"):
                cells += _of_workbook(content)
            elif kind == "application/zip":
                cells += _of_archive(content)
    for formula in FORMULAS:
        there = [cell for cell in cells if formula.strip() in cell]
        found = "run" if any(cell[0] in "=+-@\t\r" for cell in there) else "text" if there else "nowhere"
        table.tried(f"a formula in loaded tables: {formula!r}", found, "text")
    risky = {cell for cell in cells if cell[:1] in tuple("=@\t\r") or re.match(r"[+-](?![\d.,%]+$)", cell)}
    table.tried(f"any of {len(cells)} cells that begins a formula", sorted(risky - {"-"})[:5], [[]])


def _plant_formulas(target: Target) -> None:
    """As titles of goods, names and reasons."""
    files = target.folder / "formulas"
    files.mkdir()
    orders = [
        order_row(number=200 + at, goods_name=formula, modified="2022-12-14 09:00:00", amount_fen=12_000 + at)
        for at, formula in enumerate(FORMULAS)
    ]
    people = [promoter(NEIGHBOUR + 1 + at, name=formula.strip()) for at, formula in enumerate(FORMULAS)]
    for kind, path in (
        ("orders", write_json(files / "o.json", orders)),
        ("promoters", write_table(files / "p.csv", people)),
    ):
        done = target.shell("import", kind, path)
        assert done.returncode == 0, done.stderr
    operator = target.visitor("operator")
    for at, formula in enumerate(FORMULAS):
        said = operator.post(
            f"/operations/roster/2022-12/{NEIGHBOUR}",
            why=formula + "!",
            ineligible="",
            gmv_yuan=f"8{at}0.00",
            orders="7",
        )
        assert said.status_code == 303, said.text


def _of_workbook(content: bytes) -> list[str]:
    book = load_workbook(io.BytesIO(content))
    found = []
    for sheet in book:
        for row in sheet.iter_rows():
            # A cell of a workbook is text or a formula by its kind, whatever it begins with.
            found += [f"={cell.value}" for cell in row if cell.data_type == "f"]
    return found


def _of_archive(content: bytes) -> list[str]:
    found: list[str] = []
    with ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".xlsx"):
                found += _of_workbook(archive.read(name))
    return found
