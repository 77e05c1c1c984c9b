"""A level that fails on demand, and on demand only."""

from __future__ import annotations

import pytest

from quotewell.cache.memory_level import MemoryLevel
from quotewell.errors import CacheError
from quotewell.protocols import Level
from quotewell.records import Failure, Quote
from quotewell.testing import BrokenLevel, ManualClock

CALLS = {
    "rev": lambda level: level.rev(),
    "get_many": lambda level: level.get_many("quote", ["A"]),
    "keys": lambda level: level.keys("quote"),
    "put_many": lambda level: level.put_many("quote", [Quote(symbol="A", fetched_at=1.0)], begun=0),
    "fail_many": lambda level: level.fail_many(
        "quote", {"B": Failure("server", "", "x", 1, 0, 0, 0)}, begun=0
    ),
    "invalidate_many": lambda level: level.invalidate_many("quote", ["C"]),
    "delete_many": lambda level: level.delete_many("quote", ["C"]),
    "changes_since": lambda level: level.changes_since(0),
    "get_closes": lambda level: level.get_closes(["A"]),
    "prune": lambda level: level.prune(10),
    "stats": lambda level: level.stats(),
}


@pytest.fixture
def inner() -> MemoryLevel:
    return MemoryLevel(ManualClock())


@pytest.fixture
def level(inner: MemoryLevel) -> BrokenLevel:
    return BrokenLevel(inner)


def test_every_method_of_the_protocol_is_covered() -> None:
    methods = {name for name in vars(Level) if not name.startswith("_") and callable(getattr(Level, name))}
    assert methods == {*CALLS, "close"}


@pytest.mark.parametrize("method", CALLS)
def test_whole_it_answers_as_the_level_behind_it(inner: MemoryLevel, level: BrokenLevel, method: str) -> None:
    twin = MemoryLevel(ManualClock())
    assert CALLS[method](level) == CALLS[method](twin)
    assert inner.stats() == twin.stats()
    assert inner.rev() == twin.rev()


@pytest.mark.parametrize("method", CALLS)
def test_broken_it_raises_and_changes_nothing(inner: MemoryLevel, level: BrokenLevel, method: str) -> None:
    level.broken = True
    with pytest.raises(CacheError, match=method):
        CALLS[method](level)
    assert inner.rev() == 0
    level.broken = False
    CALLS[method](level)


def test_single_methods_can_fail(level: BrokenLevel) -> None:
    level.fail_on = {"put_many", "close"}
    assert level.rev() == 0
    with pytest.raises(CacheError, match="put_many"):
        CALLS["put_many"](level)
    with pytest.raises(CacheError, match="close"):
        level.close()


def test_a_broken_level_can_still_be_closed(level: BrokenLevel) -> None:
    level.broken = True
    level.close()
    assert level.name == "memory"
