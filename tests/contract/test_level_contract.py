"""What every level must do with values and failures."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levels import (
    HOUR,
    TABLES,
    failure,
    get,
    put,
    put_closes,
    quote,
)
from quotewell.cache.codec import record_type, stored_fields
from quotewell.errors import UsageError
from quotewell.protocols import Level
from quotewell.records import (
    Closes,
    Dividend,
    Failure,
    Freshness,
    History,
    Profile,
    Provenance,
    Quote,
    Record,
    Result,
)
from quotewell.testing import ManualClock

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
