"""The pages on which operations close a month, their readers and what their tests read of them."""

import csv
import html
import io
import re
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, event, insert, select

from bounty.db import snapshot, transaction
from bounty.models import AuditEvent, FetchWindow
from bounty.money import read_yuan
from tests.factories import PROMOTER, order_row, shanghai
from tests.payout.people import Codes

LEVELS = {"V0": 'direct_only = true\ngmv_yuan = "300.00"'}


ROLES = {
    "operator": "operator",
    "second": "operator",
    "finance": "finance",
    "admin": "admin",
    "promoter": "promoter",
}


SETTLING = "/operations/periods/2022-12/settling"


PAGES = (
    "/operations/periods",
    "/operations/periods/2022-12",
    "/operations/periods/2022-12/results",
    SETTLING,
    "/operations/periods/2022-12/changes",
    "/operations/periods/2022-12/results.csv",
    "/operations/periods/2022-12/nearest.csv",
    "/operations/periods/2022-12/changes.csv",
)


ACTS = ("settle", "check", "waive", "approve", "publish")


def sold(at: int, orders: int, *, first: int = 1, **fields: Any) -> list[dict[str, Any]]:
    """So many orders of ¥100.00 each, modified after the cutoff, of the promoter in this place."""
    return [
        order_row(
            number=1000 * at + first + nth,
            promoter_id=PROMOTER + at,
            modified="2023-01-12 09:00:00",
            **fields,
        )
        for nth in range(orders)
    ]


class Reader:
    """Somebody who is logged in."""

    def __init__(self, client: FlaskClient, codes: Codes | None = None) -> None:
        self.client, self.codes = client, codes

    def page(self, path: str = SETTLING) -> str:
        """What the page says, on one line."""
        answer = self.client.get(path)
        assert answer.status_code == 200, path
        return words_of(answer.text)

    def act(self, act: str, period: str = "2022-12", **fields: Any) -> tuple[int, str]:
        """Post a form of the page as it stands; the status, and what is said afterwards."""
        page = self.client.get(f"/operations/periods/{period}/settling").text
        if not re.search(
            'name="settlement_id"', page
        ):  # the draft's other form, on the page before publishing
            page += self.client.get(f"/operations/periods/{period}/publish").text
        shown = dict(re.findall(r'name="(settlement_id|content_sha256)" value="([^"]*)"', page))
        if self.codes and act in ("approve", "publish") and "code" not in fields:
            fields["code"] = self.codes.fresh()
        data = {**shown, "csrf_token": token_of(page), **fields}
        answer = self.client.post(f"/operations/periods/{period}/{act}", data=data)
        told = self.page() if answer.status_code == 303 else words_of(answer.text)
        return answer.status_code, told


def words_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def acts_of(engine: Engine) -> list[str]:
    with snapshot(engine) as connection:
        acts = select(AuditEvent.act).where(AuditEvent.act.not_like("user.%")).order_by(AuditEvent.event_id)
        return list(connection.execute(acts).scalars())


def fen(yuan: str) -> int:
    return -read_yuan(yuan[1:]) if yuan.startswith("-") else read_yuan(yuan)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def a_slice(engine: Engine, from_at: str, until_at: str) -> None:
    """A span that was fetched from the platform, and had nothing in it."""
    span = {"from_at": shanghai(from_at), "until_at": shanghai(until_at)}
    empty = {"rows_told": 0, "rows_held": 0, "pages": 0, "known_at": 0, "read_at": 0}
    with transaction(engine) as connection:
        connection.execute(
            insert(FetchWindow).values(kind="UPDATED", whose="all", done=True, **span, **empty)
        )


def queries(reader: Reader, path: str) -> int:
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("PRAGMA"):
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = reader.client.get(path)
        assert answer.status_code == 200
        assert answer.data
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return len(asked)
