"""The screen of `quotewell cache stats`: what the cache answered by day and by facet, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quotewell.cache.stats import CacheStats, DayStats, FacetStats
from quotewell.views.render.layout import EMPTY, Column, Line, Row, Table, cell, inset
from quotewell.views.render.text import Text
from quotewell.views.words import count, data_size, number, percent, shortened

__all__ = ["cache_stats_screen"]

_NAME_WIDTH = 24
_NO_NUMBER = cell("")


def cache_stats_screen(stats: CacheStats, days: Sequence[DayStats], asked: int, width: int) -> list[Line]:
    """Days and facets with their counts, then the levels.

    Args:
        stats: What the levels hold.
        days: The counts of the last days.
        asked: How many days were asked for; on some nothing may have been counted.
        width: Characters in a line.
    """
    room = width - 2
    span = "today" if asked == 1 else f"the last {asked} days"
    level = stats.level.name if stats.level.name != "memory" else "level 2"
    blocks = [
        [cell(f"Nothing was counted {'' if asked == 1 else 'in '}{span} (UTC).")]
        if not days
        else _by_day(days, level).fitted(room).lines(),
        _by_facet(days, stats.level.records, level).fitted(room).lines(),
        _levels(stats).lines(),
    ]
    if days:
        blocks[1].insert(0, cell(f"By facet, {span}", "dim"))
    lines: list[Line] = []
    for block in blocks:
        if lines:
            lines.append(EMPTY)
        lines += inset(block, room)
    return lines


def _by_day(days: Sequence[DayStats], level: str) -> Table:
    rows: list[Row] = [
        [cell(day.day), *_counts(day.total), cell(number(day.requests)), _rate(day.total)] for day in days
    ]
    if len(days) > 1:
        total = FacetStats.total(day.total for day in days)
        requests = number(sum(day.requests for day in days))
        rows.append([cell(count(len(days), "day"), "bold"), *_counts(total), cell(requests), _rate(total)])
    return Table(
        [Column("UTC", left=True), *_columns(level), Column("requests", goes=6), Column("hits")], rows
    )


def _by_facet(days: Sequence[DayStats], stored: Mapping[str, int], level: str) -> Table:
    names = sorted({*stored, *(facet for day in days for facet in day.facets)})
    rows: list[Row] = []
    for name in names:
        total = FacetStats.total(day.facets[name] for day in days if name in day.facets)
        label = cell(shortened(name, _NAME_WIDTH))
        rows.append([label, *_counts(total), cell(number(stored.get(name, 0))), _rate(total)])
    return Table(
        [Column("facet", left=True), *_columns(level), Column("stored", goes=6), Column("hits")], rows
    )


def _levels(stats: CacheStats) -> Table:
    memory, level = stats.memory, stats.level
    rows: list[Row] = [
        [cell(name), cell(number(sum(records.values()))), cell(size)]
        for name, records, size in (
            ("memory, this process", memory.records, data_size(memory.bytes)),
            (level.name, level.records, data_size(level.bytes)),
        )
    ]
    return Table([Column("level", left=True), Column("records"), Column("size")], rows)


def _columns(level: str) -> list[Column]:
    """Those of `_counts`; the ones that tell least go first where there is no room."""
    return [
        Column("memory"),
        Column(level),
        Column("stale", goes=3),
        Column("negative", goes=5),
        Column("misses"),
        Column("fetched", goes=2),
        Column("failed", goes=4),
        Column("evicted", goes=1),
    ]


def _counts(stats: FacetStats) -> list[Text]:
    counts = (
        *(stats.memory_hits, stats.level_hits, stats.stale_served, stats.negative_hits),
        *(stats.misses, stats.fetched, stats.failures, stats.evictions),
    )
    return [cell(number(n)) for n in counts]


def _rate(stats: FacetStats) -> Text:
    return _NO_NUMBER if stats.hit_rate is None else cell(f"{percent(stats.hit_rate)} %")
