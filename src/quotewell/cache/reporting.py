"""Statistics of a service: since it was opened, and by day through the coordinator.

Everything is counted where it happens, in `Counters` and in the records that memory holds. Now and then what
has come since is added to the counts that all processes share: at closing, and every half minute when an
event other than a memory hit is counted. That is done behind the back of whoever caused the event, who may
have no time to wait for another process's lock.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping

from quotewell.cache.fetching import started
from quotewell.cache.stats import (
    ALL_FACETS,
    CacheStats,
    Counters,
    DayStats,
    FacetStats,
    MemoryStats,
    PersistentStats,
)
from quotewell.cache.store import Store
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Clock, Coordinator
from quotewell.records import FACETS

__all__ = ["StatsReporter"]

_FLUSH_SECONDS = 30.0
_REQUESTS = "requests"


class StatsReporter:
    """Knows what a service has counted, and writes it out.

    Args:
        store: The cache levels; memory counts its hits itself.
        counters: Counts of all other events; flushes are made on their occasion.
        coordinator: Where usage and the counts of a day are kept.
        clock: The time.
        requests: How many requests the service has sent so far.
    """

    def __init__(
        self,
        store: Store,
        counters: Counters,
        coordinator: Coordinator,
        clock: Clock,
        requests: Callable[[], int],
    ) -> None:
        self._store = store
        self._counters = counters
        self._coordinator = coordinator
        self._clock = clock
        self._requests = requests
        self._due = clock.monotonic() + _FLUSH_SECONDS
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._flushed: dict[str, dict[str, int]] = {}
        """The totals that have been written out."""
        self._usage: dict[str, float] = {}
        """Hits by symbol that memory has handed over, and that are not yet written out."""
        self._warned = False
        self._closed = False
        counters.on_event = self._flush_if_due

    def since_start(self) -> CacheStats:
        """What has happened since the service was opened, and what the levels hold.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        memory, level = self._store.memory, self._store.level.stats()
        counts = self._by_table()
        tables = {name: memory.table(name) for name in counts}
        facets = {name: FacetStats.of(events) for name, events in sorted(counts.items())}
        total = FacetStats.total(facets.values())
        return CacheStats(
            facets={name: facet for name, facet in facets.items() if any(counts[name].values())},
            total=total,
            memory=MemoryStats(
                hits=total.memory_hits,
                records={name: len(table) for name, table in tables.items() if table},
                max_records=memory.max_records,
                bytes=memory.bytes,
                max_bytes=memory.max_bytes,
                evictions=memory.evictions,
            ),
            level=PersistentStats(
                name=self._store.level_name,
                hits=total.level_hits,
                misses=total.misses,
                records=level.records,
                bytes=level.bytes,
            ),
            requests=self._requests(),
        )

    def by_day(self, days: int) -> list[DayStats]:
        """The counts of the last `days` days, today among them, oldest first; those without any are left out.

        Raises:
            CacheError: The coordinator could not be reached.
        """
        self.flush()
        return [
            _day_stats(day.isoformat(), counts)
            for day, counts in self._coordinator.stats_by_day(days).items()
        ]

    def flush(self) -> None:
        """Add what has been counted since the last time to the counts that all processes share.

        What cannot be written is kept for the next time.
        """
        with self._own_lock():
            if not self._closed:
                self._flush("usage counts and statistics are kept in memory until it works again")

    def close(self) -> None:
        """Flush for the last time; what is counted later is not written out. May be called twice."""
        with self._own_lock():
            if not self._closed:
                self._flush("usage counts and statistics of this process are lost")
            self._closed = True

    def _flush_if_due(self) -> None:
        monotonic = self._clock.monotonic()
        if monotonic < self._due or self._closed:
            return
        self._due = monotonic + _FLUSH_SECONDS
        # Without room for a thread it waits for the next time.
        started(threading.Thread(target=self.flush, name="quotewell-flush", daemon=True))

    def _flush(self, consequence: str) -> None:
        for symbol, hits in self._store.memory.usage().items():
            self._usage[symbol] = self._usage.get(symbol, 0.0) + hits
        totals = {**self._by_table(), ALL_FACETS: {_REQUESTS: self._requests()}}
        try:
            if self._usage:
                self._coordinator.add_usage(self._usage)
                self._usage = {}
            new = _difference(totals, self._flushed)
            if new:
                self._coordinator.add_stats(new)
                self._flushed = _sum(self._flushed, new)
        except CacheError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(f"{error}; {consequence}", CacheDegradedWarning, stacklevel=3)

    def _by_table(self) -> dict[str, dict[str, int]]:
        """Everything counted so far, by table and field of `FacetStats`."""
        memory, counts = self._store.memory, self._counters.by_table()
        for table in {*FACETS, *counts}:
            events = counts.setdefault(table, {})
            events["memory_hits"] = memory.hits(table)
            events["evictions"] = memory.evictions_of.get(table, 0)
        return counts

    def _own_lock(self) -> threading.Lock:
        if self._pid != os.getpid():
            # One that another thread held when this process was forked off is never given back.
            self._pid, self._lock = os.getpid(), threading.Lock()
        return self._lock


def _difference(
    totals: Mapping[str, Mapping[str, int]], before: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """What has come to `before`. A count may lag: threads that hit one record at once may lose a hit."""
    new = {
        table: {
            event: more
            for event, n in events.items()
            if (more := n - before.get(table, {}).get(event, 0)) > 0
        }
        for table, events in totals.items()
    }
    return {table: events for table, events in new.items() if events}


def _sum(
    before: Mapping[str, Mapping[str, int]], new: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    added = {table: dict(events) for table, events in before.items()}
    for table, events in new.items():
        for event, n in events.items():
            added.setdefault(table, {})[event] = added.get(table, {}).get(event, 0) + n
    return added


def _day_stats(day: str, counts: Mapping[str, Mapping[str, int]]) -> DayStats:
    facets = {name: FacetStats.of(events) for name, events in counts.items() if name != ALL_FACETS}
    return DayStats(
        day=day,
        facets=facets,
        total=FacetStats.total(facets.values()),
        requests=counts.get(ALL_FACETS, {}).get(_REQUESTS, 0),
    )
