"""What schemathesis makes of the OpenAPI document: asked as each role, every answer is one that it promises."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.api.conftest import Site
from tests.factories import sn

EXAMPLES = 4
"""Requests of each operation, right ones and wrong ones each; as each role on both databases a minute in all."""
THERE = {
    "period": "2022-11",
    "order_sn": sn(100),
    "tranche_id": 1,
    "notice": 1,
    "batch_id": 1,
    "receipt_id": 1,
}
"""What an address may name, so that right requests meet something."""
load_all_checks()
PROMISES: Any = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)


@pytest.mark.parametrize("who", ["promoter", "operator", "finance"])
def test_every_answer_is_as_the_document_says(site: Site, who: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", site.app)
    schema.validate()
    asked: dict[int, int] = {}
    results: Any = schema.get_all_operations()
    for operation in (result.ok() for result in results):
        for mode in GenerationMode:
            ask_many(site, who, operation, mode, asked)
    assert asked[200] > 20
    assert asked[403] > 20
    assert set(asked) <= {200, 400, 401, 403, 404, 405, 409, 413, 415, 422}


def ask_many(site: Site, who: str, operation: Any, mode: GenerationMode, asked: dict[int, int]) -> None:
    """Ask one operation with made-up requests; count the answers by status."""
    named = {parameter.name for parameter in operation.path_parameters}
    there = {name: value for name, value in THERE.items() if name in named}
    right = mode is GenerationMode.POSITIVE
    requests = operation.as_strategy(mode, **({"path_parameters": there} if right and there else {}))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests)
    def ask(case: Case) -> None:
        # The library asks for gzip, and without a server between does not undo it.
        headers = {"Authorization": f"Bearer {site.tokens[who]}", "Accept-Encoding": "identity"}
        response = case.call_and_validate(headers=headers, checks=PROMISES)
        asked[response.status_code] = asked.get(response.status_code, 0) + 1

    ask()
