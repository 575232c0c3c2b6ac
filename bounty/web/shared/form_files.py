"""The uploaded file of a form."""

from flask import request
from werkzeug.datastructures import FileStorage

from bounty.errors import BountyError


def uploaded_file(en: str = "Choose a file.", zh: str = "请选择文件。") -> tuple[FileStorage, str]:
    """The file of a form's field ``file``, and its name.

    Raises BountyError with these texts if no file was chosen.
    """
    file = request.files.get("file")
    if file is None or not file.filename:
        raise BountyError(en, zh)
    return file, file.filename
