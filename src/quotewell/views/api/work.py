"""Calls that may block, on a small pool of threads; and reads of many requests, made together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from quotewell.records import Need, Reading, Record
from quotewell.service import TickerService
from quotewell.views.api.problems import OverloadedError

__all__ = ["Gathering", "Places", "Readings", "Work"]

T = TypeVar("T")
Readings = Mapping[Need, Reading[Record]]

_THREADS = 20
_MOST_WAITING = 5_000
_READS = 6
"""Reads of one kind at a time; what is asked for meanwhile goes into the next."""
_MOST_NEEDS = 3_000
"""Of one read, about."""


class Places:
    """Room for so many at a time; who finds none is told to come back. For one event loop.

    Args:
        most: How many there are.
        what: What there are too many of, for the message.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self.taken = 0
        """How many are taken now."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take one, for as long as the block lasts.

        Raises:
            OverloadedError: None is free.
        """
        if self.taken >= self._most:
            raise OverloadedError(f"too many {self._what} at a time", hint="ask again in a second")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class Work:
    """Runs what may block.

    Args:
        threads: How many at a time.
        most: How many may wait or run; more are refused.
    """

    def __init__(self, threads: int = _THREADS, most: int = _MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="quotewell_api")
        self.places = Places(most, "requests wait")
        """Of those who wait or run."""

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns.

        Raises:
            OverloadedError: Too many wait already.
        """
        with self.places.one():
            return await self.on_pool(call)

    async def on_pool(self, call: Callable[[], T]) -> T:
        """The same on behalf of those who have a place."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """Take no more; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Gathering:
    """Reads for many requests at once: what memory does not answer is read together.

    A thousand clients that ask for a thousand symbols at the same time cost twenty requests to a provider
    that takes fifty a call, and no more threads than a few. What is known, however old, is not read together
    with what is not: it need not wait as long if nobody answers.

    Args:
        tickers: Who is asked.
        work: Where reads run.
    """

    def __init__(self, tickers: TickerService, work: Work) -> None:
        self._tickers = tickers
        self._work = work
        self._known = _Queue(tickers, work)
        self._unknown = _Queue(tickers, work)

    async def read(self, needs: Collection[Need]) -> Readings:
        """Answer all needs; at once, without a thread, if memory can.

        Raises:
            OverloadedError: Too many wait already.
            CacheError: The service is closed.
        """
        engine = self._tickers.engine
        if engine.in_memory(needs):
            return self._tickers.read(needs)
        tables = engine.store.memory.table
        known = all(name in tables(facet) for name, facet in needs if facet != "risk")
        with self._work.places.one():
            return await (self._known if known else self._unknown).read(needs)


class _Queue:
    def __init__(self, tickers: TickerService, work: Work) -> None:
        self._tickers = tickers
        self._work = work
        self._waiting: deque[tuple[Collection[Need], asyncio.Future[Readings]]] = deque()
        self._reads: set[asyncio.Task[None]] = set()

    async def read(self, needs: Collection[Need]) -> Readings:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Readings] = loop.create_future()
        self._waiting.append((needs, future))
        # Not now: whoever else has come at the same time goes along.
        loop.call_soon(self._begin)
        return await future

    def _begin(self) -> None:
        while self._waiting and len(self._reads) < _READS:
            needs: dict[Need, None] = {}
            asking: list[asyncio.Future[Readings]] = []
            while self._waiting and len(needs) < _MOST_NEEDS:
                wanted, future = self._waiting.popleft()
                if not future.done():  # its client may have gone
                    needs |= dict.fromkeys(wanted)
                    asking.append(future)
            if asking:
                task = asyncio.get_running_loop().create_task(self._read(needs, asking))
                self._reads.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._reads.discard(task)
        self._begin()

    async def _read(self, needs: Collection[Need], asking: list[asyncio.Future[Readings]]) -> None:
        try:
            readings = await self._work.on_pool(lambda: self._tickers.read(needs))
        except Exception as error:  # noqa: BLE001  raised where it is waited for
            for future in asking:
                if not future.done():
                    future.set_exception(error)
            return
        for future in asking:
            if not future.done():
                future.set_result(readings)
