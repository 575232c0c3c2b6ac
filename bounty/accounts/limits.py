"""How often a password, a one-time code or a reset may be tried: by account and by address, with growing waits.

A small table of our own, which the transaction that evaluates a guess reads and writes, so that guesses made at once
are counted one after the other, whichever process serves them. Flask-Limiter and the ``limits`` library under it count
fixed windows without growing waits, in memory (a process each) or in a server of their own, outside our transaction.

Anybody may try for any account, so nobody may lock out its owner: who tries from a device that the account has logged
in with before is counted on that device alone, and not stopped by what others try elsewhere.
"""

import unicodedata
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, Literal

from sqlalchemy import Connection, delete, func, select, true

from bounty.clock import shanghai_date, shown
from bounty.db import insert_into
from bounty.errors import BountyError
from bounty.models import Tries, User
from bounty.notifications.outbox import MessageText, notify_account

FORGOTTEN_SECONDS: Final = 86_400
"""After so long without another try, all before are forgotten."""
LONGEST_EMAIL: Final = 254
"""Characters of an e-mail address."""
Kind = Literal["guess", "reset"]
"""A wrong password or code, or a request for a mail with a link."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries are free; after each further one the wait is twice as long."""

    free: int
    first_wait: int
    """Seconds, as the next."""
    longest_wait: int

    def wait_after(self, tries: int) -> int:
        """Seconds to wait after so many tries.

        >>> [Limit(5, 60, 3600).wait_after(tries) for tries in (4, 5, 6, 7, 90)]
        [0, 60, 120, 240, 3600]
        """
        if tries < self.free:
            return 0
        return int(min(self.first_wait * 2 ** min(tries - self.free, 30), self.longest_wait))


OF_ACCOUNT: Final[dict[Kind, Limit]] = {"guess": Limit(5, 60, 3600), "reset": Limit(3, 900, 3600)}
"""Of one account: from everywhere it isn't known together, or from one device that it is."""
OF_ADDRESS: Final[dict[Kind, Limit]] = {"guess": Limit(30, 60, 3600), "reset": Limit(10, 900, 3600)}
"""From one network address, whichever accounts are tried."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who tries."""

    email: str
    """The account's, as ``normalised`` gives it; whether or not there is one."""
    address: str
    """Of the network."""
    device: str | None = None
    """A device that the account has logged in with before, or the command line; null for any other."""


def normalised(email: str) -> str:
    """An e-mail address as accounts are kept and counted: two spellings of one address are the same text.

    >>> normalised(" Zhou@ｅxample。com "), normalised("zhou@ⓔxample.com")
    ('zhou@example.com', 'zhou@example.com')
    """
    # Full stops that stand for the ASCII one in names of hosts (UTS 46) and that NFKC leaves as they are.
    text = unicodedata.normalize("NFKC", email).replace("\u3002", ".").strip().lower()
    return text[:LONGEST_EMAIL]


def seconds_to_wait(connection: Connection, kind: Kind, asker: Asker, now: int) -> int:
    """How long whoever asks has to wait before the next try; 0: not at all.

    connection  of a writer, which holds its turn until the try is evaluated and counted
    """
    until = connection.execute(
        select(func.max(Tries.free_at)).where(Tries.subject.in_(_subjects(kind, asker)))
    ).scalar()
    return max(0, (until or 0) - now)


def count_try(connection: Connection, kind: Kind, asker: Asker, now: int) -> None:
    """Count a try; the owner of an account is mailed, once a day, when waits begin because of guesses."""
    connection.execute(delete(Tries).where(Tries.last_at <= now - FORGOTTEN_SECONDS))
    subjects = _subjects(kind, asker)
    held = dict(
        connection.execute(select(Tries.subject, Tries.tries).where(Tries.subject.in_(subjects))).all()
    )
    rows = []
    for subject, limit in subjects.items():
        tries = held.get(subject, 0) + 1
        free_at = now + limit.wait_after(tries)
        rows.append({"subject": subject, "tries": tries, "last_at": now, "free_at": free_at})
    added = insert_into(connection.dialect.name, Tries)
    changes = {name: added.excluded[name] for name in ("tries", "last_at", "free_at")}
    connection.execute(added.on_conflict_do_update(index_elements=["subject"], set_=changes), rows)
    if kind == "guess" and rows[0]["tries"] == OF_ACCOUNT[kind].free:
        _notify_owner(connection, asker, now)


def forget_tries(connection: Connection, asker: Asker) -> None:
    """Reset the count for an account whose owner has come in, from where they came in.

    Not for the address: who has an account could else go on guessing others' by logging in in between.
    """
    first, *_ = _subjects("guess", asker)
    connection.execute(delete(Tries).where(Tries.subject == first))


def patience(seconds: int) -> BountyError:
    """The message for somebody who has to wait."""
    minutes = -(-seconds // 60)
    return BountyError(
        f"Too many log-ins have failed. Try again in {minutes} {'minute' if minutes == 1 else 'minutes'}, "
        "or reset the password.",
        f"登录失败次数过多：请 {minutes} 分钟后再试，或重置密码。",
    )


def _subjects(kind: Kind, asker: Asker) -> dict[str, Limit]:
    """What a try counts for, the account first, with its limit."""
    if asker.device is not None:
        return {f"{kind} {asker.email} on {asker.device}": OF_ACCOUNT[kind]}
    return {
        f"{kind} {asker.email}": OF_ACCOUNT[kind],
        f"{kind} from {network_of(asker.address)}": OF_ADDRESS[kind],
    }


def network_of(address: str) -> str:
    """What one party has of the internet: an IPv4 address, or the /64 of an IPv6 one.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2"), network_of("a proxy's word")
    ('192.0.2.7', '2001:db8::/64', 'elsewhere')
    """
    try:
        given = ip_address(address)
    except ValueError:
        return "elsewhere"
    return address if given.version == 4 else str(ip_network((int(given), 64), strict=False))


def _notify_owner(connection: Connection, asker: Asker, now: int) -> None:
    user_id = connection.execute(
        select(User.id).where(User.email == asker.email, User.active.is_(true()))
    ).scalar()
    if user_id is None:
        return
    at = shown(now)
    letter = MessageText(
        ("有人多次输错您的密码", "Wrong passwords for your account"),
        f"截至 {at}，您的账号多次收到错误的密码或验证码，再次尝试须等待。账号和密码没有变化。\n"
        "如果不是您本人：您仍可在用过的设备上照常登录；在其他设备上无法登录时，请通过下面的链接重置密码。",
        f"By {at} several wrong passwords or codes had been given for your account, and further tries have to wait. "
        "The account and its password are unchanged.\n"
        "If that was not you: you can log in as ever on a device that you have used before. If you can't on another, "
        "reset the password by this link.",
        "/reset",
    )
    notify_account(connection, "account", f"guesses {shanghai_date(now)}", user_id, letter, now)
