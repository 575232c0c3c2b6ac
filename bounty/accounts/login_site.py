"""What the log-in's library works with: accounts and passkeys as it wants them, and the site they belong to."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from flask import current_app, has_request_context, request
from flask_babel import get_locale
from flask_security import RoleMixin, SQLAlchemySessionUserDatastore, UserMixin, WebAuthnMixin
from sqlalchemy import Connection, Engine, bindparam, exists, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from bounty.accounts import devices
from bounty.accounts.limits import Asker, Kind, count_try, normalised, seconds_to_wait
from bounty.audit.service import Actor, record
from bounty.db import Words, wait_for_turn
from bounty.errors import BountyError
from bounty.models import Passkey, User

EXTENSION = "bounty.accounts"
ENTERING = "people.invitation"
"""The endpoint, beside the library's own, that logs an account in."""
Reading = Callable[[], AbstractContextManager[Connection]]


class Role(RoleMixin):
    """A role by its name; an account has exactly one, in a column of its own."""

    def __init__(self, name: str) -> None:
        self.name = name


class Account(User, UserMixin):  # type: ignore[misc]  # ours keeps a list of hashes as one text
    """A row of ``users``, as Flask-Security wants it."""

    @property
    def roles(self) -> list[RoleMixin]:  # type: ignore[override]  # theirs is a column
        """Its one role."""
        return [Role(self.role)]

    __allow_unmapped__ = True  # the next is no column

    known_passkey: bool | None = None
    """Whether it has a passkey, where the row was read with that."""

    @property
    def webauthn(self) -> list["Credential"]:  # type: ignore[override]  # theirs is a relationship
        """Its passkeys, the oldest first."""
        mine = select(Credential).where(Credential.user_id == self.id).order_by(Credential.id)
        return list(login_site().session.scalars(mine))

    @property
    def has_code(self) -> bool:
        """Whether its second factor gives one-time codes."""
        return self.tf_totp_secret is not None

    @property
    def has_passkey(self) -> bool:
        """Whether it has a passkey."""
        if self.known_passkey is None:
            return bool(self.webauthn)
        return self.known_passkey

    @property
    def recovery_codes_left(self) -> int:
        """How many of its recovery codes were not used."""
        return len((self.mf_recovery_codes or "").split())

    def check_tf_required(
        self, tf_setup_methods: list[tuple[str, str]], tf_fresh: bool
    ) -> tuple[bool, list[tuple[str, str]]]:
        """A second factor is required of whoever has one, and of all staff where the site is a real one."""
        return bool(tf_setup_methods) or self.check_tf_required_setup(), tf_setup_methods

    def check_tf_required_setup(self) -> bool:
        """Whether this account must have a second factor."""
        return login_site().second_factor and self.role != "promoter"

    def track_failed_authn(self, auth_type: str, tfa: bool = False) -> None:
        """A wrong code counts like a wrong password, which the form of the log-in counts itself."""
        if tfa:
            accounts = login_site()
            accounts.count("guess", accounts.asker(self.email))


class Credential(Passkey, WebAuthnMixin):
    """A row of ``passkeys``, as Flask-Security wants it."""

    usage = "secondary"
    transports = None
    extensions = None
    backup_state = False
    device_type = ""

    @property
    def lastuse_datetime(self) -> datetime:
        """When it was last used, or else registered."""
        return datetime.fromtimestamp(self.last_used_at or self.created_at, UTC)

    @lastuse_datetime.setter
    def lastuse_datetime(self, _at: datetime) -> None:
        """By the site's own clock."""
        self.last_used_at = login_site().now()


class Datastore(SQLAlchemySessionUserDatastore):
    """Accounts and passkeys over the site's session."""

    def create_webauthn(
        self,
        user: UserMixin,
        credential_id: bytes,
        public_key: bytes,
        name: str,
        sign_count: int,
        *_more: object,
        **_others: object,
    ) -> None:
        """Keep a passkey; the library's other facts about it only describe the device."""
        site = login_site()
        key = {"credential_id": credential_id, "public_key": public_key, "sign_count": sign_count}
        site.session.add(Credential(user_id=user.id, name=name, created_at=site.now(), **key))

    def find_user(self, case_insensitive: bool = False, **kwargs: str | int) -> Account | None:
        """The account with an attribute's value; theirs would join a table of roles, which we have not."""
        ((name, value),) = kwargs.items()
        if name == "fs_uniquifier" and request.blueprint != "security":
            return _account_behind(str(value))
        if name == "email":
            value = normalised(str(value))
        query = select(Account).where(getattr(Account, name) == value)
        found: Account | None = self.db.session.scalars(query).one_or_none()
        return found


