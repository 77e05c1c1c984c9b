"""What is particular to the coordinator in PostgreSQL: steps that nobody can stop in the middle of."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinators import INTERVAL, LIMIT, NOON, near
from engine_parts import Errand
from postgres_server import fresh_schema, shared_server
from quotewell.coordination.budget import Budget
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.coordination.usage import FORGOTTEN_AFTER, decayed
from quotewell.errors import CacheError
from quotewell.testing import ManualClock

THREADS, EACH = 8, 6
_ORDER = re.compile(r'order by (key|symbol|facet, event)( collate "C")?(?= for update|\s)')


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=NOON)


@pytest.fixture
def open_coordinator(clock: ManualClock) -> Iterator[Callable[[], PostgresCoordinator]]:
    schema, opened = fresh_schema(), []

    def open_one() -> PostgresCoordinator:
        opened.append(PostgresCoordinator(shared_server().url(), clock, schema=schema, timeout=20.0))
        return opened[-1]

    yield open_one
    for coordinator in opened:
        coordinator.close()


@pytest.mark.parametrize("atomic", [True, False], ids=["if the same", "whatever it is"])
def test_processes_share_one_budget(
    open_coordinator: Callable[[], PostgresCoordinator], monkeypatch: pytest.MonkeyPatch, atomic: bool
) -> None:
    """All have read the same budget before one of them writes it."""
    coordinators = [open_coordinator() for _ in range(THREADS)]
    gate = threading.Barrier(THREADS)
    first = threading.local()
    read = PostgresCoordinator._budget

    def read_together(self: PostgresCoordinator, provider: str) -> tuple[Budget, int]:
        found = read(self, provider)
        if not getattr(first, "over", False):
            first.over = True
            gate.wait(30.0)
        return found

    monkeypatch.setattr(PostgresCoordinator, "_budget", read_together)
    if not atomic:
        for coordinator in coordinators:
            sql = coordinator._sql.write_budget.replace("where budget.version = %(version)s", "")
            coordinator._sql = coordinator._sql._replace(write_budget=sql)

    def work(coordinator: PostgresCoordinator) -> list[float]:
        return [coordinator.spend("yahoo", LIMIT, max_wait=math.inf).wait for _ in range(EACH)]

    errands = [Errand(lambda one=coordinator: work(one)) for coordinator in coordinators]  # type: ignore[misc]
    waits: list[float] = []
    for errand in errands:
        waits += errand.result()  # type: ignore[arg-type]
    expected = [max(0, number - 4) * INTERVAL for number in range(THREADS * EACH)]
    assert (sorted(waits) == near(expected)) == atomic


def test_a_budget_that_never_stays_the_same_is_an_error(
    open_coordinator: Callable[[], PostgresCoordinator], monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = open_coordinator()
    monkeypatch.setattr(coordinator, "_write", lambda provider, budget, version: False)
    with pytest.raises(CacheError, match="too many at once"):
        coordinator.spend("yahoo", LIMIT, max_wait=0.0)


@pytest.mark.parametrize("ordered", [True, False])
def test_steps_about_the_same_keys_in_opposite_order_do_not_wait_for_each_other(
    open_coordinator: Callable[[], PostgresCoordinator], ordered: bool
) -> None:
    """Else PostgreSQL ends one of them, which is an error."""
    keys = [f"k{number:03d}" for number in range(200)]
    gate, rounds = threading.Barrier(4), 10 if ordered else 100
    ended = threading.Event()

    def work(coordinator: PostgresCoordinator, wanted: list[str], token: str) -> None:
        gate.wait(30.0)
        for _ in range(rounds):
            if ended.is_set():
                return
            try:
                mine = coordinator.lease(wanted, token, 30.0)
                coordinator.renew(wanted, token, 30.0)
                coordinator.add_usage(dict.fromkeys(wanted, 1.0))
                coordinator.add_stats({"quote": dict.fromkeys(wanted, 1)})
                coordinator.release(list(mine), token)
            except CacheError as error:
                assert "deadlock" in str(error)  # noqa: PT017  in a thread of its own
                ended.set()

    coordinators = [open_coordinator() for _ in range(4)]
    if not ordered:
        for coordinator in coordinators:
            unordered = (_ORDER.sub("", sql) for sql in coordinator._sql)
            coordinator._sql = type(coordinator._sql)(*unordered)
    errands = [
        Errand(lambda one=one, number=number: work(one, keys[:: (-1) ** number], f"t{number}"))  # type: ignore[misc]
        for number, one in enumerate(coordinators)
    ]
    for errand in errands:
        errand.result()
    assert ended.is_set() != ordered
    if ordered:
        assert dict(open_coordinator().top_usage(len(keys))) == dict.fromkeys(keys, 40.0)


def test_leases_that_have_ended_leave_nothing_behind(
    open_coordinator: Callable[[], PostgresCoordinator], clock: ManualClock
) -> None:
    coordinator = open_coordinator()
    coordinator.lease([f"k{number}" for number in range(50)], "gone", 30.0)
    clock.advance(31.0)
    coordinator.lease(["other"], "me", 30.0)
    rows = coordinator._pool.read(
        lambda connection: connection.execute(f"select key from {coordinator._pool.schema}.lease").fetchall()
    )
    assert rows == [("other",)]


@given(
    count=st.floats(1e-3, 1e9),
    added=st.floats(1e-3, 1e9),
    age=st.floats(-FORGOTTEN_AFTER, FORGOTTEN_AFTER * 0.99),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_lets_counts_decay_as_all_others_do(
    open_coordinator: Callable[[], PostgresCoordinator], count: float, added: float, age: float
) -> None:
    coordinator = open_coordinator()
    coordinator._pool.read(
        lambda connection: connection.execute(f"delete from {coordinator._pool.schema}.usage")
    )
    clock: Any = coordinator._clock
    clock.set_wall(NOON)
    coordinator.add_usage({"A": count})
    clock.set_wall(NOON + age)
    before = decayed(count, NOON, NOON + age)
    assert dict(coordinator.top_usage(1)) == {"A": pytest.approx(before, rel=1e-9)}
    coordinator.add_usage({"A": added})
    assert dict(coordinator.top_usage(1)) == {"A": pytest.approx(before + added, rel=1e-9)}
    coordinator.close()
