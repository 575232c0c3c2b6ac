"""Chat robots: the form of a message, its signature, and what the chat answers.

    dingtalk  POST .../robot/send?access_token=&timestamp=MS&sign=   {"msgtype": "text", "text": {"content"}}
              sign: base64 of HMAC-SHA256 under the secret of "MS\nSECRET"; taken if errcode is 0
    wecom     POST .../cgi-bin/webhook/send?key=                     {"msgtype": "text", "text": {"content"}}
              the key is the credential; at most 2,048 bytes of text; taken if errcode is 0
    feishu    POST .../open-apis/bot/v2/hook/ID                      {"msg_type": "text", "content": {"text"}}
              with timestamp (seconds) and sign, base64 of HMAC-SHA256 under "SECONDS\nSECRET" of nothing; taken if code
              is 0 (StatusCode in the older answer)

Sources: DingTalk, custom robot access (open.dingtalk.com/document/robots/custom-robot-access); WeCom, group robots
(developer.work.weixin.qq.com/document/path/91770); Feishu, custom bots
(open.feishu.cn/document/client-docs/bot-v3/add-custom-bot). All answer HTTP 200 to what they refuse, too.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from bounty.money import grouped_yuan
from bounty.notifications.errors import DeliveryFailed
from bounty.notifications.message_kinds import MessageKind

BYTES: Final = 2_048
"""Of a text in UTF-8: the least of the three limits, WeCom's."""
SITE: Final = "bounty"
"""Stands in every message, so that a robot that asks for a key word can be given this one."""
_FIELDS: Final = {
    "period": ("期次", "period"),
    "notice": ("公示", "notice"),
    "since": ("上一公示", "since notice"),
    "settlement": ("核算", "settlement"),
    "subsidy_fen": ("补贴", "subsidy"),
    "subsidy_high_fen": ("补贴上限预计", "subsidy, upper end"),
    "budget_fen": ("预算", "budget"),
    "results": ("人数", "results"),
    "lines": ("补贴单数", "lines"),
    "batch": ("批次", "batch"),
    "kind": ("种类", "kind"),
    "read": ("读入", "read"),
    "new": ("新增", "new"),
    "changed": ("变更", "changed"),
    "quarantined": ("隔离", "quarantined"),
    "waiting": ("待处理", "waiting"),
    "tranche": ("付款批次", "tranche"),
    "payouts": ("笔数", "payouts"),
    "amount_fen": ("金额", "amount"),
    "due_fen": ("待付", "due"),
    "appeal": ("申诉", "appeal"),
    "verdict": ("答复", "answer"),
    "due_at": ("答复期限", "answer due"),
    "promoters": ("推手", "promoters"),
    "orders": ("订单", "orders"),
    "receipts_until": ("收货截止", "receipts until"),
    "frozen_at": ("开期时间", "frozen at"),
    "gaps": ("缺口", "gaps"),
    "first_from": ("最早自", "first from"),
    "violations": ("不符项", "violations"),
}
"""What a message says of an event, in Chinese and English; the other fields are for programs."""


def text_of(kind: str, data: Mapping[str, object]) -> str:
    """An event in words, in both languages, at most BYTES long.

    >>> print(text_of("draft", {"period": "2022-12", "settlement": 5, "subsidy_fen": 5300}))
    【bounty】草稿已就绪 / draft ready
    期次 period：2022-12
    核算 settlement：5
    补贴 subsidy：¥53.00
    """
    lines = [f"【{SITE}】{' / '.join(MessageKind.labels()[kind])}"]
    for name, value in data.items():
        if name in _FIELDS:
            zh, en = _FIELDS[name]
            shown_value = grouped_yuan(value) if name.endswith("_fen") and isinstance(value, int) else value
            if isinstance(shown_value, Mapping):
                shown_value = "、".join(f"{key} {count}" for key, count in shown_value.items())
            lines.append(f"{zh} {en}：{shown_value}")
    return "\n".join(lines).encode()[:BYTES].decode(errors="ignore")


def body_of(robot: str, kind: str, data: Mapping[str, object]) -> str:
    """What a robot is sent of an event, without the signature, which has the moment of the delivery in it."""
    text = text_of(kind, data)
    content = (
        {"msg_type": "text", "content": {"text": text}}
        if robot == "feishu"
        else {"msgtype": "text", "text": {"content": text}}
    )
    return json.dumps(content, ensure_ascii=False)


def signed(robot: str, url: str, secret: str, body: bytes, now: int) -> tuple[str, bytes]:
    """Address and body of a delivery at an instant; a robot without a secret gets them as they are."""
    if not secret or robot == "wecom":
        return url, body
    if robot == "dingtalk":
        at = str(now * 1000)
        sign = _hmac(secret.encode(), f"{at}\n{secret}".encode())
        return f"{url}&timestamp={at}&sign={quote(sign, safe='')}", body
    at = str(now)
    sign = _hmac(f"{at}\n{secret}".encode(), b"")
    return url, json.dumps({"timestamp": at, "sign": sign, **json.loads(body)}, ensure_ascii=False).encode()


def _hmac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, "sha256")).decode()


def require_taken(status: int, answer: str) -> None:
    """Raises DeliveryFailed where a chat answered that it did not take a message."""
    try:
        reply = json.loads(answer)
    except ValueError:
        reply = None
    codes = (
        [reply[name] for name in ("errcode", "code", "StatusCode") if name in reply]
        if isinstance(reply, dict)
        else []
    )
    if not codes:
        raise DeliveryFailed("the answer is not that of a robot", status=status, answer=answer)
    if codes[0] != 0:
        words = next((reply[name] for name in ("errmsg", "msg", "StatusMessage") if name in reply), "")
        raise DeliveryFailed(f"{codes[0]} {words}"[:300], status=status, answer=answer)
