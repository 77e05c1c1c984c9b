"""What the simulator answers to a request: routes, cookie, crumb and key, both providers' bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from quotewell.testing.simulator import fmp_wire, yahoo_wire
from quotewell.testing.simulator.faults import REPLY_FAULTS, ROW_FAULTS, Fault, Reply
from quotewell.testing.simulator.market import Listing, Market

__all__ = ["Endpoints", "Request", "parse_request"]

_ROUTES = (
    ("cookie", r"/"),
    ("crumb", r"/v1/test/getcrumb"),
    ("quote", r"/v7/finance/quote"),
    ("spark", r"/v7/finance/spark"),
    ("chart", r"/v8/finance/chart/(?P<symbol>[^/]+)"),
    ("quote_summary", r"/v10/finance/quoteSummary/(?P<symbol>[^/]+)"),
    ("timeseries", r"/ws/fundamentals-timeseries/v1/finance/timeseries/(?P<symbol>[^/]+)"),
    ("fmp/profile", r"/stable/profile"),
    ("fmp/quote", r"/stable/quote"),
    ("fmp/batch-quote", r"/stable/batch-quote"),
    ("fmp/batch-quote-short", r"/stable/batch-quote-short"),
)
_COOKIE = "A3=simulated"
_SPARK_SYMBOLS = 20

_FMP_ANSWERS: dict[str, Callable[[Sequence[Listing]], list[dict[str, Any]]]] = {
    "fmp/profile": fmp_wire.profile_answer,
    "fmp/quote": fmp_wire.quote_answer,
    "fmp/batch-quote": fmp_wire.quote_answer,
    "fmp/batch-quote-short": fmp_wire.short_answer,
}


class Request(msgspec.Struct, frozen=True):
    """One parsed request; `endpoint` is `unknown` for a path that no route matches."""

    endpoint: str
    path: str
    symbols: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""


def parse_request(target: str, headers: Mapping[str, str]) -> Request:
    """Read a request target such as `/v7/finance/quote?symbols=AAPL,MSFT`."""
    url = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    path = unquote(url.path) or "/"
    for endpoint, pattern in _ROUTES:
        match = re.fullmatch(pattern, path)
        if match:
            text = match.groupdict().get("symbol") or query.get("symbols") or query.get("symbol") or ""
            symbols = tuple(symbol.strip() for symbol in text.split(",") if symbol.strip())
            return Request(endpoint, path, symbols, query, headers)
    return Request("unknown", path, (), query, headers)


class Endpoints:
    """The simulated providers' state and answers.

    Args:
        market: Where prices come from.
        fmp_key: The only key that FMP's endpoints accept.
    """

    def __init__(self, market: Market, fmp_key: str) -> None:
        self.market = market
        self.fmp_key = fmp_key
        self.fmp_batch_quotes = False
        self.fmp_per_day: int | None = None
        self._fmp_requests = 0
        self._crumbs = 0

    @property
    def crumb(self) -> str:
        """The crumb that is valid now: eleven characters, some of which a URL must escape."""
        return f"a/B.{self._crumbs:07d}"

    def expire_crumb(self) -> None:
        """Make the present crumb invalid."""
        self._crumbs += 1

    def answer(self, request: Request, faults: Sequence[Fault]) -> Reply:
        """The answer to one request, with the faults that hit it worked in."""
        reply = self._answer(request, [fault for fault in faults if fault.kind in ROW_FAULTS])
        for fault in faults:
            if fault.kind in REPLY_FAULTS:
                reply = REPLY_FAULTS[fault.kind](reply, fault)
        return reply

    def _answer(self, request: Request, faults: Sequence[Fault]) -> Reply:
        if request.endpoint == "unknown":
            return Reply(404, b"<html><body>Not Found</body></html>", "text/html")
        if request.endpoint.startswith("fmp/"):
            return self._fmp_answer(request, faults)
        if request.endpoint == "cookie":
            # The real one says 404, too, and sets the cookie all the same.
            return Reply(404, b"", "text/html", (("Set-Cookie", f"{_COOKIE}; Path=/; HttpOnly"),))
        return self._refused(request) or self._yahoo_answer(request, faults)

    def _refused(self, request: Request) -> Reply | None:
        if _COOKIE not in request.headers.get("cookie", ""):
            return _json(401, yahoo_wire.unauthorized("Invalid Cookie"))
        needs_crumb = request.endpoint in ("quote", "quote_summary")
        if request.query.get("crumb", None if needs_crumb else self.crumb) != self.crumb:
            return _json(401, yahoo_wire.unauthorized("Invalid Crumb"))
        return None

    def _yahoo_answer(self, request: Request, faults: Sequence[Fault]) -> Reply:
        if request.endpoint == "crumb":
            return Reply(200, self.crumb.encode(), "text/plain")
        listings = self._listings(request, faults)
        if request.endpoint == "quote":
            fields = [field for field in request.query.get("fields", "").split(",") if field]
            return _json(200, yahoo_wire.quote_answer(listings, fields))
        if request.endpoint == "spark":
            return self._spark_answer(request, listings)
        if request.endpoint == "timeseries":
            types = request.query.get("type", "").split(",")
            return _json(200, yahoo_wire.timeseries_answer(request.symbols[0], types))
        return self._single_answer(request, listings)

    def _single_answer(self, request: Request, listings: Sequence[Listing]) -> Reply:
        """Of an endpoint that takes one symbol."""
        if not listings:
            return _json(404, yahoo_wire.not_found(request.endpoint, ",".join(request.symbols)))
        if request.endpoint == "quote_summary":
            return _json(200, yahoo_wire.summary_answer(listings[0]))
        now = self.market.now()
        earliest = yahoo_wire.range_start(request.query.get("range", "max"), now)
        start = float(request.query.get("period1", earliest))
        end = float(request.query.get("period2", now))
        return _json(200, yahoo_wire.chart_answer(listings[0], start, end))

    def _spark_answer(self, request: Request, listings: Sequence[Listing]) -> Reply:
        if len(request.symbols) > _SPARK_SYMBOLS:
            error = {"code": "Bad Request", "description": f"Exceeded {_SPARK_SYMBOLS} symbols"}
            return _json(400, {"spark": {"result": None, "error": error}})
        return _json(
            200, yahoo_wire.spark_answer(listings, request.query.get("range", "1d"), self.market.now())
        )

    def _fmp_answer(self, request: Request, faults: Sequence[Fault]) -> Reply:
        if self.fmp_key not in (request.query.get("apikey"), request.headers.get("apikey")):
            return _json(401, fmp_wire.INVALID_KEY)
        self._fmp_requests += 1
        if self.fmp_per_day is not None and self._fmp_requests > self.fmp_per_day:
            return _json(429, fmp_wire.LIMIT_REACHED)
        is_batch = "batch" in request.endpoint
        if is_batch and not self.fmp_batch_quotes:
            return Reply(402, fmp_wire.NOT_IN_PLAN.encode(), "text/plain")
        if not is_batch and len(request.symbols) > 1:
            return _json(200, [])  # the real trap: commas in `symbol=` are answered with nothing
        return _json(200, _FMP_ANSWERS[request.endpoint](self._listings(request, faults)))

    def _listings(self, request: Request, faults: Sequence[Fault]) -> list[Listing]:
        bars = request.endpoint in ("spark", "chart")
        found = [self.market.listing(symbol, bars=bars) for symbol in request.symbols]
        listings = [listing for listing in found if listing is not None]
        for fault in faults:
            listings = ROW_FAULTS[fault.kind](listings, fault)
        return listings


def _json(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body, allow_nan=True, separators=(",", ":")).encode())
