"""`/api/v1/tickers`: price, beta and name of symbols, and where they come from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from quotewell.errors import UsageError
from quotewell.records import Failure, Freshness, Need
from quotewell.symbols import normalise
from quotewell.views.api import examples
from quotewell.views.api.answers import fresh_for, tag_of
from quotewell.views.api.context import PREFIX, Context
from quotewell.views.api.problems import NotFoundError, UnavailableError
from quotewell.views.api.schemas import answers
from quotewell.views.api.work import Readings
from quotewell.views.explanation import Explanation, explanation, needs_of
from quotewell.views.quotes import FACETS, Row, canonical, quote_row

__all__ = ["MOST_SYMBOLS", "ticker_routes"]

MOST_SYMBOLS = 500
"""Of one call."""

_Symbol = Annotated[
    str, Path(min_length=1, max_length=40, description="Any spelling of a ticker.", examples=["AAPL"])
]
_Symbols = Annotated[
    list[str],
    Query(
        alias="symbols",
        max_length=MOST_SYMBOLS,
        description=f"Symbols, repeated or parted by commas; {MOST_SYMBOLS} at most.",
        examples=[["AAPL,MSFT"]],
    ),
]


def ticker_routes(context: Context) -> APIRouter:
    """The routes, over the parts of one application."""
    routes = APIRouter(prefix=PREFIX + "/tickers", tags=["tickers"])
    tickers, monotonic, read = context.tickers, context.tickers.clock.monotonic, context.readings.read

    @routes.get(
        "/{symbol}",
        summary="One ticker",
        responses=answers(
            Row, "Price, beta and name; stale ones are marked.", example=examples.ROW, unchanged=True
        ),
    )
    async def ticker(symbol: _Symbol, request: Request) -> Response:
        name = normalise(symbol)
        needs = [(name, facet) for facet in FACETS]
        readings = await read(needs)
        row = quote_row(symbol, name, readings)
        if row.price is None:
            raise _missing(name, row.error or "", readings[name, "quote"].failure, tickers.now())
        seconds = _fresh_seconds(readings, needs, monotonic())
        tag = tag_of(msgspec.structs.replace(row, level=None))
        body = msgspec.json.encode(row)
        if row.level == "memory" and seconds > 0.0:
            records = {need: record for need in needs if (record := readings[need].record) is not None}
            context.hot.remember(symbol, records, body, tag)
        return fresh_for(body, tag, seconds, request.headers.get("if-none-match"))

    @routes.get(
        "",
        summary="Many tickers",
        responses=answers(
            list[Row],
            "A row for each symbol, in the order asked; one without a price says why.",
            example=[examples.ROW],
            unchanged=True,
        ),
    )
    async def many(symbols: _Symbols, request: Request) -> Response:
        texts = [text for given in symbols for one in given.split(",") if (text := one.strip())]
        if not 1 <= len(texts) <= MOST_SYMBOLS:
            raise UsageError(f"{len(texts)} symbols", hint=f"1 to {MOST_SYMBOLS} in one call")
        names = canonical(texts)
        needs = [(name, facet) for name in names.values() if isinstance(name, str) for facet in FACETS]
        readings = await read(needs)
        rows = [quote_row(text, names[text], readings) for text in texts]
        seconds = _fresh_seconds(readings, needs, monotonic())
        tag = tag_of([msgspec.structs.replace(row, level=None) for row in rows])
        return fresh_for(msgspec.json.encode(rows), tag, seconds, request.headers.get("if-none-match"))

    @routes.get(
        "/{symbol}/explain",
        summary="Every value known of a ticker",
        responses=answers(
            Explanation,
            "Values with source, times, freshness and last failure, by facet.",
            example=examples.EXPLANATION,
            unchanged=True,
        ),
    )
    async def explain(symbol: _Symbol, request: Request) -> Response:
        name = normalise(symbol)
        needs = needs_of(name)
        readings = await read(needs)
        found = explanation(name, readings, tickers.now(), tickers.requests)
        seconds = _fresh_seconds(readings, needs, monotonic())
        blocks = [msgspec.structs.replace(block, level=None) for block in found.facets.values()]
        tag = tag_of([blocks, found.payouts])
        return fresh_for(msgspec.json.encode(found), tag, seconds, request.headers.get("if-none-match"))

    return routes


def _fresh_seconds(readings: Readings, needs: Collection[Need], monotonic: float) -> float:
    """For how long all of the answer is fresh; 0 if some of it is not, or is missing."""
    seconds = float("inf")
    for need in needs:
        reading = readings[need]
        if reading.record is None or reading.freshness != Freshness.FRESH or reading.failure is not None:
            return 0.0
        seconds = min(seconds, reading.record.fresh_until - monotonic)
    return max(0.0, seconds) if needs else 0.0


def _missing(name: str, reason: str, failure: Failure | None, now: float) -> Exception:
    if failure is not None and failure.kind == "unknown":
        return NotFoundError(f"{name}: {reason}")
    return UnavailableError(
        f"{name}: no price: {reason}", retry_after=None if failure is None else failure.retry_at - now
    )
