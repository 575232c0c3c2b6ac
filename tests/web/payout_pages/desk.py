"""What the tests of payouts' pages read of them: files by their codes, footers and amounts."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bounty.web.finance import adjustments, payees, payment_results, reconciliation, tables
from bounty.web.shared.formats import money
from bounty.web.shared.request_context import EXTENSION
from bounty.web.shared.tables import Table, header_of
from tests.web.clients import token_of, words_of

NOW = "2022-12-15 15:00:00"


Visitor = Callable[..., FlaskClient]


Row = dict[str, str]


def rows_of(client: FlaskClient, path: str) -> list[Row]:
    """The rows of a CSV by the columns' codes; the files of finance name them, and some values, in Chinese."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    header, *lines = csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""))
    table = next((each for each in LABELLED if names_of(each, chinese=True) == header), None)
    if table is None:
        return [dict(zip(header, line, strict=True)) for line in lines]
    codes = [column.header for column in table.columns]
    values = [
        {"是": "yes", "否": "no"} if column.kind == "flag" else named_values(table, column.name)
        for column in table.columns
    ]
    return [
        {code: named.get(cell, cell) for code, named, cell in zip(codes, values, line, strict=True)}
        for line in lines
    ]


def names_of(table: Table, *, chinese: bool) -> list[str]:
    return [header_of(table, column, chinese=chinese) for column in table.columns]


def named_values(table: Table, column: str) -> dict[str, str]:
    options = next((each.options for each in table.filters if each.name == column), ())
    return {option.zh: option.value for option in options}


LABELLED = [
    adjustments.ADJUSTMENTS, adjustments.DEBTS, payees.PAYEES, payees.MISSING, payees.PROPOSED,
    payment_results.RECEIPTS, payment_results.ROWS, reconciliation.DIFFERENCES, tables.TRANCHES, tables.PAYOUTS,
]  # fmt: skip


def total(rows: list[Row], column: str) -> Decimal:
    return sum((Decimal(row[column] or 0) for row in rows), Decimal(0))


def fen(amount: Decimal) -> str:
    """As a page shows it."""
    return money(int(amount * 100))


def shown(client: FlaskClient, path: str, language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, path
    return words_of(answer.text)


def foot(client: FlaskClient, path: str) -> str:
    """The last footer of a page."""
    return words_of(re.findall(r"<tfoot>(.*?)</tfoot>", client.get(path).text, re.DOTALL)[-1])


def upload(client: FlaskClient, path: str, name: str, text: str, **fields: str) -> Any:
    """Post a file as a form does."""
    token = token_of(client.get("/rules").text)
    data = {"csrf_token": token, "file": (io.BytesIO(text.encode("utf-8-sig")), name), **fields}
    return client.post(path, data=data, content_type="multipart/form-data")


PAYEES = "promoter_id,method,account,payee_name,bank_name,bank_code\r\n"


def engine_of(app: Flask) -> Engine:
    engine: Engine = app.extensions[EXTENSION].engine
    return engine
