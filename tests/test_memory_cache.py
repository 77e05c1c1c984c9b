"""The hot cache: plain dicts, bounded, with hits that are never lost count of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from quotewell.cache.memory import MemoryCache
from quotewell.records import Quote, Record, Result, Risk


def quote(symbol: str, hits: int = 0) -> Quote:
    return Quote(symbol=symbol, last=1.0, hits=hits)


def keyed(records: Iterable[Record]) -> dict[str, Record]:
    return {record.symbol: record for record in records}


def filled(max_records: int, hits: dict[str, int]) -> MemoryCache:
    cache = MemoryCache(max_records)
    cache.put_many("quote", keyed([quote(symbol) for symbol in hits]))
    for symbol, count in hits.items():
        cache.table("quote")[symbol].hits = count
    return cache


def test_a_table_is_a_plain_dict_and_always_the_same() -> None:
    cache = MemoryCache(10)
    table = cache.table("quote")
    assert type(table) is dict
    record = quote("AAPL")
    cache.put_many("quote", keyed([record]))
    assert table["AAPL"] is record
    cache.drop("quote", None)
    cache.clear()
    cache.put_many("quote", keyed([quote("MSFT")]))
    assert cache.table("quote") is table
    assert list(table) == ["MSFT"]


def test_records_are_replaced_dropped_and_counted() -> None:
    cache = MemoryCache(10)
    cache.put_many("quote", keyed([quote("A"), quote("B"), quote("C")]))
    cache.put_many("quote", keyed([quote("A")]))
    cache.put_many("risk", keyed([Risk(symbol="A")]))
    assert len(cache) == 4
    cache.drop("quote", ["A", "A", "MISSING"])
    assert len(cache) == 3
    assert list(cache.table("quote")) == ["B", "C"]
    cache.drop("quote", None)
    assert len(cache) == 1
    cache.clear()
    assert len(cache) == 0
    assert cache.table("risk") == {}


def test_evictions_are_counted_by_table() -> None:
    cache = MemoryCache(10)
    cache.put_many("risk", keyed([Risk(symbol=f"R{number}") for number in range(5)]))
    cache.put_many("quote", keyed([quote(f"Q{number}") for number in range(20)]))
    kept = {name: len(cache.table(name)) for name in ("risk", "quote")}
    assert cache.evictions_of == {"risk": 5 - kept["risk"], "quote": 20 - kept["quote"]}
    assert sum(cache.evictions_of.values()) == cache.evictions > 0
    cache.drop("quote", None)
    assert sum(cache.evictions_of.values()) == cache.evictions, "what is dropped is not evicted"


def test_expired_records_stay_but_are_not_fresh() -> None:
    cache = MemoryCache(10)
    record = quote("A")
    record.fresh_until = 99.0
    cache.put_many("quote", keyed([record]))
    cache.expire_all()
    assert cache.table("quote") == {"A": quote("A")}
    assert record.fresh_until == 0.0


# ----------------------------------------------------------------------------------------------- hits


LEAVES: dict[str, Callable[[MemoryCache], object]] = {
    "stays": lambda _: None,
    "replaced": lambda cache: cache.put_many("quote", keyed([quote("A")])),
    "dropped": lambda cache: cache.drop("quote", ["A"]),
    "table dropped": lambda cache: cache.drop("quote", None),
    "cleared": lambda cache: cache.clear(),
    "put again": lambda cache: cache.put_many("quote", keyed([cache.table("quote")["A"]])),
}


@pytest.mark.parametrize("leaves", LEAVES)
def test_hits_are_kept_when_a_record_leaves(leaves: str) -> None:
    cache = filled(10, {"A": 7, "B": 2})
    LEAVES[leaves](cache)
    assert cache.hits("quote") == 9
    assert cache.hits("risk") == 0
    assert cache.usage() == {"A": 7, "B": 2}
    assert cache.usage() == {}


@pytest.mark.parametrize("leaves", LEAVES)
def test_usage_counts_each_hit_once(leaves: str) -> None:
    cache = filled(10, {"A": 7})
    cache.usage()
    cache.table("quote")["A"].hits += 5
    LEAVES[leaves](cache)
    cache.put_many("quote", keyed([quote("A")] if "A" not in cache.table("quote") else []))
    cache.table("quote")["A"].hits += 1
    assert cache.usage() == {"A": 6}
    assert cache.hits("quote") == 13


def test_usage_adds_up_over_facets_and_leaves_results_out() -> None:
    cache = MemoryCache(10)
    cache.put_many("quote", keyed([quote("A")]))
    cache.put_many("risk", keyed([Risk(symbol="A")]))
    cache.put_many("result:mine", keyed([Result(symbol="A")]))
    for table in ("quote", "risk", "result:mine"):
        cache.table(table)["A"].hits = 3
    cache.drop("result:mine", None)
    assert cache.usage() == {"A": 6}
    assert cache.hits("result:mine") == 3


def test_a_new_record_starts_without_hits_and_a_successor_with_half() -> None:
    cache = MemoryCache(10)
    cache.put_many("quote", keyed([quote("A")]))
    assert cache.hits("quote") == 0
    cache.table("quote")["A"].hits = 9
    cache.put_many("quote", keyed([quote("A")]))
    assert cache.table("quote")["A"].hits == 4


def test_a_record_put_again_keeps_its_hits() -> None:
    cache = filled(10, {"A": 9})
    record = cache.table("quote")["A"]
    cache.put_many("quote", keyed([record]))
    assert record.hits == 9
    assert len(cache) == 1


# ------------------------------------------------------------------------------------------- eviction


def test_the_least_hit_fifth_goes_when_the_bound_is_exceeded() -> None:
    cache = filled(10, {f"S{i}": 10 - i for i in range(10)})
    assert cache.evictions == 0
    cache.put_many("quote", keyed([quote("NEW")]))
    assert list(cache.table("quote")) == ["S0", "S1", "S2", "S3", "S4", "S5", "S6", "NEW"]
    assert cache.evictions == 3
    assert len(cache) == 8


def test_among_equals_the_first_in_goes_first() -> None:
    cache = filled(5, dict.fromkeys("ABCDE", 1))
    cache.put_many("quote", keyed([quote("F")]))
    assert list(cache.table("quote")) == ["C", "D", "E", "F"]


def test_what_was_put_just_now_stays_though_nobody_has_asked_for_it() -> None:
    cache = filled(10, {f"S{i}": 1000 for i in range(10)})
    batch = [quote(f"N{i}") for i in range(6)]
    cache.put_many("quote", keyed(batch))
    assert cache.table("quote").keys() == {"S8", "S9", *(record.symbol for record in batch)}


def test_a_batch_larger_than_the_bound_keeps_its_end() -> None:
    cache = filled(5, {"OLD": 9})
    cache.put_many("quote", keyed([quote(f"N{i}") for i in range(8)]))
    assert list(cache.table("quote")) == ["N3", "N4", "N5", "N6", "N7"]
    assert cache.evictions == 4


def test_tables_give_in_proportion_to_their_size() -> None:
    cache = MemoryCache(100)
    cache.put_many("risk", keyed([Risk(symbol=f"S{i}") for i in range(20)]))
    cache.put_many("quote", keyed([quote(f"S{i}") for i in range(80)]))
    cache.put_many("fx", keyed([]))
    cache.put_many("quote", keyed([quote("NEW")]))
    assert len(cache.table("risk")) == 15
    assert len(cache.table("quote")) == 64


def test_eviction_keeps_the_count_of_hits() -> None:
    cache = filled(5, {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5})
    cache.put_many("quote", keyed([quote("F")]))
    assert "A" not in cache.table("quote")
    assert cache.hits("quote") == 15
    assert cache.usage() == {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5}


class AgainstAModel(RuleBasedStateMachine):
    """Any order of puts, drops, hits and reports keeps the bound and every count."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = MemoryCache(12)
        self.hit = 0
        self.reported = 0

    @rule(
        table=st.sampled_from(["quote", "risk"]),
        keys=st.lists(st.integers(0, 30), max_size=20, unique=True),
    )
    def put(self, table: str, keys: list[int]) -> None:
        kind = Quote if table == "quote" else Risk
        self.cache.put_many(table, keyed([kind(symbol=str(key)) for key in keys]))
        if len(keys) <= 12:
            assert {str(key) for key in keys} <= self.cache.table(table).keys(), "just put, and gone again"

    @rule(table=st.sampled_from(["quote", "risk"]), keys=st.none() | st.lists(st.integers(0, 30).map(str)))
    def drop(self, table: str, keys: list[str] | None) -> None:
        self.cache.drop(table, keys)
        live = self.cache.table(table)
        assert not (live if keys is None else live.keys() & set(keys))

    @rule(key=st.integers(0, 30).map(str), times=st.integers(1, 5))
    def look_up(self, key: str, times: int) -> None:
        for table in ("quote", "risk"):
            record = self.cache.table(table).get(key)
            if record is not None:
                record.hits += times
                self.hit += times

    @rule()
    def report(self) -> None:
        self.reported += sum(self.cache.usage().values())
        assert self.reported == self.hit

    @invariant()
    def counts_agree(self) -> None:
        tables = [self.cache.table(name) for name in ("quote", "risk")]
        assert len(self.cache) == sum(map(len, tables)) <= 12
        assert self.cache.hits("quote") + self.cache.hits("risk") == self.hit
        assert all(key == record.symbol for table in tables for key, record in table.items())


TestAgainstAModel = AgainstAModel.TestCase


def test_readers_without_a_lock_see_whole_records_while_others_write() -> None:
    cache = MemoryCache(50)
    table = cache.table("quote")
    done = threading.Event()

    def read() -> int:
        found = 0
        while not done.is_set():
            for number in range(80):
                record = table.get(f"S{number}")
                if record is not None:
                    assert record.symbol == f"S{number}"
                    record.hits += 1
                    found += 1
        return found

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for turn in range(300):
            cache.put_many("quote", keyed([quote(f"S{(turn * 7 + i) % 80}") for i in range(20)]))
            if turn % 50 == 0:
                cache.drop("quote", None)
            cache.usage()
        done.set()
        assert sum(reader.result() for reader in readers) > 0
    assert len(cache) == len(table) <= 50
