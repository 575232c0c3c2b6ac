"""Settings, from the environment (``BOUNTY_...``). Read by entry points only."""

import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bounty.calendar.schedule import Calendar
from bounty.clock import read_instant
from bounty.errors import BountyError
from bounty.platforms.pdd.account import GATEWAY
from bounty.private import private_folder, write_private_file
from bounty.tranches.payer_files import unfit_remark

ROOT = Path(__file__).resolve().parent
INSTANCE = (
    ROOT / "instance" if (ROOT / "pyproject.toml").is_file() else Path(sys.prefix) / "var" / "bounty-instance"
)
"""Where data, uploads, backups and archives are kept unless a setting says otherwise: in the checkout, or, for an
installed package, in its environment."""
SHORTEST_KEY = 32
"""Characters of a secret key in production; so many with at least a third of them different."""


class Settings(BaseSettings):
    """What may differ from one installation to another."""

    model_config = SettingsConfigDict(env_prefix="BOUNTY_", frozen=True, extra="ignore")

    env: Literal["development", "production"] = "development"
    database_url: str = f"sqlite:///{INSTANCE / 'bounty.sqlite'}"
    """``sqlite:///PATH`` or ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``."""
    database_pooler: bool = False
    """Whether the database is reached through a pooler of transactions, such as PgBouncer."""
    read_database_url: str = ""
    """A hot standby of the PostgreSQL of ``database_url``, which promoters and the public read."""
    now: int | None = None
    """Epoch seconds, from an instant as text: turns the clock, for trials."""
    require_approval: bool | None = Field(default=None)
    """Whether a draft needs a second account's approval before it is published; by default in production."""
    secret_key: str = Field(default="", repr=False)
    """Signs sessions and links; in development one is made and kept in the instance folder."""
    totp_key: str = Field(default="", repr=False)
    """Encrypts the secrets of second factors; in development as above."""
    payee_key: str = Field(default="", repr=False)
    """Encrypts where promoters are paid, which can't be read without it again; in development as above."""
    payout_remark: str = "推广服务费"
    """What a payer's file says of each payment, before the payout's id."""
    payer_rows: int = Field(default=1000, gt=0)
    """Payments in one part of a payer's file, at most."""
    alipay_least_fen: int = Field(default=10, ge=0, le=100)
    """The least that Alipay transfers, in fen; a payout below it is carried on."""
    wechat_appid: str = Field(default="", pattern=r"^([A-Za-z0-9]{4,32})?$")
    """The application that pays by WeChat, as ``wx0123456789abcdef``."""
    unusual_times: int = Field(default=3, gt=0)
    """A tranche, or one payout, of more than so many times the largest that was exported before is told in red."""
    allowed_hosts: str = ""
    """Host names the site answers to, joined by commas."""
    public_url: str = "http://127.0.0.1:5000"
    """How the site is reached, for links in mails and invitations."""
    mail_server: str = ""
    """``HOST:PORT`` of the mail server; without one, mails are files in the instance folder."""
    mail_user: str = ""
    mail_password: str = Field(default="", repr=False)
    mail_sender: str = "bounty@localhost"
    contact: str = ""
    """Where promoters send what operations need of them; blank: to the sender of the mails."""
    uploads: Path = INSTANCE / "uploads"
    """Where uploaded files are kept."""
    upload_megabytes: int = Field(default=512, gt=0)
    """The largest upload."""
    appeal_files: int = Field(default=5, ge=0, le=50)
    """Files that a promoter may add to one appeal."""
    appeal_file_megabytes: int = Field(default=5, gt=0, le=50)
    """The largest of them."""
    public_list: bool = True
    """Whether a public notice lists who passed, with masked ids."""
    platform_url: str = GATEWAY
    """Where the open platform is asked: https, or http on this machine itself."""
    platform_client_id: str = ""
    """Of the application on the open platform; without one, orders come from files alone."""
    platform_client_secret: str = Field(default="", repr=False)
    platform_orders: Literal["all", "own"] = "all"
    """Whose orders are asked for: of all authorised promoters (tool vendors), or the account's own."""
    backups: Path = INSTANCE / "backups"
    """Where backups are kept."""
    archives: Path = INSTANCE / "archives"
    """Where the files of archived months are kept; they belong to the books."""
    postgres_programs: Path | None = None
    """The folder of pg_dump and pg_restore, of the server's version or a newer one; by default they are on the PATH."""
    metrics_token: str = Field(default="", repr=False)
    """Lets whoever bears it read /metrics; without one there is no such page."""
    webhook_url: str = ""
    """Who is told by webhook: https; without one, nobody is."""
    webhook_secret: str = Field(default="", repr=False)
    """Signs what the webhook is told: ``whsec_`` and 24 to 64 bytes in base64."""
    webhook_private: bool = False
    """Whether the webhook may be on a private network."""
    post_seconds: int = Field(default=30, gt=0)
    """How often the worker looks into the outbox."""
    sync_minutes: int = Field(default=10, gt=0)
    """How often the worker fetches orders."""
    calendar_freeze_day: int = Field(default=25, ge=11, le=28)
    """Day of the month before on which a roster is frozen."""
    calendar_remind_days: str = "1,7,9"
    """Days of the month after on which promoters are reminded of receipts, joined by commas."""
    calendar_payout_day: int = Field(default=20, ge=1, le=28)
    """Day of the month after on which a tranche is prepared."""
    calendar_hour: int = Field(default=9, ge=0, le=23)
    """Hour of Shanghai at which these happen."""
    calendar_settle_grace_minutes: int = Field(default=240, ge=0)
    """From the receipt cutoff until the settlement is drafted."""
    calendar_night_hour: int = Field(default=5, ge=0, le=23)
    """Hour of Shanghai at which the books check themselves and are backed up."""
    calendar_backups: bool = True
    """Whether they are backed up every night; off where somebody else sees to it."""
    calendar_seconds: int = Field(default=60, gt=0)
    """How often the worker looks at the calendar."""
    api_calls_per_minute: int = Field(default=300, gt=0)
    """Requests that a token of the API may make in a minute."""
    proxies: int = Field(default=0, ge=0)
    """How many proxies of ours stand before the site, whose X-Forwarded headers are believed."""

    @field_validator("now", mode="before")
    @classmethod
    def _instant(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return read_instant(value) if value.strip() else None
        except ValueError:
            raise ValueError(f"write an instant such as 2022-12-15T12:00:00+08:00, not {value!r}") from None

    @field_validator("calendar_remind_days")
    @classmethod
    def _days(cls, value: str) -> str:
        days = [day.strip() for day in value.split(",") if day.strip()]
        if not all(day.isascii() and day.isdigit() and 1 <= int(day) <= 28 for day in days):
            raise ValueError(f"write days of the month from 1 to 28, such as 1,7,9, not {value!r}")
        return ",".join(days)

    @field_validator("payout_remark")
    @classmethod
    def _remark(cls, value: str) -> str:
        unfit = unfit_remark(value)
        if unfit is not None:
            raise ValueError(unfit)
        return value.strip()

    @field_validator("read_database_url")
    @classmethod
    def _known_replica(cls, value: str) -> str:
        if not value:
            return ""
        value = value.replace("postgresql://", "postgresql+psycopg://", 1)
        if not value.startswith("postgresql+psycopg://"):
            raise ValueError("use postgresql+psycopg://USER:PASSWORD@HOST/NAME of a hot standby")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value.startswith("postgresql://"):
            value = value.replace("postgresql://", "postgresql+psycopg://", 1)
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("use sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
        return value

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.env == "production" and self.now is not None:
            raise ValueError("BOUNTY_NOW turns the clock and is for trials: unset it in production")
        return self

    @property
    def approval_required(self) -> bool:
        """Whether publishing takes a second account."""
        return self.env == "production" if self.require_approval is None else self.require_approval

    @property
    def calendar(self) -> Calendar:
        """When the month's steps are taken."""
        return Calendar(
            freeze_day=self.calendar_freeze_day,
            remind_days=tuple(int(day) for day in self.calendar_remind_days.split(",") if day),
            hour=self.calendar_hour,
            payout_day=self.calendar_payout_day,
            settle_grace=self.calendar_settle_grace_minutes * 60,
            night_hour=self.calendar_night_hour,
            backups=self.calendar_backups,
        )

    @property
    def hosts(self) -> list[str]:
        """The host names the site answers to; empty: any, in development."""
        return [host.strip() for host in self.allowed_hosts.split(",") if host.strip()]


def read_settings() -> Settings:
    """The settings of this process.

    Raises BountyError, naming each variable that is wrong and what would be right.
    """
    try:
        return Settings()
    except ValidationError as errors:
        raise BountyError("; ".join(_sentence(error) for error in errors.errors())) from None


def require_safe_site(settings: Settings, *, debug: bool) -> None:
    """Raises BountyError if the site must not be served so in production; anything goes in development."""
    if settings.env != "production":
        return
    if debug:
        raise BountyError(
            "Debug mode shows the program's inside to anybody: unset FLASK_DEBUG in production."
        )
    for name in ("secret_key", "totp_key", "payee_key"):
        _require_strong(settings, name)
    if not settings.hosts:
        raise BountyError("BOUNTY_ALLOWED_HOSTS is empty: name the hosts that the site answers to.")
    if not settings.public_url.startswith("https://"):
        raise BountyError(
            "BOUNTY_PUBLIC_URL must begin with https:// in production: cookies are only sent there."
        )


def _require_strong(settings: Settings, name: str) -> None:
    key: str = getattr(settings, name)
    if len(key) < SHORTEST_KEY or len(set(key)) * 3 < SHORTEST_KEY:
        raise BountyError(
            f"BOUNTY_{name.upper()} is missing or weak: give {SHORTEST_KEY} random characters or more, such as those "
            "of python -c 'import secrets; print(secrets.token_urlsafe(48))'."
        )


def kept_key(settings: Settings, name: Literal["secret_key", "totp_key", "payee_key"]) -> str:
    """A key from the settings, or one of this installation's own, made at the first use (development).

    Raises BountyError in production where it is not set: another one would not read what the site's has written.
    """
    given: str = getattr(settings, name)
    if given:
        return given
    if settings.env == "production":
        raise BountyError(
            f"BOUNTY_{name.upper()} is not set here: give this shell the one that the site runs with."
        )
    path = INSTANCE / name
    private_folder(path.parent)
    if not path.exists():
        _make_key(path)
    key = path.read_text(encoding="ascii").strip()
    if len(key) < SHORTEST_KEY:
        raise BountyError(
            f"{path} holds no key: put back the one that the books were written with, or, if nothing was, delete it."
        )
    return key


def _make_key(path: Path) -> None:
    """Write a new key, unless another process has meanwhile: whoever comes first, all use the same, and none sees half
    of it."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    write_private_file(part, secrets.token_urlsafe(48).encode())
    try:
        with suppress(FileExistsError):
            path.hardlink_to(part)  # a rename would put one in the place of another's
    finally:
        part.unlink()


def _sentence(error: Any) -> str:
    name = "_".join(map(str, error["loc"])).upper() or "ENV"
    return f"BOUNTY_{name}: {error.get('ctx', {}).get('error', error['msg'])}"
