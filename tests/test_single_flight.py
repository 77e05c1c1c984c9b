"""Many threads want the same at once: each key is fetched once, and everybody shares what becomes of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest

from engine_parts import LONGEST_WAIT, Errand, NoLeases, fetches_ended, in_threads, service_on, wait_until
from quotewell.cache.flights import Flight, Flights
from quotewell.cache.loading import Batch, Miss
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.readthrough import Ask
from quotewell.clock import SystemClock
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.protocols import Changes
from quotewell.records import Need, Quote, Reading, Record
from quotewell.service import TickerService
from quotewell.testing import FakeProvider

THREADS = 64
SYMBOLS = [f"S{number // 26:02d}{chr(ord('A') + number % 26)}" for number in range(1000)]
SET = 500
"""Symbols that each thread asks for."""
CLOCK = SystemClock()


class AskedFlights(Flights):
    """Counts those who have claimed what they want, so that a test can hold answers back until all have."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.claims = 0

    def claim(self, needs: Iterable[Need]) -> tuple[Flight | None, dict[Need, Flight]]:
        claimed = super().claim(needs)
        with self._changed:
            self.claims += 1
        return claimed


class NoSingleFlight(AskedFlights):
    """The negative control: everybody fetches everything."""

    def claim(self, needs: Iterable[Need]) -> tuple[Flight | None, dict[Need, Flight]]:
        with self._changed:
            self.claims += 1
        return Flight(1, dict.fromkeys(needs)), {}

    def wait(self, need: Need, flight: Flight, until: float) -> Reading[Record] | None:
        with self._changed:
            while need not in flight.readings:
                self._changed.wait(LONGEST_WAIT)
        return flight.readings[need]


def service_with(flights: AskedFlights, provider: FakeProvider) -> TickerService:
    """Without leases, so that nothing but `flights` keeps threads from fetching the same."""
    tickers = service_on((MemoryLevel(CLOCK), NoLeases(CLOCK)), CLOCK, provider)
    tickers.engine._flights = tickers.engine._fetcher._flights = flights
    return tickers


def overlapping(number: int) -> list[str]:
    """A set of symbols that begins elsewhere for each thread; odd ones ask in the opposite order."""
    start = number * len(SYMBOLS) // THREADS
    wanted = (SYMBOLS + SYMBOLS)[start : start + SET]
    return wanted[::-1] if number % 2 else wanted


@pytest.mark.parametrize(("flights", "fetched_once"), [(AskedFlights, True), (NoSingleFlight, False)])
def test_overlapping_sets_of_cold_symbols_are_fetched_once(
    flights: type[AskedFlights], fetched_once: bool
) -> None:
    provider = FakeProvider(CLOCK, {symbol: float(place) for place, symbol in enumerate(SYMBOLS, 1)})
    claimed = flights()
    tickers = service_with(claimed, provider)
    together = threading.Barrier(THREADS)

    def ask(number: int) -> dict[str, float | None]:
        together.wait(LONGEST_WAIT)
        quotes = tickers.get_many(overlapping(number))
        return {symbol: None if quote is None else quote.last for symbol, quote in quotes.items()}

    provider.hold()
    errands = in_threads(THREADS, ask)
    wait_until(lambda: claimed.claims == THREADS)
    provider.release()
    for number, errand in enumerate(errands):
        assert errand.result() == {symbol: provider.prices[symbol] for symbol in overlapping(number)}
    times = Counter(provider.asked_symbols)
    assert set(times) == set(SYMBOLS)
    assert (set(times.values()) == {1}) == fetched_once


def test_crossed_claims_do_not_wait_for_each_other() -> None:
    provider = FakeProvider(CLOCK, dict.fromkeys(SYMBOLS, 1.0))
    flights = AskedFlights()
    tickers = service_with(flights, provider)
    first, second = SYMBOLS[:300], SYMBOLS[200:][::-1]
    provider.hold()
    errands = [Errand(lambda: tickers.quotes(first)), Errand(lambda: tickers.quotes(second))]
    wait_until(lambda: flights.claims == 2)
    provider.release()
    for errand, wanted in zip(errands, (first, second), strict=True):
        readings = errand.result()
        assert isinstance(readings, dict)
        assert list(readings) == wanted
        assert all(reading.usable for reading in readings.values())
    assert Counter(provider.asked_symbols) == Counter(SYMBOLS)


