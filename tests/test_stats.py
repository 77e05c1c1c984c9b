from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from quotewell.cache.stats import Counters, Event, FacetStats


def test_events_are_counted_by_table() -> None:
    counters = Counters()
    events: list[Event] = ["level_hit", "stale", "negative", "miss", "fetch", "failure"]
    for n, event in enumerate(events, start=1):
        counters.add("quote", event, n)
        counters.add("quote", event, 10)
    counters.add("fx", "miss")
    counters.add("risk", "miss", 0)
    assert counters.tables() == ["fx", "quote"]
    assert counters.facet("quote", 99) == FacetStats(
        memory_hits=99, level_hits=11, stale_served=12, negative_hits=13, misses=14, fetched=15, failures=16
    )
    assert counters.facet("fx", 0).misses == 1
    assert counters.facet("risk", 0) == FacetStats(
        memory_hits=0, level_hits=0, stale_served=0, negative_hits=0, misses=0, fetched=0, failures=0
    )


@pytest.mark.parametrize(
    ("memory", "level", "negative", "misses", "rate"),
    [(0, 0, 0, 0, None), (0, 0, 0, 5, 0.0), (3, 2, 1, 2, 0.75), (4, 0, 0, 0, 1.0)],
)
def test_the_hit_rate_is_the_share_of_answers_without_a_fetch(
    memory: int, level: int, negative: int, misses: int, rate: float | None
) -> None:
    stats = FacetStats(
        memory_hits=memory, level_hits=level, negative_hits=negative, misses=misses,
        stale_served=7, fetched=7, failures=7,
    )  # fmt: skip
    assert stats.hit_rate == rate


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
    assert counters.facet("quote", 0).misses == 24_000
