"""Orders of events that a fetch must survive: what others store, invalidate and hold meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pytest

from engine_parts import (
    Errand,
    PunctualProvider,
    SeparatelyHeldProvider,
    WatchedCoordinator,
    fetches_ended,
    price_of,
    service_on,
    wait_until,
)
from quotewell.cache.memory_level import MemoryLevel
from quotewell.clock import ShiftedClock
from quotewell.coordination.local import LocalCoordinator
from quotewell.outcomes import PrefetchReport
from quotewell.protocols import Level
from quotewell.records import Closes, Failure, Reading, Record
from quotewell.testing import FakeProvider, ManualClock

POLL = 0.05
FIVE_MINUTES = 300.0
OPEN = 1_736_953_200.0
"""A Wednesday, half an hour after New York opened."""
PRICES = {"AAPL": 200.0, "MSFT": 400.0, "NVDA": 100.0}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def running_clock() -> ShiftedClock:
    """For tests in which two threads wait for each other."""
    return ShiftedClock(OPEN)


# ------------------------------------------------------------------------------------------ other processes


def test_every_batch_looks_again_at_what_another_process_has_stored(running_clock: ShiftedClock) -> None:
    symbols = [f"S{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKL"]
    level, leases = MemoryLevel(running_clock), WatchedCoordinator(running_clock)
    slow, fast = (FakeProvider(running_clock, dict.fromkeys(symbols, 1.0)) for _ in range(2))
    one = service_on((level, leases), running_clock, slow, yahoo_concurrency=1)
    other = service_on((level, LocalCoordinator(running_clock)), running_clock, fast)
    leases.gate.clear()
    reading = Errand(lambda: one.quotes(symbols))
    assert leases.asked.acquire(timeout=30)  # it has seen an empty level and is about to fetch
    other.quotes(symbols)
    leases.gate.set()
    readings = reading.result()
    assert isinstance(readings, dict)
    assert all(found.usable for found in readings.values())
    assert slow.calls == []


def test_a_value_older_than_asked_for_is_no_answer_because_something_else_was_written(
    clock: ManualClock,
) -> None:
    provider = FakeProvider(clock, PRICES)
    tickers = service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, provider)
    tickers.get_price("AAPL")
    provider.prices["AAPL"] = 201.0
    tickers.invalidate(["MSFT"])
    clock.advance(POLL / 2)  # before the next poll: the service has not read this revision
    assert tickers.get_price("AAPL", max_age=POLL / 4) == 201.0


def test_refresh_does_not_take_the_old_value_for_the_new_one_that_another_process_is_fetching(
    running_clock: ShiftedClock,
) -> None:
    level, leases = MemoryLevel(running_clock), WatchedCoordinator(running_clock)
    slow, fast = FakeProvider(running_clock, PRICES), FakeProvider(running_clock, PRICES)
    one = service_on((level, leases), running_clock, slow)
    other = service_on((level, leases), running_clock, fast)
    one.get_price("AAPL")
    slow.await_calls(1)
    slow.hold()
    first = Errand(lambda: one.refresh([("AAPL", "quote")]))
    slow.await_calls(1)
    fast.prices["AAPL"] = 201.0
    second = Errand(lambda: other.refresh([("AAPL", "quote")]))
    wait_until(lambda: leases.denied)
    service_on((level, leases), running_clock, fast).get_price("MSFT")  # the level's revision moves
    denied = leases.denied
    wait_until(lambda: leases.denied >= denied + 2 or not second.is_alive())
    slow.release()
    report = second.result()
    assert isinstance(report, PrefetchReport)
    assert report.outcomes["AAPL", "quote"].status == "fetched"
    assert other.get_price("AAPL") == 201.0
    first.result()


@pytest.mark.parametrize("everything", [False, True])
def test_a_reader_does_not_join_a_fetch_that_another_process_has_overtaken_by_an_invalidation(
    running_clock: ShiftedClock, everything: bool
) -> None:
    level, leases = MemoryLevel(running_clock), LocalCoordinator(running_clock)
    provider = SeparatelyHeldProvider(running_clock, PRICES, held=1)
    one = service_on((level, leases), running_clock, provider)
    other = service_on((level, leases), running_clock)
    early = Errand(lambda: one.get_price("AAPL"))
    provider.await_calls(1)
    provider.prices["AAPL"] = 201.0
    if everything:
        other.clear_cache()
    else:
        other.invalidate(["AAPL"], hard=True)
    running_clock.advance(POLL)
    late = Errand(lambda: one.get_price("AAPL"))
    provider.await_calls(1)  # a fetch of its own
    provider.gates[0].set()
    assert late.result() == 201.0
    assert early.result() == 200.0
    running_clock.advance(POLL)
    assert one.get_price("AAPL") == 201.0


def test_a_reader_after_an_invalidation_does_not_wait_for_the_fetch_that_it_overtook(
    running_clock: ShiftedClock,
) -> None:
    stores = (MemoryLevel(running_clock), LocalCoordinator(running_clock))
    provider = SeparatelyHeldProvider(running_clock, PRICES, held=1)
    tickers = service_on(stores, running_clock, provider)
    price_of(tickers, "AAPL", timeout=0.0)
    provider.await_calls(1)
    provider.prices["AAPL"] = 201.0
    tickers.invalidate(["AAPL"])
    assert Errand(lambda: tickers.get_price("AAPL")).result() == 201.0
    provider.gates[0].set()
    fetches_ended()
    assert tickers.get_price("AAPL") == 201.0


# ------------------------------------------------------------------------------------------- invalidations


class InvalidatedOnTheWay(MemoryLevel):
    """Runs `meanwhile` once, right after a value was stored or read."""

    meanwhile: Callable[[], object] | None = None

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        refused = super().put_many(table, records, begun=begun, closes=closes)
        self._once(table)
        return refused

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        found = super().get_many(table, keys)
        if found:
            self._once(table)
        return found

    def _once(self, table: str) -> None:
        meanwhile = self.meanwhile
        if meanwhile is not None and table == "quote":
            self.meanwhile = None
            meanwhile()


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("stored_before", [False, True])
def test_memory_does_not_admit_what_was_invalidated_on_its_way_there(
    clock: ManualClock, hard: bool, stored_before: bool
) -> None:
    level = InvalidatedOnTheWay(clock)
    provider = FakeProvider(clock, PRICES)
    leases = LocalCoordinator(clock)
    tickers = service_on((level, leases), clock, provider)
    if stored_before:
        service_on((level, leases), clock, provider).get_price("AAPL")
        fetches_ended()
    level.meanwhile = lambda: tickers.invalidate(["AAPL"], hard=hard)
    tickers.quotes(["AAPL"])
    provider.prices["AAPL"] = 201.0
    assert tickers.get_price("AAPL") == 201.0


class ForgetfulLevel(MemoryLevel):
    """The negative control: takes every failure for one that began just now."""

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        super().fail_many(table, failures, begun=self.rev())


@pytest.mark.parametrize(("kind", "price"), [(MemoryLevel, 200.0), (ForgetfulLevel, None)])
def test_a_failure_of_a_fetch_that_an_invalidation_overtook_is_not_remembered(
    running_clock: ShiftedClock, kind: type[MemoryLevel], price: float | None
) -> None:
    provider = FakeProvider(running_clock, PRICES)
    tickers = service_on((kind(running_clock), LocalCoordinator(running_clock)), running_clock, provider)
    provider.failure = "server"
    provider.hold()
    price_of(tickers, "AAPL", timeout=0.0)
    provider.await_calls(1)
    provider.failure = None
    tickers.invalidate(["AAPL"], hard=True)
    provider.release()
    fetches_ended()
    assert price_of(tickers, "AAPL") == price


# ------------------------------------------------------------------------------------------------ deadlines


def test_an_impatient_caller_spoils_it_for_nobody(running_clock: ShiftedClock) -> None:
    provider = PunctualProvider(running_clock, PRICES)
    stores = (MemoryLevel(running_clock), LocalCoordinator(running_clock))
    tickers = service_on(stores, running_clock, provider)
    assert price_of(tickers, "AAPL", timeout=0.0) is None
    patient = Errand(lambda: tickers.get_price("AAPL"))
    provider.open.set()
    assert patient.result() == 200.0
    assert provider.requests == 1


def test_a_value_in_grace_is_not_fetched_again_while_its_failure_is_throttled(clock: ManualClock) -> None:
    provider = FakeProvider(clock, PRICES)
    tickers = service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, provider)
    tickers.get_price("AAPL")
    clock.advance(FIVE_MINUTES + 1)
    provider.failure = "invalid"
    for _ in range(5):
        assert tickers.get_price("AAPL") == 200.0
        fetches_ended()
    assert provider.requests == 2
    clock.advance(31)
    assert tickers.get_price("AAPL") == 200.0
    fetches_ended()
    assert provider.requests == 3


# -------------------------------------------------------------------------------------------------- closing


def test_closing_remembers_no_failure_of_what_was_not_tried_any_more(running_clock: ShiftedClock) -> None:
    symbols = [f"S{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKL"]
    level, leases = MemoryLevel(running_clock), LocalCoordinator(running_clock)
    provider = FakeProvider(running_clock, dict.fromkeys(symbols, 1.0))
    tickers = service_on((level, leases), running_clock, provider, yahoo_concurrency=1)
    provider.hold()
    reading = Errand(lambda: tickers.quotes(symbols))
    provider.await_calls(1)
    tickers.close()
    provider.release()
    readings = reading.result()
    assert isinstance(readings, dict)
    told = {found.failure.reason for found in readings.values() if found.failure is not None}
    assert told == {"the service was closed before it was fetched"}
    assert len(provider.calls) == 1
    assert remembered(level, symbols) == {}


def test_closing_gives_back_the_leases_of_what_is_on_its_way(running_clock: ShiftedClock) -> None:
    level, leases = MemoryLevel(running_clock), LocalCoordinator(running_clock)
    provider = SeparatelyHeldProvider(running_clock, PRICES, held=1)
    one = service_on((level, leases), running_clock, provider)
    early = Errand(lambda: one.quotes(["AAPL"])["AAPL"])
    provider.await_calls(1)
    one.close()
    told = early.result()  # who waited is not kept waiting
    assert isinstance(told, Reading)
    assert told.failure is not None
    assert told.failure.reason == "the service was closed before it was fetched"
    other = service_on((level, leases), running_clock, provider)
    assert Errand(lambda: other.get_price("AAPL")).result() == 200.0
    provider.gates[0].set()
    fetches_ended()


def remembered(level: Level, symbols: Collection[str]) -> dict[str, Failure]:
    records = level.get_many("quote", symbols)
    return {symbol: record.failure for symbol, record in records.items() if record.failure is not None}
