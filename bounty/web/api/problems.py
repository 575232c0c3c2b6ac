"""What went wrong, as ``application/problem+json`` (RFC 9457) with a code, in the language asked for."""

import json
from collections.abc import Mapping

from flask import Response
from werkzeug.exceptions import HTTPException

from bounty.errors import BountyError, RefusedFile
from bounty.web.shared.language import _, language

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that gets no answer but a problem."""

    def __init__(
        self, status: int, code: str, zh: str, en: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(en)
        self.status, self.code, self.zh, self.en, self.headers = status, code, zh, en, headers or {}


def not_found() -> Problem:
    """What is not there, or is another's."""
    return Problem(
        404, "NOT_FOUND", "没有这一项，或它不属于您。", "There is no such thing, or it is not yours."
    )


def answer(problem: Problem) -> Response:
    """The problem as a response."""
    body = {
        "type": "about:blank",
        "title": _titles()[problem.status],
        "status": problem.status,
        "detail": problem.zh if language() == "zh" else problem.en,
        "code": problem.code,
    }
    return Response(
        json.dumps(body, ensure_ascii=False), problem.status, headers=problem.headers, content_type=MEDIA_TYPE
    )


def of_refusal(refusal: BountyError) -> Problem:
    """A refusal of a service: 400 for what is no JSON, 422 for all else."""
    if isinstance(refusal, RefusedFile):
        status = 400 if refusal.code in ("E-JSON", "E-ENC", "E-DUPKEY") else 422
        return Problem(status, refusal.code, refusal.zh, f"{refusal.code} {refusal.en}")
    return Problem(422, "REFUSED", refusal.zh, str(refusal))


def of_http(error: HTTPException) -> Problem:
    """An error of the server's own: no such address, another method, a body that is too long."""
    known = {
        404: ("NOT_FOUND", "没有这个地址。", "There is no such address."),
        405: (
            "METHOD_NOT_ALLOWED",
            "这个地址不支持这种方法。",
            "This address can't be asked for in this way.",
        ),
        413: ("TOO_LARGE", "请求正文过大：请分多次提交。", "The body is too large: send it in parts."),
    }
    status = error.code or 500
    code, zh, en = known.get(
        status, ("BAD_REQUEST", "请求有误，无法理解。", "The request can't be understood.")
    )
    if status not in _titles():
        status = 400
    # Which methods there are instead; the others of its headers speak of a page.
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return Problem(status, code, zh, en, headers)


def _titles() -> dict[int, str]:
    return {
        400: _("请求无法理解"),
        401: _("需要有效的令牌"),
        403: _("令牌没有这项权限"),
        404: _("找不到"),
        405: _("不支持这种方法"),
        409: _("仍在处理"),
        413: _("正文过大"),
        415: _("正文类型不对"),
        422: _("没有办成"),
        429: _("请求过于频繁"),
        500: _("程序出错"),
        503: _("账本正忙"),
    }
