"""The coordinator of a single process."""

from __future__ import annotations

import datetime as dt
import heapq
import threading
from collections.abc import Callable, Collection, Mapping
from operator import itemgetter
from typing import NamedTuple, TypeVar

from quotewell.coordination.budget import Budget
from quotewell.coordination.budgeting import Budgeting
from quotewell.coordination.daily import first_kept, period, positive, utc_day
from quotewell.coordination.usage import FORGOTTEN_AFTER, decayed
from quotewell.protocols import Clock

__all__ = ["LocalCoordinator"]

T = TypeVar("T")


class _Lease(NamedTuple):
    token: str
    until: float
    seconds: float

    def in_force(self, now: float) -> bool:
        """Not when more is left of it than twice its length: the clock was set back."""
        return now < self.until <= now + 2.0 * self.seconds


class LocalCoordinator(Budgeting):
    """A `protocols.Coordinator` that serves the threads of one process.

    Args:
        clock: The time.
    """

    name = "local"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: dict[str, _Lease] = {}
        self._budgets: dict[str, Budget] = {}
        self._usage: dict[str, tuple[float, float]] = {}
        self._stats: dict[dt.date, dict[str, dict[str, int]]] = {}

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`."""
        with self._lock:
            now = self._drop_ended_leases()
            granted = {key for key in keys if self._leases.get(key, _Lease(token, 0.0, 0.0)).token == token}
            self._leases.update(dict.fromkeys(granted, _Lease(token, now + seconds, seconds)))
            return granted

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`; a lease that has run out is not held, even if nobody took it."""
        with self._lock:
            now = self._drop_ended_leases()
            held = {key for key in keys if key in self._leases and self._leases[key].token == token}
            self._leases.update(dict.fromkeys(held, _Lease(token, now + seconds, seconds)))
            return held

    def release(self, keys: Collection[str], token: str) -> None:
        """See `protocols.Coordinator`."""
        with self._lock:
            for key in keys:
                lease = self._leases.get(key)
                if lease is not None and lease.token == token:
                    del self._leases[key]

    def add_usage(self, counts: Mapping[str, float]) -> None:
        """See `protocols.Coordinator`."""
        with self._lock:
            now = self._clock.now()
            for symbol, count in counts.items():
                before, at = self._usage.get(symbol, (0.0, now))
                self._usage[symbol] = (decayed(before, at, now) + count, now)
            for symbol in [s for s, (_, at) in self._usage.items() if at < now - FORGOTTEN_AFTER]:
                del self._usage[symbol]

    def top_usage(self, n: int) -> list[tuple[str, float]]:
        """See `protocols.Coordinator`."""
        with self._lock:
            now = self._clock.now()
            counts = [(symbol, decayed(count, at, now)) for symbol, (count, at) in self._usage.items()]
        return heapq.nlargest(n, counts, key=itemgetter(1))

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """See `protocols.Coordinator`."""
        with self._lock:
            now = self._clock.now()
            for day in [day for day in self._stats if day < first_kept(now)]:
                del self._stats[day]
            for facet, event, n in positive(counts):
                events = self._stats.setdefault(utc_day(now), {}).setdefault(facet, {})
                events[event] = events.get(event, 0) + n

    def stats_by_day(self, days: int) -> dict[dt.date, dict[str, dict[str, int]]]:
        """See `protocols.Coordinator`."""
        with self._lock:
            first, last = period(self._clock.now(), days)
            return {
                day: {facet: dict(events) for facet, events in facets.items()}
                for day, facets in sorted(self._stats.items())
                if first <= day <= last
            }

    def close(self) -> None:
        """See `protocols.Coordinator`; nothing is held."""

    def _spent(self, provider: str) -> Budget:
        with self._lock:
            return self._budgets.get(provider, Budget())

    def _step(self, provider: str, step: Callable[[Budget, float], tuple[Budget, T]]) -> T:
        with self._lock:
            budget = self._budgets.get(provider, Budget())
            self._budgets[provider], answer = step(budget, self._clock.now())
            return answer

    def _drop_ended_leases(self) -> float:
        now = self._clock.now()
        for key in [key for key, lease in self._leases.items() if not lease.in_force(now)]:
            del self._leases[key]
        return now
