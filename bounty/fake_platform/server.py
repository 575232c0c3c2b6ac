"""The stand-in as an HTTP server on this machine, with injected faults."""

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from bounty.fake_platform.faults import Fault, Faults
from bounty.fake_platform.gateway import Gateway, Reply

PATH: Final = "/api/router"
_ERROR_RESPONSES: Final = {
    "busy": (52101, "当前接口被限流，请稍后重试"),
    "busy 70031": (70031, "调用过于频繁，请调整调用频率"),
    "server 50001": (50001, "系统内部错误"),
    "maintenance": (52102, "接口暂时禁用，请稍后重试"),
}
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


class StandIn(ThreadingHTTPServer):
    """An HTTP server for the platform's calls at ``http://127.0.0.1:PORT/api/router``."""

    daemon_threads = True

    def __init__(self, gateway: Gateway, faults: Faults, port: int = 0) -> None:
        """
        port   0 for any free port
        """
        self.gateway, self.faults = gateway, faults
        gateway.leave_out = faults.dropped.__contains__
        self.call_lock = threading.Lock()
        """Serialises the calls, so that the same seed gives the same faults."""
        self.last_list = b""
        """The last list response, which a ``repeated`` fault sends again."""
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Ignore clients that close the connection early, and report all other errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """The address that receives the calls."""
        return f"http://127.0.0.1:{self.server_address[1]}{PATH}"


@contextmanager
def serving(gateway: Gateway, faults: Faults | None = None) -> Iterator[StandIn]:
    """Run a stand-in on a free port for the duration of the block."""
    with StandIn(gateway, faults or Faults()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"
    # Buffer head and body into one packet. Otherwise the body waits 40 ms for the acknowledgement of the head.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path != PATH:
            self._send(b"not here", status=404, kind="text/plain")
            return
        with self.server.call_lock:
            fault = self.server.faults.draw()
            if fault not in ("silence", "reset"):
                reply, now = self.server.gateway.answer(self._call(body))
                self._respond(reply, now, fault)
                return
        self.close_connection = True
        if fault == "silence":
            time.sleep(self.server.faults.silence_seconds)

    def _call(self, body: bytes) -> dict[str, str]:
        """The parameters of a request, from a form or from JSON."""
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return {name: _as_text(value) for name, value in json.loads(body or b"{}").items()}
        return dict(parse_qsl(body.decode(), keep_blank_values=True))

    def _respond(self, reply: Reply, now: int, fault: Fault | None) -> None:
        """Send a response, changed by the fault."""
        faults = self.server.faults
        date = now + (faults.between(120, 300) if fault == "clock" else 0)
        if fault in _ERROR_RESPONSES:
            code, message = _ERROR_RESPONSES[fault]
            error = {"error_code": code, "error_msg": message, "sub_code": None, "sub_msg": message}
            self._send(_json({"error_response": error}), date)
            return
        if fault in ("html", "html 502"):
            self._send(_HTML, date, status=200 if fault == "html" else 502, kind="text/html")
            return
        listed = reply.get("order_list_get_response")
        if listed is not None:
            body = _json({"order_list_get_response": _with_wrong_count(listed, fault, faults)})
            if fault == "repeated" and self.server.last_list:
                body = self.server.last_list
            self.server.last_list = body
        else:
            body = _json(reply)
        if fault == "cut json":
            body = body[: len(body) // 2]
        self._send(body, date, cut=fault == "cut")

    def _send(
        self,
        body: bytes,
        date: int | None = None,
        *,
        status: int = 200,
        kind: str = "application/json",
        cut: bool = False,
    ) -> None:
        self.send_response_only(status)
        self.send_header("Date", formatdate(date, usegmt=True))
        self.send_header("Content-Type", f"{kind};charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Write no log line for a request."""


def _with_wrong_count(listed: Reply, fault: Fault | None, faults: Faults) -> Reply:
    """A list with a missing or wrong total count, if the fault says so."""
    count = listed.get("total_count")
    if count is None or fault not in ("no count", "count high", "count low"):
        return listed
    if fault == "no count":
        return {name: value for name, value in listed.items() if name != "total_count"}
    error = faults.between(1, 120)
    return listed | {"total_count": count + error if fault == "count high" else max(0, count - error)}


def _json(reply: Reply) -> bytes:
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
