"""Mail by SMTP, with TLS unless the server is on this machine. Without a server, mails are written to a folder."""

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, NamedTuple, Self

from bounty.notifications.errors import DeliveryFailed
from bounty.notifications.message_kinds import PROMOTER_KINDS
from bounty.private import private_folder, write_private_file

TIMEOUT_SECONDS: Final = 20
"""Longest wait for a response of the server."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class OutboxMessage(NamedTuple):
    """A message to send; the columns are described in ``models.Message``."""

    message: str
    channel: str
    kind: str
    recipient: str
    subject: str
    body: str
    path: str | None
    written_at: int
    tries: int
    endpoint_id: int | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """The settings of outgoing mail."""

    server: str
    """``HOST:PORT``; blank to write mails to a folder."""
    sender: str
    """The From address."""
    folder: Path
    """The folder for mails if there is no server."""
    public_url: str
    """The site's address, for links."""
    user: str = ""
    """The SMTP user; blank for no log-in."""
    password: str = field(default="", repr=False)
    """The SMTP password."""


def host_and_port(server: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; the default port is 587 (mail submission)."""
    host, _, port = server.rpartition(":") if ":" in server else (server, "", "")
    return host, int(port or 587)


def encrypted(host: str) -> bool:
    """Whether the connection to a host must use TLS: always, except to this machine."""
    return host not in _LOOPBACK


def mail_of(mail: Mail, row: OutboxMessage) -> EmailMessage:
    """Build the mail of an outbox message."""
    found = EmailMessage()
    found["From"] = mail.sender
    found["To"] = row.recipient
    found["Subject"] = " ".join(row.subject.split())
    found["Date"] = format_datetime(datetime.fromtimestamp(row.written_at, UTC))
    found["Message-ID"] = f"<{row.message}@{mail.sender.rpartition('@')[2].strip('> ') or 'bounty'}>"
    found["Auto-Submitted"] = "auto-generated"
    site = mail.public_url.rstrip("/")
    text = row.body if row.path is None else f"{row.body}\n\n{site}{row.path}"
    if row.kind in PROMOTER_KINDS:
        text += f"\n\n选择接收哪些邮件 / choose which mails you get: {site}/messages"
    found.set_content(f"{text}\n")
    return found


class MailSession:
    """One SMTP connection for several mails, opened when the first mail is sent."""

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

    def send(self, row: OutboxMessage) -> None:
        """Send a message. Raises DeliveryFailed unless the server accepts it."""
        found = mail_of(self._mail, row)
        if not self._mail.server:
            self._write_file(row.message, bytes(found))
            return
        try:
            if self._server is None:
                self._server = self._connect()
            self._server.send_message(found)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, response),) = error.recipients.values()
            raise DeliveryFailed(f"{code} {_text(response)}", final=code >= 500) from error
        except smtplib.SMTPResponseException as error:
            self.__exit__()
            raise DeliveryFailed(f"{error.smtp_code} {_text(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            self.__exit__()
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error

    def _write_file(self, name: str, mail: bytes) -> None:
        try:
            private_folder(self._mail.folder)
            write_private_file(self._mail.folder / f"{name}.eml", mail)
        except OSError as error:
            raise DeliveryFailed(f"{self._mail.folder} can't be written: {error.strerror}") from error

    def _connect(self) -> smtplib.SMTP:
        host, port = host_and_port(self._mail.server)
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        try:
            if encrypted(host):
                server.starttls(context=ssl.create_default_context())
            if self._mail.user:
                server.login(self._mail.user, self._mail.password)
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
        return server


def _text(response: bytes | str) -> str:
    return response.decode("utf-8", "replace") if isinstance(response, bytes) else response
