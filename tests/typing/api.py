"""What a type checker knows of the public names; read by mypy alone, never run."""

from __future__ import annotations

from typing import assert_type

import quotewell
from quotewell import (
    AsyncTickerService,
    CacheStats,
    DataUnavailable,
    DayStats,
    Freshness,
    Portfolio,
    PrefetchReport,
    Provenance,
    Reading,
    Refresher,
    RefreshStatus,
    TickerData,
    TickerService,
)
from quotewell.portfolio.positions import Position
from quotewell.portfolio.summary import Summary
from quotewell.records import Closes, Quote, Record, Risk


def service() -> None:
    with quotewell.open(providers=["snapshot"]) as tickers:
        assert_type(tickers, TickerService)
        assert_type(tickers.get_price("AAPL"), float)
        assert_type(tickers.get_price("AAPL", timeout=1.0, max_age=60.0), float)
        assert_type(tickers.get_beta("AAPL"), float)
        assert_type(tickers.get_ticker_data("AAPL"), TickerData)
        assert_type(tickers.get_ticker_data("AAPL").quote, Quote | None)
        assert_type(tickers.get_many(["AAPL"]), dict[str, Quote | None])
        assert_type(tickers.quotes(["AAPL"]), dict[str, Reading[Quote]])
        assert_type(tickers.risks(["AAPL"])["AAPL"].record, Risk | None)
        assert_type(tickers.quotes(["AAPL"])["AAPL"].provenance, Provenance | None)
        assert_type(tickers.quotes(["AAPL"])["AAPL"].freshness, Freshness)
        assert_type(tickers.closes(["AAPL"]), dict[str, Closes])
        assert_type(tickers.read([("AAPL", "quote")])["AAPL", "quote"], Reading[Record])
        assert_type(tickers.prefetch(["AAPL"]), PrefetchReport)
        assert_type(tickers.refresh(["AAPL", ("MSFT", "quote")]), PrefetchReport)
        assert_type(tickers.invalidate(["AAPL"], facets=["quote"]), int)
        assert_type(tickers.clear_cache(), int)
        assert_type(tickers.cache_stats(), CacheStats)
        assert_type(tickers.daily_stats(7), list[DayStats])
        with Refresher(tickers, ["AAPL"]) as refresher:
            assert_type(refresher.status(), RefreshStatus)


def book(tickers: TickerService) -> None:
    portfolio = Portfolio.from_csv("positions.csv", tickers=tickers)
    assert_type(portfolio, Portfolio)
    assert_type(portfolio.positions, list[Position])
    assert_type(portfolio.positions[0].price, float | None)
    assert_type(portfolio.positions[0].beta, float)
    assert_type(portfolio.positions[0].market_exposure, float)
    assert_type(portfolio.prefetch(timeout=5.0), PrefetchReport)
    assert_type(portfolio.summary(), Summary)


async def asynchronous(tickers: TickerService) -> None:
    async with AsyncTickerService(tickers) as service:
        assert_type(await service.get_price("AAPL"), float)
        assert_type(await service.prefetch(["AAPL"]), PrefetchReport)


def errors(error: DataUnavailable) -> None:
    assert_type(error.symbol, str)
    assert_type(error.hint, str)
