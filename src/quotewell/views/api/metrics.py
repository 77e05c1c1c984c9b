"""Metrics in Prometheus' text format, from the service's own statistics: nothing is counted twice."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from quotewell._version import __version__
from quotewell.errors import CacheError
from quotewell.records import FACETS
from quotewell.service import TickerService
from quotewell.views.api.context import Context
from quotewell.views.api.latencies import BUCKETS
from quotewell.views.api.peers import Peers

__all__ = ["CONTENT_TYPE", "exposition", "peers_of"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_EVENTS = (
    ("memory_hits", "memory_hits", "Answered by the memory level."),
    ("level_hits", "level_hits", "Answered by the persistent level, fresh or in grace."),
    ("negative_hits", "negative_hits", "Answered by a remembered failure, without a fetch."),
    ("misses", "misses", "Had to be fetched."),
    ("stale_served", "stale_served", "Answered with a stale value after a failed or throttled fetch."),
    ("fetched", "fetched", "Values that a provider delivered."),
    ("fetch_failures", "failures", "Fetches that brought no value."),
    ("evictions", "evictions", "Records that memory had no room for."),
)
_MOST_AGED = 20_000
"""Records of a facet whose ages are looked at, the first ones: the others are much the same."""


def exposition(context: Context, peers: Peers | None = None) -> bytes:
    """All metrics as text; takes as long as a look at the persistent level.

    Args:
        context: Of this process.
        peers: The processes that answer the same; None where there are none.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(_own(context) if peers is None else peers.all()))
    return generate_latest(registry)


def peers_of(context: Context, folder: Path) -> Peers:
    """This process among those that have their sockets in a folder."""
    return Peers(folder, context.worker or "", lambda: _own(context))


class _Collector(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _own(context: Context) -> Iterator[Metric]:
    """This process' metrics, labelled where there are others: its series are continued by nobody else's."""
    for metric in _unlabelled(context):
        if context.worker is not None:
            metric.samples = [
                sample._replace(labels={**sample.labels, "worker": context.worker})
                for sample in metric.samples
            ]
        yield metric


def _unlabelled(context: Context) -> Iterator[Metric]:
    tickers = context.tickers
    yield InfoMetricFamily("quotewell_build", "Which version answers.", {"version": __version__})
    yield from _cache(tickers)
    yield from _ages(tickers)
    yield from _providers(tickers)
    yield from _refresher(context)
    yield from _requests(context)


def _cache(tickers: TickerService) -> Iterator[Metric]:
    try:
        stats = tickers.cache_stats()
    except CacheError:
        yield GaugeMetricFamily("quotewell_level_up", "Whether the persistent level can be reached.", 0)
        return
    yield GaugeMetricFamily("quotewell_level_up", "Whether the persistent level can be reached.", 1)
    for name, field, text in _EVENTS:
        family = CounterMetricFamily(f"quotewell_cache_{name}", text, labels=["facet"])
        for facet, counts in stats.facets.items():
            family.add_metric([facet], getattr(counts, field))
        yield family
    for name, records in (("memory", stats.memory.records), ("level", stats.level.records)):
        gauge = GaugeMetricFamily(f"quotewell_{name}_records", f"Records in the {name}.", labels=["facet"])
        for facet, count in records.items():
            gauge.add_metric([facet], count)
        yield gauge
    yield GaugeMetricFamily("quotewell_memory_bytes", "What its records take, about.", stats.memory.bytes)
    if stats.level.bytes is not None:
        yield GaugeMetricFamily("quotewell_level_bytes", "Size of the persistent level.", stats.level.bytes)
    yield CounterMetricFamily("quotewell_provider_requests", "Sent to providers.", stats.requests)


def _ages(tickers: TickerService) -> Iterator[Metric]:
    now = tickers.now()
    family = GaugeMetricFamily(
        "quotewell_memory_age_seconds", "Since values in memory were fetched.", labels=["facet", "quantile"]
    )
    for facet in FACETS:
        records = list(tickers.engine.store.memory.table(facet).values())[:_MOST_AGED]
        ages = [now - record.fetched_at for record in records if record.fetched_at is not None]
        if ages:
            family.add_metric([facet, "0.5"], statistics.median(ages))
            family.add_metric([facet, "1"], max(ages))
    yield family


def _providers(tickers: TickerService) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "quotewell_rate_limit_wait_seconds",
        "That requests have waited for the rate limit, summed over those at one time.",
        tickers.chain.waited,
    )
    paused = GaugeMetricFamily(
        "quotewell_provider_paused", "1 while it is not to be asked.", labels=["provider"]
    )
    for name, pause in tickers.pauses().items():
        paused.add_metric([name], int(pause is not None))
    yield paused
    circuits = GaugeMetricFamily(
        "quotewell_circuit_open", "1 while it is left alone after failures.", labels=["provider"]
    )
    for name, is_open in tickers.chain.circuits().items():
        circuits.add_metric([name], int(is_open))
    yield circuits
    left = GaugeMetricFamily("quotewell_provider_quota_left", "Requests left for today.", labels=["provider"])
    for name, requests in tickers.quotas_left().items():
        left.add_metric([name], requests)
    yield left


def _refresher(context: Context) -> Iterator[Metric]:
    if context.refresher is None:
        return
    status = context.refresher.status()
    yield GaugeMetricFamily("quotewell_refresher_leads", "1 where this process refreshes.", int(status.leads))
    yield GaugeMetricFamily("quotewell_refresher_symbols", "Looked after in the last round.", status.symbols)
    yield CounterMetricFamily("quotewell_refresher_refreshed", "Values fetched ahead.", status.refreshed)
    yield CounterMetricFamily("quotewell_refresher_failed", "Values that could not be.", status.failed)


def _requests(context: Context) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "quotewell_http_waiting",
        "Requests that wait for disk, provider or computing.",
        context.work.places.taken,
    )
    family = HistogramMetricFamily(
        "quotewell_http_request_seconds", "How long requests took.", labels=["method", "route", "status"]
    )
    for (method, route, status), counts, seconds in context.latencies.all():
        buckets, total = [], 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric([method, route, str(status)], buckets, seconds)
    yield family
