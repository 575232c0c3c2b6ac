"""Error pages: a refusal shows what to do; a bug shows the request id to report."""

from flask import Flask, Response, current_app, g, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, SecurityError

from bounty.errors import BountyError
from bounty.web.api import problems
from bounty.web.period_names import with_period_labels
from bounty.web.shared.language import _, in_language, language
from bounty.web.shared.page_tokens import BadPageToken
from bounty.web.shared.tables import BadRequestedTable


def refusal_text(refusal: BountyError) -> str:
    """A refusal's text in the reader's language."""
    return with_period_labels(refusal.zh if language() == "zh" else getattr(refusal, "en", str(refusal)))


def install(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(BountyError, _refused)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(HTTPException, _failed)
    app.register_error_handler(Exception, _bug)


def _page(status: int, title: str, sentence: str) -> tuple[str, int]:
    if "person" not in g:
        # The error happened before the account was loaded. Loading it for the page would fail again.
        g.person, g._login_user = None, current_app.login_manager.anonymous_user()  # type: ignore[attr-defined]
    page = render_template(
        "errors.html", status=status, title=title, sentence=sentence, request_id=g.get("request_id", "")
    )
    return page, status


def _refused(refusal: BountyError) -> tuple[str, int]:
    status = 400 if isinstance(refusal, BadPageToken | BadRequestedTable) else 409
    return _page(status, _("没有办成"), refusal_text(refusal))


def _busy(error: OperationalError) -> tuple[str, int]:
    current_app.logger.warning("request %s met %s", g.get("request_id", ""), error.orig)
    return _page(
        503,
        _("账本正忙"),
        _("有导入或核算正在写入，没有任何改动。请稍后再试。"),
    )


def _failed(error: HTTPException) -> tuple[str, int] | Response:
    if request.path.startswith("/api/"):  # an unknown address or method of the API
        return problems.answer(problems.of_http(error))
    if isinstance(error, SecurityError):  # an unknown host name, for which no URLs can be built
        return Response("400 Bad Request: this host is not served here.\n", 400, mimetype="text/plain")
    sentences = {
        400: (
            "请求不完整或已过期：请返回、刷新页面后再试。",
            "The request is incomplete or too old: go back, reload the page and try again.",
        ),
        401: ("请先登录。", "Log in first."),
        403: (
            "您的账号没有这项权限：需要时请联系管理员。",
            "Your account may not do this: ask an administrator if it should.",
        ),
        404: ("没有这个页面，或它不属于您。", "There is no such page, or it is not yours."),
        405: ("这个页面不能这样访问。", "This page can't be asked for in this way."),
        413: (
            "文件超过了上传上限：请拆分后再上传。",
            "The file is over the limit: split it and upload the parts.",
        ),
        429: ("请求过于频繁：请稍后再试。", "Too many requests: wait a moment."),
    }
    status = error.code or 500
    zh, en = sentences.get(status, ("没有办成。", "It was not done."))
    return _page(status, _("没有办成") if status != 404 else _("找不到"), in_language(zh, en))


def _bug(error: Exception) -> tuple[str, int]:
    current_app.logger.error("request %s failed", g.get("request_id", ""), exc_info=error)
    return _page(
        500,
        _("程序出错"),
        _("程序出错，没有任何改动。请把编号告诉管理员。"),
    )
