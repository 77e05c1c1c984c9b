"""Faults that the simulator can be told to show: the only place to add one.

A *reply fault* changes or replaces what goes over the wire; a *row fault* changes what the market seems to
say, before it is brought into a provider's format, so that each one works for every endpoint and provider.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from quotewell.testing.simulator.market import Listing

__all__ = ["HANDSHAKE", "REPLY_FAULTS", "ROW_FAULTS", "Fault", "Faults", "Reply"]

HANDSHAKE = ("cookie", "crumb")
"""Endpoints that are not data; a fault hits them only when it names them."""


class Reply(msgspec.Struct, frozen=True):
    """One HTTP answer, and how it goes out."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Literal["whole", "cut", "reset"] = "whole"
    """`cut` breaks the connection in the middle of the body, `reset` before the first byte."""


class Fault:
    """One fault in force; made by `MarketSimulator.fault`.

    Args:
        kind: A key of `REPLY_FAULTS` or `ROW_FAULTS`.
        endpoint: Name of the one endpoint it hits; `yahoo` or `fmp` for all data endpoints of one; `*` for
            all with the handshake; None for all data endpoints, or the endpoint that the kind is about.
        times: How many requests it hits; None for all.
        symbols: Hits only requests for one of these, and of a row fault only these rows; None for all.
        after: How many requests it would hit go unharmed before.
        retry_after: Value of the `Retry-After` header, in seconds or as an HTTP date.
    """

    def __init__(
        self,
        kind: str,
        *,
        endpoint: str | None = None,
        times: int | None = None,
        symbols: Iterable[str] | None = None,
        after: int = 0,
        retry_after: float | str | None = None,
    ) -> None:
        if kind not in REPLY_FAULTS and kind not in ROW_FAULTS:
            raise ValueError(f"fault {kind!r}: none of {', '.join((*REPLY_FAULTS, *ROW_FAULTS))}")
        self.kind = kind
        self.endpoint = "crumb" if endpoint is None and kind in _CRUMB_FAULTS else endpoint
        self.times = times
        self.symbols = None if symbols is None else frozenset(symbols)
        self.retry_after = retry_after
        self.hits = 0
        self.released = threading.Event()
        self._unharmed = after

    def release(self) -> None:
        """Let the requests go on that a `hang` holds, and hold no more."""
        self.released.set()

    def claims(self, endpoint: str, symbols: Sequence[str]) -> bool:
        """Whether this request is hit; counts it."""
        if not self._is_about(endpoint) or (self.symbols is not None and self.symbols.isdisjoint(symbols)):
            return False
        if self._unharmed > 0:
            self._unharmed -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def covers(self, symbol: str) -> bool:
        """Whether a row fault is about this row."""
        return self.symbols is None or symbol in self.symbols

    def _is_about(self, endpoint: str) -> bool:
        if self.endpoint in (endpoint, "*"):
            return True
        if endpoint in HANDSHAKE:
            return False
        return self.endpoint is None or self.endpoint == ("fmp" if endpoint.startswith("fmp/") else "yahoo")


