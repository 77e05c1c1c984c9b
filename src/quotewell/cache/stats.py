"""Counts of what the cache did, by facet and event; never touched by a memory hit."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["CacheStats", "Counters", "Event", "FacetStats"]

Event = Literal["level_hit", "stale", "negative", "miss", "fetch", "failure"]


class FacetStats(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one facet since the service was opened."""

    memory_hits: int
    """Answered by the memory level, fresh."""
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

    @property
    def hit_rate(self) -> float | None:
        """Share of the answers that needed no fetch; None when nothing was asked."""
        hits = self.memory_hits + self.level_hits + self.negative_hits
        asked = hits + self.misses
        return hits / asked if asked else None


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of a service: counts by facet, contents by level."""

    facets: Mapping[str, FacetStats]
    memory_records: int
    evictions: int
    level: str
    level_records: Mapping[str, int]
    level_bytes: int | None
    requests: int
    """Requests sent to providers by this service, handshakes not counted."""


class Counters:
    """Thread-safe event counts by table."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Event], int] = {}

    def add(self, table: str, event: Event, n: int = 1) -> None:
        """Count `n` events."""
        if n:
            with self._lock:
                self._counts[table, event] = self._counts.get((table, event), 0) + n

    def tables(self) -> list[str]:
        """The tables that anything was counted for."""
        with self._lock:
            return sorted({table for table, _ in self._counts})

    def facet(self, table: str, memory_hits: int) -> FacetStats:
        """The counts of one table; memory hits are counted in the records themselves."""
        with self._lock:
            counts = {event: n for (name, event), n in self._counts.items() if name == table}
        return FacetStats(
            memory_hits=memory_hits,
            level_hits=counts.get("level_hit", 0),
            stale_served=counts.get("stale", 0),
            negative_hits=counts.get("negative", 0),
            misses=counts.get("miss", 0),
            fetched=counts.get("fetch", 0),
            failures=counts.get("failure", 0),
        )
