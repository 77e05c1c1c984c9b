"""What is noticed of every request: how long it took, a line in the log, and faults nobody has foreseen."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TextIO

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quotewell.protocols import Clock
from quotewell.views.api.latencies import Latencies
from quotewell.views.api.problems import details_of
from quotewell.views.words import iso

__all__ = ["LoggedRequest", "Observing", "json_lines"]

_LOG = logging.getLogger("quotewell.api")
_OTHER = "other"
_METHODS = frozenset(("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"))


class LoggedRequest(msgspec.Struct, frozen=True):
    """One line of the log. Neither headers nor the path as it was sent: both may hold secrets."""

    time: str | None
    method: str
    route: str
    """Its template, such as `/api/v1/portfolios/{key}`; `other` if there is none."""
    status: int
    seconds: float
    bytes: int
    """Of the answer's body."""
    client: str
    """Address of who asked."""


def json_lines(stream: TextIO | None = None) -> Callable[[LoggedRequest], None]:
    """Writes each request as one line of JSON on standard error, or on `stream`."""

    def write(request: LoggedRequest) -> None:
        out = sys.stderr if stream is None else stream
        out.write(msgspec.json.encode(request).decode() + "\n")
        out.flush()

    return write


class Observing:
    """An ASGI application around another one.

    Args:
        app: What answers.
        clock: The time.
        latencies: Where every request is counted.
        log: Told of every request; None for nobody.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        latencies: Latencies,
        log: Callable[[LoggedRequest], None] | None = None,
    ) -> None:
        self._app = app
        self._clock = clock
        self._latencies = latencies
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and notice what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = self._clock.monotonic()
        status, sent = 0, 0

        async def noticed(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except Exception as error:
            _LOG.exception("a request to %s failed", _route(scope))
            if status:
                raise  # half an answer: only cutting it off tells the client
            await details_of(error)(scope, receive, noticed)
        finally:
            self._note(scope, status, sent, self._clock.monotonic() - begun)

    def _note(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        method, route = scope["method"], _route(scope)
        self._latencies.add(method if method in _METHODS else _OTHER, route, status, seconds)
        if self._log is not None:
            client = scope.get("client")
            self._log(
                LoggedRequest(
                    time=iso(self._clock.now()),
                    method=method if method in _METHODS else _OTHER,
                    route=route,
                    status=status,
                    seconds=round(seconds, 6),
                    bytes=sent,
                    client=client[0] if client else "",
                )
            )


def _route(scope: Scope) -> str:
    path: str = getattr(scope.get("route"), "path", _OTHER)
    return path
