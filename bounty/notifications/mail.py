"""Mail by SMTP, encrypted unless the server is this machine itself; without a server, files in a folder."""

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final, Self

from bounty.notifications.errors import DeliveryFailed
from bounty.notifications.message_kinds import CHOSEN
from bounty.private import private_folder, write_private_file

PATIENCE: Final = 20
"""Seconds that the server may be silent."""
_NEAR: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Mail:
    """How mails leave."""

    server: str
    """``HOST:PORT``; blank where mails are files."""
    sender: str
    folder: Path
    """Where mails are files."""
    public_url: str
    """How the site is reached, for links."""
    user: str = ""
    password: str = field(default="", repr=False)


def host_and_port(server: str) -> tuple[str, int]:
    """Of ``HOST:PORT``; the port of submission unless given."""
    host, _, port = server.rpartition(":") if ":" in server else (server, "", "")
    return host, int(port or 587)


def encrypted(host: str) -> bool:
    """Whether the way to a server must be encrypted: unless it is this machine itself."""
    return host not in _NEAR


def mail_of(mail: Mail, row: Any) -> EmailMessage:
    """A message of the outbox as a mail."""
    found = EmailMessage()
    found["From"] = mail.sender
    found["To"] = row.recipient
    found["Subject"] = " ".join(row.subject.split())
    found["Date"] = format_datetime(datetime.fromtimestamp(row.written_at, UTC))
    found["Message-ID"] = f"<{row.message}@{mail.sender.rpartition('@')[2].strip('> ') or 'bounty'}>"
    found["Auto-Submitted"] = "auto-generated"
    site = mail.public_url.rstrip("/")
    text = row.body if row.path is None else f"{row.body}\n\n{site}{row.path}"
    if row.kind in CHOSEN:
        text += f"\n\n选择接收哪些邮件 / choose which mails you get: {site}/messages"
    found.set_content(f"{text}\n")
    return found


class MailSession:
    """One connection for several mails, made when the first is sent."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._server is not None:
            try:
                self._server.quit()
            except (smtplib.SMTPException, OSError):
                self._server.close()
            self._server = None

    def send(self, row: Any) -> None:
        """Raises Undelivered unless the server took it."""
        found = mail_of(self._mail, row)
        if not self._mail.server:
            self._keep(row.message, bytes(found))
            return
        try:
            if self._server is None:
                self._server = self._connect()
            self._server.send_message(found)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, said),) = error.recipients.values()
            raise DeliveryFailed(f"{code} {_text(said)}", final=code >= 500) from error
        except smtplib.SMTPResponseException as error:
            self.__exit__()
            raise DeliveryFailed(f"{error.smtp_code} {_text(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            self.__exit__()
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error

    def _keep(self, name: str, mail: bytes) -> None:
        try:
            private_folder(self._mail.folder)
            write_private_file(self._mail.folder / f"{name}.eml", mail)
        except OSError as error:
            raise DeliveryFailed(f"{self._mail.folder} can't be written: {error.strerror}") from error

    def _connect(self) -> smtplib.SMTP:
        host, port = host_and_port(self._mail.server)
        server = smtplib.SMTP(host, port, timeout=PATIENCE)
        try:
            if encrypted(host):
                server.starttls(context=ssl.create_default_context())
            if self._mail.user:
                server.login(self._mail.user, self._mail.password)
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
        return server


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
