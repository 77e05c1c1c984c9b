"""What every persistent level must do; a new level is one more line in `LEVELS`."""

from __future__ import annotations

import threading
import types
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postgres_server import fresh_schema, shared_server
from quotewell.cache.codec import record_type, stored_fields
from quotewell.cache.late_level import LateLevel
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.spared_level import SparedLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheError, UsageError
from quotewell.protocols import Level
from quotewell.records import (
    FACETS,
    Closes,
    Dividend,
    DividendEvent,
    Failure,
    Freshness,
    History,
    Profile,
    Provenance,
    Quote,
    Record,
    Result,
    Split,
)
from quotewell.testing import ManualClock
from valkey_servers import valkey_level


def never() -> Level:
    raise CacheError("locked for ever")


def opened_late(folder: Path, clock: ManualClock) -> Level:
    level = LateLevel(lambda: SqliteLevel(folder / "cache.db", clock), clock)
    clock.advance(5.0)
    level.changes_since(0)
    assert level.name == "sqlite"
    return level


LEVELS: dict[str, Callable[[Path, ManualClock], Level]] = {
    "memory": lambda _, clock: MemoryLevel(clock),
    "sqlite": lambda folder, clock: SqliteLevel(folder / "cache.db", clock),
    "postgres": lambda _, clock: PostgresLevel(shared_server().url(), clock, schema=fresh_schema()),
    "late, waiting": lambda _, clock: LateLevel(never, clock),
    "late, there": opened_late,
    "spared": lambda folder, clock: SparedLevel(
        lambda: MemoryLevel(clock), SqliteLevel(folder / "spare.db", clock), clock
    ),
    "valkey": lambda _, clock: valkey_level(clock),
    "redis": lambda _, clock: valkey_level(clock, program="redis"),
}
TABLES = [*FACETS, "result:mine"]
HOUR = 3600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=1_000_000.0)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Level]:
    level = LEVELS[request.param](tmp_path, clock)
    yield level
    level.close()


def quote(symbol: str = "AAPL", fetched_at: float = 100.0, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="yahoo", as_of=99.0, fetched_at=fetched_at, last=last, currency="USD")


def failure(kind: Any = "timeout", last_at: float = 200.0) -> Failure:
    return Failure(kind, "took 15 s", "yahoo", 2, 190.0, last_at, 230.0)


def put(level: Level, *records: Record, table: str = "quote") -> None:
    assert level.put_many(table, records, begun=level.rev()) == set()


def get(level: Level, key: str = "AAPL", table: str = "quote") -> Record | None:
    return level.get_many(table, [key]).get(key)


