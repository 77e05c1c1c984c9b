"""What is particular to the PostgreSQL level: it outlives processes, and a person can query it."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from child_process import in_child
from postgres_server import PostgresServer, fresh_schema, shared_server
from quotewell.cache.codec import STATE_COLUMNS, record_type, value_columns
from quotewell.cache.columns import UNUSED
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.postgres.text import escaped, unescaped
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.errors import CacheError
from quotewell.protocols import Level
from quotewell.records import FACETS, Closes, DividendEvent, Failure, History, Payouts, Quote, Result, Split
from quotewell.testing import ManualClock


@pytest.fixture
def server() -> PostgresServer:
    return shared_server()


@pytest.fixture
def schema() -> str:
    return fresh_schema()


@pytest.fixture
def open_level(server: PostgresServer, schema: str) -> Iterator[Callable[..., PostgresLevel]]:
    opened: list[PostgresLevel] = []

    def open_one(**named: Any) -> PostgresLevel:
        opened.append(PostgresLevel(server.url(), ManualClock(now=1e6), schema=schema, **named))
        return opened[-1]

    yield open_one
    for level in opened:
        level.close()


@pytest.fixture
def level(open_level: Callable[..., PostgresLevel]) -> PostgresLevel:
    return open_level()


@pytest.fixture
def rows(server: PostgresServer, schema: str) -> Callable[[str], list[tuple[object, ...]]]:
    """What a person finds, who need not name the schema."""
    return lambda sql: server.execute(sql, schema=schema)


def quote(symbol: str, fetched_at: float = 100.0, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="yahoo", fetched_at=fetched_at, last=last, currency="USD")


def put(level: Level, *records: Quote) -> None:
    assert level.put_many("quote", records, begun=level.rev()) == set()


def failure(reason: str = "took 15 s") -> Failure:
    return Failure("timeout", reason, "yahoo", 2, 190.0, 200.0, 230.0)


# ----------------------------------------------------------------------------------------- persistence


def test_everything_is_there_again_after_reopening(open_level: Callable[..., PostgresLevel]) -> None:
    first = open_level()
    put(first, quote("A"), quote("B"))
    first.fail_many("quote", {"B": failure()}, begun=first.rev())
    series = Closes(symbol="A", source="yahoo", dates=[1, 2], closes=[1.0, 2.0], splits=(Split(2, 4.0),))
    first.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=first.rev(), closes=[series])
    begun = first.rev()
    first.delete_many("quote", ["C"])
    rev = first.rev()
    first.close()
    with pytest.raises(CacheError, match="closed"):
        first.rev()

    again = open_level()
    assert again.rev() == rev
    failed = quote("B")
    failed.failure = failure()
    assert again.get_many("quote", ["A", "B"]) == {"A": quote("A"), "B": failed}
    assert again.get_closes(["A"]) == {"A": series}
    assert again.put_many("quote", [quote("C")], begun=begun) == {"C"}, "the deletion is remembered, too"


def test_two_instances_see_each_others_writes(open_level: Callable[..., PostgresLevel]) -> None:
    mine, yours = open_level(), open_level()
    seen = yours.rev()
    put(mine, quote("A"), quote("B"))
    changes = yours.changes_since(seen)
    assert changes.keys == {"quote": {"A", "B"}}
    assert yours.get_many("quote", ["A"]) == {"A": quote("A")}

    begun = mine.rev()
    yours.invalidate_many("quote", ["A"])
    assert mine.changes_since(changes.rev).keys == {"quote": {"A"}}
    assert mine.put_many("quote", [quote("A", 200.0)], begun=begun) == {"A"}
    assert yours.rev() == mine.rev() == changes.rev + 2


def test_schemas_are_apart(server: PostgresServer, level: PostgresLevel) -> None:
    put(level, quote("A"))
    other = PostgresLevel(server.url(), ManualClock(), schema=fresh_schema())
    assert other.get_many("quote", ["A"]) == {}
    other.close()


def test_a_schema_that_is_dropped_in_use_is_made_anew(
    server: PostgresServer, schema: str, level: PostgresLevel
) -> None:
    begun = level.rev()
    put(level, quote("A"))
    seen = level.rev()
    server.execute(f"drop schema {schema} cascade")

    assert level.get_many("quote", ["A"]) == {}
    assert level.changes_since(seen).rebuilt
    put(level, *[quote(f"S{i}") for i in range(5)])
    assert level.changes_since(seen).rebuilt
    level.delete_many("quote", ["A"])
    for rev in (seen, begun, level.rev() + 100, 0):
        refused = level.put_many("quote", [quote("A"), quote(f"after {rev}")], begun=rev)
        assert refused == {"A"}, "it may have begun before the deletion"


def test_a_child_opens_connections_of_its_own(server: PostgresServer, level: PostgresLevel) -> None:
    put(level, quote("A"))
    connection = level._pool._of_process().idle[0]
    own = connection.info.backend_pid

    def in_the_child() -> bool:
        answer = level.get_many("quote", ["A"])
        return answer == {"A": quote("A")} and level._pool._of_process().idle[0].info.backend_pid != own

    assert in_child(in_the_child) == "returned True"
    assert connection.is_usable()
    assert level._pool._of_process().idle[0].execute("select pg_backend_pid()").fetchone() == (own,)


# ------------------------------------------------------------------------------------------- for people


def test_a_person_can_query_values_and_failures(
    level: PostgresLevel, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    put(level, quote("A", last=1.5), quote("B"))
    level.fail_many("quote", {"B": failure()}, begun=level.rev())
    level.put_many("result:mine", [Result(symbol="k", fetched_at=1.0, blob=b"\x01")], begun=level.rev())
    event = DividendEvent(738_000, 0.25, "USD", declared=True)
    level.put_many("payouts", [Payouts(symbol="A", fetched_at=1.0, events=(event,))], begun=level.rev())
    series = Closes(
        symbol="A", source="x", dates=[738_000], closes=[9.5], splits=(Split(7, 2.0),), dividends=(event,)
    )
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[series])

    assert rows("select symbol, last from quote order by symbol") == [("A", 1.5), ("B", 1.0)]
    query = (
        "select symbol, failure_kind, failure_reason, failure_count from quote where failure_kind is not null"
    )
    assert rows(query) == [("B", "timeout", "took 15 s", 2)]
    times = "select distinct to_char(to_timestamp(fetched_at) at time zone 'UTC', 'HH24:MI:SS') from quote"
    assert rows(times) == [("00:01:40",)]
    assert rows("select namespace, key, blob from result") == [("mine", "k", b"\x01")]
    assert rows("select (events::json -> 0 ->> 'amount')::float8 from payouts") == [(0.25,)]
    assert rows("select day::text, close, source from bar") == [("2021-07-29", 9.5, "x")]
    assert rows("select kind, date, value, currency, declared from event order by kind") == [
        ("dividend", 738_000, 0.25, "USD", True),
        ("split", 7, 2.0, None, None),
    ]


@pytest.mark.parametrize("table", [*FACETS, "result"])
def test_the_columns_are_the_stored_fields(
    schema: str, level: PostgresLevel, table: str, rows: Callable[[str], list[tuple[object, ...]]]
) -> None:
    del level
    kind = record_type("result:x" if table == "result" else table)
    expected = {*value_columns(kind), "rev", "format", "failure_rev", *STATE_COLUMNS}
    if table == "result":
        expected = expected - {"symbol"} | {"namespace", "key"}
    expected |= {name for facet, names in UNUSED.items() if facet == table for name in names}
    query = f"""
        select column_name from information_schema.columns
        where table_schema = '{schema}' and table_name = '{table}'
    """
    assert {name for (name,) in rows(query)} == expected


# ----------------------------------------------------------------------------------------------- texts


@given(text=st.text(alphabet="A0ds\n\0\x10\x1f"))
def test_texts_with_nul_and_separators_come_back(text: str) -> None:
    assert not {"\0", "\x1f"} & set(escaped(text))
    assert unescaped(escaped(text)) == text


def test_ordinary_texts_are_stored_as_they_are() -> None:
    for text in ("AAPL", "Société Générale", "\x01\x7f"):
        assert escaped(text) is text
        assert unescaped(text) is text
    assert escaped(1.5) == 1.5
    assert unescaped(None) is None


def test_keys_are_told_apart_whatever_is_in_them(level: PostgresLevel) -> None:
    keys = ["", "A", "A\x1fB", "B", "\x1f", "\x10", "'", "\\", "{A}", "ß"]
    put(level, *[quote(key, last=float(number)) for number, key in enumerate(keys)])
    for number, key in enumerate(keys):
        assert level.get_many("quote", [key]) == {key: quote(key, last=float(number))}
    assert level.get_many("quote", keys).keys() == set(keys)
    assert level.get_many("quote", ["A", "C"]).keys() == {"A"}


def test_keys_names_and_reasons_may_hold_nul(level: PostgresLevel) -> None:
    key, namespace = "k\0\x10", "result:n\0s"
    record = Result(symbol=key, source="x\0", fetched_at=1.0, blob=b"\0")
    begun = level.rev()
    assert level.put_many(namespace, [record], begun=begun) == set()
    level.fail_many(namespace, {key: failure("what is \0?")}, begun=level.rev())
    found = level.get_many(namespace, [key])[key]
    assert (found.source, found.failure) == ("x\0", failure("what is \0?"))
    assert level.keys(namespace) == [key]
    assert level.stats().records == {namespace: 1}
    assert level.changes_since(begun).keys == {namespace: {key}}
    assert level.delete_many(namespace, [key]) == 1
    assert level.put_many(namespace, [record], begun=begun) == {key}


# --------------------------------------------------------------------------------------------- settings


def test_what_a_server_is_set_to_changes_no_value(server: PostgresServer, schema: str) -> None:
    settings = "-c extra_float_digits=-10 -c datestyle=German -c timezone=Asia/Tokyo -c bytea_output=escape"
    url = f"{server.url()}&options={urllib.parse.quote(settings)}"
    level = PostgresLevel(url, ManualClock(), schema=schema)
    third = 1.0 / 3.0
    record = Result(symbol="k", source="x", as_of=third, fetched_at=third, blob=bytes(range(256)))
    level.put_many("result:mine", [record], begun=level.rev())
    series = Closes(symbol="A", source="x", dates=[1], closes=[third])
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[series])
    failed = Failure("server", "", "x", 1, third, 1e9 + third, 1e300 * third)
    level.fail_many("quote", {"A": failed}, begun=level.rev())
    assert level.get_many("result:mine", ["k"]) == {"k": record}
    assert level.get_many("quote", ["A"])["A"].failure == failed
    assert level.get_closes(["A"]) == {"A": series}
    level.close()
    coordinator = PostgresCoordinator(url, ManualClock(now=1e9), schema=schema)
    coordinator.add_stats({"quote": {"misses": 1}})
    assert coordinator.stats_by_day(1) == {dt.date(2001, 9, 9): {"quote": {"misses": 1}}}
    coordinator.add_usage({"A": third})
    assert coordinator.top_usage(1) == [("A", third)]
    coordinator.close()


# ---------------------------------------------------------------------------------------- odd contents


def test_closes_may_be_whole_numbers(level: PostgresLevel) -> None:
    series = Closes(symbol="A", source="x", dates=[1, 2], closes=[1, 2.5])
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[series])
    assert level.get_closes(["A"]) == {"A": series}
