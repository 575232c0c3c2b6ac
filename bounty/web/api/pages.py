"""The description of the API as a page for people, made of the same document; it needs no scripts and nothing of other
sites."""

from dataclasses import dataclass
from typing import Any

from flask import render_template

from bounty.web.api.bearer import blueprint
from bounty.web.api.operation import document
from bounty.web.shared.access import public


@dataclass(frozen=True, slots=True)
class Described:
    """One operation, as the page shows it."""

    method: str
    path: str
    summary: str
    roles: str
    parameters: list[tuple[str, str, str]]
    """Name, type and what it means."""
    body: str | None
    """The schema of the request's body."""
    answer: str
    """The schema of the answer."""
    statuses: list[str]


@dataclass(frozen=True, slots=True)
class Schema:
    """An object, as the page shows it."""

    name: str
    summary: str
    fields: list[tuple[str, str, str]]
    """Name, type and what it means."""


@blueprint.get("/", provide_automatic_options=False)
@public
def page() -> str:
    """Every operation with its parameters and answers, and every object with its fields."""
    spec = document()
    found = [
        _operation(method, path, described)
        for path, methods in spec["paths"].items()
        for method, described in methods.items()
    ]
    schemas = [_schema(name, described) for name, described in sorted(spec["components"]["schemas"].items())]
    return render_template(
        "public/api.html", operations=sorted(found, key=lambda each: each.path), schemas=schemas
    )


def _operation(method: str, path: str, described: dict[str, Any]) -> Described:
    answers = described["responses"]
    body = described.get("requestBody")
    return Described(
        method.upper(),
        path,
        " ".join((described.get("description") or described.get("summary") or "").split()),
        ", ".join(described["x-roles"]),
        [
            (each["name"], _type(each["schema"]), each.get("description", ""))
            for each in described["parameters"]
            if each["name"] != "Accept-Language"
        ],
        None if body is None else _type(body["content"]["application/json"]["schema"]),
        _type(answers["200"]["content"]["application/json"]["schema"]),
        sorted(answers),
    )


def _schema(name: str, described: dict[str, Any]) -> Schema:
    fields = [
        (field, _type(each), each.get("description", ""))
        for field, each in described.get("properties", {}).items()
    ]
    return Schema(name, described.get("description", ""), fields)


def _type(described: dict[str, Any]) -> str:
    """A schema in words, as ``integer or null`` or ``list of Check``.

    >>> _type({"anyOf": [{"type": "integer"}, {"type": "null"}]}), _type({"type": "array", "items": {"type": "string"}})
    ('integer or null', 'list of string')
    """
    if "$ref" in described:
        return str(described["$ref"]).rpartition("/")[2]
    for joined in ("anyOf", "allOf", "oneOf"):
        if joined in described:
            return " or ".join(dict.fromkeys(_type(each) for each in described[joined]))
    if "const" in described:
        return f'"{described["const"]}"'
    if "enum" in described:
        return " | ".join(str(each) for each in described["enum"])
    if described.get("type") == "array":
        return f"list of {_type(described.get('items', {}))}"
    return str(described.get("format") or described.get("type") or "any")
