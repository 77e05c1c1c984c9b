"""What tests of the engine share: services over one store, providers that wait, waiting for events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from quotewell.cache.passing import RefreshThread
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.protocols import Clock, Coordinator, Level, Provider
from quotewell.records import Quote
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider
from quotewell.wiring import connect

LONGEST_WAIT = 30.0
"""Real seconds after which a test gives up."""


def service_on(
    stores: tuple[Level, Coordinator], clock: Clock, *providers: Provider, **settings: object
) -> TickerService:
    """A process's view of `stores`."""
    return connect(Settings(**settings), clock=clock, providers=providers, stores=stores)  # type: ignore[arg-type]


def wait_until(condition: Callable[[], object]) -> None:
    """Look every few milliseconds whether `condition` holds, and fail when it never does."""
    never = threading.Event()
    for _ in range(int(LONGEST_WAIT / 0.005)):
        if condition():
            return
        never.wait(0.005)
    raise AssertionError("waited in vain")


def fetches_ended() -> None:
    """Wait until no fetch goes on in this process, nor is about to."""
    for thread in threading.enumerate():
        if isinstance(thread, RefreshThread):
            assert thread.settle(LONGEST_WAIT)
    for thread in threading.enumerate():
        # One that renews leases lives until they are given back, which tests of leases alone never do; one
        # that listens, until its level is closed.
        lives = thread.name in {"quotewell-leases", "quotewell-push"}
        if thread.name.startswith("quotewell-") and not (lives or isinstance(thread, RefreshThread)):
            thread.join(LONGEST_WAIT)
            assert not thread.is_alive()


class Errand(threading.Thread):
    """A call in a thread of its own; `result()` waits for what it returns and raises what it raises."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._returned: list[object] = []
        self._raised: list[Exception] = []
        self.start()

    def run(self) -> None:
        try:
            self._returned.append(self._call())
        except Exception as error:  # noqa: BLE001  raised where the result is asked for
            self._raised.append(error)

    def result(self) -> object:
        self.join(LONGEST_WAIT)
        assert not self.is_alive()
        if self._raised:
            raise self._raised[0]
        return self._returned[0]


def price_of(tickers: TickerService, symbol: str, **how: object) -> float | None:
    """What a bulk reader answers for one symbol."""
    record = tickers.read([(symbol, "quote")], **how)[symbol, "quote"].record  # type: ignore[arg-type]
    return record.last if isinstance(record, Quote) else None


class NoLeases(LocalCoordinator):
    """The negative control: everybody is granted everything."""

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        return set(keys)


class WatchedCoordinator(LocalCoordinator):
    """Holds lease requests back while told to, and counts those that were denied something."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.denied = 0

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        self.asked.release()
        assert self.gate.wait(LONGEST_WAIT)
        granted = super().lease(keys, token, seconds)
        self.denied += len(granted) < len(set(keys))
        return granted


class PunctualProvider(FakeProvider):
    """Gives up at the deadline it is given, as a real transport does."""

    def __init__(self, clock: Clock, prices: dict[str, float]) -> None:
        super().__init__(clock, prices)
        self.open = threading.Event()

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        fetched = super().fetch(call, lane=lane, deadline=deadline)
        if not self.open.wait(max(deadline - self._clock.monotonic(), 0.0)):
            raise ProviderError(self.name, "timeout", "no answer in time")
        return fetched


class SeparatelyHeldProvider(FakeProvider):
    """Each call waits for a gate of its own: `gates[0]` is the first call's; later ones are open."""

    def __init__(self, clock: Clock, prices: dict[str, float], *, held: int) -> None:
        super().__init__(clock, prices)
        self.gates = [threading.Event() for _ in range(held)]

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        fetched = super().fetch(call, lane=lane, deadline=deadline)
        number = next(place for place, earlier in enumerate(self.calls) if earlier is call)
        if number < len(self.gates):
            assert self.gates[number].wait(LONGEST_WAIT)
        return fetched


def in_threads(n: int, work: Callable[[int], object]) -> Sequence[Errand]:
    """`work(0)` … `work(n - 1)`, each in a thread of its own."""
    return [Errand(lambda number=number: work(number)) for number in range(n)]  # type: ignore[misc]
