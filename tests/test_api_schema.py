"""What OpenAPI says of the API is what it does: made-up requests cause no fault, and every answer fits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api_parts import Api, serving
from loopback_api import listening
from quotewell.views.api import examples

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NO_HTTP = b"Invalid HTTP request received."
"""What the HTTP server itself says, before there is a request: to 64 KB of URL, for one."""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def described(api: Api) -> dict[str, Any]:
    """The description, in which the keys of a book and of a job that there are stand for most others."""
    there_is = {
        "key": api.upload().rpartition("/")[2],
        "job": api.post("/prefetch", json={"symbols": ["AAPL"]}).json()["id"],
    }
    found: dict[str, Any] = api.get("/openapi.json").json()
    for operations in found["paths"].values():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                # What one request deletes would not be there for the next.
                if parameter["name"] in there_is and method != "delete":
                    parameter["schema"] = {"type": "string", "enum": [there_is[parameter["name"]], "none"]}
    return found


def ask_all(api: Api, described: dict[str, Any], mode: GenerationMode, examples: int) -> set[int]:
    """Ask every operation so often; returns the statuses that were seen."""
    seen: set[int] = set()
    many = settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    with listening(api.app) as address, requests.Session() as session:
        for found in schemathesis.openapi.from_dict(described).get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()

            @many
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case[Any]) -> None:
                response = case.call(base_url=address, session=session, timeout=60)
                if response.content == NO_HTTP:
                    return
                seen.add(response.status_code)
                case.validate_response(response, checks=CHECKS)

            # Where nothing can be sent, nothing wrong can be.
            nothing = mode is GenerationMode.NEGATIVE
            with contextlib.suppress(Unsatisfiable) if nothing else contextlib.nullcontext():
                check()
    return seen


MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES)
def test_made_up_requests_cause_no_fault_and_every_answer_fits(
    api: Api, described: dict[str, Any], mode: GenerationMode
) -> None:
    seen = ask_all(api, described, mode, examples=8)
    if mode is GenerationMode.POSITIVE:
        assert seen >= {200, 404, 422}


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", MODES)
def test_many_made_up_requests_cause_no_fault_and_every_answer_fits(
    api: Api, described: dict[str, Any], mode: GenerationMode
) -> None:
    ask_all(api, described, mode, examples=250)


def test_an_answer_that_does_not_fit_would_be_noticed(api: Api, described: dict[str, Any]) -> None:
    """The negative control: a description that promises something else."""
    wrong = msgspec.json.decode(msgspec.json.encode(described))
    wrong["components"]["schemas"]["Health"]["properties"]["status"] = {"type": "number"}
    wrong["paths"] = {"/health": wrong["paths"]["/health"]}
    with pytest.raises(FailureGroup):
        ask_all(api, wrong, GenerationMode.POSITIVE, examples=1)


@pytest.mark.parametrize(
    "name", ["ROW", "EXPLANATION", "PREFETCH", "JOB_BEGUN", "JOB_DONE", "BOOK", "BOOKS", "WHAT_IF"]
)
def test_every_example_is_what_its_struct_says(name: str) -> None:
    example = getattr(examples, name)
    assert msgspec.json.decode(msgspec.json.encode(example), type=type(example)) is not None


def test_every_operation_says_what_it_does_and_every_answer_how_it_looks(described: dict[str, Any]) -> None:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            responses = operation["responses"]
            problem = responses["default"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/ProblemDetails"}
            (good,) = [status for status in responses if status.startswith("2")]
            assert good == "204" or responses[good]["content"], (method, path)
    assert set(described["components"]["schemas"]["Row"]["required"]) >= {"symbol", "price", "error"}


def test_with_a_token_the_description_says_so() -> None:
    with serving(token="x" * 20) as guarded:
        headers = {"authorization": f"Bearer {'x' * 20}"}
        found = guarded.get("/openapi.json", headers=headers).json()
    assert found["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    assert found["security"] == [{"token": []}]
