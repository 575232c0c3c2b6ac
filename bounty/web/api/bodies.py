"""Small JSON bodies, read as strictly as files are: no doubled keys, no NaN, no unknown fields."""

from io import BytesIO
from typing import TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from bounty.errors import RefusedFile
from bounty.files.json_stream import Document
from bounty.files.problems import storable

Body = TypeVar("Body", bound=BaseModel)


def read_body(body: bytes, model: type[Body]) -> Body:
    """An object of texts.

    Raises RefusedFile: E-JSON for what is no JSON object in UTF-8, E-DUPKEY, and E-FIELD for fields that the model does
    not take.
    """
    document, values = Document(BytesIO(body)), dict[str, object]()
    if document.peek() != b"{":
        raise document.broken("{...} expected")
    for key in document.members():
        try:
            values[key] = msgspec.json.decode(document.value())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise document.broken(f"a value of {key!a} expected") from None
    document.finish()
    try:
        found = model.model_validate(values)
    except ValidationError as errors:
        at = str(errors.errors()[0]["loc"][0])
        raise _unfit(at) from None
    for name, value in found:
        if isinstance(value, str) and ("\0" in value or storable(value) != value):
            raise _unfit(name)
    return found


def _unfit(field: str) -> RefusedFile:
    return RefusedFile(
        "E-FIELD",
        f"字段 {field!a} 不对或缺失：可用的字段见 /api/v1/openapi.json",
        f"the field {field!a} is missing or can't be that: /api/v1/openapi.json says what it can be",
    )
