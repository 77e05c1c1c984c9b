"""The two levels as one: polling, own writes, clock steps, and a persistent level that is out of order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import pytest

from quotewell.cache.memory import MemoryCache
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.store import Store, TablePolicy
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.freshness import LIFETIMES
from quotewell.protocols import Changes
from quotewell.records import Closes, Failure, Freshness, Fx, History, Quote, Record, Result
from quotewell.testing import BrokenLevel, ManualClock

POLL, RETRY = 0.05, 5.0
EUR, GBP = "EURUSD=X", "GBPUSD=X"
FAILURE = Failure("server", "down", "fake", 1, 0.0, 0.0, 1e12)
BARS = Closes(symbol="A", source="fake", dates=[738000], closes=[1.0])


class CountingLevel(BrokenLevel):
    """Counts what it is asked, and runs `meanwhile` while a read is on its way."""

    def __init__(self, inner: MemoryLevel) -> None:
        super().__init__(inner)
        self.calls = 0
        self.read: list[str] = []
        self.polls = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        self.read += keys
        found = super().get_many(table, keys)
        self.meanwhile()
        return found

    def changes_since(self, rev: int) -> Changes:
        self.polls += 1
        return super().changes_since(rev)

    def _check(self, method: str) -> None:
        self.calls += 1
        super()._check(method)


class RestrictedPolicy(TablePolicy):
    def accepts(self, record: Record) -> bool:
        return record.source != "refused"

    def thaw(self, record: Record) -> Record | None:
        return None if record.source == "undecodable" else record


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(monotonic=5000.0)


@pytest.fixture
def level(clock: ManualClock) -> CountingLevel:
    return CountingLevel(MemoryLevel(clock))


@pytest.fixture
def store(level: CountingLevel, clock: ManualClock) -> Store:
    return make(level, clock)


@pytest.fixture
def other(level: CountingLevel, clock: ManualClock) -> Store:
    """Another process on the same persistent level."""
    return make(level, clock)


def make(level: BrokenLevel, clock: ManualClock) -> Store:
    policies = {table: TablePolicy(LIFETIMES["fx"]) for table in ("fx", "result:f", "history")}
    policies["quote"] = RestrictedPolicy(LIFETIMES["quote"])
    return Store(MemoryCache(100), level, policies, clock)


def fx(clock: ManualClock, rate: float = 1.0, symbol: str = EUR, *, age: float = 0.0) -> Fx:
    return Fx(symbol=symbol, source="fake", fetched_at=clock.now() - age, rate=rate)


def write(store: Store, *records: Record) -> None:
    store.write("fx", records, begun=store.rev())


def in_memory(store: Store, symbol: str = EUR) -> float | None:
    """The rate that memory would answer with at once."""
    record = store.memory.table("fx").get(symbol)
    if record is None or store._clock.monotonic() >= record.fresh_until:
        return None
    assert isinstance(record, Fx)
    return record.rate


# --------------------------------------------------------------------------------------- levels in step


def test_what_is_written_is_in_both_levels_and_is_not_read_again(
    store: Store, level: CountingLevel, clock: ManualClock
) -> None:
    write(store, fx(clock, 1.1))
    store.write_failures("fx", {GBP: FAILURE}, begun=store.rev())
    store.write("history", [History(symbol="A", fetched_at=clock.now())], begun=0, closes=[BARS])
    assert store.synced_rev == level.inner.rev() == 3
    clock.advance(POLL)
    store.sync()
    assert (in_memory(store), store.level_name) == (1.1, "memory")
    assert set(level.inner.keys("fx")) == {EUR, GBP}
    assert level.inner.get_closes(["A"]) == store.closes(["A"]) == {"A": BARS}
    assert level.read == []


def test_a_record_enters_memory_with_the_rest_of_its_life(store: Store, clock: ManualClock) -> None:
    store.level.put_many("fx", [fx(clock, age=600.0), fx(clock, symbol=GBP, age=86400.0)], begun=0)
    store.load("fx", [EUR, GBP])
    memory = store.memory.table("fx")
    assert 0.9 * 3600.0 <= memory[EUR].fresh_until - clock.monotonic() + 600.0 <= 3600.0
    assert memory[GBP].fresh_until == 0.0


def test_changes_of_others_are_noticed_by_polling_once_in_50_ms(
    store: Store, other: Store, level: CountingLevel, clock: ManualClock
) -> None:
    write(store, fx(clock, 1.1), fx(clock, 1.3, GBP))
    store.sync()
    write(other, fx(clock, 1.2))
    clock.advance(POLL - 0.001)
    store.sync()
    assert (in_memory(store), level.polls) == (1.1, 1)
    clock.advance(0.001)
    store.sync()
    assert (in_memory(store), in_memory(store, GBP), level.polls) == (None, 1.3, 2)
    store.load("fx", [EUR])
    clock.advance(POLL)
    store.sync()  # the same change is not noticed twice
    assert in_memory(store) == 1.2


def test_deletion_of_a_table_by_another_empties_memory(
    store: Store, other: Store, clock: ManualClock
) -> None:
    write(store, fx(clock))
    assert other.invalidate("fx", None, hard=True) == 1
    clock.advance(POLL)
    store.sync()
    assert len(store.memory) == 0


def test_what_the_level_has_no_more_goes_from_memory_before_the_next_poll(store: Store, other: Store) -> None:
    write(store, fx(ManualClock()))
    store.sync()
    other.invalidate("fx", None, hard=True)
    assert store.sync() is None, "too early to ask"
    assert in_memory(store) == 1.0
    assert store.load("fx", [EUR]) == {}
    assert in_memory(store) is None


def test_a_write_after_one_of_another_is_read_again(store: Store, other: Store, clock: ManualClock) -> None:
    """The two revisions cannot be told apart: skipping the poll would skip the other's change."""
    write(store, fx(clock, 1.1))
    write(other, fx(clock, 1.2))
    write(store, fx(clock, 1.3, GBP))
    clock.advance(POLL)
    store.sync()
    assert (in_memory(store), in_memory(store, GBP)) == (None, None)


