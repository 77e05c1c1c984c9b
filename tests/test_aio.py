from __future__ import annotations

import asyncio
import threading

import pytest

from quotewell import AsyncTickerService, DataUnavailable
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

CLOSES = {"AAPL": [100.0 + day % 7 for day in range(200)], "^GSPC": [50.0 + day % 5 for day in range(200)]}


def asynchronous() -> tuple[AsyncTickerService, FakeProvider]:
    clock = ManualClock(patience=30)
    provider = FakeProvider(clock, {"AAPL": 200.0}, CLOSES)
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    return AsyncTickerService(connect(Settings(), clock=clock, providers=[provider], stores=stores)), provider


def test_it_answers_as_the_service_does() -> None:
    async def scenario() -> None:
        face, _ = asynchronous()
        async with face as tickers:
            assert await tickers.get_price("AAPL") == 200.0
            assert await tickers.get_beta("AAPL") == tickers.tickers.get_beta("AAPL")
            assert (await tickers.get_ticker_data("AAPL")).quote is not None
            assert (await tickers.prefetch(["AAPL"])).requests == 0
            assert (await tickers.refresh([("AAPL", "quote")])).requests == 1
            quotes = await tickers.get_many(["AAPL", "NOPE"])
            assert {symbol: quote is not None for symbol, quote in quotes.items()} == {
                "AAPL": True,
                "NOPE": False,
            }
            assert await tickers.get_price("AAPL", max_age=60) == 200.0
            with pytest.raises(DataUnavailable):
                await tickers.get_beta("NOPE")

    asyncio.run(scenario())


def test_a_memory_hit_needs_no_thread_and_a_fetch_does_not_block_the_loop() -> None:
    async def scenario() -> None:
        face, provider = asynchronous()
        async with face as tickers:
            await tickers.get_price("AAPL")
            await tickers.get_beta("AAPL")
            provider.prices["MSFT"] = 400.0
            provider.hold()
            waiting = asyncio.create_task(tickers.get_price("MSFT"))
            await asyncio.to_thread(provider.await_calls, 3)
            before = threading.active_count()
            assert await tickers.get_price("AAPL") == 200.0
            assert await tickers.get_beta("AAPL")
            assert (await tickers.get_many(["AAPL"]))["AAPL"] is not None
            assert threading.active_count() == before
            assert not waiting.done()
            provider.release()
            assert await waiting == 400.0

    asyncio.run(scenario())
