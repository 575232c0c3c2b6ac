"""Accounts: by invitation, once; one person, one role, one promoter; and failures that are counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from bounty.accounts import service as accounts
from bounty.accounts.passwords import hashed
from bounty.db import transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Invitation, User
from tests.factories import PROMOTER, Month, bounty, promoter

NOW = 1_671_000_000
GOOD = "a long and good one"
PERSON = ("zhou@example.com", "周", "operator", None)


@pytest.fixture
def books(engine: Engine, tmp_path: Path) -> Iterator[Connection]:
    Month(engine, tmp_path).table("promoters", promoter())
    with transaction(engine) as connection:
        yield connection


def invited(connection: Connection, *person: Any) -> accounts.Invited:
    (found,) = accounts.invite(connection, [person or PERSON], NOW)
    return found


def acts(connection: Connection) -> list[str]:
    asked = select(AuditEvent.act).where(AuditEvent.act.startswith("user.")).order_by(AuditEvent.event_id)
    return list(connection.execute(asked).scalars())


def user(connection: Connection) -> Any:
    return connection.execute(select(User.__table__)).one()


def test_a_link_makes_one_account_and_only_once(books: Connection) -> None:
    token = invited(books, " Zhou@Example.com ", "周", "operator", None).token
    accounts.accept(books, token, GOOD, NOW)
    made = user(books)
    assert (made.email, made.role, made.active, made.promoter_id) == (
        "zhou@example.com",
        "operator",
        True,
        None,
    )
    assert made.password.startswith("$argon2id$")
    with pytest.raises(BountyError, match="was used"):
        accounts.accept(books, token, GOOD, NOW)
    assert acts(books) == ["user.invite", "user.add"]


def test_the_token_is_not_kept(books: Connection) -> None:
    token = invited(books).token
    row = books.execute(select(Invitation.__table__)).one()
    assert token not in map(str, row)


def test_a_link_ends_after_a_week_and_with_the_next_one(books: Connection) -> None:
    first, second = invited(books).token, invited(books).token
    with pytest.raises(BountyError, match="was used or has expired"):
        accounts.invitation_of(books, first, NOW)
    assert accounts.invitation_of(books, second, NOW + 7 * 86_400 - 1).email == "zhou@example.com"
    with pytest.raises(BountyError, match="was used or has expired"):
        accounts.invitation_of(books, second, NOW + 7 * 86_400)


@pytest.mark.parametrize(
    ("person", "refused"),
    [
        (("zhou", "周", "operator", None), "not an e-mail"),
        (("zhou@example.com", " ", "operator", None), "needs a name"),
        (("zhou@example.com", "周", "king", None), "no role"),
        (("zhou@example.com", "周", "promoter", None), "belongs to one promoter"),
        (("zhou@example.com", "周", "operator", PROMOTER), "belongs to one promoter"),
        (("zhou@example.com", "周", "promoter", 404), "not known"),
    ],
)
def test_an_invitation_that_can_not_be_invites_nobody(books: Connection, person: Any, refused: str) -> None:
    with pytest.raises(BountyError, match=refused):
        accounts.invite(books, [("good@example.com", "好", "finance", None), person], NOW)
    assert books.execute(select(Invitation.email)).all() == []


def test_a_promoter_has_one_account_and_so_has_an_e_mail(books: Connection) -> None:
    accounts.accept(books, invited(books, "a@example.com", "甲", "promoter", PROMOTER).token, GOOD, NOW)
    for again in (("b@example.com", "乙", "promoter", PROMOTER), ("a@example.com", "甲", "finance", None)):
        with pytest.raises(BountyError, match="already"):
            invited(books, *again)


@pytest.mark.parametrize(
    "password", ["short", "x" * 129, "aaaabbbbaaaabbbb", "zhou-zhou-zhou", "zhou@example"]
)
def test_a_password_that_is_easy_to_guess_is_refused(books: Connection, password: str) -> None:
    token = invited(books).token
    with pytest.raises(BountyError, match="Choose a password"):
        accounts.accept(books, token, password, NOW)
    assert books.execute(select(User.email)).all() == []


def test_another_role_and_a_disabling_end_every_session(books: Connection) -> None:
    accounts.accept(books, invited(books).token, GOOD, NOW)
    names = [user(books).fs_uniquifier]
    for change in (
        lambda: accounts.set_role(books, "zhou@example.com", "finance", NOW),
        lambda: accounts.disable(books, "ZHOU@example.com", NOW),
    ):
        change()
        change()  # again: nothing changes
        names.append(user(books).fs_uniquifier)
    assert len(set(names)) == 3
    assert (user(books).role, user(books).active) == ("finance", False)
    assert acts(books)[2:] == ["user.role", "user.disable"]


def test_staff_do_not_become_promoters(books: Connection) -> None:
    accounts.accept(books, invited(books).token, GOOD, NOW)
    for role in ("promoter", "king"):
        with pytest.raises(BountyError, match="can't be"):
            accounts.set_role(books, "zhou@example.com", role, NOW)


def test_the_same_password_is_kept_differently_each_time() -> None:
    assert hashed(GOOD) != hashed(GOOD)


def test_the_commands_invite_list_change_and_disable(database_url: str) -> None:
    said = bounty(database_url, "user", "add", "zhou@example.com", "--role", "operator")
    assert said.returncode == 0
    assert said.stdout.startswith("http://127.0.0.1:5000/invitation/")
    for arguments in (
        ("add", "zhou", "--role", "operator"),
        ("role", "nobody@example.com", "finance"),
        ("disable", "nobody@example.com"),
        ("add", "p@example.com", "--role", "promoter", "--promoter", "x1"),
    ):
        refused = bounty(database_url, "user", *arguments)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Error: ")
        assert refused.stderr.count("\n") == 1
    verified = bounty(database_url, "audit", "verify")
    assert verified.stdout.startswith("1 event, the chain holds, head sha256:")