_COLUMNS = User.__table__.c
_ACCOUNT = select(
    *(column.label(name) for name, column in User.__mapper__.columns.items()),
    exists().where(Passkey.user_id == _COLUMNS.user_id).label("known_passkey"),
).where(_COLUMNS.fs_uniquifier == bindparam("uniquifier", type_=Words()))


def _account_behind(uniquifier: str) -> Account | None:
    """The account that a session names, to be looked at by our own pages; the library's change theirs."""
    with login_site().reading() as connection:
        row = connection.execute(_ACCOUNT, {"uniquifier": uniquifier}).first()
    return None if row is None else Account(**row._asdict())


class _Session(Session):
    """The accounts' session: it reads like a reader, and begins as a writer where a request may change an account.

    A transaction that began as a reader can't become a writer on SQLite once another has written.
    """

    def get_bind(self, *args: object, **kwargs: object) -> Engine:
        writes = has_request_context() and request.method == "POST" and _changes_accounts()
        return login_site().writing if writes else login_site().engine


def _changes_accounts() -> bool:
    """Whether a POST may change an account: the library's own, and a log-in that follows an accepted invitation."""
    return request.blueprint == "security" or request.endpoint == ENTERING


class LoginSite:
    """What the log-in needs to know of the site it stands in."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], int],
        reading: Reading,
        may_go_to: Callable[[str], bool],
        *,
        second_factor: bool,
    ) -> None:
        self.engine, self.now, self.reading, self.second_factor = engine, now, reading, second_factor
        self.may_go_to = may_go_to
        # Made once: a session opens a second connection for what looks like a second engine.
        self.writing = engine.execution_options(writing=True)
        self.session: scoped_session[_Session] = scoped_session(
            sessionmaker(class_=_Session, expire_on_commit=False)
        )

    def turn(self) -> Connection:
        """The session's connection, the one writer until the request ends or commits: of tries made at once each is
        evaluated after the one before it has been counted."""
        connection: Connection = self.session.connection()
        wait_for_turn(connection)
        return connection

    def asker(self, email: str) -> Asker:
        """Who tries, for the account of an e-mail."""
        name = normalised(email)
        user_id = self.session.scalar(select(Account.id).where(Account.email == name))
        return Asker(name, request.remote_addr or "", devices.known_device(user_id))

    def seconds_to_wait(self, kind: Kind, asker: Asker) -> int:
        wait = seconds_to_wait(self.turn(), kind, asker, self.now())
        if wait:
            # Whoever has to wait lets the others go on: the page that says so needs a connection of its own, and there
            # may be none while all are held by requests that wait for this one.
            self.session.rollback()
        return wait

    def count(self, kind: Kind, asker: Asker) -> None:
        """In the transaction in which the try was evaluated, and kept whatever becomes of the request."""
        count_try(self.turn(), kind, asker, self.now())
        self.session.commit()

    def record(self, act: str, user: Account, reason: str | None = None) -> None:
        """An act of an account upon itself, in the session's own transaction."""
        actor = Actor(user.email, user.id, user.role, request.remote_addr, None)
        record(self.session.connection(), act, user.email, self.now(), reason=reason, by=actor)


def login_site() -> LoginSite:
    """The site of the request."""
    accounts: LoginSite = current_app.extensions[EXTENSION]
    return accounts


def reader_language() -> str:
    """The language of the request: ``zh`` or ``en``."""
    return "zh" if str(get_locale()).startswith("zh") else "en"


def in_reader_language(refusal: BountyError) -> str:
    """In the reader's language; the library's own sentences come by the same choice."""
    return refusal.zh if reader_language() == "zh" else str(refusal)
