"""A server that is short of memory: values may be gone, but none comes back, and none is taken for fresh."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from quotewell.cache.valkey.level import ValkeyLevel
from quotewell.cache.valkey.push import Push
from quotewell.errors import CacheError
from quotewell.records import Closes, History, Quote, Record, Result
from quotewell.testing import ManualClock
from valkey_servers import GENEROUS, PrivateServer, own_prefix, valkey_level

SYMBOLS = [f"S{number:03d}" for number in range(200)]
BULK = b"x" * 4_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=1_000_000.0)


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A small server; its parameter is the policy."""
    made = PrivateServer(tmp_path, ("maxmemory", "3mb"), ("maxmemory-policy", request.param))
    yield made
    made.close()


def quote(symbol: str, at: float) -> Quote:
    return Quote(symbol=symbol, source="x", fetched_at=at, last=at)


class Truth:
    """What a store without bounds would hold, and what a level is told; each step is a random one.

    Args:
        level: The level that is told.
        seed: Of the steps.
    """

    def __init__(self, level: ValkeyLevel, seed: int) -> None:
        self.values: dict[str, float] = {}
        self.invalidated: set[str] = set()
        self._level = level
        self._chance = random.Random(seed)
        self._steps = [
            *[self.put] * 3, self.put_late, self.invalidate, self.delete, self.whole_table, self.fill
        ]  # fmt: skip

    def step(self, number: int) -> None:
        """Do something."""
        keys = self._chance.sample(SYMBOLS, self._chance.randint(1, 30))
        self._chance.choice(self._steps)(keys, float(number))

    def put(self, keys: list[str], at: float) -> None:
        self._put(keys, at, self._level.rev())

    def put_late(self, keys: list[str], at: float) -> None:
        """Some are deleted after their fetch began."""
        begun = self._level.rev()
        self.delete(keys[::2], at)
        assert self._put(keys, at, begun) >= set(keys[::2])

    def invalidate(self, keys: list[str], at: float) -> None:
        del at
        self._level.invalidate_many("quote", keys)
        self.invalidated |= self.values.keys() & set(keys)

    def delete(self, keys: list[str], at: float) -> None:
        del at
        self._level.delete_many("quote", keys)
        for key in keys:
            self.values.pop(key, None)

    def whole_table(self, keys: list[str], at: float) -> None:
        del at
        if len(keys) % 2:
            self._level.delete_many("quote", None)
            self.values.clear()
        else:
            self._level.invalidate_many("quote", None)
            self.invalidated |= self.values.keys()

    def fill(self, keys: list[str], at: float) -> None:
        """Make room rare."""
        rows = [Result(symbol=f"{at}-{n}", fetched_at=1.0, blob=BULK) for n in range(4 * len(keys))]
        self._level.put_many("result:bulk", rows, begun=self._level.rev())

    def check(self, found: Mapping[str, Record]) -> None:
        """Compare what was read, or is in memory: some may be missing, but nothing may be wrong."""
        for key, record in found.items():
            assert isinstance(record, Quote)
            assert record.last == self.values.get(key), key
            assert record.invalidated or key not in self.invalidated, key

    def _put(self, keys: list[str], at: float, begun: int) -> set[str]:
        refused = self._level.put_many("quote", [quote(key, at) for key in keys], begun=begun)
        for key in set(keys) - refused:
            self.values[key] = at
            self.invalidated.discard(key)
        return refused


