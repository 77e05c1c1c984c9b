"""Counts of what the cache did, by facet and event; never touched by a memory hit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Self

import msgspec

__all__ = [
    "ALL_FACETS",
    "CacheStats",
    "Counters",
    "DayStats",
    "Event",
    "FacetStats",
    "MemoryStats",
    "PersistentStats",
]

Event = Literal["level_hit", "stale", "negative", "miss", "fetch", "failure"]

ALL_FACETS = "all"
"""In place of a facet, in the counts of a day: what belongs to none."""


class FacetStats(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one facet in a span of time; made by `of`."""

    memory_hits: int
    """Answered by the memory level."""
    level_hits: int
    """Answered by the persistent level, fresh or in grace."""
    stale_served: int
    """Answered with a stale value after a failed or throttled fetch."""
    negative_hits: int
    """Answered by a remembered failure, without a fetch."""
    misses: int
    """Had to be fetched."""
    fetched: int
    """Values that a provider delivered."""
    failures: int
    """Fetches that brought no value."""
    evictions: int
    """Records that memory had no room for."""
    hit_rate: float | None
    """Share of the answers that needed no fetch; None when nothing was asked."""

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        """The figures of these counts, by field; what is not in them was not counted."""
        known = {event: counts.get(event, 0) for event in _COUNTED}
        hits = known["memory_hits"] + known["level_hits"] + known["negative_hits"]
        asked = hits + known["misses"]
        return cls(**known, hit_rate=hits / asked if asked else None)

    @classmethod
    def total(cls, parts: Iterable[FacetStats]) -> Self:
        """The sum of several facets or spans."""
        each = list(parts)
        return cls.of({event: sum(getattr(part, event) for part in each) for event in _COUNTED})


_COUNTED = tuple(field for field in FacetStats.__struct_fields__ if field != "hit_rate")


class MemoryStats(msgspec.Struct, frozen=True, kw_only=True):
    """The memory level of this process."""

    hits: int
    records: Mapping[str, int]
    """By facet."""
    max_records: int
    """More are not kept."""
    bytes: int
    """What the records take, about."""
    max_bytes: int
    """More are not kept."""
    evictions: int
    """Records that there was no room for."""


class PersistentStats(msgspec.Struct, frozen=True, kw_only=True):
    """The persistent level, as it is; hits and misses are this process's."""

    name: str
    hits: int
    misses: int
    """What was asked of it and had to be fetched."""
    records: Mapping[str, int]
    """By facet."""
    bytes: int | None
    """Size on disk or on the server, where it can be told."""


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of a service since it was opened, by facet and by level."""

    facets: Mapping[str, FacetStats]
    total: FacetStats
    memory: MemoryStats
    level: PersistentStats
    requests: int
    """Requests sent to providers by this service, handshakes not counted."""


class DayStats(msgspec.Struct, frozen=True, kw_only=True):
    """What all processes together counted in one day."""

    day: str
    """`YYYY-MM-DD`, UTC. What a process counts belongs to the day on which it writes it out."""
    facets: Mapping[str, FacetStats]
    total: FacetStats
    requests: int
    """Requests sent to providers, handshakes not counted."""


class Counters:
    """Thread-safe event counts by table.

    Attributes:
        on_event: Called after something was counted, in the thread that counts, which it must not hold up.
    """

    def __init__(self) -> None:
        self.on_event: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Event], int] = {}

    def add(self, table: str, event: Event, n: int = 1) -> None:
        """Count `n` events."""
        if n:
            with self._lock:
                self._counts[table, event] = self._counts.get((table, event), 0) + n
            if self.on_event is not None:
                self.on_event()

    def by_table(self) -> dict[str, dict[str, int]]:
        """What was counted: table → field of `FacetStats` → how often."""
        with self._lock:
            counts = list(self._counts.items())
        tables: dict[str, dict[str, int]] = {}
        for (table, event), n in counts:
            tables.setdefault(table, {})[_FIELDS[event]] = n
        return tables

    def facet(self, table: str, memory_hits: int, evictions: int) -> FacetStats:
        """The figures of one table; what memory counts, it counts itself."""
        counts = self.by_table().get(table, {})
        return FacetStats.of({**counts, "memory_hits": memory_hits, "evictions": evictions})


_FIELDS: Mapping[Event, str] = {
    "level_hit": "level_hits",
    "stale": "stale_served",
    "negative": "negative_hits",
    "miss": "misses",
    "fetch": "fetched",
    "failure": "failures",
}