def test_followers_share_a_failure() -> None:
    provider = FakeProvider(CLOCK, {"AAPL": 1.0})
    provider.failure = "server"
    flights = AskedFlights()
    tickers = service_with(flights, provider)
    provider.hold()
    errands = in_threads(THREADS, lambda _: tickers.quotes(["AAPL"])["AAPL"])
    wait_until(lambda: flights.claims == THREADS)
    provider.release()
    failures = {reading.failure for errand in errands if isinstance(reading := errand.result(), Reading)}
    assert len(failures) == 1
    (failure,) = failures
    assert failure is not None
    assert (failure.kind, failure.count) == ("server", 1)
    assert provider.requests == 1


# -------------------------------------------------------------------------------------- leaders in trouble


class Held:
    """A loader of one batch whose answer is held back until `release`."""

    def __init__(self, answer: Callable[[Sequence[Need]], Fetched], *, concurrency: int) -> None:
        self.concurrency = concurrency
        self.calls = 0
        self.release = threading.Event()
        self._answer = answer

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        return None if attempt else [Batch(tuple(missing), "held", self._fetch)]

    def _fetch(self, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        self.calls += 1
        assert self.release.wait(LONGEST_WAIT)
        return self._answer(needs)


def prices(needs: Sequence[Need]) -> Fetched:
    now = CLOCK.now()
    return Fetched(
        found={need: Quote(symbol=need[0], source="held", fetched_at=now, last=1.0) for need in needs}
    )


def broken(needs: Sequence[Need]) -> Fetched:
    raise ZeroDivisionError(f"a bug in the loader of {needs[0][0]}")


def interrupted(needs: Sequence[Need]) -> Fetched:
    raise KeyboardInterrupt


def ask_for(seconds: float) -> Ask:
    return Ask(deadline=CLOCK.monotonic() + seconds)


def followers(tickers: TickerService, flights: AskedFlights, loader: Held) -> Sequence[Errand]:
    """Threads that have claimed what the leader, who was first, is fetching."""
    wait_until(lambda: loader.calls)
    before = flights.claims
    need = ("AAPL", "quote")
    errands = in_threads(
        8, lambda _: tickers.engine.read([need], Held(prices, concurrency=0), ask_for(30))[need]
    )
    wait_until(lambda: flights.claims == before + 8)
    return errands


@pytest.mark.parametrize("concurrency", [0, 2])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_loader_is_told_to_all_who_wait_and_is_not_remembered(concurrency: int) -> None:
    flights = AskedFlights()
    tickers = service_with(flights, FakeProvider(CLOCK, {"AAPL": 1.0}))
    loader = Held(broken, concurrency=concurrency)
    need = ("AAPL", "quote")
    leader = Errand(lambda: tickers.engine.read([need], loader, ask_for(30))[need])
    waiting = followers(tickers, flights, loader)
    loader.release.set()
    if concurrency == 0:  # its own thread: the bug is the caller's to see
        with pytest.raises(ZeroDivisionError):
            leader.result()
    told = [errand.result() for errand in (waiting if concurrency == 0 else [leader, *waiting])]
    for reading in told:
        assert isinstance(reading, Reading)
        assert reading.failure is not None
        assert reading.failure.reason == "unexpected ZeroDivisionError: a bug in the loader of AAPL"
    fetches_ended()
    assert tickers.get_price("AAPL") == 1.0


def test_when_a_leader_is_interrupted_one_of_its_followers_takes_over() -> None:
    flights = AskedFlights()
    tickers = service_with(flights, FakeProvider(CLOCK))
    loader, need = Held(interrupted, concurrency=0), ("AAPL", "quote")

    def lead() -> str:
        try:
            tickers.engine.read([need], loader, ask_for(30))
        except KeyboardInterrupt:
            return "interrupted"
        return "answered"

    leader = Errand(lead)
    wait_until(lambda: loader.calls)
    before = flights.claims
    successors = [Held(prices, concurrency=0) for _ in range(8)]
    for successor in successors:
        successor.release.set()
    waiting = in_threads(8, lambda n: tickers.engine.read([need], successors[n], ask_for(30))[need])
    wait_until(lambda: flights.claims == before + 8)
    loader.release.set()
    assert leader.result() == "interrupted"
    assert all(isinstance(reading := errand.result(), Reading) and reading.usable for errand in waiting)
    assert sum(successor.calls for successor in successors) == 1


def test_each_caller_waits_up_to_its_own_deadline() -> None:
    provider = FakeProvider(CLOCK, {"AAPL": 1.0})
    flights = AskedFlights()
    tickers = service_with(flights, provider)
    provider.hold()
    patient = in_threads(4, lambda _: tickers.get_price("AAPL", timeout=30.0))
    wait_until(lambda: flights.claims == 4)
    began = CLOCK.monotonic()
    impatient = in_threads(4, lambda _: tickers.read([("AAPL", "quote")], timeout=0.05)["AAPL", "quote"])
    for errand in impatient:
        reading = errand.result()
        assert isinstance(reading, Reading)
        assert reading.failure is not None
        assert reading.failure.kind == "timeout"
    assert 0.05 <= CLOCK.monotonic() - began < 5.0
    provider.release()
    assert [errand.result() for errand in patient] == [1.0] * 4
    assert provider.requests == 1


def test_the_first_callers_deadline_is_not_everybodys() -> None:
    """The flight's own deadline is at least a lease away: it brings the answer for whoever waits longer."""
    seconds_left: list[float] = []

    class Attentive(FakeProvider):
        def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
            seconds_left.append(deadline - CLOCK.monotonic())
            raise ProviderError(self.name, "server", "of no interest")

    stores = (MemoryLevel(CLOCK), LocalCoordinator(CLOCK))
    tickers = service_on(stores, CLOCK, Attentive(CLOCK), lease_seconds=20.0)
    tickers.read([("AAPL", "quote")], timeout=0.0)
    wait_until(lambda: seconds_left)
    assert 15.0 < seconds_left[0] <= 20.0


class CountingLock:
    """Tells when somebody wants it."""

    def __init__(self) -> None:
        self.wanted = threading.Semaphore(0)
        self._lock = threading.Lock()

    def acquire(self, timeout: float = -1.0) -> bool:
        self.wanted.release()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


class WrittenLevel(MemoryLevel):
    """Has a past that a first look tells of, which it holds back until `looked` is set."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.looking = threading.Event()
        self.looked = threading.Event()
        self.put_many("quote", [Quote(symbol="MSFT", last=1.0, fetched_at=1.0)], begun=0)
        self.delete_many("quote", None)

    def changes_since(self, rev: int) -> Changes:
        self.looking.set()
        assert self.looked.wait(LONGEST_WAIT)
        return super().changes_since(rev)


@pytest.mark.parametrize("awaited", [True, False])
def test_the_first_look_at_the_persistent_level_overtakes_no_fetch(awaited: bool) -> None:
    provider = FakeProvider(CLOCK, {"AAPL": 1.0})
    level, lock = WrittenLevel(), CountingLock()
    tickers = service_on((level, NoLeases(CLOCK)), CLOCK, provider)
    store = tickers.engine.store
    store._joining = lock  # type: ignore[assignment]
    if not awaited:  # the negative control
        store.sync = store._poll  # type: ignore[method-assign]
    provider.hold()
    first = Errand(lambda: tickers.get_price("AAPL"))
    assert level.looking.wait(LONGEST_WAIT)
    second = Errand(lambda: tickers.get_price("AAPL"))
    if awaited:
        for _ in range(2):
            assert lock.wanted.acquire(timeout=LONGEST_WAIT)
    else:
        provider.await_calls(1)
    level.looked.set()
    provider.await_calls(1)
    provider.release()
    assert first.result() == second.result() == 1.0
    assert (provider.requests == 1) == awaited
