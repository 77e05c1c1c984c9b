from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import get_args

import pytest

from quotewell.cache.stats import Counters, Event, FacetStats

NOTHING = FacetStats.of({})


def test_events_are_counted_by_table() -> None:
    counters = Counters()
    events: list[Event] = ["level_hit", "stale", "negative", "miss", "fetch", "failure"]
    for n, event in enumerate(events, start=1):
        counters.add("quote", event, n)
        counters.add("quote", event, 10)
    counters.add("fx", "miss")
    counters.add("risk", "miss", 0)
    assert counters.by_table() == {
        "quote": {
            "level_hits": 11, "stale_served": 12, "negative_hits": 13,
            "misses": 14, "fetched": 15, "failures": 16,
        },
        "fx": {"misses": 1},
    }  # fmt: skip
    assert counters.facet("quote", 98, 7) == FacetStats(
        memory_hits=98, level_hits=11, stale_served=12, negative_hits=13, misses=14, fetched=15, failures=16,
        evictions=7, hit_rate=(98 + 11 + 13) / (98 + 11 + 13 + 14),
    )  # fmt: skip
    assert counters.facet("risk", 0, 0) == NOTHING


def test_every_event_has_a_field() -> None:
    counters = Counters()
    for event in get_args(Event):
        counters.add("quote", event)
    fields = counters.by_table()["quote"].keys()
    assert len(fields) == len(get_args(Event))
    assert fields < set(FacetStats.__struct_fields__)


@pytest.mark.parametrize(
    ("memory", "level", "negative", "misses", "rate"),
    [(0, 0, 0, 0, None), (0, 0, 0, 5, 0.0), (3, 2, 1, 2, 0.75), (4, 0, 0, 0, 1.0)],
)
def test_the_hit_rate_is_the_share_of_answers_without_a_fetch(
    memory: int, level: int, negative: int, misses: int, rate: float | None
) -> None:
    counts = {"memory_hits": memory, "level_hits": level, "negative_hits": negative, "misses": misses}
    others = {"stale_served": 7, "fetched": 7, "failures": 7, "evictions": 7}
    assert FacetStats.of({**counts, **others}).hit_rate == rate


def test_counts_of_a_newer_program_are_left_out() -> None:
    assert FacetStats.of({"misses": 1, "hit_rate": 5, "telepathy": 9}) == FacetStats.of({"misses": 1})


def test_a_total_adds_up_and_has_a_hit_rate_of_its_own() -> None:
    parts = [FacetStats.of({"memory_hits": 9, "misses": 1}), FacetStats.of({"misses": 10, "evictions": 3})]
    total = FacetStats.total(parts)
    assert total == FacetStats.of({"memory_hits": 9, "misses": 11, "evictions": 3})
    assert total.hit_rate == 0.45
    assert FacetStats.total([]) == NOTHING


def test_whoever_watches_is_told_after_each_count_and_not_of_nothing() -> None:
    counters = Counters()
    seen: list[int] = []
    counters.on_event = lambda: seen.append(counters.by_table()["quote"]["misses"])
    counters.add("quote", "miss", 2)
    counters.add("quote", "miss", 0)
    counters.add("quote", "miss")
    assert seen == [2, 3]


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty_threads")
def test_threads_lose_no_count() -> None:
    counters = Counters()
    start = threading.Barrier(6)

    def count() -> None:
        start.wait()
        for _ in range(4000):
            counters.add("quote", "miss")

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.facet("quote", 0, 0).misses == 24_000
