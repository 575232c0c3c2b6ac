"""The files of an appeal: taken from a form, and sent as downloads that no browser opens in the site's name."""

from flask import Response, abort, request, send_file

from bounty.appeals.attachments import AttachmentLimits, AttachmentRow, CheckedFile, check_file, stored_path
from bounty.web.shared.request_context import site

SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""Policy of a file that somebody sent us: even opened in the browser it may do nothing."""


def limits() -> AttachmentLimits:
    """What the settings allow."""
    return AttachmentLimits(site().settings.appeal_files, site().settings.appeal_file_megabytes)


def files_in_form() -> list[CheckedFile]:
    """The files of the form's field ``files``, each checked by its content.

    Raises BountyError for a file that is not accepted.
    """
    allowed = limits()
    chosen = [each for each in request.files.getlist("files") if each.filename]
    most = allowed.megabytes * 1_000_000 + 1
    return [check_file(each.filename or "", each.stream.read(most), allowed) for each in chosen]


def download(row: AttachmentRow | None) -> Response:
    """A file of an appeal, as a download.

    row   of ``appeal_attachments``; None answers 404
    """
    path = None if row is None else stored_path(site().settings.uploads, row.sha256, row.media_type)
    if row is None or path is None or not path.is_file():
        abort(404)
    response = send_file(path, row.media_type, as_attachment=True, download_name=row.file_name, max_age=0)
    response.headers["Content-Security-Policy"] = SANDBOX
    return response
