"""Documents as answers: JSON, and for how long a client may go on using one."""

from __future__ import annotations

import hashlib

import msgspec
from starlette.responses import Response

__all__ = ["document", "fresh_for", "matches", "not_modified", "tag_of"]

_JSON = "application/json"
_NOSNIFF = {"x-content-type-options": "nosniff"}
_ENCODER = msgspec.json.Encoder()
_NO_STORE = {**_NOSNIFF, "cache-control": "private, no-store"}


def document(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document that nobody is to keep: it is of this moment, or somebody's private affair."""
    return Response(_ENCODER.encode(value), status, {**_NO_STORE, **(headers or {})}, _JSON)


def fresh_for(body: bytes, tag: str, seconds: float, asked: str | None) -> Response:
    """A document that may be used again.

    Args:
        body: The JSON text.
        tag: Its entity tag.
        seconds: For how long it may be used unasked; 0 for never.
        asked: The `If-None-Match` of the request: with the same tag the document is not sent again.
    """
    until = f"max-age={int(seconds)}" if seconds >= 1.0 else "no-cache"
    headers = {"cache-control": f"private, {until}", "etag": tag, **_NOSNIFF}
    if asked is not None and matches(asked, tag):
        return not_modified(headers)
    return Response(body, 200, headers, _JSON)


def not_modified(headers: dict[str, str]) -> Response:
    """What the client has is still right."""
    return Response(status_code=304, headers=headers)


def tag_of(value: object) -> str:
    """A weak entity tag: documents with the same tag say the same, though not byte for byte."""
    return f'W/"{hashlib.blake2b(_ENCODER.encode(value), digest_size=12).hexdigest()}"'


def matches(asked: str, tag: str) -> bool:
    """Whether one of the tags of an `If-None-Match` is `tag`, by weak comparison."""
    opaque = tag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") in (opaque, "*") for one in asked.split(","))
