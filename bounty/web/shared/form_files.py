"""The uploaded file of a form."""

from collections.abc import Callable

from flask import Blueprint, g, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from bounty.errors import BountyError
from bounty.web.shared.language import _
from bounty.web.shared.request_context import site


def uploaded_file(en: str = "Choose a file.", zh: str = "请选择文件。") -> tuple[FileStorage, str]:
    """The file of a form's field ``file``, and its name.

    Raises BountyError with these texts if no file was chosen.
    """
    file = request.files.get("file")
    if file is None or not file.filename:
        raise BountyError(en, zh)
    return file, file.filename


def is_too_large() -> bool:
    """Whether the request carries more than may be sent; then its form can't be read."""
    limit = request.max_content_length
    return limit is not None and (request.content_length or 0) > limit


def stay_on_form(blueprint: Blueprint, endpoint: str, page: Callable[[str], str]) -> None:
    """Answer a file over the limit with the form's own page.

    endpoint   of the form's address
    page       makes the page with a sentence of refusal
    """

    @blueprint.errorhandler(RequestEntityTooLarge)
    def _too_large(error: RequestEntityTooLarge) -> tuple[str, int] | RequestEntityTooLarge:
        if request.endpoint != endpoint or g.get("person") is None:
            return error
        return page(_over_limit()), 413


def _over_limit() -> str:
    megabytes = site().settings.upload_megabytes
    return _("文件超过 %(megabytes)s MB 的上限，没有上传：请拆分后再上传。", megabytes=megabytes)