@pytest.mark.parametrize("hard", [False, True])
def test_invalidation_reaches_both_levels(store: Store, clock: ManualClock, hard: bool) -> None:
    write(store, fx(clock), fx(clock, symbol=GBP))
    assert store.invalidate("fx", [EUR, "CHFUSD=X"], hard=hard) == 1
    assert (in_memory(store), in_memory(store, GBP)) == (None, 1.0)
    assert store.synced_rev == store.level.rev()  # our own doing is not polled for
    found = store.load("fx", [EUR])
    assert (not found) if hard else found[EUR].invalidated
    assert in_memory(store) is None


def test_an_older_value_is_refused_and_does_not_enter_memory(
    store: Store, other: Store, clock: ManualClock
) -> None:
    write(other, fx(clock, 1.2))
    write(store, fx(clock, 1.1, age=60.0), fx(clock, 1.3, GBP))
    assert (in_memory(store), in_memory(store, GBP)) == (None, 1.3)


def test_a_value_read_before_another_process_replaced_it_does_not_stay_in_memory(
    store: Store, other: Store, level: CountingLevel, clock: ManualClock
) -> None:
    write(other, fx(clock, 1.1))
    clock.advance(POLL)
    store.sync()

    def replace_it_and_let_another_thread_notice() -> None:
        write(other, fx(clock, 1.2))
        clock.advance(POLL)
        store.sync()

    level.meanwhile = replace_it_and_let_another_thread_notice
    store.load("fx", [EUR])
    level.meanwhile = lambda: None
    store.sync()
    assert in_memory(store) != 1.1
    store.load("fx", [EUR])
    assert in_memory(store) == 1.2


def test_a_value_written_before_another_process_replaced_it_does_not_stay_in_memory(
    store: Store, other: Store, level: CountingLevel, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = level.inner.put_many

    def put_and_be_overtaken(
        table: str, records: Collection[Record], *, begun: int, closes: Sequence[Closes]
    ) -> set[str]:
        refused = put(table, list(records), begun=begun, closes=closes)
        put(table, [fx(clock, 1.2)], begun=begun)
        clock.advance(POLL)
        store.sync()
        return refused

    store.sync()
    monkeypatch.setattr(level, "put_many", put_and_be_overtaken)
    write(store, fx(clock, 1.1))
    store.sync()
    assert in_memory(store) != 1.1


def test_what_a_policy_does_not_accept_is_no_answer_and_what_it_cannot_thaw_is_absent(
    store: Store, clock: ManualClock
) -> None:
    def quote(symbol: str, source: str) -> Quote:
        return Quote(symbol=symbol, source=source, fetched_at=clock.now(), last=1.0)

    store.write("quote", [quote("A", "refused"), quote("B", "undecodable"), quote("C", "fake")], begun=0)
    found = store.load("quote", ["A", "B", "C"])
    assert {key: store.judge("quote", record, clock.now()).freshness for key, record in found.items()} == {
        "A": Freshness.NONE, "C": Freshness.FRESH,
    }  # fmt: skip
    assert (found["A"].fresh_until, found["C"].fresh_until > clock.monotonic()) == (0.0, True)


# ------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("step", "judged_again"), [(5.1, True), (-5.1, True), (4.9, False), (-4.9, False), (0.0, False)]
)
def test_a_clock_step_of_more_than_five_seconds_lets_memory_be_judged_again(
    store: Store, clock: ManualClock, step: float, judged_again: bool
) -> None:
    write(store, fx(clock))
    clock.advance(1000.0)
    clock.set_wall(clock.now() + step)
    store.sync()
    assert (in_memory(store) is None) == judged_again
    store.load("fx", [EUR])
    clock.advance(POLL)
    store.sync()
    assert in_memory(store) == 1.0  # the step is forgotten once it was noticed


