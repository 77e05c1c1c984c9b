"""Eight processes over one shared cache, all cold, all asking for the same 2,000 tickers."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from loopback_market import LoopbackMarket
from shared_engines import PLACES
from worker_process import Worker

PROCESSES = 8
SYMBOLS = [f"T{number // 26:02d}{chr(ord('A') + number % 26)}" for number in range(2_000)]
PRICES = {symbol: float(place) for place, symbol in enumerate(SYMBOLS, 100)}


@pytest.mark.parametrize(("leases", "fetched_once"), [(True, True), (False, False)])
@pytest.mark.parametrize("place", PLACES)
def test_eight_processes_fetch_each_of_2000_tickers_once(
    tmp_path: Path, place: str, leases: bool, fetched_once: bool
) -> None:
    """No answer is given before all have found the cache empty, and have asked for something."""
    settings = PLACES[place]()
    with LoopbackMarket(PRICES) as market, ExitStack() as ending:
        workers = [
            ending.enter_context(
                Worker(tmp_path / str(number), market.port, f"w{number}", leases=leases, place=settings)
            )
            for number in range(PROCESSES)
        ]
        market.hold()
        for worker in workers:
            worker.begin("prices", SYMBOLS)
        market.await_calls(PROCESSES)
        market.release()
        for worker in workers:
            assert worker.answer() == PRICES
        times = Counter(market.asked_symbols)
    assert set(times) == set(SYMBOLS)
    assert (set(times.values()) == {1}) == fetched_once
    print(f"{place}: {len(market.calls)} requests for {PROCESSES} processes")  # noqa: T201  a figure
