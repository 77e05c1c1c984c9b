"""A coordinator that cannot be written to while told so, and what has been written to it."""

from __future__ import annotations

from collections.abc import Mapping

from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import CacheError
from quotewell.protocols import Clock, Coordinator


class FragileCoordinator(LocalCoordinator):
    """Cannot be written to while told so; knows how often it was written to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.broken: set[str] = set()
        self.writes = 0

    def add_usage(self, counts: Mapping[str, float]) -> None:
        self._check("usage")
        super().add_usage(counts)

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        self._check("stats")
        self.writes += 1
        super().add_stats(counts)

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise CacheError(f"state.db: {what} cannot be written", hint="this is a test")


def written(coordinator: Coordinator, facet: str = "quote") -> dict[str, int]:
    """What has been written out of one facet, today."""
    return next(iter(coordinator.stats_by_day(1).values()), {}).get(facet, {})