@pytest.mark.parametrize("server", ["allkeys-lru", "allkeys-random", "volatile-lru"], indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_wrong_is_read_while_anything_may_be_evicted(
    server: PrivateServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(Push, "listen", lambda _: None)  # which tells of a change a little later
    prefix = own_prefix()
    writer, level = (
        ValkeyLevel(server.url, clock, prefix=prefix, timeout=GENEROUS, kept=lambda _: 3600.0)
        for _ in range(2)
    )
    truth = Truth(writer, seed)
    memory: dict[str, Record] = {}
    """Of a process that follows what changes."""
    seen = level.changes_since(0).rev
    evicted = 0
    for number in range(150):
        truth.step(number)
        found = level.get_many("quote", SYMBOLS)
        truth.check(found)
        changes = level.changes_since(seen)
        seen = changes.rev
        drop = changes.keys is None or changes.rebuilt
        gone = set(memory) if drop or changes.keys is None else set(changes.keys.get("quote", ()))
        memory = {key: record for key, record in memory.items() if key not in gone}
        truth.check(memory)
        memory |= found
        evicted += len(truth.values.keys() - found.keys())
    assert evicted > 0, "there was room for everything"
    level.close()
    writer.close()


@pytest.mark.parametrize("server", ["noeviction"], indirect=True)
def test_a_full_server_that_evicts_nothing_refuses_and_keeps_what_it_has(
    server: PrivateServer, clock: ManualClock
) -> None:
    level = ValkeyLevel(server.url, clock, prefix=own_prefix(), timeout=GENEROUS)
    level.put_many("quote", [quote("A", 1.0)], begun=level.rev())

    stored = 0

    def fill() -> None:
        nonlocal stored
        for stored in range(0, 10_000, 10):
            rows = [Result(symbol=str(stored + n), fetched_at=1.0, blob=BULK) for n in range(10)]
            level.put_many("result:bulk", rows, begun=level.rev())

    with pytest.raises(CacheError, match="maxmemory"):
        fill()
    assert level.get_many("quote", ["A"]) == {"A": quote("A", 1.0)}
    assert len(level.keys("result:bulk")) == stored, "all of a write or nothing"
    assert level.changes_since(level.rev()).keys == {}
    level.delete_many("result:bulk", [str(number) for number in range(stored)])
    assert level.put_many("quote", [quote("A", 2.0)], begun=level.rev()) == set()
    level.close()


# ------------------------------------------------------------------------------- one key lost at a time


@pytest.fixture
def level(clock: ManualClock) -> Iterator[ValkeyLevel]:
    made = valkey_level(clock)
    yield made
    made.close()


def lose(level: ValkeyLevel, *words: str) -> None:
    assert level._server.client.delete(level._key(*words)) == 1


def test_without_its_counter_the_store_is_another_one(level: ValkeyLevel) -> None:
    level.put_many("quote", [quote("A", 1.0), quote("B", 1.0)], begun=0)
    begun = level.rev()
    level.delete_many("quote", ["B"])
    lose(level, "meta")
    assert level.get_many("quote", ["A"]) == {}, "who knows whether the table was deleted"
    assert level.put_many("quote", [quote("B", 2.0)], begun=begun) == {"B"}
    changes = level.changes_since(begun)
    assert changes.rebuilt or changes.keys is None
    assert level.get_many("quote", ["A"]) == {}
    assert level.put_many("quote", [quote("B", 2.0)], begun=level.rev()) == set()


@pytest.mark.parametrize("lost", [True, False])
def test_without_its_log_no_fetch_from_before_is_trusted(level: ValkeyLevel, lost: bool) -> None:
    level.put_many("quote", [quote("A", 1.0)], begun=0)
    begun = level.rev()
    level.delete_many("quote", ["A"])
    if lost:
        lose(level, "log")
    assert level.put_many("quote", [quote("A", 2.0), quote("B", 2.0)], begun=begun) == (
        {"A", "B"} if lost else {"A"}
    )
    assert (level.changes_since(begun).keys is None) == lost
    assert level.put_many("quote", [quote("A", 2.0)], begun=level.rev()) == set()


def test_without_its_index_a_table_is_deleted_all_the_same(level: ValkeyLevel) -> None:
    level.put_many("quote", [quote("A", 1.0)], begun=0)
    before = level.rev()
    lose(level, "i", "quote")
    assert level.changes_since(before - 1).keys is None
    level.invalidate_many("quote", None)
    assert level.get_many("quote", ["A"])["A"].invalidated
    level.delete_many("quote", None)
    assert level.get_many("quote", ["A"]) == {}


def test_an_index_that_was_lost_and_begun_anew_tells_of_the_whole_table(level: ValkeyLevel) -> None:
    level.put_many("quote", [quote("A", 1.0)], begun=0)
    lose(level, "i", "quote")
    level.put_many("quote", [quote("B", 1.0)], begun=level.rev())
    before = level.rev()
    level.put_many("quote", [quote("B", 2.0)], begun=level.rev())
    assert level.changes_since(before).keys == {"quote": {"B"}}
    level.invalidate_many("quote", None)
    assert level.changes_since(before).keys is None, "A is nowhere to be found"


def test_a_history_whose_closes_are_lost_is_a_miss(level: ValkeyLevel) -> None:
    series = [Closes(symbol=symbol, source="x", dates=[1], closes=[2.0]) for symbol in ("A", "B")]
    records = [History(symbol=symbol, fetched_at=1.0, bars=1) for symbol in ("A", "B", "C")]
    level.put_many("history", records, begun=0, closes=series)
    lose(level, "c", "A")
    assert level.get_many("history", ["A", "B", "C"]).keys() == {"B", "C"}


def test_closes_of_a_deleted_table_do_not_come_back(level: ValkeyLevel) -> None:
    series = Closes(symbol="A", source="x", dates=[1], closes=[2.0])
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=0, closes=[series])
    lose(level, "i", "history")
    level.delete_many("history", None)
    assert level.get_closes(["A"]) == {}


# --------------------------------------------------------------------------------- expiry, and tidying up


def test_a_value_expires_when_it_is_too_old_even_for_errors(clock: ManualClock) -> None:
    kept = {"quote": 7 * 86_400.0, "history": float("inf")}
    level = valkey_level(clock)
    level._kept = kept.__getitem__
    series = Closes(symbol="A", source="x", dates=[1], closes=[2.0])
    level.put_many("quote", [quote("A", 1.0)], begun=0)
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=0, closes=[series])
    client = level._server.client
    client.pexpire(level._key("r", "quote", "A"), 300_000_000)
    level.invalidate_many("quote", ["A"])
    assert 0 < client.pttl(level._key("r", "quote", "A")) <= 300_000_000, (
        "an invalidation does not prolong it"
    )
    level.put_many("quote", [quote("A", 2.0)], begun=level.rev())
    assert 604_000_000 < client.pttl(level._key("r", "quote", "A")) <= 604_800_000
    assert client.pttl(level._key("r", "history", "A")) == client.pttl(level._key("c", "A")) == -1
    level.close()


def test_keys_of_expired_records_are_forgotten_when_it_is_pruned(level: ValkeyLevel) -> None:
    level.put_many("quote", [quote(symbol, 1.0) for symbol in SYMBOLS], begun=0)
    for symbol in SYMBOLS[:150]:
        lose(level, "r", "quote", symbol)
    rev = level.rev()
    assert level.prune(1000) == 0
    assert level.keys("quote") == SYMBOLS[150:]
    assert level.stats().records == {"quote": 50}
    assert level.changes_since(rev).keys == {}


def test_what_a_deleted_table_leaves_is_swept_away(level: ValkeyLevel) -> None:
    level.put_many("quote", [quote(f"Q{number}", 1.0) for number in range(2_500)], begun=0)
    assert level.delete_many("quote", None) == 2_500
    left = level._server.client.keys(level._key("*"))
    assert sorted(left) == [level._key("meta").encode()]
