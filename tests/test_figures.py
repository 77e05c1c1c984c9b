"""Figures at hand: answered without a look at anything but the clock, and never longer than their record."""

from __future__ import annotations

import threading
import weakref

import pytest

from engine_parts import fetches_ended, service_on
from quotewell.cache.memory import HotFigure, MemoryCache
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.passing import Passing, RefreshThread
from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import CacheError
from quotewell.records import Need, Quote, Risk
from quotewell.service import TickerService
from quotewell.testing import FakeProvider, ManualClock

PRICES = {"AAPL": 200.0, "MSFT": 300.0}
FIVE_MINUTES = 300.0
POLL = 0.05


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def level(clock: ManualClock) -> MemoryLevel:
    return MemoryLevel(clock)


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, dict(PRICES))


@pytest.fixture
def tickers(clock: ManualClock, level: MemoryLevel, provider: FakeProvider) -> TickerService:
    return service_on((level, LocalCoordinator(clock)), clock, provider)


def figure_of(tickers: TickerService, symbol: str) -> HotFigure:
    return tickers.engine.store.memory.figures("quote")[symbol]


# ------------------------------------------------------------------------------------------ in the memory


def heated(**quotes: float | None) -> MemoryCache:
    memory = MemoryCache(10)
    records = {symbol: Quote(symbol, last=last, fresh_until=9.0) for symbol, last in quotes.items()}
    memory.put_many("quote", records)
    memory.heat_all("quote", quotes, until=5.0)
    return memory


def test_only_records_with_a_figure_are_at_hand() -> None:
    memory = heated(A=1.0, B=None)
    assert [(key, figure.value) for key, figure in memory.figures("quote").items()] == [("A", 1.0)]
    assert memory.heat("quote", "C") is None
    assert memory.heat("quote", "A") is memory.figures("quote")["A"]


def test_a_figure_answers_no_longer_than_its_record() -> None:
    memory = heated(A=1.0)
    assert memory.figures("quote")["A"].until == 5.0
    memory.heat_all("quote", ["A"], until=100.0)
    assert memory.figures("quote")["A"].until == 9.0


def test_a_figure_goes_with_its_record() -> None:
    memory = heated(A=1.0, B=2.0)
    replaced, dropped = memory.figures("quote")["A"], memory.figures("quote")["B"]
    memory.put_many("quote", {"A": Quote("A", last=3.0)})
    memory.drop("quote", ["B"])
    assert memory.figures("quote") == {}
    # A reader that has just found it does not go on with it.
    assert (replaced.until, dropped.until) == (0.0, 0.0)


def test_no_figure_outlives_a_clock_step() -> None:
    memory = heated(A=1.0)
    memory.expire_all()
    assert memory.figures("quote")["A"].until == 0.0


def test_hits_of_figures_are_hits_of_their_records() -> None:
    memory = heated(A=1.0, B=2.0)
    memory.figures("quote")["A"].hits = 3.0
    assert memory.hits("quote") == 3
    memory.figures("quote")["A"].hits = 2.0
    memory.figures("quote")["B"].hits = 1.0
    assert memory.usage() == {"A": 5, "B": 1}
    memory.figures("quote")["A"].hits = 1.0
    memory.drop("quote", None)
    assert memory.hits("quote") == 7
    assert memory.usage() == {"A": 1}


def test_memory_is_bounded_in_bytes() -> None:
    memory = MemoryCache(1_000_000, max_bytes=100_000)
    for start in range(0, 1_000, 50):
        memory.put_many("quote", {f"S{i}": Quote(f"S{i}") for i in range(start, start + 50)})
        memory.put_many("risk", {f"S{i}": Risk(f"S{i}") for i in range(start, start + 50)})
        assert memory.bytes <= 100_000
    assert len(memory) > 100
    assert memory.evictions == 2_000 - len(memory)
    memory.clear()
    assert memory.bytes == 0


# ------------------------------------------------------------------------------------------ in the service


def test_a_second_price_is_answered_by_the_figure_alone(
    tickers: TickerService, provider: FakeProvider
) -> None:
    assert [tickers.get_price("AAPL") for _ in range(3)] == [200.0] * 3
    figure_of(tickers, "AAPL").value = 7.0  # to tell who answers
    assert tickers.get_price("AAPL") == 7.0
    assert tickers.get_price("AAPL", max_age=60.0) == 200.0
    assert provider.requests == 1


