"""The other sides: a mail server and a webhook, which count what they take and can be told to refuse."""

import base64
import hmac
import json
import socketserver
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = b"a secret of the tests, nobody else's"


@dataclass
class MailServer:
    """What a mail server took, and what it says to the next mails."""

    address: str = ""
    taken: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """To the next RCPTs; 250 once they are used up."""
    encrypted: int = 0
    """Mails that came over TLS."""

    def about(self, recipient: str) -> list[EmailMessage]:
        return [mail for mail in self.taken if mail["To"] == recipient]


class _Smtp(socketserver.StreamRequestHandler):
    def finish(self) -> None:
        super().finish()
        self.connection.close()  # with TLS it isn't the server's own any more

    def handle(self) -> None:
        held, context, encrypted = cast(Any, self.server).held, cast(Any, self.server).context, False
        self.wfile.write(b"220 mail.example\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (piece := self.rfile.readline()) != b".\r\n":
                    lines.append(piece.removeprefix(b".") if piece.startswith(b"..") else piece)
                mail = message_from_bytes(b"".join(lines), policy=policy.default)
                held.taken.append(mail)
                held.encrypted += encrypted
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"RCPT" and held.answers:
                self.wfile.write(f"{held.answers.pop(0)}\r\n".encode())
            elif verb == b"EHLO" and context is not None and not encrypted:
                self.wfile.write(b"250-mail.example\r\n250 STARTTLS\r\n")
            elif verb == b"STAR" and context is not None:
                self.wfile.write(b"220 go on\r\n")
                try:
                    secure = context.wrap_socket(self.connection, server_side=True)
                except OSError:  # who does not know our certificate hangs up
                    return
                self.rfile, self.wfile, encrypted = secure.makefile("rb"), secure.makefile("wb", 0), True
                self.connection = secure
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@contextmanager
def mail_server(host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """A mail server on this machine, which offers TLS if it has a certificate."""
    held = MailServer()
    with socketserver.ThreadingTCPServer((host, 0), _Smtp) as server:
        server.daemon_threads = True
        cast(Any, server).held, cast(Any, server).context = held, context
        held.address = f"{host}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield held
        server.shutdown()


@dataclass
class Receiver:
    """What a webhook took: it does what it is told once per id, and refuses what is not signed."""

    url: str = ""
    certificate: Path = Path()
    effects: Counter[str] = field(default_factory=Counter)
    """Id -> how often it had an effect."""
    told: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """The id of each request, repeats too."""
    answers: list[int] = field(default_factory=list)
    """To the next requests; 204 once they are used up. What is taken has its effect even if 500 is said."""


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        held = cast(Any, self.server).held
        body = self.rfile.read(int(self.headers["content-length"]))
        name, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        wanted = base64.b64encode(hmac.digest(SECRET, f"{name}.{at}.".encode() + body, "sha256")).decode()
        held.requests.append(name)
        if self.headers["webhook-signature"] != f"v1,{wanted}":
            self.send_response(401)
        else:
            if not held.effects[name]:
                held.effects[name] += 1
                held.told.append(json.loads(body))
            self.send_response(held.answers.pop(0) if held.answers else 204)
        self.send_header("location", "https://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def tls_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server on this machine shows, with a certificate that is made for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, _certify(certificate, key))
    return context


@contextmanager
def webhook_receiver(folder: Path, *, plain: bool = False) -> Iterator[Receiver]:
    """A webhook on this machine, with a certificate of its own, or plain behind something that has one."""
    held = Receiver(certificate=folder / "certificate.pem")
    context = tls_of(held.certificate, folder / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hook) as server:
        server.daemon_threads = True
        cast(Any, server).held = held
        if not plain:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        held.url = f"http{'' if plain else 's'}://localhost:{server.server_address[1]}/hook?of=bounty"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield held
        server.shutdown()


def _certify(path: Path, key_path: Path) -> Path:
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "t")]),
    )
    began = datetime.now(UTC) - timedelta(days=4000)
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(f"127.0.0.{n}")) for n in (1, 2))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=8000))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return key_path
