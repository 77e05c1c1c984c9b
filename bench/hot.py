"""Answers from memory: one price, many prices, several threads."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diskcache  # type: ignore[import-untyped]
from cachetools import TTLCache, cached

from bench.measure import Row, Work, cpu_seconds, interleaved, quotients, times
from bench.sample import offline_service, store_quotes, symbols
from quotewell.service import TickerService

__all__ = ["hot"]

_HUNDRED = symbols(100)
_ONE = _HUNDRED[0]
_CALLS = 20_000
_ROUNDS = 41
_THREADS = 4
_THREAD_CALLS = 250_000
_THREAD_ROUNDS = 11

GetPrice = Callable[[str], float]


def hot(folder: Path) -> Iterator[Row]:
    """All rows about answers from memory."""
    with _warm_service(folder) as tickers:
        yield from _against_decorators(tickers, folder)
        yield _many(tickers)
        yield _threads(tickers)


@contextmanager
def _warm_service(folder: Path) -> Iterator[TickerService]:
    store_quotes(folder / "hot", _HUNDRED, time.time())
    with offline_service(folder / "hot") as tickers:
        tickers.get_many(_HUNDRED)
        yield tickers


def _against_decorators(tickers: TickerService, folder: Path) -> Iterator[Row]:
    get_price = tickers.get_price

    @functools.lru_cache
    def from_lru_cache(symbol: str) -> float:
        return get_price(symbol)

    @cached(TTLCache(1_000, ttl=300.0), lock=threading.Lock())
    def from_cachetools(symbol: str) -> float:
        return get_price(symbol)

    with diskcache.Cache(folder / "memoize") as disk:
        from_diskcache: GetPrice = disk.memoize(expire=300.0)(get_price)
        slow = _CALLS // 100
        ours, dotted, lru, tools, memoized = times(
            _ROUNDS,
            _repeated(get_price, _CALLS),
            lambda: _dotted(tickers, _CALLS),
            _repeated(from_lru_cache, _CALLS),
            _repeated(from_cachetools, _CALLS),
            _repeated(from_diskcache, slow),
            clock=cpu_seconds,
        )
    note = f"{min(ours) / _CALLS * 1e9:.0f} ns against {min(lru) / _CALLS * 1e9:.0f} ns at best"
    measure = "hot `get_price`"
    lru_hit = "a `functools.lru_cache` hit"
    yield Row(measure=measure, against=lru_hit, values=quotients(ours, lru), at_most=3.0, note=note)
    yield Row(measure="written `tickers.get_price(…)`", against=lru_hit, values=quotients(dotted, lru))
    yield Row(
        measure="`cachetools.cached(TTLCache, lock)` hit",
        against=measure,
        values=quotients(tools, ours),
        at_least=7.0,
    )
    yield Row(
        measure="`diskcache` `memoize` hit",
        against=measure,
        values=tuple(value * _CALLS / slow for value in quotients(memoized, ours)),
        at_least=100.0,
    )


def _many(tickers: TickerService) -> Row:
    get_price, get_many = tickers.get_price, tickers.get_many
    turns = _CALLS // len(_HUNDRED)

    def one_by_one() -> None:
        for _ in range(turns):
            for symbol in _HUNDRED:
                get_price(symbol)

    def together() -> None:
        for _ in range(turns):
            get_many(_HUNDRED)

    many, single = times(_ROUNDS, together, one_by_one, clock=cpu_seconds)
    return Row(
        measure="`get_many` of 100 hot, per symbol",
        against="hot `get_price`",
        values=quotients(many, single),
        at_most=0.7,
    )


def _threads(tickers: TickerService) -> Row:
    work = _repeated(tickers.get_price, _THREAD_CALLS)

    def crowd() -> float:
        threads = [threading.Thread(target=work) for _ in range(_THREADS)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    def alone() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    together, single = interleaved(_THREAD_ROUNDS, crowd, alone)
    return Row(
        measure=f"{_THREADS} threads of hot `get_price`, calls a second in total",
        against="one thread",
        values=tuple(_THREADS / value for value in quotients(together, single)),
        at_least=0.9,
    )


def _repeated(get_price: GetPrice, calls: int) -> Work:
    # A loop of its own for each callable: CPython specialises the call where it stands.
    names: dict[str, Any] = {}
    text = f"def work(get_price, symbol):\n    for _ in range({calls}):\n        get_price(symbol)\n"
    exec(text, names)
    return functools.partial(names["work"], get_price, _ONE)


def _dotted(tickers: TickerService, calls: int) -> None:
    for _ in range(calls):
        tickers.get_price(_ONE)
