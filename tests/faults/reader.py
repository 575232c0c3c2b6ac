"""A process that reads the books over and over while others write, and must never see half of anything."""

import contextlib
import io
import json
from hashlib import sha256
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, and_, func, select

from bounty.app import main
from bounty.db import Base, make_engine, snapshot
from bounty.models import Batch, Order, OrderVersion, RosterEntry
from bounty.progress.service import progress_of
from bounty.roster.terms import open_period
from bounty.rules.periods import Period


def read_until(url: str, period: str, folder: str, enough: str) -> None:
    """Read until a file is there; print how often.

    Raises AssertionError where something does not add up.
    """
    out = Path(folder)
    exports = readings = 0
    engine = make_engine(url)
    last = False
    while not last:
        last = Path(enough).exists()  # looked at first: so the end itself is read, too
        with snapshot(engine) as connection:
            look_at_orders(connection, period)
            promoters = on_roster(connection)
        code, said = command("check")
        assert code == 0, said
        code, said = command("progress", period, str(promoters[readings % len(promoters)]), "--json")
        assert code == 0, said
        code, said = command("export", period, "--out", folder)
        assert code == 0 or "is not published yet" in said, said
        if code == 0:
            look_at_export(out)
            exports += 1
        readings += 1
    print(f"{readings} readings, {exports} exports")


def look_at_orders(connection: Connection, period: str) -> None:
    """In one snapshot, batches add up to orders, and orders to what progress says of each promoter."""
    of_orders = Batch.kind == "orders"
    new, kept = connection.execute(
        select(
            func.coalesce(func.sum(Batch.rows_new), 0),
            func.coalesce(func.sum(Batch.rows_new + Batch.rows_changed + Batch.rows_stale), 0),
        ).where(of_orders)
    ).one()
    assert count(connection, Batch, Batch.rows_read == 0) == 0
    assert (count(connection, Order), count(connection, OrderVersion)) == (new, kept)
    month = Period.parse(period)
    bounds = open_period(connection, month)
    in_month = and_(Order.paid_at >= bounds.month_from, Order.paid_at < bounds.month_until)
    for promoter_id in on_roster(connection):
        said = progress_of(connection, month, promoter_id, bounds.receipt_cutoff).as_json()
        tallies = [said["counted"], said["pending"], *said["not_counted"]]
        held = count(connection, Order, in_month, Order.promoter_id == promoter_id)
        assert sum(tally["orders"] or 0 for tally in tallies) == held


def on_roster(connection: Connection) -> list[int]:
    """Who is judged."""
    return list(connection.execute(select(RosterEntry.promoter_id)).scalars())


def count(connection: Connection, table: type[Base], *which: ColumnElement[bool]) -> int:
    """How many rows there are, at this moment."""
    return connection.execute(select(func.count()).select_from(table).where(*which)).scalar_one()


def look_at_export(folder: Path) -> None:
    """The manifest and its files say the same."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        assert sha256(content).hexdigest() == file["sha256"], file
        assert content.count(b"\r\n") == file["rows"] + 1


def command(*arguments: str) -> tuple[int, str]:
    """Exit code and words of a command."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main.main(args=list(arguments), prog_name="bounty")
        except SystemExit as leaving:
            return int(leaving.code or 0), said.getvalue()
    raise AssertionError("a command ends by leaving")
