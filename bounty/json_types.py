"""The type of JSON whose shape the program does not determine. JSON of a known shape has a type of its own."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value that JSON can hold."""
JsonObject: TypeAlias = dict[str, Json]
"""A JSON object."""
