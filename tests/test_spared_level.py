"""A shared level with a spare behind it: what is copied, what answers in an outage, what is sent later."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_parts import LONGEST_WAIT, Errand, fetches_ended
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.spare import Unsent
from quotewell.cache.spared_level import SparedLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Level
from quotewell.records import Closes, Failure, History, Quote, Record
from quotewell.testing import BrokenLevel, ManualClock

RETRY = 5.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shared(clock: ManualClock) -> BrokenLevel:
    level = MemoryLevel(clock)
    level.name = "shared"
    level.delete_many("rate", ["so that no revision is 0"])
    return BrokenLevel(level)


@pytest.fixture
def spare(tmp_path: Path, clock: ManualClock) -> SqliteLevel:
    return SqliteLevel(tmp_path / "spare.db", clock)


@pytest.fixture
def level(shared: BrokenLevel, spare: SqliteLevel, clock: ManualClock) -> Iterator[SparedLevel]:
    made = SparedLevel(lambda: shared, spare, clock)
    yield made
    made.close()


def quote(symbol: str = "A", fetched_at: float = 100.0, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="x", fetched_at=fetched_at, last=last)


def put(level: Level, *records: Record, table: str = "quote") -> None:
    assert level.put_many(table, records, begun=level.rev()) == set()


def price(level: Level, symbol: str = "A") -> float | None:
    record = level.get_many("quote", [symbol]).get(symbol)
    return record.last if isinstance(record, Quote) else None


def lose(level: SparedLevel, shared: BrokenLevel) -> None:
    """Break the shared level, and let it be noticed."""
    shared.broken = True
    if level.in_order:
        with pytest.warns(CacheDegradedWarning):
            level.rev()


def regain(level: SparedLevel, shared: BrokenLevel, clock: ManualClock) -> None:
    """Mend the shared level, and let it be noticed."""
    shared.broken = False
    clock.advance(RETRY)
    level.changes_since(level.rev())
    fetches_ended()
    assert level.in_order


# ------------------------------------------------------------------------------------------- in order


def test_in_order_the_shared_level_alone_answers(
    level: SparedLevel, shared: BrokenLevel, spare: Level
) -> None:
    put(spare, quote(last=9.0), quote("ONLY THERE"))
    put(shared, quote(last=1.0))
    assert price(level) == 1.0
    assert price(level, "ONLY THERE") is None
    assert level.keys("quote") == ["A"]
    assert level.name == "shared"


def test_what_is_written_and_read_is_copied(level: SparedLevel, shared: BrokenLevel, spare: Level) -> None:
    put(level, quote("WRITTEN"))
    put(shared, quote("READ"), quote("INVALIDATED"))
    shared.invalidate_many("quote", ["INVALIDATED"])
    level.get_many("quote", ["READ", "INVALIDATED"])
    series = Closes(symbol="H", source="x", dates=[1], closes=[2.0])
    record = History(symbol="H", fetched_at=1.0)
    level.put_many("history", [record], begun=level.rev(), closes=[series])
    fetches_ended()
    assert sorted(spare.keys("quote")) == ["READ", "WRITTEN"]
    assert spare.get_closes(["H"]) == {"H": series}


def test_what_the_shared_level_refuses_is_not_copied(
    level: SparedLevel, shared: BrokenLevel, spare: Level
) -> None:
    put(shared, quote(fetched_at=200.0))
    assert level.put_many("quote", [quote(fetched_at=100.0)], begun=level.rev()) == {"A"}
    fetches_ended()
    assert spare.keys("quote") == []


def test_withdrawals_reach_the_spare(level: SparedLevel, spare: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    assert level.invalidate_many("quote", ["A"]) == 1
    assert level.delete_many("quote", ["B"]) == 1
    fetches_ended()
    assert {key: r.invalidated for key, r in spare.get_many("quote", ["A", "B", "C"]).items()} == {
        "A": True, "C": False,
    }  # fmt: skip
    level.delete_many("quote", None)
    fetches_ended()
    assert spare.keys("quote") == []


def test_what_others_change_is_not_fresh_in_the_spare_and_what_they_delete_is_gone(
    level: SparedLevel, shared: BrokenLevel, spare: Level
) -> None:
    put(level, quote("WRITTEN"), quote("DELETED"), quote("SAME"))
    rev = level.rev()
    put(shared, quote("WRITTEN", 200.0))
    shared.delete_many("quote", ["DELETED"])
    level.changes_since(rev)
    fetches_ended()
    found = spare.get_many("quote", ["WRITTEN", "DELETED", "SAME"])
    assert {key: record.invalidated for key, record in found.items()} == {
        "WRITTEN": True, "DELETED": True, "SAME": False,
    }  # fmt: skip
    level.get_many("quote", ["WRITTEN", "DELETED"])
    fetches_ended()
    assert spare.get_many("quote", ["WRITTEN", "DELETED"]) == {"WRITTEN": quote("WRITTEN", 200.0)}


def test_when_others_delete_a_whole_table_the_spare_is_emptied(
    level: SparedLevel, shared: BrokenLevel, spare: Level
) -> None:
    put(level, quote())
    rev = level.rev()
    shared.delete_many("quote", None)
    assert level.changes_since(rev).keys is None
    fetches_ended()
    assert spare.keys("quote") == []


def test_a_process_that_has_just_begun_leaves_the_spare_alone(
    level: SparedLevel, shared: BrokenLevel, spare: Level
) -> None:
    put(spare, quote())
    shared.delete_many("quote", None)
    assert level.changes_since(0).keys is None
    fetches_ended()
    assert price(spare) == 1.0


@pytest.mark.parametrize("withdrawn", [True, False])
def test_what_is_withdrawn_while_it_is_read_is_not_copied(
    level: SparedLevel, shared: BrokenLevel, spare: Level, monkeypatch: pytest.MonkeyPatch, withdrawn: bool
) -> None:
    put(shared, quote())
    rev = level.rev()
    real = shared.inner.get_many

    def withdrawing(table: str, keys: list[str]) -> dict[str, Record]:
        found = real(table, keys)
        if withdrawn:
            shared.inner.invalidate_many("quote", ["A"])
            level.changes_since(rev)  # as another thread does
        return found

    monkeypatch.setattr(shared.inner, "get_many", withdrawing)
    assert price(level) == 1.0
    fetches_ended()
    assert spare.keys("quote") == ([] if withdrawn else ["A"])


def test_a_spare_that_falls_far_behind_is_not_trusted(
    level: SparedLevel, shared: BrokenLevel, spare: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotewell.cache.spare._MOST_WAITING", 3)
    put(level, quote("BEFORE"))
    fetches_ended()
    with level._spare._applying:  # the spare's disk is slow
        for number in range(10):
            put(level, quote(f"S{number}"))
        level.invalidate_many("quote", ["S0"])
    fetches_ended()
    assert spare.get_many("quote", ["BEFORE"])["BEFORE"].invalidated
    assert not spare.get_many("quote", ["S9"])["S9"].invalidated


def test_of_many_changes_by_others_the_spare_forgets_the_values(
    level: SparedLevel, shared: BrokenLevel, spare: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotewell.cache.spare._MOST_CHANGED", 2)
    put(level, quote("A"), quote("B"), quote("C"), quote("D"))
    rev = level.rev()
    shared.delete_many("quote", ["A", "B", "C"])
    level.changes_since(rev)
    fetches_ended()
    assert spare.keys("quote") == ["D"]


def test_a_broken_spare_disturbs_nobody(shared: BrokenLevel, clock: ManualClock) -> None:
    spare = BrokenLevel(MemoryLevel(clock))
    level = SparedLevel(lambda: shared, spare, clock)
    spare.broken = True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        put(level, quote())
        put(level, quote("B"))
        fetches_ended()
        assert price(level) == 1.0
        fetches_ended()
    assert [str(warning.message).endswith("the spare cache is behind") for warning in caught] == [True]


# ------------------------------------------------------------------------------------- out of order


def test_in_an_outage_the_spare_answers_and_it_is_said_once(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock
) -> None:
    put(level, quote())
    shared.broken = True
    with pytest.warns(CacheDegradedWarning, match="going on with memory and sqlite until it is back") as told:
        assert price(level) == 1.0
    assert len(told) == 1
    assert (level.name, level.in_order) == ("sqlite", False)
    clock.advance(RETRY)
    assert level.changes_since(7).keys == {}
    assert level.stats().records == {"quote": 1}
    assert level.get_closes(["A"]) == {}
    assert level.prune(10) == 0
    level.fail_many("quote", {"A": Failure("server", "", "x", 1, 0.0, 0.0, 0.0)}, begun=0)
    assert level.get_many("quote", ["A"])["A"].failure is not None


def test_it_is_tried_again_by_who_asks_for_changes_and_once_in_a_while(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock
) -> None:
    lose(level, shared)
    asked: list[str] = []
    real = shared._check
    shared._check = lambda method: (asked.append(method), real(method))  # type: ignore[assignment, func-returns-value]
    for _ in range(3):
        clock.advance(RETRY)
        for _ in range(10):
            level.changes_since(level.rev())
            level.get_many("quote", ["A"])
    assert asked == ["rev"] * 3


def test_one_caller_tries_and_the_others_do_not_wait(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock
) -> None:
    put(level, quote())
    lose(level, shared)
    clock.advance(RETRY)
    trying, go_on = threading.Event(), threading.Event()

    def hang(method: str) -> None:
        trying.set()
        assert go_on.wait(LONGEST_WAIT)
        raise CacheError(method)

    shared._check = hang  # type: ignore[method-assign]
    errand = Errand(lambda: level.changes_since(1))
    assert trying.wait(LONGEST_WAIT)
    assert level.changes_since(1).keys == {}
    assert price(level) == 1.0
    go_on.set()
    errand.result()


def test_what_is_written_in_an_outage_is_kept_here_and_sent_afterwards(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock
) -> None:
    lose(level, shared)
    put(level, quote("A"), quote("B"))
    put(level, quote("A", 200.0, 2.0))
    series = Closes(symbol="H", source="x", dates=[1], closes=[2.0])
    level.put_many("history", [History(symbol="H", fetched_at=1.0)], begun=level.rev(), closes=[series])
    assert (price(level), price(level, "B")) == (2.0, 1.0)
    assert shared.inner.keys("quote") == []
    regain(level, shared, clock)
    assert (price(shared), price(shared, "B")) == (2.0, 1.0)
    assert shared.get_closes(["H"]) == {"H": series}
    assert level.name == "shared"


@pytest.mark.parametrize("sends", [True, False])
def test_the_negative_control_nothing_is_sent(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, sends: bool
) -> None:
    if not sends:
        monkeypatch.setattr(Unsent, "send", lambda self, shared: False)
    lose(level, shared)
    put(level, quote())
    regain(level, shared, clock)
    assert (price(shared) is not None) == sends


def test_what_is_sent_afterwards_replaces_nothing_newer(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock
) -> None:
    lose(level, shared)
    put(level, quote("A", 100.0, 1.0), quote("B", 100.0, 1.0))
    put(shared.inner, quote("A", 150.0, 5.0))
    regain(level, shared, clock)
    assert (price(level), price(level, "B")) == (5.0, 1.0)


@pytest.mark.parametrize("how", ["invalidate_many", "delete_many"])
def test_what_others_withdrew_in_the_outage_does_not_come_back(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock, how: str
) -> None:
    put(level, quote("A"), quote("B"))
    lose(level, shared)
    put(level, quote("A", 200.0, 2.0), quote("B", 200.0, 2.0))
    getattr(shared.inner, how)("quote", ["A"])
    rev = level.rev()
    shared.broken = False
    clock.advance(RETRY)
    changes = level.changes_since(rev)
    assert changes.keys is not None
    assert "A" in changes.keys["quote"]
    fetches_ended()
    stored = shared.get_many("quote", ["A", "B"])
    assert stored["B"] == quote("B", 200.0, 2.0)
    assert "A" not in stored if how == "delete_many" else stored["A"].invalidated
    fetches_ended()
    level.get_many("quote", ["A"])
    fetches_ended()
    shared.broken = True
    found = level.get_many("quote", ["A"]).get("A")
    assert found is None if how == "delete_many" else found is not None and found.invalidated


def test_changes_of_the_outage_are_told_when_it_is_over(
    level: SparedLevel, shared: BrokenLevel, clock: ManualClock
) -> None:
    put(level, quote())
    rev = level.rev()
    lose(level, shared)
    put(shared.inner, quote("A", 200.0))
    assert level.changes_since(rev) == level.changes_since(rev)
    assert level.changes_since(rev).keys == {}
    shared.broken = False
    clock.advance(RETRY)
    assert level.changes_since(rev).keys == {"quote": {"A"}}


def test_nothing_is_invalidated_while_the_truth_cannot_be_reached(
    level: SparedLevel, shared: BrokenLevel, spare: Level
) -> None:
    put(level, quote())
    fetches_ended()
    shared.broken = True
    with pytest.warns(CacheDegradedWarning), pytest.raises(CacheError, match="broken"):
        level.invalidate_many("quote", ["A"])
    with pytest.raises(CacheError, match="nothing was invalidated"):
        level.delete_many("quote", None)
    assert not spare.get_many("quote", ["A"])["A"].invalidated
    shared.broken = False
    assert level.invalidate_many("quote", ["A"]) == 1, "tried at once, however recently it failed"
    assert level.in_order


def test_values_are_kept_for_the_shared_level_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quotewell.cache.spare._MOST_UNSENT", 3)
    unsent, level = Unsent(), MemoryLevel(ManualClock())
    for symbol in ("A", "B", "A", "C", "D"):
        unsent.add("quote", [quote(symbol)], 0, ())
    assert unsent.send(level)
    assert sorted(level.keys("quote")) == ["A", "C", "D"]
    assert not unsent.send(level)
    assert level.rev() == 1, "sent once"


def test_what_could_not_be_sent_is_kept(level: SparedLevel, shared: BrokenLevel, clock: ManualClock) -> None:
    lose(level, shared)
    put(level, quote())
    shared.broken, shared.fail_on = False, {"put_many"}
    clock.advance(RETRY)
    level.changes_since(1)
    fetches_ended()
    assert not level.in_order
    shared.fail_on = set()
    regain(level, shared, clock)
    assert price(shared) == 1.0


def test_a_shared_level_that_cannot_be_opened_at_first_is_opened_later(
    shared: BrokenLevel, spare: Level, clock: ManualClock
) -> None:
    there = False

    def opened() -> Level:
        if not there:
            raise CacheError("no route to host")
        return shared

    level = SparedLevel(opened, spare, clock)
    assert str(level.first_error) == "no route to host"
    assert level.name == "sqlite"
    put(level, quote())
    with pytest.raises(CacheError, match="nothing was invalidated"):
        level.delete_many("quote", None)
    there = True
    regain(level, shared, clock)
    assert (level.name, price(shared)) == ("shared", 1.0)
    level.close()
