"""The providers of a service in the order in which they are asked, each behind its circuit breaker."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from quotewell.errors import ProviderError
from quotewell.protocols import Call, Clock, Endpoint, Fetched, Lane, Provider
from quotewell.providers.circuit import CLOSED, Circuit, admit, failed

__all__ = ["Chain"]


class Chain:
    """Ordered providers; thread-safe.

    Args:
        providers: First asked first; their names are distinct.
        clock: The time.
    """

    def __init__(self, providers: Iterable[Provider], clock: Clock) -> None:
        self.providers: Mapping[str, Provider] = {provider.name: provider for provider in providers}
        self._order = tuple(self.providers.values())
        self._clock = clock
        self._lock = threading.Lock()
        self._circuits: dict[str, Circuit] = dict.fromkeys(self.providers, CLOSED)

    def __len__(self) -> int:
        """How many providers, and so rounds, there are."""
        return len(self._order)

    def endpoints(self, position: int) -> tuple[Endpoint, ...]:
        """The endpoints of the provider that is asked in round `position` (0, 1, …); none after the last."""
        return self._order[position].endpoints if 0 <= position < len(self._order) else ()

    @property
    def requests(self) -> int:
        """Requests sent so far, by all providers."""
        return sum(provider.requests for provider in self._order)

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Make one call at the provider whose endpoint it names.

        Args:
            call: What to ask.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.

        Raises:
            ProviderError: When the whole call failed, or the provider has failed so often that it is left
                alone for a while (kind of the failure: `network`, with `retry_at`).
        """
        name = call.endpoint.provider
        provider = self.providers.get(name)
        if provider is None:
            raise ProviderError(name, "unsupported", "not among the providers of this service")
        self._enter(name)
        try:
            fetched = provider.fetch(call, lane=lane, deadline=deadline)
        except ProviderError as error:
            with self._lock:
                circuit = self._circuits[name]
                self._circuits[name] = failed(circuit, error.failure, self._clock.monotonic())
            raise
        with self._lock:
            self._circuits[name] = CLOSED
        return fetched

    def close(self) -> None:
        """Release all providers' connections; may be called twice."""
        with ExitStack() as closing:
            for provider in self._order:
                closing.callback(provider.close)

    def _enter(self, name: str) -> None:
        with self._lock:
            self._circuits[name], wait = admit(self._circuits[name], self._clock.monotonic())
        if wait > 0.0:
            raise ProviderError(
                name,
                "network",
                f"did not answer several times in a row; asked again in {wait:.0f} s",
                retry_at=self._clock.now() + wait,
            )
