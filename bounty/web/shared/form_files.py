"""What a form brings along."""

from flask import request
from werkzeug.datastructures import FileStorage

from bounty.errors import BountyError


def uploaded_file(en: str = "Choose a file.", zh: str = "请选择文件。") -> tuple[FileStorage, str]:
    """The file of a form, and its name.

    Raises BountyError, in these words, where none was chosen.
    """
    file = request.files.get("file")
    if file is None or not file.filename:
        raise BountyError(en, zh)
    return file, file.filename
