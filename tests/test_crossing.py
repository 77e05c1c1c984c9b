"""What one process changes, another sees that asks: at the latest when its 50 ms of belief are over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine_parts import fetches_ended, service_on
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.cache.store import Store
from quotewell.coordination.local import LocalCoordinator
from quotewell.protocols import Level
from quotewell.service import TickerService
from quotewell.testing import FakeProvider, ManualClock

OLD, NEW = 200.0, 201.0
CHANGES: dict[str, Callable[[TickerService], object]] = {
    "soft invalidation": lambda other: other.invalidate(["AAPL"]),
    "hard invalidation": lambda other: other.invalidate(["AAPL"], hard=True),
    "clear_cache": lambda other: other.clear_cache(),
    "refresh": lambda other: other.refresh([("AAPL", "quote")]),
}
READS: dict[str, Callable[[TickerService], float | None]] = {
    "get_price": lambda tickers: tickers.get_price("AAPL"),
    "get_many": lambda tickers: getattr(tickers.get_many(["AAPL"])["AAPL"], "last", None),
    "quotes": lambda tickers: getattr(tickers.quotes(["AAPL"])["AAPL"].record, "last", None),
}


class Pair:
    """Two processes' services over one store; the asking one has the old price in memory."""

    def __init__(self, level: Callable[[], Level], clock: ManualClock, ending: ExitStack) -> None:
        self.clock = clock
        self.provider = FakeProvider(clock, {"AAPL": OLD})
        leases = LocalCoordinator(clock)
        self.asking, self.other = (
            ending.enter_context(service_on((level(), leases), clock, self.provider)) for _ in range(2)
        )
        self.asking.get_price("AAPL")
        fetches_ended()  # else the other finds a lease that is about to be given back, and waits for it
        self.provider.prices["AAPL"] = NEW
        clock.advance(1.0)
        assert self.asking.get_price("AAPL") == OLD, "it has looked, and believes memory from now on"

    def change(self, how: str) -> None:
        CHANGES[how](self.other)


@pytest.fixture(params=["memory", "sqlite"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    clock = ManualClock(patience=30.0)
    shared = MemoryLevel(clock)
    makers: dict[str, Callable[[], Level]] = {
        "memory": lambda: shared,
        "sqlite": lambda: SqliteLevel(tmp_path / "cache.db", clock),
    }
    with ExitStack() as ending:
        yield Pair(makers[request.param], clock, ending)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("how", CHANGES)
def test_memory_is_believed_for_49_ms_and_not_for_51(pair: Pair, how: str, read: str) -> None:
    pair.change(how)
    pair.clock.advance(0.049)
    assert READS[read](pair.asking) == OLD
    pair.clock.advance(0.002)
    assert READS[read](pair.asking) == NEW


@pytest.mark.parametrize("how", CHANGES)
def test_without_polling_the_old_price_stays(pair: Pair, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(Store, "sync", lambda store: None)
    pair.change(how)
    pair.clock.advance(0.051)
    assert pair.asking.get_price("AAPL") == OLD
