"""Errors as problem details (RFC 9457, `application/problem+json`): one shape for every one of them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from quotewell.errors import QuotewellError
from quotewell.views.words import printable

__all__ = [
    "MEDIA_TYPE",
    "NotFoundError",
    "OverloadedError",
    "ProblemDetails",
    "UnavailableError",
    "details_of",
    "problem",
]

MEDIA_TYPE = "application/problem+json"
_LONGEST = 600

_STATUS_OF_KIND = {
    "usage": 400,
    "symbol": 422,
    "import": 422,
    "not_found": 404,
    "overloaded": 503,
    "unavailable": 503,
    "provider": 502,
    "cache": 503,
}
_KIND_OF_STATUS = {
    400: "usage",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method",
    413: "too_large",
    421: "host",
    422: "usage",
    501: "workers",
}


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong; the kinds are those of docs/json.md, and some of HTTP's own."""

    type: str = "about:blank"
    title: str
    """The words of the status."""
    status: int
    detail: str
    kind: str
    hint: str
    """What to do about it; may be empty."""


class NotFoundError(QuotewellError):
    """There is nothing under this address, or no such symbol."""

    kind = "not_found"


class OverloadedError(QuotewellError):
    """More is asked for at once than can wait."""

    kind = "overloaded"


class UnavailableError(QuotewellError):
    """No usable value now.

    Args:
        message: Why.
        retry_after: Seconds after which asking again may help, as far as known.
    """

    kind = "unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def problem(
    status: int, detail: str, *, kind: str = "", hint: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that tells of a problem."""
    details = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_line(detail),
        kind=kind or _KIND_OF_STATUS.get(status, "error"),
        hint=_line(hint),
    )
    everywhere = {"cache-control": "no-store", "x-content-type-options": "nosniff", **(headers or {})}
    return Response(msgspec.json.encode(details), status, everywhere, MEDIA_TYPE)


def details_of(error: Exception) -> Response:
    """The answer to a request that has raised `error`.

    What nobody has foreseen is told without its message, which may hold anything.
    """
    if isinstance(error, QuotewellError):
        status = _STATUS_OF_KIND.get(error.kind, 500)
        retry_after = getattr(error, "retry_after", None)
        if retry_after is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
            retry_after = 1
        headers = {} if retry_after is None else {"retry-after": str(max(1, round(retry_after)))}
        return problem(status, str(error), kind=error.kind, hint=error.hint, headers=headers)
    if isinstance(error, RequestValidationError):
        return problem(422, _invalid(error))
    if isinstance(error, HTTPException):
        return problem(error.status_code, str(error.detail), headers=error.headers)
    return problem(500, "the request failed; the server's log says why")


def _invalid(error: RequestValidationError) -> str:
    """Where the request is wrong and why; what the client has sent is not repeated."""
    found = [f"{'.'.join(str(part)[:40] for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    return "; ".join(found)


def _line(text: str) -> str:
    line = printable(text.encode("utf-8", "replace").decode())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