def test_a_figure_is_not_believed_beyond_the_next_look_at_the_level(
    tickers: TickerService, level: MemoryLevel, clock: ManualClock
) -> None:
    for _ in range(3):
        tickers.get_price("AAPL")
    level.put_many(
        "quote", [Quote("AAPL", "other", clock.now(), clock.now() + 1.0, 300.0)], begun=level.rev()
    )
    clock.advance(POLL - 0.001)
    assert tickers.get_price("AAPL") == 200.0
    clock.advance(0.002)
    assert tickers.get_price("AAPL") == 300.0


def test_a_figure_in_grace_is_answered_and_fetched_behind_it_once(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    tickers.get_price("MSFT")
    clock.advance(FIVE_MINUTES)  # beyond the fresh time, which jitter may only shorten
    tickers.get_price("MSFT")  # looks at the level, and so AAPL need not
    fetches_ended()
    provider.prices["AAPL"] = 201.0
    provider.hold()
    requests = provider.requests
    assert [tickers.get_price("AAPL") for _ in range(5)] == [200.0] * 5
    provider.await_calls(1)
    provider.release()
    fetches_ended()
    assert provider.requests == requests + 1
    assert tickers.get_price("AAPL") == 201.0


def test_offline_a_figure_in_grace_is_answered_and_nobody_asked(
    clock: ManualClock, level: MemoryLevel, provider: FakeProvider
) -> None:
    level.put_many("quote", [Quote("AAPL", "fake", clock.now(), clock.now(), 200.0)], begun=level.rev())
    offline = service_on((level, LocalCoordinator(clock)), clock, provider, offline=True)
    assert offline.get_price("AAPL") == 200.0
    clock.advance(FIVE_MINUTES)
    assert [offline.get_price("AAPL") for _ in range(3)] == [200.0] * 3
    fetches_ended()
    assert provider.requests == 0


def test_a_beta_in_grace_is_computed_anew_behind_the_answer(
    clock: ManualClock, level: MemoryLevel, provider: FakeProvider
) -> None:
    day = 86_400.0
    risk = Risk("AAPL", "x", None, clock.now() - 7 * day, 1.5, "stated", "^GSPC")
    level.put_many("risk", [risk], begun=level.rev())
    tickers = service_on((level, LocalCoordinator(clock)), clock, provider, beta="provider")
    recorder = Recorder([])
    tickers._passing = Passing(recorder.note)
    tickers.get_beta = tickers._figure_reader("risk")
    assert [tickers.get_beta("AAPL") for _ in range(3)] == [1.5] * 3
    for thread in threading.enumerate():
        if isinstance(thread, RefreshThread):
            assert thread.settle(10.0)
    assert recorder.noted == [[("AAPL", "risk")]]


def test_a_closed_service_answers_no_figure(tickers: TickerService) -> None:
    tickers.get_price("AAPL")
    tickers.get_price("AAPL")
    tickers.close()
    with pytest.raises(CacheError, match="closed"):
        tickers.get_price("AAPL")


# ------------------------------------------------------------------------------------------ behind answers


class Recorder:
    def __init__(self, noted: list[list[Need]]) -> None:
        self.noted = noted

    def note(self, needs: list[Need]) -> None:
        self.noted.append(needs)


def refresh_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if isinstance(thread, RefreshThread)}


def test_the_thread_ends_with_the_object_that_it_works_for() -> None:
    others = refresh_threads()
    recorder = Recorder([])
    passing = Passing(recorder.note)
    assert passing.request(("A", "quote"))
    [thread] = refresh_threads() - others
    gone = weakref.ref(recorder)
    del recorder
    thread.join(10.0)
    assert not thread.is_alive()
    assert gone() is None


def test_closing_ends_the_thread() -> None:
    others = refresh_threads()
    recorder = Recorder([])
    passing = Passing(recorder.note)
    passing.request(("A", "quote"))
    [thread] = refresh_threads() - others
    passing.close()
    thread.join(10.0)
    assert not thread.is_alive()
    assert recorder.noted == [[("A", "quote")]]
