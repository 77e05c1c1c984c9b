"""A Yahoo provider before the simulated market, which all tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quotewell.testing import ManualClock
from quotewell.testing.simulator import Instrument, MarketSimulator
from yahoo_setup import NOW, SPLIT, STOCKS, UNSEEN, Setup


@pytest.fixture(scope="module")
def running() -> Iterator[MarketSimulator]:
    clock = ManualClock(NOW)
    listed: list[str | Instrument] = ["AAPL", "MSFT", "SPY", "VOD.L", "7203.T", SPLIT, UNSEEN, *STOCKS]
    with MarketSimulator(symbols=listed, now=clock.now) as simulator:
        yield simulator


@pytest.fixture
def setup(running: MarketSimulator) -> Iterator[Setup]:
    running.clear_faults()
    running.clear_log()
    setup = Setup(running, ManualClock(NOW))
    yield setup
    setup.provider.close()
    running.clear_faults()
