"""A call of the platform: signed as documented, made safely, and each kind of refused_call met in its own way."""

import json
import logging
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from threading import Thread
from typing import Any

import pytest

from bounty.errors import BountyError
from bounty.fake_platform.faults import FAULTS, Fault, Faults
from bounty.platforms.pdd import client as client_module
from bounty.platforms.pdd.account import GATEWAY, PlatformAccount, require_safe_address
from bounty.platforms.pdd.client import TRIES, Platform
from bounty.platforms.pdd.errors import FAMILIES, RETRYABLE, PlatformError, refused_call
from bounty.platforms.pdd.signing import signature
from tests.factories import shanghai
from tests.platform.world import SECRET, World, a_world

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
DAY = (shanghai("2022-12-19 00:00:00"), shanghai("2022-12-20 00:00:00"))


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


# The signature


def test_the_official_example_is_signed_as_it_says() -> None:
    vector = sample("sign_vector")
    vector = vector.get("body", vector)
    assert signature(vector["params"], vector["client_secret"]) == vector["sign"]


# What it answers


def test_a_page_says_how_many_there_are_and_whose(tmp_path: Path) -> None:
    with a_world() as world:
        truth = world.market.updated(*DAY, world.clock.at)
        page = world.platform().updated_orders(*DAY, 1)
    assert page.total_count == len(truth)
    assert page.orders == tuple(sold.fixed["order_sn"] for sold, _ in truth[:50])
    assert page.body.startswith(b'{"order_list_get_response"')


def test_a_detail_is_of_the_order_that_was_asked_for() -> None:
    with a_world() as world:
        order_sn = world.market.updated(*DAY, world.clock.at)[0][0].fixed["order_sn"]
        detail = world.platform().order(order_sn)
    assert detail.order_sn == order_sn
    assert b'"return_status"' in detail.body


def test_paid_orders_go_on_where_the_page_before_ended() -> None:
    with a_world(orders=700) as world:
        platform, span = world.platform(), (shanghai("2022-12-01 00:00:00"), shanghai("2022-12-20 00:00:00"))
        first = platform.paid_orders(*span, "")
        second = platform.paid_orders(*span, first.last_order_id or "")
        truth = [sold.fixed["order_sn"] for sold, _ in world.market.paid(*span, world.clock.at)]
    assert [*first.orders, *second.orders] == truth
    assert len(first.orders) == 300


# What goes wrong and passes


@pytest.mark.parametrize("kind", FAULTS)
def test_what_passes_is_asked_again_after_a_growing_wait(kind: Fault) -> None:
    """A count, a page or a date that is wrong is no refused_call: who reads the pages sees to those."""
    faults = Faults(kinds=(kind,), permille=1000, silence_seconds=1)
    with a_world(faults=faults) as world:
        platform = world.platform()
        draws = iter([True, True, False])
        faults.draw = lambda: kind if next(draws, False) else None  # type: ignore[method-assign]
        page = platform.updated_orders(*DAY, 1)
    assert page.orders
    told_as_it_is = kind in ("repeated", "no count", "count high", "count low", "clock")
    assert len(world.waits) == (0 if told_as_it_is else 2)
    if kind == "clock":
        assert 120 <= platform.clock_offset <= 300


@pytest.mark.parametrize("kind", ["busy", "server 50001", "cut json", "html"])
def test_what_does_not_pass_is_given_up_with_a_sentence(kind: Fault) -> None:
    with a_world(faults=Faults(kinds=(kind,), permille=1000)) as world:
        with pytest.raises(PlatformError, match=r"run this again") as refused:
            world.platform().updated_orders(*DAY, 1)
        assert world.server.gateway.calls == TRIES or kind == "html"
    assert refused.value.family in RETRYABLE
    assert len(world.waits) == TRIES - 1
    assert all(0 <= wait <= client_module.LONGEST_WAIT for wait in world.waits)
    assert len(set(world.waits)) > 1, "no jitter"


