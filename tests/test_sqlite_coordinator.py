"""One budget for all processes of a machine, and memory of it beyond their lives."""

from __future__ import annotations

import math
import multiprocessing
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.endpoints import Lane, Limit, Pause
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Coordinator
from quotewell.testing import ManualClock

NOW = 1_736_953_200.0
LIMIT = Limit(rate=10.0, burst=5)
INTERVAL = 1.0 / 9.5
PROCESSES, REQUESTS = 4, 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def open_shared(path: Path) -> Coordinator:
    return SqliteCoordinator(path, ManualClock(NOW))


def open_alone(_: Path) -> Coordinator:
    """The negative control: what processes do that do not know of each other."""
    return LocalCoordinator(ManualClock(NOW))


def spend_all(open_one: Callable[[Path], Coordinator], path: Path, gate: Any, answers: Any) -> None:
    coordinator = open_one(path)
    gate.wait()
    grants = [coordinator.spend("yahoo", LIMIT, max_wait=math.inf) for _ in range(REQUESTS)]
    leased = coordinator.lease(
        [f"k{i}" for i in range(REQUESTS)], multiprocessing.current_process().name, 30.0
    )
    answers.put(([grant.wait for grant in grants], leased))
    coordinator.close()


def spend_in_processes(
    open_one: Callable[[Path], Coordinator], path: Path
) -> tuple[list[float], list[set[str]]]:
    """All waits granted to all processes at the same instant, and the leases of each."""
    context = multiprocessing.get_context("spawn")
    gate, answers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=spend_all, args=(open_one, path, gate, answers)) for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    parts = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    return sorted(wait for waits, _ in parts for wait in waits), [leased for _, leased in parts]


def excess(sent: list[float]) -> float:
    """By how many requests the worst window holds more than burst and rate allow."""
    return max(
        (last - first + 1) - LIMIT.burst - (sent[last] - sent[first]) / INTERVAL
        for first in range(len(sent))
        for last in range(first, len(sent))
    )


def test_processes_together_keep_the_limit_exactly(path: Path) -> None:
    sent, leases = spend_in_processes(open_shared, path)
    expected = [max(0, number - LIMIT.burst + 1) * INTERVAL for number in range(PROCESSES * REQUESTS)]
    assert sent == pytest.approx(expected, abs=1e-3), "no slot is given twice, and none is lost"
    assert excess(sent) <= 1e-2
    assert sum(map(len, leases)) == len(set().union(*leases)) == REQUESTS, "each lease went to one process"


def test_processes_that_share_nothing_break_the_limit_and_the_check_sees_it(path: Path) -> None:
    sent, leases = spend_in_processes(open_alone, path)
    assert excess(sent) > (PROCESSES - 1) * LIMIT.burst
    assert sum(map(len, leases)) == PROCESSES * REQUESTS


def test_the_next_process_knows_what_the_last_one_did(path: Path) -> None:
    clock = ManualClock(NOW)
    first = SqliteCoordinator(path, clock)
    for _ in range(5):
        first.spend("yahoo", LIMIT, max_wait=0.0)
    first.pause("fmp", NOW + 600.0, "HTTP 429")
    first.lease(["quote/AAPL"], "first", 30.0)
    first.add_usage({"AAPL": 3.0})
    first.close()

    second = SqliteCoordinator(path, clock)
    assert second.spend("yahoo", LIMIT, max_wait=1.0).wait == pytest.approx(INTERVAL, abs=1e-5)
    assert second.paused("fmp") == Pause(NOW + 600.0, "HTTP 429")
    assert second.lease(["quote/AAPL"], "second", 30.0) == set()
    assert second.top_usage(1) == [("AAPL", 3.0)]
    second.close()


def test_the_clock_is_read_after_the_lock_was_got(path: Path) -> None:
    """Else a process that waited long for the lock would take a step back, and the budget with it."""
    clock = ManualClock(NOW)
    coordinator = SqliteCoordinator(path, clock)
    order: list[str] = []

    class WatchedClock(ManualClock):
        def now(self) -> float:
            order.append("clock")
            return NOW

    coordinator._clock = WatchedClock()
    coordinator._file.write(lambda connection: connection.set_trace_callback(order.append))
    coordinator.spend("yahoo", LIMIT, lane=Lane.PREFETCH, max_wait=0.0)
    coordinator.close()
    statements = [step.split()[0] for step in order[order.index("begin immediate") :]]
    assert statements == ["begin", "select", "clock", "insert", "commit"]


def test_a_refusal_writes_nothing(path: Path) -> None:
    coordinator = SqliteCoordinator(path, ManualClock(NOW))
    coordinator.spend("yahoo", LIMIT, n=5, max_wait=0.0)
    seen: list[str] = []
    coordinator._file.write(lambda connection: connection.set_trace_callback(seen.append))
    assert coordinator.spend("yahoo", LIMIT, max_wait=0.0).refused is not None
    coordinator.close()
    assert not any("insert" in statement for statement in seen)


def test_a_damaged_state_file_is_set_aside(path: Path) -> None:
    path.write_text("nonsense " * 1000)
    with pytest.warns(CacheDegradedWarning, match=r"state\.db\.corrupt-20250115T150000Z"):
        coordinator = SqliteCoordinator(path, ManualClock(NOW))
    assert coordinator.spend("yahoo", LIMIT, max_wait=0.0).refused is None
    coordinator.close()


def test_a_locked_state_file_is_a_cache_error(path: Path) -> None:
    coordinator = SqliteCoordinator(path, ManualClock(NOW), timeout=0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    try:
        with pytest.raises(CacheError, match="locked by another process"):
            coordinator.spend("yahoo", LIMIT, max_wait=0.0)
        assert coordinator.paused("yahoo") is None, "reading needs no lock"
    finally:
        other.close()
        coordinator.close()
    with pytest.raises(CacheError, match="closed"):
        coordinator.paused("yahoo")


def test_a_cache_file_is_not_taken_for_a_state_file(path: Path) -> None:
    from quotewell.cache.sqlite.level import SqliteLevel  # noqa: PLC0415  only here

    SqliteLevel(path, ManualClock(NOW)).close()
    with pytest.raises(CacheError, match="another program's database"):
        SqliteCoordinator(path, ManualClock(NOW))
