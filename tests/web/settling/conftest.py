"""A month after its cutoff, and those who close it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.app import create_app
from bounty.db import transaction
from bounty.web.shared.request_context import EXTENSION
from config import Settings
from tests.factories import PROMOTER, Month, promoter, shanghai, terms_toml
from tests.payout.people import KEY, PASSWORD, Codes
from tests.web.settling.desk import LEVELS, ROLES, Reader, sold, token_of


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """Five with a target of ¥300: 0 passes by a tier, 1 just, 2 lacks a tenth, 3 is far off, 4 sold nothing."""
    month = Month(engine, tmp_path)
    people = [promoter(PROMOTER + at, name=f"示例·{at} 号") for at in range(5)]
    toml = terms_toml(levels=LEVELS, caps="")
    month.begin(*people, toml=toml)
    month.orders(*sold(0, 5), *sold(1, 3), *sold(2, 2), *sold(2, 1, first=9, amount_fen=70_00), *sold(3, 1))
    with transaction(engine) as connection:
        for name, role in ROLES.items():
            add_user(
                connection,
                email=f"{name}@example.com",
                name=name,
                role=role,
                promoter_id=PROMOTER if role == "promoter" else None,
                password=PASSWORD,
                now=1,
            )
    return month


@pytest.fixture
def reader(month: Month, database_url: str) -> Iterator[Callable[..., Reader]]:
    with ExitStack() as stack:
        app = create_app(
            Settings(
                database_url=database_url,
                now=shanghai("2023-01-15 12:00:00"),
                require_approval=True,
                totp_key=KEY,
            )
        )
        stack.callback(app.extensions[EXTENSION].engine.dispose)

        def log_in(name: str) -> Reader:
            client = app.test_client()
            token = token_of(client.get("/login").text)
            fields = {"csrf_token": token, "email": f"{name}@example.com", "password": PASSWORD}
            assert client.post("/login", data=fields).status_code == 302
            return Reader(client, Codes(month.engine, f"{name}@example.com"))

        yield log_in