# What does not pass


def test_a_rule_that_was_broken_is_not_tried_again() -> None:
    with a_world() as world:
        with pytest.raises(PlatformError, match="时间跨度不能超过24小时") as refused:
            world.platform().updated_orders(DAY[0], DAY[1] + 1, 1)
        assert world.server.gateway.calls == 1
    assert refused.value.family == "CALL"


@pytest.mark.parametrize(
    ("changed", "code", "advice"),
    [
        ({"client_secret": "another"}, "20004", "BOUNTY_PLATFORM_CLIENT_ID"),
        ({"client_id": "another"}, "10016", "BOUNTY_PLATFORM_CLIENT_ID"),
    ],
)
def test_who_is_not_let_in_is_told_where_to_look(changed: dict[str, str], code: str, advice: str) -> None:
    with a_world() as world:
        with pytest.raises(PlatformError, match=code) as refused:
            world.platform(**changed).updated_orders(*DAY, 1)
        assert world.server.gateway.calls == 1
    assert advice in str(refused.value)


def test_every_code_has_its_family_and_its_sentence() -> None:
    for code, family in FAMILIES.items():
        assert refused_call(code, "x").family == family
        assert refused_call(code, "x").zh != str(refused_call(code, "x"))
    samples = [sample(name) for name in ("error_24h_window", "error_public_parameter")]
    errors = [each.get("body", each)["error_response"] for each in samples]
    assert [refused_call(each["error_code"], each["error_msg"]).family for each in errors] == ["CALL", "CALL"]
    assert refused_call(50001, "系统繁忙，请稍后再试").family == "DOWN"
    assert refused_call(99999, "?").family == "UNKNOWN"
    assert not RETRYABLE & {"CALL", "ACCESS", "FORBIDDEN", "UNKNOWN", "CLOCK"}


# The clock


@pytest.mark.parametrize("apart", [540, -540, 660, -660])
def test_clocks_too_far_apart_are_told_and_nothing_more_is_asked(apart: int) -> None:
    with a_world() as world:
        there = world.clock.at
        world.server.gateway.clock = lambda: there + apart
        with pytest.raises(PlatformError, match=f"{abs(apart) // 60} minutes") as refused:
            world.platform().updated_orders(*DAY, 1)
    assert refused.value.family == "CLOCK"
    assert world.waits == []


# The way


