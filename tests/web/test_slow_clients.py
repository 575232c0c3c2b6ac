"""Who sends half a request and no more keeps nobody waiting: nginx, set up as deploy/ says, holds them off the site."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from config import ROOT
from tests.messages.receivers import _certify
from tests.web.test_health import Served

SLOW = 40
HALVES = (
    b"GET /healthz HTTP/1.1\r\nHost: bounty.example\r\nX-Slow: ",
    b"POST /login HTTP/1.1\r\nHost: bounty.example\r\nContent-Length: 100\r\n\r\nemail=",
)


@dataclass(frozen=True, slots=True)
class Front:
    """nginx before the site."""

    port: int
    site: Served

    def open(self) -> socket.socket:
        """A connection with TLS."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(plain)

    def ask(self, path: str, method: str = "GET", body: str | None = None, **more: str) -> tuple[int, str]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with closing(HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)) as connection:
            connection.request(method, path, body, {"Host": "bounty.example"} | more)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@contextmanager
def nginx(folder: Path, servers: str) -> Iterator[subprocess.Popen[bytes]]:
    """nginx with these servers; what it keeps lies in a folder of the test's."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.fail("There is no nginx: install it (Debian: apt-get install nginx).", pytrace=False)
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"user root;\ndaemon off;\npid {folder / 'nginx.pid'};\nerror_log {folder / 'nginx.log'};\n"
        f"events {{ worker_connections 768; }}\nhttp {{\n{temporary}{servers}}}\n"
    )
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    command = [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def front(database_url: str, tmp_path: Path) -> Iterator[Front]:
    """The example of deploy/ with other names, files and ports, and nothing else changed."""
    site = Served(database_url, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        plain, port = one.getsockname()[1], other.getsockname()[1]
    _certify(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = (ROOT / "deploy" / "nginx.conf.example").read_text(encoding="utf-8")
    for ours, theirs in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("/etc/letsencrypt/live/bounty.example.com/fullchain.pem", str(tmp_path / "cert.pem")),
        ("/etc/letsencrypt/live/bounty.example.com/privkey.pem", str(tmp_path / "key.pem")),
        ("bounty.example.com", "bounty.example"),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{site.port}"),
        ("include proxy_params", "include /etc/nginx/proxy_params"),
        ("/opt/bounty/", f"{ROOT}/"),
    ):
        assert ours in server, ours
        server = server.replace(ours, theirs)
    try:
        with nginx(tmp_path, server) as process:
            site.wait()
            front = Front(port, site)
            for _ in range(150):
                try:
                    front.ask("/healthz")
                except OSError:
                    assert process.poll() is None, (tmp_path / "nginx.log").read_text()
                    time.sleep(0.2)
                else:
                    break
            yield front
    finally:
        site.kill()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("half", HALVES)
def test_forty_half_sent_requests_keep_nobody_waiting(front: Front, half: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(SLOW):
            connection = stack.enter_context(front.open())
            connection.sendall(half)
        time.sleep(1)
        for path in ("/healthz", "/readyz", "/login"):
            began = time.monotonic()
            assert front.ask(path)[0] == 200
            assert time.monotonic() - began < 10  # a busy machine; without nginx none is answered at all


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_behind_nginx_figures_are_for_the_machine_alone_and_a_form_arrives(front: Front) -> None:
    assert front.ask("/metrics")[0] == 404  # asked from this machine, and without the token
    status, page = front.ask("/login", "POST", "email=nobody")
    assert (status, "400" in page or "过期" in page) == (400, True)
