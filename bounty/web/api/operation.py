"""What a view of the API is: an address, who may, what it takes and answers; and the OpenAPI document of them all."""

import json
from collections.abc import Callable
from functools import cache, wraps
from hashlib import sha256
from typing import Any

from flask import Response, request
from pydantic import BaseModel, Field, ValidationError
from spectree import Response as Answers
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData

from bounty.files.problems import storable
from bounty.web.api import models
from bounty.web.api.bearer import blueprint
from bounty.web.api.problems import MEDIA_TYPE, Problem, not_found
from bounty.web.shared.access import allows, public
from bounty.web.shared.language import LANGUAGES

View = Callable[..., dict[str, Any] | str]
"""Answers with an object, or with the text of one that was answered before."""
PERIOD = {
    "type": "string",
    "pattern": "^([a-z][a-z0-9-]{0,31}:)?20[0-9]{2}-[0-9]{2}[ab]?$",
    "examples": ["2022-12", "sprint:2022-12a"],
}
"""A period in an address; Flask's converter says the same to the router."""
KEY = r"[\x21-\x7e]{1,200}"
"""What an Idempotency-Key may be: visible ASCII."""

_roles: dict[str, tuple[str, ...]] = {}
"""Operation -> the roles whose tokens may; none: it needs no token."""
_spec = SpecTree(
    "flask",
    title="bounty",
    version="1",
    description="Progress, orders and results of the monthly bounty programme. Money is whole fen and named `_fen`; "
    "instants are RFC 3339 in Asia/Shanghai. Lists go on at `next` until it is null.",
    mode="strict",
    annotations=False,
    security_schemes=[
        SecurityScheme(name="token", data=SecuritySchemeData(SecureType.HTTP, scheme="bearer"))
    ],
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
)


class WithKey(BaseModel):
    """The header by which a repeated request is known."""

    key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        pattern=f"^{KEY}$",
        description="The same key and body get the same answer, and take effect once.",
    )


def operation(
    rule: str,
    *roles: str,
    answer: type[BaseModel],
    method: str = "GET",
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
) -> Callable[[View], View]:
    """Serve a view under an address and describe it in the document, where its docstring says what it does.

    roles  whose tokens may; none: it needs no token
    query  what may stand behind the ``?``; the view is given it as ``query``
    body   for the document alone: the view reads the body itself
    """

    def add(view: View) -> View:
        @wraps(view)
        def answered(**arguments: Any) -> Response:
            if not all(map(_can_be_stored, arguments.values())):
                raise not_found()
            given = _query(query)
            content = view(**arguments) if given is None else view(query=given, **arguments)
            return _response(content)

        documented = _spec.validate(
            query=query,
            json=body,
            headers=WithKey if method == "POST" else None,
            resp=Answers(
                HTTP_200=answer, **dict.fromkeys(_problems(method, roles, rule, query), models.ProblemBody)
            ),
            security=[{"token": []}] if roles else [],
            tags=[roles[0] if roles else "everybody"],
            operation_id=view.__name__,
            skip_validation=True,
        )(answered)
        _roles[view.__name__] = roles
        blueprint.add_url_rule(
            rule,
            view.__name__,
            allows(*roles)(documented) if roles else public(documented),
            methods=[method],
            provide_automatic_options=False,
        )
        return view

    return add


def _can_be_stored(argument: object) -> bool:
    """Whether both databases can search for a value of an address: 64 bits, and no NUL or half character."""
    if isinstance(argument, str):
        return "\0" not in argument and storable(argument) == argument
    return not isinstance(argument, int) or argument < 2**63


def _problems(method: str, roles: tuple[str, ...], rule: str, query: type[BaseModel] | None) -> list[str]:
    """The problems that an operation may answer with."""
    codes = [422]
    if roles:
        codes += [401, 403, 429]
    if "<" in rule:
        codes += [404]
    if method == "POST":
        codes += [400, 409, 413, 415]
    return [f"HTTP_{code}" for code in sorted([*codes, 503])]


def _query(model: type[BaseModel] | None) -> BaseModel | None:
    """What stands behind the ``?``.

    Raises Problem for a name that there is not or that stands twice, and for a value that can't be.
    """
    for name, values in request.args.lists():
        if model is None or name not in model.model_fields:
            raise Problem(422, "E-QUERY", f"没有查询参数 {name!a}。", f"There is no parameter {name!a}.")
        if len(values) > 1:
            raise Problem(
                422, "E-QUERY", f"查询参数 {name} 出现了两次。", f"The parameter {name} stands twice."
            )
    if model is None:
        return None
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as errors:
        name = str(errors.errors()[0]["loc"][0])
        raise Problem(
            422,
            "E-QUERY",
            f"查询参数 {name} 的值不对：可用的值见 /api/v1/openapi.json。",
            f"The parameter {name} can't be that: /api/v1/openapi.json says what it can be.",
        ) from None


def _response(content: dict[str, Any] | str) -> Response:
    """JSON; where it is read, with an ETag of everything but the moment of the request."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    response = Response(text, content_type="application/json")
    if request.method in ("GET", "HEAD"):
        lasting = (
            {name: value for name, value in content.items() if name != "as_of"}
            if isinstance(content, dict)
            else content
        )
        response.set_etag(sha256(json.dumps(lasting).encode()).hexdigest()[:32], weak=True)
        response.make_conditional(request)
    return response


@blueprint.get("/openapi.json", provide_automatic_options=False)
@public
def openapi() -> Response:
    """This document."""
    return _response(document())


@cache
def document() -> dict[str, Any]:
    """The library's document, with what it does not know: media type of problems, headers, the period's form."""
    spec: dict[str, Any] = _spec.spec
    schemas = spec["components"]["schemas"]
    for name in [name for name in schemas if name == WithKey.__name__ or name.endswith("Query")]:
        del schemas[name]  # they stand as parameters where they are taken
    for path in spec["paths"].values():
        for method, each in path.items():
            for parameter in each["parameters"]:
                if parameter["name"] == "period" and parameter["in"] == "path":
                    parameter["schema"] = PERIOD
            each["parameters"].append(_language_header())
            each["x-roles"] = list(_roles[each["operationId"]])
            for status, response in each["responses"].items():
                if status != "200" and "application/json" in response.get("content", {}):
                    response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
                for name in _HEADERS.get(status, ()):
                    response["headers"] = {name: {"schema": {"type": "string"}}}
            if method == "get":
                each["responses"]["304"] = {"description": "Nothing has changed but as_of."}
                each["responses"]["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return spec


_HEADERS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}


def _language_header() -> dict[str, Any]:
    return {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "examples": list(LANGUAGES)},
        "description": "Of the sentences in problems.",
    }
