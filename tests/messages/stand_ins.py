"""Stand-ins of what endpoints are: a program's webhook, and the chats' robots, written from the chats' own documents.

/robot/send                    DingTalk: timestamp in ms and sign stand in the address; 310000 where they are wrong
/cgi-bin/webhook/send          WeCom: the key stands in the address; 93000 for another one, 40008 for another form
/open-apis/bot/v2/hook/...     Feishu: timestamp in seconds and sign stand in the body; 19021 where they are wrong
"""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from tests.messages.receivers import tls_of


@dataclass(frozen=True)
class Took:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class StandIn:
    """What came, and what is answered."""

    url: str = ""
    certificate: Path = Path()
    requests: list[Took] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """What stands in the chat."""
    status: int = 204
    answer: str = ""
    """Of a webhook; with a text the status is 200."""
    drips: bool = False
    """Whether the answer comes a byte at a time, for ever."""
    robot_secret: str = ""
    refuse_all: bool = False


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        held: StandIn = cast(Any, self.server).held
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        held.requests.append(Took(self.path, headers, body))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/robot/send":
            self._say(_dingtalk(held, query, json.loads(body)))
        elif path == "/cgi-bin/webhook/send":
            self._say(_wecom(held, query, json.loads(body)))
        elif path.startswith("/open-apis/bot/v2/hook/"):
            self._say(_feishu(held, json.loads(body)))
        elif held.drips:
            self._drip()
        else:
            self.send_response(200 if held.answer else held.status)
            self.end_headers()
            self.wfile.write(held.answer.encode())

    def _say(self, answer: Mapping[str, object]) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer, ensure_ascii=False).encode())

    def _drip(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(200):
                self.wfile.write(f"x-{number}: y\r\n".encode())
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


def _dingtalk(held: StandIn, query: Mapping[str, list[str]], body: dict[str, Any]) -> dict[str, object]:
    at = query.get("timestamp", [""])[0]
    right = base64.b64encode(
        hmac.digest(held.robot_secret.encode(), f"{at}\n{held.robot_secret}".encode(), "sha256")
    ).decode()
    if not query.get("access_token") or len(at) != 13 or query.get("sign") != [right]:
        return {"errcode": 310000, "errmsg": "sign not match"}
    if body["msgtype"] != "text":
        return {"errcode": 400105, "errmsg": "unsupported msgtype"}
    held.texts.append(body["text"]["content"])
    return {"errcode": 0, "errmsg": "ok"}


def _wecom(held: StandIn, query: Mapping[str, list[str]], body: dict[str, Any]) -> dict[str, object]:
    if held.refuse_all or not query.get("key"):
        return {"errcode": 93000, "errmsg": "invalid webhook url"}
    if body["msgtype"] != "text" or len(body["text"]["content"].encode()) > 2_048:
        return {"errcode": 40008, "errmsg": "invalid message type"}
    held.texts.append(body["text"]["content"])
    return {"errcode": 0, "errmsg": "ok"}


def _feishu(held: StandIn, body: dict[str, Any]) -> dict[str, object]:
    at = str(body.get("timestamp", ""))
    right = base64.b64encode(hmac.digest(f"{at}\n{held.robot_secret}".encode(), b"", "sha256")).decode()
    if len(at) != 10 or body.get("sign") != right:
        return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    if body["msg_type"] != "text":
        return {"code": 9499, "msg": "Bad Request"}
    held.texts.append(body["content"]["text"])
    return {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}


@contextmanager
def stand_in(folder: Path) -> Iterator[StandIn]:
    """All of them on this machine, with a certificate of their own."""
    held = StandIn(certificate=folder / "certificate.pem")
    context = tls_of(held.certificate, folder / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        cast(Any, server).held = held
        server.socket = context.wrap_socket(server.socket, server_side=True)
        held.url = f"https://localhost:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield held
        server.shutdown()
