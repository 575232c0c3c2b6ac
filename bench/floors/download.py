"""The floor of sync without the import: the same responses, requested over one connection, parsed and written."""

from hashlib import md5
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

_LONGEST, _OVERLAP, _PAGE = 85_800, 600, 50


class _Order(msgspec.Struct):
    order_sn: str


class _List(msgspec.Struct):
    order_list: list[_Order]
    total_count: int


class _Page(msgspec.Struct):
    order_list_get_response: _List


_read = msgspec.json.Decoder(_Page).decode


def download(address: str, client: str, now: int, from_at: int, folder: str) -> dict[str, Any]:
    """Every page of every span up to a minute ago: a file a span, a reply a line; spans overlap, so rows come twice."""
    parts = urlsplit(address)
    connection = HTTPConnection(str(parts.hostname), parts.port)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def asked(start: int, end: int, page: int) -> tuple[bytes, _List]:
        call = {
            "type": "pdd.ddk.all.order.list.increment.get",
            "client_id": client,
            "timestamp": str(now),
            "start_update_time": str(start - _OVERLAP),
            "end_update_time": str(end),
            "page": str(page),
            "page_size": str(_PAGE),
        }
        text = client + "".join(name + call[name] for name in sorted(call)) + client
        call["sign"] = md5(text.encode()).hexdigest().upper()
        connection.request("POST", parts.path, urlencode(call), headers)
        body = connection.getresponse().read()
        return body, _read(body).order_list_get_response

    rows = replies = 0
    for start in range(from_at, now - 60, _LONGEST):
        end = min(start + _LONGEST, now - 60)
        _, first = asked(start, end, 1)
        replies += 1
        with Path(folder, f"{start}.jsonl").open("wb") as file:
            for page in range(-(-first.total_count // _PAGE) + 1, 0, -1):
                body, listed = asked(start, end, page)
                replies += 1
                if listed.order_list:
                    rows += len(listed.order_list)
                    file.write(body + b"\n")
    connection.close()
    return {"rows": rows, "replies": replies}
