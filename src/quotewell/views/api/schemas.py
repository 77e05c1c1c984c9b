"""What OpenAPI says of the answers: JSON Schemas of the very structs that they are made of."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from quotewell.portfolio.reconciliation import Reconciliation
from quotewell.portfolio.summary import Summary
from quotewell.portfolio.what_if import WhatIfReport
from quotewell.views.api import documents
from quotewell.views.api.jobs import Job
from quotewell.views.api.problems import MEDIA_TYPE, ProblemDetails
from quotewell.views.documents import Cleared, Prefetch, Statistics
from quotewell.views.explanation import Explanation
from quotewell.views.quotes import Row

__all__ = ["answers", "describe", "schema_of"]

_DOCUMENTS: tuple[type[msgspec.Struct], ...] = (
    Row,
    Explanation,
    Prefetch,
    Statistics,
    Cleared,
    Summary,
    WhatIfReport,
    Reconciliation,
    Job,
    ProblemDetails,
    *(getattr(documents, name) for name in documents.__all__),
)
_TEMPLATE = "#/components/schemas/{name}"
_PROBLEM = {
    "description": "A problem (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": _TEMPLATE.format(name="ProblemDetails")}}},
}


def schema_of(kind: Any) -> dict[str, Any]:
    """The schema of a struct, or of a list of it, as a reference."""
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    return schema


def answers(
    kind: Any, description: str, *, example: object = None, status: int = 200, unchanged: bool = False
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route.

    Args:
        kind: The struct that it answers, or a list of it.
        description: What that is.
        example: One, as a struct or as JSON.
        status: With which it answers.
        unchanged: Whether it may say that the client's own copy is still right.
    """
    content: dict[str, Any] = {"schema": schema_of(kind)}
    if example is not None:
        content["example"] = msgspec.to_builtins(example)
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": description, "content": {"application/json": content}},
        "default": _PROBLEM,
    }
    if unchanged:
        found[304] = {"description": "What the client has is still right."}
    return found


def describe(app: FastAPI, *, needs_token: bool) -> None:
    """Let `app` describe itself with the schemas of its documents."""
    app.openapi = functools.cache(functools.partial(_openapi, app, needs_token))  # type: ignore[method-assign]


def _openapi(app: FastAPI, needs_token: bool) -> dict[str, Any]:
    found: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, components = msgspec.json.schema_components(_DOCUMENTS, ref_template=_TEMPLATE)
    parts = found.setdefault("components", {})
    schemas: dict[str, Any] = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _all_there(components)
    if needs_token:
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


def _all_there(components: Mapping[str, Any]) -> dict[str, Any]:
    """Schemas in which every key is required: those with a default are written, too."""
    return {
        name: {**schema, "required": list(schema["properties"])} if "properties" in schema else schema
        for name, schema in components.items()
    }
