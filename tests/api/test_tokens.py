"""Tokens: issued once, recognised by their hash, refused when they expire, are revoked, or their account ends."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select, update

from bounty.app import main
from bounty.db import snapshot, transaction
from bounty.errors import BountyError
from bounty.models import ApiToken, AuditEvent, User
from bounty.tokens.limits import CallLimit
from bounty.tokens.service import bearer_of, issue, revoke, tokens
from tests.api.conftest import Site
from tests.factories import PROMOTER, Month, promoter, shanghai
from tests.web.world import DECEMBER, EMAILS

NOW = shanghai(DECEMBER)


@pytest.fixture
def known(engine: Engine, tmp_path: Path) -> Engine:
    Month(engine, tmp_path / "files", period="2022-12", now=DECEMBER).table("promoters", promoter())
    return engine


def test_the_shell_prints_a_token_alone_and_lists_and_revokes_it(
    known: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOUNTY_DATABASE_URL", known.url.render_as_string(hide_password=False))
    monkeypatch.setenv("BOUNTY_NOW", "2022-12-15T15:00:00+08:00")

    def run(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(main, ["token", *words])
        return result.exit_code, result.stdout, result.stderr

    named = ("--name", "the vendor's app")
    code, out, _ = run("add", "--role", "promoter", "--promoter", str(PROMOTER), *named, "--days", "30")
    assert code == 0
    assert re.fullmatch(r"bounty_[A-Za-z0-9_-]{43}\n", out)
    with snapshot(known) as connection:
        bearer = bearer_of(connection, out.strip(), NOW)
        assert bearer is not None
        assert (bearer.role, bearer.promoter_id, bearer.name) == ("promoter", PROMOTER, "the vendor's app")
        held = connection.execute(select(ApiToken.__table__)).one()
        assert out.strip() not in map(str, held)
        assert held.expires_at == NOW + 30 * 86_400
        events = connection.execute(select(AuditEvent.act, AuditEvent.after)).all()
        assert [act for act, _ in events].count("token.issue") == 1
        assert all(out.strip() not in (after or "") for _, after in events)
    listed = f"1 promoter {PROMOTER} the vendor's app, expires 2023-01-14T15:00:00+08:00, never used\n"
    assert run("list") == (0, listed, "")
    assert run("revoke", "1") == (0, "token 1 is revoked\n", "")
    assert run("revoke", "1")[0] == 0
    assert ", revoked 2022-12-15T15:00:00+08:00, never used" in run("list")[1]
    with snapshot(known) as connection:
        assert bearer_of(connection, out.strip(), NOW) is None
    for wrong in (
        ("add", "--role", "promoter", "--name", "x"),
        ("add", "--role", "operator", "--promoter", str(PROMOTER), "--name", "x"),
        ("add", "--role", "promoter", "--promoter", "5", "--name", "x"),
        ("add", "--role", "operator", "--name", " "),
        ("add", "--role", "operator", "--name", "x", "--days", "0"),
        ("add", "--role", "operator", "--name", "x", "--days", "366"),
        ("revoke", "9"),
        ("revoke", "x"),
    ):
        code, out, err = run(*wrong)
        assert (code, out, err.count("\n")) == (1, "", 1), wrong
    assert run("add", "--role", "admin", "--name", "x")[0] == 2


def test_a_token_holds_until_it_expires(known: Engine) -> None:
    with transaction(known) as connection:
        issued = issue(connection, name="x", role="operator", promoter_id=None, days=1, now=NOW)
    with snapshot(known) as connection:
        assert bearer_of(connection, issued.token, NOW + 86_399) is not None
        assert bearer_of(connection, issued.token, NOW + 86_400) is None
        assert bearer_of(connection, issued.token[:-1], NOW) is None
        assert bearer_of(connection, "", NOW) is None


def test_a_token_of_an_account_ends_with_the_account(site: Site) -> None:
    of_account = User.email == EMAILS["operator"]
    with transaction(site.engine) as connection:
        user_id = connection.execute(select(User.id).where(of_account)).scalar_one()
        own = issue(connection, name="x", role="operator", promoter_id=None, days=1, now=NOW, user_id=user_id)
        assert bearer_of(connection, own.token, NOW) is not None
        connection.execute(update(User).where(of_account).values(active=False))
        assert bearer_of(connection, own.token, NOW) is None
        connection.execute(update(User).where(of_account).values(active=True, role="finance"))
        assert bearer_of(connection, own.token, NOW) is None
        connection.execute(update(User).where(of_account).values(role="operator"))
        assert bearer_of(connection, own.token, NOW) is not None


def test_another_promoters_token_is_not_there_to_be_revoked(site: Site) -> None:
    with transaction(site.engine) as connection:
        mine = connection.execute(tokens(promoter_id=PROMOTER)).one()
        with pytest.raises(BountyError, match="no token"):
            revoke(connection, mine.token_id, NOW, promoter_id=PROMOTER + 1)
        assert connection.execute(tokens(promoter_id=PROMOTER)).one().revoked_at is None


def test_its_last_use_is_shown(site: Site) -> None:
    site.ask("/me/progress/2022-12", "promoter")
    with snapshot(site.engine) as connection:
        assert connection.execute(tokens(promoter_id=PROMOTER)).one().last_used_at == NOW


def test_calls_are_limited_by_the_minute_over_all_processes(known: Engine) -> None:
    with transaction(known) as connection:
        token = issue(connection, name="x", role="operator", promoter_id=None, days=1, now=NOW).token_id
        other = issue(connection, name="y", role="operator", promoter_id=None, days=1, now=NOW).token_id
    one, two = CallLimit(known, 3), CallLimit(known, 3)
    began = 1_700_000_000 - 1_700_000_000 % 60
    waits = [limit.seconds_to_wait(token, NOW, began + 20) for limit in (one, two, one, two, one)]
    assert waits == [0, 0, 0, 40, 40]
    assert one.seconds_to_wait(other, NOW, began + 20) == 0
    assert two.seconds_to_wait(token, NOW, began + 60) == 0


def test_readers_do_not_wait_for_a_long_import(known: Engine) -> None:
    with transaction(known) as connection:
        token = issue(connection, name="x", role="operator", promoter_id=None, days=1, now=NOW).token_id
    limit = CallLimit(known, 2)
    with transaction(known):
        waits = [limit.seconds_to_wait(token, NOW, 1_700_000_000) for _ in range(3)]
    assert [wait > 0 for wait in waits] == [False, False, True]


def test_too_many_calls_are_told_when_to_ask_again(site: Site) -> None:
    site.app.extensions["bounty.api.limit"]._calls = 0
    answered = site.ask("/me/progress/2022-12", "promoter")
    site.app.extensions["bounty.api.limit"]._calls = 1_000_000
    assert (answered.status_code, answered.json["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(answered.headers["Retry-After"]) <= 60
