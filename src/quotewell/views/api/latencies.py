"""How long requests took, by route and status: counted in a few steps, as every request is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

__all__ = ["BUCKETS", "Latencies"]

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Upper bounds, seconds; there is one more for all that took longer."""


class Latencies:
    """Histograms; only the event loop's thread adds to them."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], list[int]] = {}
        self._sums: dict[tuple[str, str, int], float] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request.

        Args:
            method: HTTP's.
            route: The route's template, of which there are few.
            status: Of the answer.
            seconds: Until its last byte was handed over.
        """
        key = (method, route, status)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(BUCKETS) + 1)
            self._sums[key] = 0.0
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._sums[key] += seconds

    def all(self) -> Iterator[tuple[tuple[str, str, int], list[int], float]]:
        """Method, route and status; requests by bucket; seconds of all of them."""
        for key, counts in list(self._counts.items()):
            yield key, list(counts), self._sums[key]