class Faults:
    """The faults in force; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put one more in force."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """End all, and let held requests go on."""
        with self._lock:
            ended, self._faults = self._faults, []
        for fault in ended:
            fault.release()

    def hitting(self, endpoint: str, symbols: Sequence[str]) -> list[Fault]:
        """The faults that hit this request, in the order they were added."""
        with self._lock:
            return [fault for fault in self._faults if fault.claims(endpoint, symbols)]


def _status(status: int, body: str) -> Callable[[Reply, Fault], Reply]:
    def reply(_: Reply, fault: Fault) -> Reply:
        headers = () if fault.retry_after is None else (("Retry-After", _header(fault.retry_after)),)
        kind = "application/json" if body.startswith("{") else "text/html"
        return Reply(status, body.encode(), kind, headers)

    return reply


def _header(retry_after: float | str) -> str:
    return retry_after if isinstance(retry_after, str) else f"{retry_after:g}"


def _ok(body: str, content_type: str = "application/json") -> Callable[[Reply, Fault], Reply]:
    return lambda _, __: Reply(200, body.encode(), content_type)


def _hang(reply: Reply, fault: Fault) -> Reply:
    fault.released.wait()
    return reply


_UNAUTHORIZED = '{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}'
_ERROR_BODY = '{"finance":{"result":null,"error":{"code":"Internal Server Error","description":"Oops"}}}'
_PAGE = "<!DOCTYPE html><html><body>Will be right back...</body></html>"

REPLY_FAULTS: dict[str, Callable[[Reply, Fault], Reply]] = {
    "400": _status(400, '{"finance":{"error":{"code":"Bad Request","description":"Bad symbols"}}}'),
    "401": _status(401, _UNAUTHORIZED),
    "402": _status(402, "Payment Required: not in your plan"),
    "403": _status(403, "<html><body>Forbidden</body></html>"),
    "404": _status(404, "<html><body>Not Found</body></html>"),
    "429": _status(429, "Edge: Too Many Requests"),
    "500": _status(500, _ERROR_BODY),
    "502": _status(502, "<html><body>Bad Gateway</body></html>"),
    "503": _status(503, "<html><body>Service Unavailable</body></html>"),
    "reset": lambda reply, _: replace(reply, delivery="reset"),
    "cut": lambda reply, _: replace(reply, delivery="cut"),
    "hang": _hang,
    "truncated": lambda reply, _: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "html": _ok(_PAGE, "text/html"),
    "text_429": _ok("Too Many Requests\r\n", "text/plain"),
    "error_body": _ok(_ERROR_BODY),
    "unauthorized_body": _ok(_UNAUTHORIZED),
    "string_body": _ok('{"quoteResponse":"oops","spark":"oops","chart":"oops","quoteSummary":"oops"}'),
    "string_rows": _ok(
        '{"quoteResponse":{"result":["oops"],"error":null},"spark":{"result":["oops"],"error":null}}'
    ),
    "empty_body": _ok(""),
    "bad_crumb": _ok("Too Many Requests\r\n", "text/plain"),
    "html_crumb": _ok(_PAGE, "text/html"),
    "empty_crumb": _ok("", "text/plain"),
}
"""Kind to what becomes of the reply."""

_CRUMB_FAULTS = ("bad_crumb", "html_crumb", "empty_crumb")


def _prices(change: Callable[[float], float | None]) -> Callable[[list[Listing], Fault], list[Listing]]:
    """A row fault that changes the price, and with it the last bar."""

    def changed(listing: Listing) -> Listing:
        price = None if listing.price is None else change(listing.price)
        return replace(listing, price=price, closes=[*listing.closes[:-1], price] if listing.closes else [])

    return lambda rows, fault: [changed(row) if fault.covers(row.symbol) else row for row in rows]


def _shuffled(rows: list[Listing], _: Fault) -> list[Listing]:
    twice = [*rows, *rows]
    random.Random(0).shuffle(twice)  # noqa: S311, RUF100  the same order in each run
    return twice


ROW_FAULTS: dict[str, Callable[[list[Listing], Fault], list[Listing]]] = {
    "omit": lambda rows, fault: [row for row in rows if not fault.covers(row.symbol)],
    "only_last": lambda rows, _: rows[-1:],
    "null_price": _prices(lambda _: None),
    "nan_price": _prices(lambda _: math.nan),
    "zero_price": _prices(lambda _: 0.0),
    "price_x100": _prices(lambda price: price * 100.0),
    "no_currency": lambda rows, fault: [
        replace(row, currency=None) if fault.covers(row.symbol) else row for row in rows
    ],
    "no_previous_close": lambda rows, fault: [
        replace(row, previous_close=None) if fault.covers(row.symbol) else row for row in rows
    ],
    "duplicated": _shuffled,
}
"""Kind to what becomes of the rows; `duplicated` doubles and reorders them."""
