"""The providers of a service in the order in which they are asked, each behind its circuit breaker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Self

from quotewell.endpoints import Call, Endpoint, Fetched, Lane, Limit
from quotewell.errors import ProviderError
from quotewell.protocols import Clock, Provider
from quotewell.providers.circuit import CLOSED, Circuit, admit, failed

__all__ = ["Chain"]


class Chain:
    """Ordered providers; thread-safe.

    Args:
        makers: By name, first asked first; each is called when its provider is first needed, as a look-up
            that the cache answers should not pay for it.
        clock: The time.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Provider]], clock: Clock) -> None:
        self.names = tuple(makers)
        self._makers = makers
        self._made: dict[str, Provider] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._probed = threading.Condition(self._lock)
        self._circuits: dict[str, Circuit] = dict.fromkeys(makers, CLOSED)
        self._last: dict[str, ProviderError] = {}

    @classmethod
    def of(cls, providers: Iterable[Provider], clock: Clock) -> Self:
        """A chain of providers that are there already."""
        return cls({provider.name: partial(_given, provider) for provider in providers}, clock)

    def __len__(self) -> int:
        """How many providers, and so rounds, there are."""
        return len(self.names)

    def endpoints(self, position: int) -> tuple[Endpoint, ...]:
        """The endpoints of the provider that is asked in round `position` (0, 1, …); none after the last."""
        return self._provider(self.names[position]).endpoints if 0 <= position < len(self.names) else ()

    @property
    def requests(self) -> int:
        """Requests sent so far, by all providers."""
        return sum(provider.requests for provider in list(self._made.values()))

    @property
    def waited(self) -> float:
        """Seconds that requests of all providers have waited for rate limits, summed over all of them."""
        return sum(provider.waited for provider in list(self._made.values()))

    def circuits(self) -> dict[str, bool]:
        """For each provider: whether it is left alone now, because it has failed several times in a row."""
        now = self._clock.monotonic()
        with self._lock:
            return {name: now < circuit.refuses_until for name, circuit in self._circuits.items()}

    def handshake(self, position: int) -> int:
        """Requests that the provider of round `position` sends before its next data request."""
        return self._provider(self.names[position]).handshake

    def limit(self, position: int) -> Limit | None:
        """The rate limit of the provider of round `position`."""
        return self._provider(self.names[position]).limit

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Make one call at the provider whose endpoint it names.

        Args:
            call: What to ask.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.

        Raises:
            ProviderError: When the whole call failed, or the provider has failed so often that it is left
                alone for a while (kind and reason are those of its last failure, with `retry_at`).
        """
        name = call.endpoint.provider
        if name not in self.names:
            raise ProviderError(name, "unsupported", "not among the providers of this service")
        provider = self._provider(name)
        self._enter(name, deadline)
        try:
            fetched = provider.fetch(call, lane=lane, deadline=deadline)
        except ProviderError as error:
            with self._lock:
                circuit = self._circuits[name]
                self._circuits[name] = failed(circuit, error.failure, self._clock.monotonic())
                self._last[name] = error
                self._probed.notify_all()
            raise
        with self._lock:
            self._circuits[name] = CLOSED
            self._probed.notify_all()
        return fetched

    def close(self) -> None:
        """Release all providers' connections; may be called twice."""
        with ExitStack() as closing:
            for provider in list(self._made.values()):
                closing.callback(provider.close)

    def _provider(self, name: str) -> Provider:
        with self._lock:
            provider = self._made.get(name)
            if provider is None:
                provider = self._made[name] = self._makers[name]()
            return provider

    def _enter(self, name: str, deadline: float) -> None:
        """Pass, be refused, or wait for what becomes of the probe that is on its way: soon all may pass."""
        with self._lock:
            while True:
                now = self._clock.monotonic()
                self._circuits[name], wait = admit(self._circuits[name], now)
                patience = min(wait, deadline - now)
                if wait == 0.0 or patience <= 0.0 or not self._circuits[name].probing:
                    break
                self._clock.wait(self._probed, patience)
            last = self._last.get(name)
        if wait > 0.0 and last is not None:  # it was opened by a failure
            raise ProviderError(
                name,
                last.failure,
                f"failed several times in a row, at last: {last.reason}; asked again in {wait:.0f} s",
                retry_at=self._clock.now() + wait,
            )


def _given(provider: Provider) -> Provider:
    return provider
