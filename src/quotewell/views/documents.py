"""The JSON documents that commands and API have in common and no other module makes; see docs/json.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from quotewell.cache.stats import CacheStats, DayStats, FacetStats, MemoryStats, PersistentStats
from quotewell.outcomes import Outcome, PrefetchReport

__all__ = ["Cleared", "Copied", "Prefetch", "Statistics", "prefetch_document", "statistics_document"]


class Prefetch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of everything that was asked for."""

    schema: int = 1
    requests: int
    waited: float
    seconds: float
    counts: dict[str, int]
    outcomes: dict[str, dict[str, Outcome]]


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache has done."""

    schema: int = 1
    facets: Mapping[str, FacetStats]
    total: FacetStats
    memory: MemoryStats
    level: PersistentStats
    requests: int
    days: Sequence[DayStats]


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """How many records were invalidated or deleted."""

    schema: int = 1
    cleared: int


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of the records, by facet or table, when all were copied into another cache."""

    schema: int = 1
    to: str
    copied: Mapping[str, int]
    kept: Mapping[str, int]


def prefetch_document(report: PrefetchReport) -> Prefetch:
    """A report as a document."""
    return Prefetch(
        requests=report.requests,
        waited=report.waited,
        seconds=report.seconds,
        counts={str(status): count for status, count in report.counts().items()},
        outcomes=report.by_symbol(),
    )


def statistics_document(stats: CacheStats, days: Sequence[DayStats]) -> Statistics:
    """Counts since the start, and by day."""
    fields = {name: getattr(stats, name) for name in CacheStats.__struct_fields__}
    return Statistics(**fields, days=days)