@pytest.mark.parametrize(
    "url",
    [
        "http://gw-api.pinduoduo.com/api/router",
        "http://127.0.0.1.example.com/api/router",
        "http://user:x@127.0.0.1/api/router",
        "https://user@gw-api.pinduoduo.com/",
        "https://gw-api.pinduoduo.com/api/router?a=b",
        "ftp://127.0.0.1/",
        "gw-api.pinduoduo.com",
        "",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(BountyError, match="https://HOST"):
        require_safe_address(url)


def test_safe_addresses_are_taken() -> None:
    for url in (
        GATEWAY,
        "http://127.0.0.1:5099/api/router",
        "http://localhost/",
        "http://[::1]:1/",
    ):
        require_safe_address(url)


def test_without_an_account_there_is_a_sentence() -> None:
    with pytest.raises(BountyError, match="BOUNTY_PLATFORM_CLIENT_SECRET"):
        Platform(PlatformAccount(GATEWAY, "", ""), lambda: 0)


class _Elsewhere(BaseHTTPRequestHandler):
    seen: list[str] = []  # noqa: RUF012 - one list for the handlers of one test
    reply = b""
    status = 302

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append(f"{self.path} {sent}")
        self.send_response(self.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/stolen")  # type: ignore[index]
        body = self.reply or b'{"error_response":{"error_code":20004,"error_msg":"%s"}}' % sent.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def test_a_redirect_is_not_followed_and_what_is_handed_back_is_not_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(_Elsewhere, "seen", [])
    with TCPServer(("127.0.0.1", 0), _Elsewhere) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        account = PlatformAccount(f"http://127.0.0.1:{server.server_address[1]}/api/router", "id", SECRET)
        platform = Platform(account, lambda: shanghai("2026-01-01 00:00:00"), lambda _: None)
        monkeypatch.setattr(Platform, "_compare_clocks", lambda *_: None)
        with pytest.raises(PlatformError, match="302"):
            platform.order("1-1")
        assert {line.partition(" ")[0] for line in _Elsewhere.seen} == {"/api/router"}
        assert len(_Elsewhere.seen) == TRIES

        monkeypatch.setattr(_Elsewhere, "status", 200)
        with pytest.raises(PlatformError, match="20004") as refused:
            platform.order("1-1")
        server.shutdown()
    sign = _Elsewhere.seen[-1].partition("sign=")[2].partition("&")[0]
    assert len(sign) == 32
    told = f"{refused.value} {refused.value.zh} {caplog.text} {account!r} {platform!r}"
    assert "***" in told
    for secret in (SECRET, sign):
        assert secret not in told


def test_nothing_of_a_call_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with a_world(faults=Faults(kinds=("busy", "cut"), permille=400)) as world:
        for page in range(1, 6):
            world.platform().updated_orders(*DAY, page)
    assert SECRET not in caplog.text
    assert "sign" not in caplog.text


# The stand-in


def refused_with(world: World, call: dict[str, str]) -> int:
    gateway = world.server.gateway
    sound = {"client_id": gateway.client_id, "timestamp": str(world.clock.at), **call}
    sound.setdefault("sign", gateway._sign(sound))
    reply, _ = gateway.answer({name: value for name, value in sound.items() if value})
    code: int = reply["error_response"]["error_code"]
    return code


def test_the_stand_in_holds_the_documented_limits() -> None:
    increment = {"type": "pdd.ddk.all.order.list.increment.get", "page": "1", "page_size": "50"}
    span = {"start_update_time": str(DAY[0]), "end_update_time": str(DAY[1])}
    with a_world(calls_a_second=20) as world:
        now = world.clock.at
        for code, call in (
            (10001, {"type": "", **span}),
            (10001, increment | span | {"timestamp": ""}),
            (10001, increment | span | {"timestamp": str(now - 601)}),
            (10016, increment | span | {"client_id": "x"}),
            (20004, increment | span | {"sign": "0" * 32}),
            (10017, {"type": "pdd.ddk.nothing.get"}),
            (10000, increment),
            (10000, increment | span | {"page_size": "9"}),
            (10000, increment | span | {"page_size": "101"}),
            (10000, increment | span | {"page": "10001"}),
            (50001, increment | span | {"end_update_time": str(DAY[1] + 1)}),
            (
                50001,
                increment
                | {
                    "start_update_time": str(now - 90 * 86_400 - 1),
                    "end_update_time": str(now - 90 * 86_400),
                },
            ),
            (50001, {"type": "pdd.ddk.order.detail.get", "order_sn": "1-1"}),
            (
                10000,
                {
                    "type": "pdd.ddk.order.list.range.get",
                    "start_time": "2022-12-05",
                    "end_time": "2022-12-06",
                },
            ),
        ):
            assert refused_with(world, call) == code, call
        for _ in range(30):
            last = refused_with(world, {"type": "pdd.ddk.order.detail.get", "order_sn": "1-1"})
        assert last == 70031
        world.clock.at += 1
        assert refused_with(world, {"type": "pdd.ddk.order.detail.get", "order_sn": "1-1"}) == 50001


def test_the_stand_ins_rows_have_the_fields_of_the_official_example() -> None:
    official = sample("increment_official_shape")
    names = set(official.get("body", official)["order_list_get_response"]["order_list"][0])
    with a_world() as world:
        sold = [each for each in world.market.orders.values() if each.unset != "absent"]
        rows = [each.row(step) for each in sold for step in each.steps]
    assert all(row.keys() >= names for row in rows), names - rows[0].keys()
