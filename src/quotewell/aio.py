"""`AsyncTickerService`: the ticker service for asynchronous programs.

A thin face: what memory answers is answered at once, without a thread; the rest runs on a small pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from quotewell.outcomes import PrefetchReport
from quotewell.records import Need, Quote, TickerData
from quotewell.service import TickerService

__all__ = ["AsyncTickerService"]

T = TypeVar("T")


class AsyncTickerService:
    """The methods of `TickerService` that may wait, awaitable; arguments and errors are the same.

    Args:
        tickers: The service; closed with this face.
        workers: Calls that may wait for the disk or a provider at a time.
    """

    def __init__(self, tickers: TickerService, *, workers: int = 8) -> None:
        self.tickers = tickers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="quotewell-async")

    async def get_price(
        self, symbol: str, *, timeout: float | None = None, max_age: float | None = None
    ) -> float:
        """As `TickerService.get_price`."""
        if max_age is None and self.tickers.in_memory(symbol, "quote"):
            return self.tickers.get_price(symbol)
        return await self._run(lambda: self.tickers.get_price(symbol, timeout=timeout, max_age=max_age))

    async def get_beta(
        self, symbol: str, *, timeout: float | None = None, max_age: float | None = None
    ) -> float:
        """As `TickerService.get_beta`."""
        if max_age is None and self.tickers.in_memory(symbol, "risk"):
            return self.tickers.get_beta(symbol)
        return await self._run(lambda: self.tickers.get_beta(symbol, timeout=timeout, max_age=max_age))

    async def get_ticker_data(self, symbol: str, *, timeout: float | None = None) -> TickerData:
        """As `TickerService.get_ticker_data`."""
        return await self._run(lambda: self.tickers.get_ticker_data(symbol, timeout=timeout))

    async def get_many(
        self, symbols: Iterable[str], *, timeout: float | None = None, max_age: float | None = None
    ) -> dict[str, Quote | None]:
        """As `TickerService.get_many`."""
        asked = list(symbols)
        if max_age is None and all(self.tickers.in_memory(symbol, "quote") for symbol in asked):
            return self.tickers.get_many(asked)
        return await self._run(lambda: self.tickers.get_many(asked, timeout=timeout, max_age=max_age))

    async def prefetch(self, what: Iterable[str | Need], *, timeout: float | None = None) -> PrefetchReport:
        """As `TickerService.prefetch`."""
        return await self._run(lambda: self.tickers.prefetch(what, timeout=timeout))

    async def refresh(self, what: Iterable[str | Need], *, timeout: float | None = None) -> PrefetchReport:
        """As `TickerService.refresh`."""
        return await self._run(lambda: self.tickers.refresh(what, timeout=timeout))

    async def aclose(self) -> None:
        """Close the service; may be called twice."""
        self._pool.shutdown(wait=False)
        self.tickers.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)
