"""The tools: read-only, over one service and at most one book, which was named when the server started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

from quotewell._version import __version__
from quotewell.errors import QuotewellError
from quotewell.portfolio.portfolio import MOVES, Portfolio
from quotewell.portfolio.what_if import report
from quotewell.service import TickerService
from quotewell.symbols import normalise
from quotewell.views.explanation import explanation, needs_of
from quotewell.views.mcp.documents import BookSummary, Exposures, Quotes, WhatIf, provenance_of
from quotewell.views.quotes import FACETS, canonical, quote_row

__all__ = ["create_server"]

T = TypeVar("T")

_ABOUT = """\
Prices, betas and a portfolio's exposures, from one ticker service. Amounts are in the base currency, shares
and moves are fractions. null is unknown, never 0: say so instead of assuming. `freshness` is fresh, grace,
stale or none; say how old a stale number is. `complete: false` means that some positions are in no sum, and
`missing` names them. These tools change nothing and open no files."""
_READ_ONLY = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": True}

_Text = Annotated[str, Field(min_length=1, max_length=40)]
_Symbols = Annotated[list[_Text], Field(min_length=1, max_length=100, description="Tickers, such as AAPL.")]
_Move = Annotated[float, Field(ge=-1.0, le=10.0, allow_inf_nan=False)]
_Moves = Annotated[
    list[_Move] | None,
    Field(max_length=50, description="Moves of the benchmark as fractions: -0.1 is a fall of 10 %."),
]
_Shocks = Annotated[
    dict[_Text, _Move] | None,
    Field(max_length=100, description="Own moves of single tickers, in place of beta times the market's."),
]
_Days = Annotated[float, Field(ge=0.0, le=3_660.0, description="Calendar days that pass.")]
_Points = Annotated[
    float, Field(ge=-500.0, le=500.0, description="Shift of implied volatilities: 5 turns 30 % into 35 %.")
]
_Most = Annotated[int, Field(ge=1, le=500, description="How many underlyings, the largest exposures first.")]


def create_server(tickers: TickerService, book: Portfolio | None) -> FastMCP:
    """The server.

    Args:
        tickers: Asked for everything; whoever opened it closes it.
        book: What the tools about a portfolio are about; None for none of these tools.
    """
    server = FastMCP("quotewell", _ABOUT, version=__version__)

    def offer(tool: Callable[..., dict[str, Any]]) -> None:
        server.tool(tool, annotations=_READ_ONLY)

    def quotes(symbols: _Symbols) -> dict[str, Any]:
        """Price, previous close, currency, beta and name of tickers, with source, times and freshness."""
        names = canonical(symbols)
        needs = [(name, facet) for name in names.values() if isinstance(name, str) for facet in FACETS]
        readings = _told(lambda: tickers.read(needs))
        return _plain(Quotes(quotes=[quote_row(text, names[text], readings) for text in symbols]))

    def explain(symbol: _Text) -> dict[str, Any]:
        """Every value known of one ticker, with source, times, freshness, level, and the last failure."""
        name = _told(lambda: normalise(symbol))
        readings = _told(lambda: tickers.read(needs_of(name)))
        return _plain(explanation(name, readings, tickers.now(), tickers.requests))

    offer(quotes)
    offer(explain)
    if book is not None:
        _offer_book(offer, book)
    return server


def _offer_book(offer: Callable[[Callable[..., dict[str, Any]]], None], book: Portfolio) -> None:
    def summary() -> dict[str, Any]:
        """The whole report on the portfolio: value, exposures, coverage, Greeks, what-if and problems."""
        return _plain(_told(lambda: BookSummary(summary=book.summary(), provenance=provenance_of(book))))

    def exposures(most: _Most = 50) -> dict[str, Any]:
        """Long, short, net and gross exposure, delta- and beta-adjusted, and by underlying."""
        summed = _told(book.summary)
        return _plain(
            Exposures(
                provenance=_told(lambda: provenance_of(book)),
                by_leg=summed.exposure,
                by_underlying_first=summed.exposure_by_underlying,
                underlyings=summed.by_underlying[:most],
                more_underlyings=max(0, len(summed.by_underlying) - most),
            )
        )

    def what_if(
        market: _Moves = None, shocks: _Shocks = None, days: _Days = 0.0, volatility: _Points = 0.0
    ) -> dict[str, Any]:
        """Profit or loss of the portfolio if the market moves: every underlying by its beta times that."""

        def found() -> WhatIf:
            curve = report(book, market or MOVES, shocks=shocks, days=days, volatility=volatility)
            return WhatIf(what_if=curve, provenance=provenance_of(book))

        return _plain(_told(found))

    for tool in (summary, exposures, what_if):
        offer(tool)


def _told(call: Callable[[], T]) -> T:
    """What `call` returns; what it raises is told to the model, with what can be done about it."""
    try:
        return call()
    except QuotewellError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise ToolError(f"{error}{hint}") from error


def _plain(document: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return plain