# --------------------------------------------------------------------------------------- round trips


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """All values that a field with this type hint can have, but NaN."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values_of(argument) for argument in arguments])
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (tuple, list):
        return st.lists(values_of(arguments[0]), max_size=3).map(origin)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        int: st.integers(-(2**63), 2**63 - 1),
        bool: st.booleans(),
        bytes: st.binary(),
        type(None): st.none(),
    }
    return plain[hint] if hint in plain else structs(hint)


def structs(kind: Any) -> st.SearchStrategy[Any]:
    names = stored_fields(kind) if issubclass(kind, Record) else kind.__struct_fields__
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: values_of(hints[name]) for name in names})


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_stored_field_comes_back_as_it_was_put(level: Level, table: str, data: st.DataObject) -> None:
    record = data.draw(structs(record_type(table)))
    record.fetched_at = data.draw(FINITE)
    remembered = data.draw(structs(Failure))
    level.delete_many(table, None)

    put(level, record, table=table)
    stored = msgspec.structs.replace(record, invalidated=False, failure=None)
    assert get(level, record.symbol, table) == stored

    level.fail_many(table, {record.symbol: remembered}, begun=level.rev())
    failed = msgspec.structs.replace(stored, failure=remembered)
    assert get(level, record.symbol, table) == failed

    assert level.invalidate_many(table, [record.symbol]) == 1
    assert get(level, record.symbol, table) == msgspec.structs.replace(failed, invalidated=True)


@given(series=structs(Closes))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_closes_come_back_as_they_were_put(level: Level, series: Closes) -> None:
    dates = sorted(set(series.dates)) or [1]
    series = msgspec.structs.replace(series, dates=dates, closes=[float(date) for date in dates])
    put_closes(level, series)
    assert level.get_closes([series.symbol, "never stored"]) == {series.symbol: series}


def test_types_are_kept(level: Level) -> None:
    record = Quote(symbol="AAPL", fetched_at=5, last=3, unverified=True)
    put(level, record)
    put(level, History(symbol="AAPL", fetched_at=5.0, bars=7), table="history")
    back = get(level)
    assert isinstance(back, Quote)
    assert back.unverified is True
    assert back.invalidated is False
    assert type(get(level, table="history")) is History


def test_bookkeeping_of_the_memory_level_is_not_stored(level: Level) -> None:
    record = quote()
    record.hits, record.fresh_until = 7, 1e9
    record.provenance = Provenance("yahoo", None, 1.0, Freshness.FRESH, "memory")
    put(level, record)
    put(level, Result(symbol="k", fetched_at=1.0, blob=b"b", value=object()), table="result:mine")
    assert get(level) == quote()
    assert get(level, "k", "result:mine") == Result(symbol="k", fetched_at=1.0, blob=b"b")


def test_hits_counted_in_a_given_record_do_not_reach_the_store(level: Level) -> None:
    put(level, quote())
    first = get(level)
    assert first is not None
    first.hits, first.fresh_until = 5, 1e9
    assert get(level) == quote()


def test_absent_keys_are_left_out(level: Level) -> None:
    put(level, quote())
    assert level.get_many("quote", ["AAPL", "MSFT"]).keys() == {"AAPL"}
    assert level.get_many("quote", []) == {}
    assert level.get_many("profile", ["AAPL"]) == {}


@pytest.mark.parametrize("asked", [1, 9, 60, 180, 700, 1200])
@pytest.mark.parametrize("noted", [0, 5, 1000])
def test_reads_of_any_size_bring_values_and_states(level: Level, asked: int, noted: int) -> None:
    symbols = [f"S{i:04d}" for i in range(1200)]
    put(level, *[quote(symbol, last=float(i)) for i, symbol in enumerate(symbols)])
    level.fail_many("quote", dict.fromkeys(symbols[:noted], failure()), begun=level.rev())
    level.invalidate_many("quote", symbols[1 : noted + 1])

    found = level.get_many("quote", [*symbols[:asked], "MISSING"])

    assert list(found) == [record.symbol for record in found.values()]
    assert sorted(found) == symbols[:asked]
    for i, symbol in enumerate(symbols[:asked]):
        expected = quote(symbol, last=float(i))
        expected.failure = failure() if i < noted else None
        expected.invalidated = 1 <= i <= noted
        assert found[symbol] == expected


def test_namespaces_of_results_are_apart(level: Level) -> None:
    for namespace in ("a", "b", "a:b"):
        put(level, Result(symbol="k", fetched_at=1.0, blob=namespace.encode()), table=f"result:{namespace}")
    assert get(level, "k", "result:a:b") == Result(symbol="k", fetched_at=1.0, blob=b"a:b")
    assert level.delete_many("result:a", None) == 1
    assert level.keys("result:a") == []
    assert level.keys("result:b") == ["k"]
    assert level.stats().records == {"result:b": 1, "result:a:b": 1}


def test_keys_are_those_with_a_record(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    level.fail_many("quote", {"C": failure()}, begun=level.rev())
    assert sorted(level.keys("quote")) == ["A", "B", "C"]
    assert level.keys("risk") == []


@pytest.mark.parametrize("table", ["nothing", "", "results", "sqlite_schema"])
def test_an_unknown_table_is_a_usage_error(level: Level, table: str) -> None:
    with pytest.raises(UsageError, match="no table"):
        level.get_many(table, ["A"])
    with pytest.raises(UsageError):
        level.delete_many(table, None)
    with pytest.raises(UsageError):
        level.put_many(table, [quote()], begun=0)


# ------------------------------------------------------------------------------------ which write wins


@pytest.mark.parametrize(
    ("fetched_at", "wins"), [(99.0, False), (100.0, True), (101.0, True)], ids=["older", "equal", "newer"]
)
def test_the_younger_value_wins(level: Level, fetched_at: float, wins: bool) -> None:
    put(level, quote(fetched_at=100.0, last=1.0))
    refused = level.put_many("quote", [quote(fetched_at=fetched_at, last=2.0)], begun=level.rev())
    assert refused == (set() if wins else {"AAPL"})
    stored = get(level)
    assert isinstance(stored, Quote)
    assert stored.last == (2.0 if wins else 1.0)


@pytest.mark.parametrize("others", [0, 300])
def test_a_value_dated_in_the_future_is_replaced(level: Level, clock: ManualClock, others: int) -> None:
    """Else nothing could be cached until then, once a clock that was wrong has been put right."""
    level.put_many("quote", [quote("A", clock.now() + HOUR), quote("B", clock.now() + 59.0)], begun=0)
    now = [quote(symbol, clock.now(), 2.0) for symbol in ("A", "B", *(f"S{n}" for n in range(others)))]
    assert level.put_many("quote", now, begun=level.rev()) == {"B"}
    [stored] = level.get_many("quote", ["A"]).values()
    assert (stored.fetched_at, getattr(stored, "last", 0)) == (clock.now(), 2.0)


def test_only_the_older_of_a_batch_are_refused(level: Level) -> None:
    put(level, quote("OLD", 100.0), quote("NEW", 100.0))
    batch = [quote("OLD", 50.0, 9.0), quote("NEW", 150.0, 9.0), quote("FIRST", 50.0, 9.0)]
    assert level.put_many("quote", batch, begun=level.rev()) == {"OLD"}
    found = level.get_many("quote", ["OLD", "NEW", "FIRST"])
    assert {key: record.fetched_at for key, record in found.items()} == {
        "OLD": 100.0,
        "NEW": 150.0,
        "FIRST": 50.0,
    }


def test_a_refused_value_clears_neither_failure_nor_invalidation(level: Level) -> None:
    put(level, quote(fetched_at=100.0))
    level.fail_many("quote", {"AAPL": failure()}, begun=level.rev())
    level.invalidate_many("quote", ["AAPL"])
    before = get(level)
    assert level.put_many("quote", [quote(fetched_at=50.0)], begun=level.rev()) == {"AAPL"}
    assert get(level) == before


def test_a_value_clears_failure_and_invalidation(level: Level) -> None:
    put(level, quote(fetched_at=100.0))
    level.fail_many("quote", {"AAPL": failure(), "MSFT": failure()}, begun=level.rev())
    level.invalidate_many("quote", ["AAPL"])
    put(level, quote(fetched_at=101.0), quote("MSFT"))
    assert get(level) == quote(fetched_at=101.0)
    assert get(level, "MSFT") == quote("MSFT")


def test_failure_and_invalidation_of_a_put_record_are_not_taken_over(level: Level) -> None:
    record = quote()
    record.failure, record.invalidated = failure(), True
    put(level, record)
    assert get(level) == quote()


def test_a_record_without_a_value_is_refused(level: Level) -> None:
    empty = Quote(symbol="AAPL", failure=failure())
    assert level.put_many("quote", [empty, quote("B")], begun=level.rev()) == {"AAPL"}
    assert level.keys("quote") == ["B"]


WITHDRAWALS: dict[str, Callable[[Level], object]] = {
    "invalidated": lambda level: level.invalidate_many("quote", ["AAPL"]),
    "table invalidated": lambda level: level.invalidate_many("quote", None),
    "deleted": lambda level: level.delete_many("quote", ["AAPL"]),
    "table deleted": lambda level: level.delete_many("quote", None),
}


@pytest.mark.parametrize("stored", [True, False], ids=["with a record", "without a record"])
@pytest.mark.parametrize("how", WITHDRAWALS)
def test_a_value_whose_fetch_began_before_a_withdrawal_is_refused(
    level: Level, how: str, stored: bool
) -> None:
    if stored:
        put(level, quote())
    begun = level.rev()
    WITHDRAWALS[how](level)
    before = get(level)
    assert level.put_many("quote", [quote(fetched_at=1e6)], begun=begun) == {"AAPL"}
    assert get(level) == before
    assert level.put_many("quote", [quote(fetched_at=1e6)], begun=level.rev()) == set()


@pytest.mark.parametrize("how", ["invalidated", "deleted"])
def test_a_withdrawal_concerns_its_own_keys_and_table_only(level: Level, how: str) -> None:
    begun = level.rev()
    WITHDRAWALS[how](level)
    assert level.put_many("quote", [quote("MSFT"), quote("AAPL")], begun=begun) == {"AAPL"}
    assert level.put_many("profile", [Profile(symbol="AAPL", fetched_at=1.0)], begun=begun) == set()


def test_a_fetch_older_than_the_log_is_refused(level: Level, clock: ManualClock) -> None:
    begun = level.rev()
    level.delete_many("quote", ["AAPL"])
    clock.advance(HOUR + 1.0)
    assert level.put_many("quote", [quote()], begun=begun) == {"AAPL"}, "still logged until the next deletion"
    level.delete_many("quote", ["OTHER"])
    assert level.put_many("quote", [quote()], begun=begun) == {"AAPL"}
    level.fail_many("quote", {"AAPL": failure()}, begun=begun)
    assert get(level) is None
    assert level.put_many("quote", [quote()], begun=level.rev()) == set()


# -------------------------------------------------------------------------------------------- failures


def test_a_failure_touches_nothing_but_the_failure(level: Level) -> None:
    put(level, quote())
    level.fail_many("quote", {"AAPL": failure()}, begun=level.rev())
    assert get(level) == msgspec.structs.replace(quote(), failure=failure())
    level.fail_many("quote", {"AAPL": failure("server", 300.0)}, begun=level.rev())
    assert get(level) == msgspec.structs.replace(quote(), failure=failure("server", 300.0))


def test_a_failure_is_remembered_without_a_value(level: Level) -> None:
    level.fail_many("dividend", {"NOPE": failure("unknown")}, begun=level.rev())
    assert get(level, "NOPE", "dividend") == Dividend(symbol="NOPE", failure=failure("unknown"))


def test_a_failure_is_dropped_when_the_key_was_written_meanwhile(level: Level) -> None:
    begun = level.rev()
    put(level, quote())
    level.fail_many("quote", {"AAPL": failure(), "MSFT": failure()}, begun=begun)
    assert get(level) == quote()
    assert get(level, "MSFT") == Quote(symbol="MSFT", failure=failure()), "the other key was not written"


@pytest.mark.parametrize("stored", [True, False], ids=["with a record", "without a record"])
@pytest.mark.parametrize("how", WITHDRAWALS)
def test_a_failure_is_dropped_when_the_key_was_withdrawn_meanwhile(
    level: Level, how: str, stored: bool
) -> None:
    if stored:
        put(level, quote())
    begun = level.rev()
    WITHDRAWALS[how](level)
    before = get(level)
    level.fail_many("quote", {"AAPL": failure()}, begun=begun)
    assert get(level) == before


def test_a_failure_is_dropped_when_a_value_came_before_another_failure(level: Level) -> None:
    begun = level.rev()
    put(level, quote())
    level.fail_many("quote", {"AAPL": failure("server")}, begun=level.rev())
    level.fail_many("quote", {"AAPL": failure("timeout")}, begun=begun)
    assert get(level) == msgspec.structs.replace(quote(), failure=failure("server"))


def test_of_two_failures_begun_together_the_second_stays(level: Level) -> None:
    begun = level.rev()
    level.fail_many("quote", {"AAPL": failure("server")}, begun=begun)
    level.fail_many("quote", {"AAPL": failure("timeout")}, begun=begun)
    assert get(level) == Quote(symbol="AAPL", failure=failure("timeout"))


# ---------------------------------------------------------------------- invalidation, deletion, changes


def test_invalidation_keeps_value_and_failure_and_counts_existing_records(level: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    level.fail_many("quote", {"A": failure()}, begun=level.rev())
    assert level.invalidate_many("quote", ["A", "A", "MISSING"]) == 1
    assert get(level, "A") == msgspec.structs.replace(quote("A"), failure=failure(), invalidated=True)
    assert get(level, "B") == quote("B")
    assert level.keys("quote") == ["A", "B", "C"], "invalidation makes no records"
    assert level.invalidate_many("quote", None) == 3
    assert all(record.invalidated for record in level.get_many("quote", ["A", "B", "C"]).values())
    assert level.invalidate_many("quote", []) == 0


def test_deletion_forgets_value_and_failure_and_counts_records(level: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    level.fail_many("quote", {"A": failure(), "D": failure()}, begun=level.rev())
    assert level.delete_many("quote", ["A", "A", "MISSING"]) == 1
    assert get(level, "A") is None
    assert level.delete_many("quote", None) == 3
    assert level.keys("quote") == []
    assert level.delete_many("quote", []) == 0


def test_each_write_takes_one_revision(level: Level) -> None:
    rev = level.rev()
    writes: list[Callable[[], object]] = [
        lambda: level.put_many("quote", [quote("A"), quote("B")], begun=rev),
        lambda: level.fail_many("quote", {"A": failure()}, begun=level.rev()),
        lambda: level.invalidate_many("quote", ["A"]),
        lambda: put_closes(level, closes("A")),
        lambda: level.delete_many("quote", None),
    ]
    for number, write in enumerate(writes, 1):
        write()
        assert level.rev() == rev + number
    level.put_many("quote", [], begun=rev)
    level.fail_many("quote", {}, begun=rev)
    level.invalidate_many("quote", [])
    assert level.rev() == rev + len(writes), "writing nothing is no write"


def changed(level: Level, rev: int) -> dict[str, set[str]] | None:
    changes = level.changes_since(rev)
    assert changes.rev == level.rev()
    return None if changes.keys is None else {table: set(keys) for table, keys in changes.keys.items()}


def test_changes_tell_what_was_written_failed_invalidated_and_deleted_since(level: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    rev = level.rev()
    assert changed(level, rev) == {}
    put(level, quote("A", 101.0))
    assert changed(level, rev) == {"quote": {"A"}}
    level.fail_many("profile", {"X": failure()}, begun=level.rev())
    level.invalidate_many("quote", ["B", "NOT THERE"])
    level.delete_many("quote", ["C"])
    put(level, Result(symbol="k", fetched_at=1.0), table="result:mine")
    seen = changed(level, rev)
    assert seen is not None
    assert seen["quote"] >= {"A", "B", "C"}
    assert seen["profile"] == {"X"}
    assert seen["result:mine"] == {"k"}
    assert changed(level, level.rev()) == {}


def test_a_deletion_of_a_key_without_a_record_is_told(level: Level) -> None:
    rev = level.rev()
    level.delete_many("quote", ["NEVER THERE"])
    assert changed(level, rev) == {"quote": {"NEVER THERE"}}


def test_changes_tell_of_a_whole_table(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    rev = level.rev()
    level.invalidate_many("quote", None)
    assert changed(level, rev) == {"quote": {"A", "B"}}
    level.delete_many("quote", None)
    assert changed(level, rev) is None, "deleted records cannot be named any more: drop everything"
    assert changed(level, level.rev()) == {}


def test_refused_writes_change_no_key(level: Level) -> None:
    put(level, quote("A", 100.0))
    rev = level.rev()
    level.put_many("quote", [quote("A", 50.0)], begun=rev)
    assert changed(level, rev) == {}


def test_a_revision_that_the_store_never_had_tells_of_another_store(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    level.invalidate_many("quote", ["A"])
    level.delete_many("profile", ["C"])
    changes = level.changes_since(level.rev() + 1)
    assert (changes.rebuilt, changes.keys) == (True, {"quote": {"A"}, "profile": {"C"}})
    assert not level.changes_since(level.rev()).rebuilt
    level.invalidate_many("quote", None)
    assert changed(level, level.rev() + 1) is None


def test_the_log_of_deletions_reaches_back_one_hour(level: Level, clock: ManualClock) -> None:
    put(level, quote("A"))
    ancient = level.rev()
    level.delete_many("quote", ["A"])
    recent = level.rev()
    clock.advance(HOUR - 1.0)
    level.delete_many("quote", ["B"])
    assert changed(level, ancient) == {"quote": {"A", "B"}}
    clock.advance(2.0)
    level.delete_many("quote", ["C"])
    assert changed(level, ancient) is None, "the first deletion is forgotten"
    assert changed(level, recent) == {"quote": {"B", "C"}}


def test_a_clock_that_was_wrong_for_a_while_does_not_keep_the_log_for_ever(
    level: Level, clock: ManualClock
) -> None:
    before = level.rev()
    clock.set_wall(1_000_000.0 + 1000 * HOUR)
    level.delete_many("quote", ["A"])
    clock.set_wall(1_000_000.0)
    level.delete_many("quote", ["B"])
    assert changed(level, before) is None
    assert changed(level, level.rev() - 1) == {"quote": {"B"}}


# ------------------------------------------------------------------------------------------------ closes


def closes(symbol: str, *, days: int = 3, source: str = "yahoo") -> Closes:
    return Closes(
        symbol=symbol,
        source=source,
        dates=[738_000 + day for day in range(days)],
        closes=[100.0 + day for day in range(days)],
        splits=(Split(738_001, 4.0), Split(738_002, 0.1)),
        dividends=(DividendEvent(738_001, 0.25, "USD", True), DividendEvent(738_001, 1.0, None, False)),
    )


def put_closes(level: Level, *series: Closes, fetched_at: float = 1.0) -> set[str]:
    records = [History(symbol=one.symbol, fetched_at=fetched_at) for one in series]
    return level.put_many("history", records, begun=level.rev(), closes=series)


def test_closes_replace_the_stored_series(level: Level) -> None:
    put_closes(level, closes("A", days=5), closes("B"))
    put_closes(level, closes("A", days=2, source="fmp"))
    assert level.get_closes(["A", "B", "C"]) == {"A": closes("A", days=2, source="fmp"), "B": closes("B")}
    assert level.get_closes([]) == {}


def test_an_empty_series_removes_the_stored_one(level: Level) -> None:
    put_closes(level, closes("A"))
    put_closes(level, Closes(symbol="A", source="yahoo", dates=[], closes=[]))
    assert level.get_closes(["A"]) == {}


def test_closes_are_refused_with_their_record(level: Level) -> None:
    put_closes(level, closes("OLD"), closes("GONE"), closes("SAME"), fetched_at=5.0)
    begun = level.rev()
    level.delete_many("history", ["GONE"])
    records = [
        History(symbol=symbol, fetched_at=fetched_at)
        for symbol, fetched_at in (("OLD", 4.0), ("GONE", 6.0), ("SAME", 5.0), ("NEW", 6.0))
    ]
    series = [closes(symbol, days=2) for symbol in ("OLD", "GONE", "SAME", "NEW", "NOBODY")]
    refused = level.put_many("history", records, begun=begun, closes=series)
    assert refused == {"OLD", "GONE"}
    assert level.get_closes(["OLD", "GONE", "SAME", "NEW", "NOBODY"]) == {
        "OLD": closes("OLD"), "SAME": closes("SAME", days=2), "NEW": closes("NEW", days=2),
    }  # fmt: skip


def test_closes_of_a_fetch_whose_begin_nobody_remembers_are_refused(level: Level) -> None:
    begun = level.rev()
    level.delete_many("history", None)
    record = History(symbol="A", fetched_at=1.0)
    assert level.put_many("history", [record], begun=begun, closes=[closes("A")]) == {"A"}
    assert level.get_closes(["A"]) == {}


def test_given_closes_can_be_changed_without_harm(level: Level) -> None:
    mine = closes("A")
    put_closes(level, mine)
    mine.closes[0] = -1.0
    level.get_closes(["A"])["A"].closes[1] = -1.0
    assert level.get_closes(["A"]) == {"A": closes("A")}


def test_deleting_history_deletes_the_closes(level: Level) -> None:
    put_closes(level, closes("A"), closes("B"), closes("C"))
    assert level.delete_many("history", ["A", "B"]) == 2
    assert level.get_closes(["A", "B", "C"]).keys() == {"C"}
    level.delete_many("quote", None)
    assert level.get_closes(["C"]).keys() == {"C"}
    level.delete_many("history", None)
    assert level.get_closes(["C"]) == {}


# ------------------------------------------------------------------------------------------------ upkeep


def test_pruning_drops_what_was_fetched_longest_ago_in_each_table(level: Level) -> None:
    put(level, *[quote(f"S{i}", fetched_at=100.0 - i) for i in (3, 1, 4, 2, 5)])
    level.fail_many("quote", {"FAILED": failure()}, begun=level.rev())
    put(level, *[Result(symbol=f"k{i}", fetched_at=float(i)) for i in range(3)], table="result:mine")
    rev = level.rev()
    assert level.prune(2) == 4 + 1
    assert sorted(level.keys("quote")) == ["S1", "S2"]
    assert sorted(level.keys("result:mine")) == ["k1", "k2"]
    assert level.prune(2) == 0
    assert changed(level, rev) == {}, "values that others have in memory are still good"


def test_pruning_a_history_drops_its_closes(level: Level) -> None:
    for number, symbol in enumerate("AB"):
        put_closes(level, closes(symbol), fetched_at=float(number))
    assert level.prune(1) == 1
    assert level.get_closes(["A", "B"]).keys() == {"B"}


def test_stats_count_records_by_table(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    level.fail_many("risk", {"A": failure()}, begun=level.rev())
    stats = level.stats()
    assert stats.records == {"quote": 2, "risk": 1}
    assert stats.bytes is None or stats.bytes > 0


def test_closing_twice_is_fine(level: Level) -> None:
    level.close()
    level.close()


def test_threads_agree_on_the_youngest_value(level: Level) -> None:
    threads, rounds = 4, 25
    symbols = [f"S{i}" for i in range(20)]
    gate = threading.Barrier(threads)

    def work(number: int) -> int:
        gate.wait()
        refused = 0
        for turn in range(rounds):
            at = 1.0 + turn * threads + number
            batch = [quote(symbol, at, last=at) for symbol in symbols]
            refused += len(level.put_many("quote", batch, begun=level.rev()))
            seen = level.get_many("quote", symbols)
            assert all(
                isinstance(r, Quote) and (r.fetched_at or 0.0) >= at and r.last == r.fetched_at
                for r in seen.values()
            )
        return refused

    rev = level.rev()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert level.rev() == rev + threads * rounds
    youngest = float(threads * rounds)
    assert {record.fetched_at for record in level.get_many("quote", symbols).values()} == {youngest}