# ------------------------------------------------------------------------------------------ out of order

Operation = Callable[[Store], object]
OPERATIONS: dict[str, tuple[Operation, object]] = {
    "changes_since": (Store.sync, None),
    "get_many": (lambda store: store.load("fx", [EUR]), {}),
    "rev": (Store.rev, 0),
    "get_closes": (lambda store: store.closes(["A"]), {}),
    "put_many": (lambda store: store.write("fx", [], begun=0), None),
    "fail_many": (lambda store: store.write_failures("fx", {}, begun=0), None),
}
"""What is asked of a store, by the method of the level that it needs, with the answer when that fails."""


@pytest.mark.parametrize("method", OPERATIONS)
def test_each_operation_degrades_with_one_warning_and_tries_again_after_five_seconds(
    store: Store, level: CountingLevel, clock: ManualClock, method: str
) -> None:
    operate, answer = OPERATIONS[method]
    level.fail_on = {method}
    with pytest.warns(
        CacheDegradedWarning, match=f"{method} is broken.*going on with memory alone"
    ) as caught:
        assert operate(store) == answer
    assert len(caught) == 1
    # Until the retry nothing at all is asked of the level, and nothing more is said.
    level.broken = True
    calls = level.calls
    clock.advance(RETRY - 0.001)
    for another, its_answer in OPERATIONS.values():
        assert another(store) == its_answer
    assert level.calls == calls
    clock.advance(0.001)
    operate(store)  # fails again, in silence
    level.broken, level.fail_on = False, set()
    clock.advance(RETRY)
    write(store, fx(clock, 1.5))
    assert level.inner.keys("fx") == [EUR]


def test_memory_goes_on_alone_and_is_in_step_again_after_the_recovery(
    store: Store, other: Store, level: CountingLevel, clock: ManualClock
) -> None:
    write(store, fx(clock, 1.1))
    store.sync()
    level.broken = True
    with pytest.warns(CacheDegradedWarning):
        write(store, fx(clock, 1.3, GBP))
    store.write_failures("fx", {EUR: FAILURE, "CHFUSD=X": FAILURE}, begun=0)
    store.write_failures("result:f", {"key": FAILURE}, begun=0)
    known = store.load("fx", [EUR, GBP, "CHFUSD=X", "JPYUSD=X"])
    assert {symbol: (record.failure, getattr(record, "rate", 0)) for symbol, record in known.items()} == {
        EUR: (FAILURE, 1.1), GBP: (None, 1.3), "CHFUSD=X": (FAILURE, None),
    }  # fmt: skip
    assert store.load("result:f", ["key"]) == {"key": Result(symbol="key", failure=FAILURE)}
    assert (store.rev(), store.closes(["A"])) == (0, {})
    level.broken = False
    write(other, fx(clock, 1.2))
    clock.advance(RETRY)
    store.sync()
    assert in_memory(store) is None
    store.load("fx", [EUR])
    assert in_memory(store) == 1.2


def test_a_clock_step_is_noticed_without_the_level(
    store: Store, level: CountingLevel, clock: ManualClock
) -> None:
    write(store, fx(clock))
    level.broken = True
    with pytest.warns(CacheDegradedWarning):
        store.sync()
    clock.advance(POLL)
    clock.set_wall(clock.now() + 60.0)
    store.sync()
    assert in_memory(store) is None


@pytest.mark.parametrize("hard", [False, True])
def test_an_invalidation_that_does_not_reach_the_level_raises(
    store: Store, level: CountingLevel, clock: ManualClock, hard: bool
) -> None:
    write(store, fx(clock))
    level.broken = True
    with pytest.raises(CacheError):
        store.invalidate("fx", [EUR], hard=hard)


# ---------------------------------------------------------------------------------------------- closing


@pytest.mark.parametrize(("wrote", "left"), [(True, [GBP]), (False, [EUR, GBP])])
def test_closing_bounds_the_level_if_anything_was_written(
    store: Store, other: Store, level: CountingLevel, clock: ManualClock, wrote: bool, left: list[str]
) -> None:
    write(store if wrote else other, fx(clock, age=60.0), fx(clock, symbol=GBP))
    store.close(1)
    assert level.inner.keys("fx") == left


def test_a_level_that_cannot_be_pruned_is_closed_all_the_same(
    store: Store, level: CountingLevel, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(level, "close", lambda: closed.append(True))
    write(store, fx(clock))
    level.broken = True
    with pytest.warns(CacheDegradedWarning, match="prune is broken"):
        store.close(1)
    assert closed == [True]
    clock.advance(RETRY)
    calls = level.calls
    write(store, fx(clock))  # what comes in late is neither stored nor worth another warning
    assert level.calls == calls
