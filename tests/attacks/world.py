"""Who attacks, and what: the site as gunicorn serves it, its commands as processes, and visitors with cookies."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, text, update

from bounty.db import make_engine, snapshot, transaction
from bounty.models import User
from tests import forked_commands, postgres
from tests.factories import environment
from tests.payout.people import Codes
from tests.web.clients import words_of
from tests.web.world import DECEMBER, EMAILS, PASSWORD, PAYEE_KEY, Site

TOTP_KEY = "for tests: nobody else's, and not a secret either"
"""Of the served site."""
AT = f"{DECEMBER.replace(' ', 'T')}+08:00"
REQUIRED = {"BOUNTY_REQUIRE_APPROVAL": "1", "BOUNTY_PROXIES": "1"}
"""Settings of the site that is attacked: two people for what matters, and one proxy, so that addresses differ."""


class Visitor:
    """A browser without a screen, at an address of its own."""

    def __init__(self, url: str, address: str) -> None:
        self.http = httpx.Client(
            base_url=url,
            trust_env=False,
            timeout=120,
            headers={"X-Forwarded-For": address, "Connection": "close"},
        )

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.http.get(path, **more)

    def token(self) -> str:
        """Of the forms of this session."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get("/rules").text)
        assert found
        return found[1]

    def post(self, path: str, files: Any = None, **fields: Any) -> httpx.Response:
        """Send a form as a page does."""
        return self.http.post(path, data={"csrf_token": self.token(), **fields}, files=files)

    def log_in(self, email: str, password: str = PASSWORD, code: str | None = None) -> httpx.Response:
        said = self.post("/login", email=email, password=password, submit="1")
        return said if code is None else self.post("/tf-validate", code=code)

    def is_in(self) -> bool:
        """Whether a page says whose it is."""
        return "退出" in words_of(self.get("/notices", headers={"Accept-Language": "zh"}).text)

    def words(self, path: str) -> str:
        return words_of(self.get(path).text)


@dataclass
class Target:
    """The site that is attacked, and its books."""

    site: Site
    engine: Engine
    _stack: ExitStack
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    codes: dict[str, Codes] = field(default_factory=dict)
    """Role -> its authenticator, once it has one."""

    @property
    def folder(self) -> Path:
        return self.site.folder

    def stranger(self, address: str | None = None) -> Visitor:
        """Somebody who is not logged in."""
        number = next(self._numbers)
        visitor = Visitor(self.site.url, address or f"198.51.{number // 250}.{number % 250 + 1}")
        self._stack.callback(visitor.http.close)
        return visitor

    def visitor(self, role: str) -> Visitor:
        """Somebody who is logged in: a role, or an account's address."""
        visitor, email = self.stranger(), EMAILS.get(role, role)
        code = self.codes[role].fresh() if role in self.codes else None
        assert visitor.log_in(email, code=code).status_code == 302, role
        assert visitor.is_in(), role
        return visitor

    def second_factor(self, *roles: str) -> None:
        """Set authenticators up."""
        for role in roles:
            email = EMAILS.get(role, role)
            self.codes[role] = Codes(self.engine, email, TOTP_KEY)
            with transaction(self.engine) as connection:
                values = {"tf_primary_method": "authenticator"}
                connection.execute(update(User).where(User.email == email).values(values))

    def shell(self, *words: str | Path, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """What a command says, in a process of its own."""
        env = environment(
            self.site.database_url,
            AT,
            BOUNTY_TOTP_KEY=TOTP_KEY,
            BOUNTY_PAYEE_KEY=PAYEE_KEY,
            BOUNTY_BACKUPS=str(self.folder / "backups"),
            BOUNTY_POSTGRES_PROGRAMS=str(postgres.client_programs()),
            **{"BOUNTY_REQUIRE_APPROVAL": "1"} | more,
        )
        return forked_commands.run(words, env, typed)

    def as_one(self, role: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """The same, as an account with its password and a fresh code."""
        typed = f"{PASSWORD}\n{self.codes[role].fresh()}\n"
        return self.shell(*words, "--as", EMAILS.get(role, role), typed=typed)

    def unsafe_start(self, variables: dict[str, str]) -> str:
        """What becomes of a site that is started so."""
        command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "bounty.app:create_app()"]
        env = environment(self.site.database_url, **variables)
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            return "it runs"
        in_words = any(name in done.stderr + done.stdout for name in ("BOUNTY_", "FLASK_DEBUG"))
        return "does not start" if done.returncode and in_words else done.stderr[-200:]

    def count(self, query: str) -> int:
        """The number that a query of ours finds."""
        with snapshot(self.engine) as connection:
            found: int = connection.execute(text(query)).scalar_one()
            return found

    def acts(self, act: str) -> int:
        """How many events of an act there are."""
        return self.count(f"SELECT count(*) FROM audit_events WHERE act = '{act}'")


@contextmanager
def target(serve: Callable[..., Site], database: str) -> Iterator[Target]:
    """The site with November paid in part, in mid-December."""
    with ExitStack() as stack:
        site = serve(DECEMBER, database, paid=True, **REQUIRED)
        engine = make_engine(site.database_url)
        stack.callback(engine.dispose)
        yield Target(site, engine, stack)
