"""Memory in place of a level that could not be opened, until it can."""

from __future__ import annotations

import pytest

from quotewell.cache.late_level import LateLevel
from quotewell.cache.memory_level import MemoryLevel
from quotewell.errors import CacheError
from quotewell.protocols import Level
from quotewell.records import Quote
from quotewell.testing import ManualClock

RETRY = 5.0


class Opener:
    """Opens the wanted level as soon as it is `free`."""

    def __init__(self, clock: ManualClock) -> None:
        self.wanted = MemoryLevel(clock)
        self.wanted.name = "wanted"
        self.free = False
        self.attempts = 0

    def __call__(self) -> Level:
        self.attempts += 1
        if not self.free:
            raise CacheError("locked")
        return self.wanted


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opener(clock: ManualClock) -> Opener:
    return Opener(clock)


@pytest.fixture
def level(opener: Opener, clock: ManualClock) -> LateLevel:
    return LateLevel(opener, clock)


def put(level: Level, symbol: str, fetched_at: float = 1.0) -> None:
    assert not level.put_many("quote", [Quote(symbol=symbol, fetched_at=fetched_at)], begun=level.rev())


def test_memory_serves_until_the_wanted_level_can_be_opened(
    level: LateLevel, opener: Opener, clock: ManualClock
) -> None:
    put(level, "A")
    put(opener.wanted, "B")
    assert level.keys("quote") == ["A"]
    opener.free = True
    clock.advance(RETRY - 0.001)
    assert level.changes_since(1).keys == {}
    assert opener.attempts == 0
    clock.advance(0.001)
    changes = level.changes_since(1)
    assert (changes.rev, changes.keys, changes.rebuilt) == (opener.wanted.rev(), {}, True)
    assert level.keys("quote") == ["B"]
    assert level.name == "wanted"
    assert level.changes_since(changes.rev).keys == {}
    assert opener.attempts == 1


def test_it_is_tried_once_in_a_while(level: LateLevel, opener: Opener, clock: ManualClock) -> None:
    for _ in range(3):
        clock.advance(RETRY)
        for _ in range(10):
            assert level.changes_since(0).keys == {}
    assert opener.attempts == 3
    assert level.name == "memory"


def test_only_the_question_for_changes_opens_it(level: LateLevel, opener: Opener, clock: ManualClock) -> None:
    opener.free = True
    clock.advance(RETRY)
    put(level, "A")  # else the store would take the other level's revisions for this one's
    level.get_many("quote", ["A"])
    level.stats()
    assert opener.attempts == 0


def test_what_is_closed_is_not_opened_any_more(level: LateLevel, opener: Opener, clock: ManualClock) -> None:
    level.close()
    opener.free = True
    clock.advance(RETRY)
    level.changes_since(0)
    assert opener.attempts == 0
