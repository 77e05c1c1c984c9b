"""Hot prices in their grace window: answered at once and fetched again behind the answer."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.measure import Row, quotients
from bench.sample import store_quotes, symbols
from quotewell.clock import SystemClock
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider
from quotewell.wiring import connect

__all__ = ["stale"]

_ROUNDS = 25
_SYMBOLS = 40
_OPEN_MARKET = 1_736_953_200.0  # a Wednesday, half an hour after New York opened
_POLL = 0.06  # seconds: longer than memory is believed without a look at the persistent level
_FRESH = 0.3  # seconds; grace stays as it is


class _MarketHours(SystemClock):
    """The system's clock, but for a wall that stands in market hours whenever the bench runs."""

    def __init__(self) -> None:
        shift = _OPEN_MARKET - time.time()
        self.now = lambda: time.time() + shift


def stale(folder: Path) -> Iterator[Row]:
    """The rows about prices whose fresh time is over, while the provider holds every answer back."""
    clock = _MarketHours()
    names = symbols(_SYMBOLS)
    store_quotes(folder / "stale", names, clock.now())
    provider = FakeProvider(clock, dict.fromkeys(names, 100.0))
    settings = Settings(cache_dir=folder / "stale", lifetimes={"quote": {"fresh": _FRESH}})
    hits: list[float] = []
    repeated: list[float] = []
    firsts: list[float] = []
    followings: list[float] = []
    slowest = 0.0
    with connect(settings, clock=clock, providers=[provider]) as tickers:
        for turn in range(_ROUNDS + 1):
            tickers.refresh([(symbol, "quote") for symbol in names])
            time.sleep(_POLL)
            for _ in range(2):
                _timed(tickers, names)
            again = _timed(tickers, names)
            time.sleep(_POLL)
            hit = _timed(tickers, names)
            time.sleep(_FRESH)
            provider.hold()
            first, following = _timed(tickers, names), _timed(tickers, names)
            provider.release()
            if turn:
                slowest = max(slowest, *first)
                hits.append(statistics.median(hit))
                repeated.append(statistics.median(again))
                firsts.append(statistics.median(first))
                followings.append(statistics.median(following))
        _land()
    first_stale = "stale hit, the first, which starts the refresh"
    at_once = "a fresh hit at once after another"
    yield Row(
        measure=first_stale,
        against="a fresh hit, both after a pause",
        values=quotients(firsts, hits),
        at_most=5.0,
        note=f"slowest of all: {slowest * 1e3:.2g} ms, while the provider held its answers back",
    )
    yield Row(measure=first_stale, against=at_once, values=quotients(firsts, repeated))
    yield Row(
        measure="stale hits that follow",
        against=at_once,
        values=quotients(followings, repeated),
        at_most=1.5,
    )


def _land() -> None:
    """Let refreshes end before their files go."""
    for thread in threading.enumerate():
        if thread.name.startswith("quotewell"):
            thread.join(timeout=1.0)


def _timed(tickers: TickerService, names: Sequence[str]) -> list[float]:
    """Seconds of one `get_price` of each name."""
    get_price, clock = tickers.get_price, time.perf_counter
    elapsed = []
    for symbol in names:
        start = clock()
        get_price(symbol)
        elapsed.append(clock() - start)
    return elapsed
