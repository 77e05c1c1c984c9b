"""Faults that the simulator can be told to show: the only place to add one.

A *reply fault* changes or replaces what goes over the wire; a *row fault* changes what the market seems to
say, before it is brought into a provider's format, so that each one works for every endpoint and provider.
"""

from __future__ import annotations

import math
import random
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from quotewell.testing.simulator.market import Listing

__all__ = ["FAULTS", "HANDSHAKE", "REPLY_FAULTS", "ROW_FAULTS", "Fault", "Faults", "Reply"]

HANDSHAKE = ("cookie", "crumb")
"""Endpoints that are not data; a fault hits them only when it names them."""


_CRC_END = 2**32


class Reply(msgspec.Struct, frozen=True):
    """One HTTP answer, and how it goes out."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Literal["whole", "cut", "reset", "drip"] = "whole"
    """`cut` breaks the connection in the middle of the body, `reset` before the first byte; `drip` sends byte
    after byte, slowly, and the last one not before `released` is set."""
    released: threading.Event | None = None


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
        share: The share of those requests that is hit. Which ones depends on `seed`, on what is asked and on
            how often it was asked before, not on the order in which threads ask.
        seed: Another one, other requests.
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
        share: float = 1.0,
        seed: int = 0,
    ) -> None:
        if kind not in REPLY_FAULTS and kind not in ROW_FAULTS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(FAULTS)}")
        self.kind = kind
        self.endpoint = "crumb" if endpoint is None and kind in _CRUMB_FAULTS else endpoint
        self.times = times
        self.symbols = None if symbols is None else frozenset(symbols)
        self.retry_after = retry_after
        self.hits = 0
        self.released: threading.Event = threading.Event()
        self._unharmed = after
        self._share = share
        self._seed = seed
        self._asked: Counter[str] = Counter()

    def release(self) -> None:
        """Let the requests go on that a `hang` or a `drip` holds, and hold no more."""
        self.released.set()

    def claims(self, endpoint: str, symbols: Sequence[str]) -> bool:
        """Whether this request is hit; counts it."""
        if not self._is_about(endpoint) or (self.symbols is not None and self.symbols.isdisjoint(symbols)):
            return False
        if not self._is_drawn(f"{endpoint} {','.join(symbols)}"):
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

    def _is_drawn(self, request: str) -> bool:
        self._asked[request] += 1
        drawn = zlib.crc32(f"{self._seed} {request} {self._asked[request]}".encode())
        return drawn < self._share * _CRC_END

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
    "drip": lambda reply, fault: replace(reply, delivery="drip", released=fault.released),
    "truncated": lambda reply, _: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "invalid_json": _ok('{"quoteResponse":{"result":[{"symbol":"AAPL","regularMarketPrice":1.2.3}]}}'),
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


def _each(change: Callable[[Listing], Listing]) -> Callable[[list[Listing], Fault], list[Listing]]:
    """A row fault that changes the rows one by one."""
    return lambda rows, fault: [change(row) if fault.covers(row.symbol) else row for row in rows]


def _prices(change: Callable[[float], float | None]) -> Callable[[list[Listing], Fault], list[Listing]]:
    """A row fault that changes the price, and with it the last bar."""
    return _each(lambda row: _priced(row, None if row.price is None else change(row.price)))


def _priced(row: Listing, price: float | None) -> Listing:
    return replace(row, price=price, closes=[*row.closes[:-1], price] if row.closes else [])


def _times(row: Listing, factor: float) -> Listing:
    return _priced(row, None if row.price is None else row.price * factor)


def _close_times(row: Listing, factor: float) -> Listing:
    previous = row.previous_close
    return replace(row, previous_close=None if previous is None else previous * factor)


def _all_times(row: Listing, factor: float) -> Listing:
    """Price, previous close and all bars."""
    closes = [None if close is None else close * factor for close in row.closes]
    return replace(_close_times(_times(row, factor), factor), closes=closes)


def _day_before(row: Listing) -> Listing:
    """What was said after the session before: its close, its time, no later bar."""
    days = 3 if row.session_date % 7 == _MONDAY else 1
    return replace(
        row,
        price=row.previous_close,
        time=row.session_close + 1 - days * _DAY,
        dates=row.dates[:-1],
        closes=row.closes[:-1],
    )


def _shuffled(rows: list[Listing], _: Fault) -> list[Listing]:
    twice = [*rows, *rows]
    random.Random(0).shuffle(twice)  # noqa: S311, RUF100  the same order in each run
    return twice


_DAY = 86_400
_MONDAY = 1  # of ordinal days, modulo 7
_OTHER_UNITS = {"GBp": "GBP", "ILA": "ILS", "ZAc": "ZAR"}

ROW_FAULTS: dict[str, Callable[[list[Listing], Fault], list[Listing]]] = {
    "omit": lambda rows, fault: [row for row in rows if not fault.covers(row.symbol)],
    "only_last": lambda rows, _: rows[-1:],
    "other_symbol": _each(lambda row: replace(row, symbol="AAPL" if row.symbol == "MSFT" else "MSFT")),
    "duplicated": _shuffled,
    "null_price": _prices(lambda _: None),
    "nan_price": _prices(lambda _: math.nan),
    "zero_price": _prices(lambda _: 0.0),
    "negative_price": _prices(lambda price: -price),
    "price_x100": _prices(lambda price: price * 100.0),
    "price_x100_alone": _each(lambda row: replace(_times(row, 100.0), previous_close=None)),
    "price_and_close_x100": _each(lambda row: _all_times(row, 100.0)),
    "no_currency": _each(lambda row: replace(row, currency=None)),
    "wrong_unit": _each(lambda row: replace(row, currency=_OTHER_UNITS.get(row.currency or "", "GBp"))),
    "other_currency": _each(lambda row: replace(row, currency="CHF" if row.currency == "EUR" else "EUR")),
    "no_previous_close": _each(lambda row: replace(row, previous_close=None)),
    "day_before": _each(_day_before),
    "dated_tomorrow": _each(lambda row: replace(row, time=row.time + _DAY)),
}

FAULTS = (*REPLY_FAULTS, *ROW_FAULTS)
"""All kinds of faults."""
"""Kind to what becomes of the rows; `duplicated` doubles and reorders them."""
