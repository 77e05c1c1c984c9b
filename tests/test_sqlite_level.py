"""What is particular to the SQLite level: it outlives processes, and a person can query it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quotewell.cache.codec import STATE_COLUMNS, record_type, value_columns
from quotewell.cache.columns import UNUSED
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.cache.sqlite.tables import in_chunks
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Level
from quotewell.records import FACETS, Closes, DividendEvent, Failure, History, Payouts, Quote, Result, Split
from quotewell.testing import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def open_level(path: Path) -> Iterator[Callable[[], SqliteLevel]]:
    opened: list[SqliteLevel] = []

    def open_one() -> SqliteLevel:
        opened.append(SqliteLevel(path, ManualClock(), timeout=0.05))
        return opened[-1]

    yield open_one
    for level in opened:
        level.close()


@pytest.fixture
def level(open_level: Callable[[], SqliteLevel]) -> SqliteLevel:
    return open_level()


def quote(symbol: str, fetched_at: float = 100.0, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="yahoo", fetched_at=fetched_at, last=last, currency="USD")


def put(level: Level, *records: Quote) -> None:
    assert level.put_many("quote", records, begun=level.rev()) == set()


def failure() -> Failure:
    return Failure("timeout", "took 15 s", "yahoo", 2, 190.0, 200.0, 230.0)


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


# ----------------------------------------------------------------------------------------- persistence


def test_everything_is_there_again_after_reopening(open_level: Callable[[], SqliteLevel]) -> None:
    first = open_level()
    put(first, quote("A"), quote("B"))
    first.fail_many("quote", {"B": failure()}, begun=first.rev())
    series = Closes(symbol="A", source="yahoo", dates=[1, 2], closes=[1.0, 2.0], splits=(Split(2, 4.0),))
    first.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=first.rev(), closes=[series])
    begun = first.rev()
    first.delete_many("quote", ["C"])
    rev = first.rev()
    first.close()

    again = open_level()
    assert again.rev() == rev
    failed = quote("B")
    failed.failure = failure()
    assert again.get_many("quote", ["A", "B"]) == {"A": quote("A"), "B": failed}
    assert again.get_closes(["A"]) == {"A": series}
    assert again.put_many("quote", [quote("C")], begun=begun) == {"C"}, "the deletion is remembered, too"


def test_two_instances_see_each_others_writes(open_level: Callable[[], SqliteLevel]) -> None:
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


def test_revisions_of_an_earlier_file_are_foreign(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    old = open_level()
    begun = old.rev()
    put(old, quote("A"))
    seen = old.rev()
    old.close()
    for file in path.parent.iterdir():
        file.unlink()

    new = open_level()
    assert new.changes_since(seen).rebuilt
    put(new, *[quote(f"S{i}") for i in range(5)])
    assert new.changes_since(seen).rebuilt
    new.delete_many("quote", ["A"])
    assert new.put_many("quote", [quote("A")], begun=new.rev() + 1) == {"A"}
    for rev in (seen, begun, new.rev() + 100, 0):
        assert new.put_many("quote", [quote("A")], begun=rev) == {"A"}, (
            "it may have begun before the deletion"
        )
        assert new.put_many("quote", [quote(f"after {rev}")], begun=rev) == set()


# ------------------------------------------------------------------------------------------- for people


def test_a_person_can_query_values_and_failures(path: Path, level: SqliteLevel) -> None:
    put(level, quote("A", last=1.5), quote("B"))
    level.fail_many("quote", {"B": failure()}, begun=level.rev())
    level.put_many("result:mine", [Result(symbol="k", fetched_at=1.0, blob=b"\x01")], begun=level.rev())
    event = DividendEvent(738_000, 0.25, "USD", declared=True)
    level.put_many("payouts", [Payouts(symbol="A", fetched_at=1.0, events=(event,))], begun=level.rev())
    series = Closes(
        symbol="A", source="x", dates=[738_000], closes=[9.5], splits=(Split(7, 2.0),), dividends=(event,)
    )
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[series])

    assert rows(path, "select symbol, last from quote") == [("A", 1.5), ("B", 1.0)]
    query = (
        "select symbol, failure_kind, failure_reason, failure_count from quote where failure_kind is not null"
    )
    assert rows(path, query) == [("B", "timeout", "took 15 s", 2)]
    assert rows(path, "select datetime(fetched_at, 'unixepoch') from quote limit 1") == [
        ("1970-01-01 00:01:40",)
    ]
    assert rows(path, "select namespace, key, blob from result") == [("mine", "k", b"\x01")]
    assert rows(path, "select events ->> '$[0].amount' from payouts") == [(0.25,)]
    assert rows(path, "select date(date + 1721424.5), close, source from bar") == [("2021-07-29", 9.5, "x")]
    assert rows(path, "select kind, date, value, currency, declared from event order by kind") == [
        ("dividend", 738_000, 0.25, "USD", 1),
        ("split", 7, 2.0, None, None),
    ]


@pytest.mark.parametrize("table", [*FACETS, "result"])
def test_the_columns_are_the_stored_fields(path: Path, level: SqliteLevel, table: str) -> None:
    kind = record_type("result:x" if table == "result" else table)
    expected = {*value_columns(kind), "rev", "failure_rev", *STATE_COLUMNS}
    if table == "result":
        expected = expected - {"symbol"} | {"namespace", "key"}
    expected |= {name for facet, names in UNUSED.items() if facet == table for name in names}
    del level
    assert {name for _, name, *_ in rows(path, f"pragma table_info({table})")} == expected


def test_tables_are_strict(path: Path, level: SqliteLevel) -> None:
    del level
    tables = rows(
        path, "select name, strict from pragma_table_list where schema = 'main' and name not like 'sqlite%'"
    )
    assert len(tables) == len(FACETS) + 6
    assert {strict for _, strict in tables} == {1}


def test_a_poll_without_news_reads_one_row(path: Path, level: SqliteLevel) -> None:
    seen: list[str] = []
    level._file.read(lambda connection: connection.set_trace_callback(seen.append))
    assert level.changes_since(level.rev()).keys == {}
    assert seen == ["select rev from counter"] * 2


def test_changes_are_told_of_one_moment(level: SqliteLevel) -> None:
    """Else the log could be pruned between the look at the revisions and the look at the log."""
    rev = level.rev()
    put(level, quote("A"))
    seen: list[str] = []
    level._file.read(lambda connection: connection.set_trace_callback(seen.append))
    assert level.changes_since(rev).keys == {"quote": {"A"}}
    assert (seen[1], seen[-1]) == ("begin", "commit")


# ---------------------------------------------------------------------------------------- odd contents


def test_a_table_of_a_later_version_does_not_keep_a_running_process_from_its_cache(
    path: Path, level: SqliteLevel
) -> None:
    put(level, quote("A"))
    rev = level.rev()
    put(level, quote("B"))
    connection = sqlite3.connect(path)
    connection.execute("insert into touched (tbl, rev) values ('standing', ?)", (rev + 1,))
    connection.commit()
    connection.close()
    assert level.changes_since(rev).keys == {"quote": {"B"}}


def test_events_that_are_no_json_are_damage(path: Path, level: SqliteLevel) -> None:
    level.put_many("payouts", [Payouts(symbol="A", fetched_at=1.0)], begun=level.rev())
    connection = sqlite3.connect(path)
    connection.execute("update payouts set events = 'nonsense'")
    connection.commit()
    connection.close()
    # As an error it would keep this process from its cache, whatever it asks for, for ever.
    with pytest.warns(CacheDegradedWarning, match="JSON is malformed.* set aside"):
        assert level.get_many("payouts", ["A"]) == {}


def test_a_full_disk_is_a_cache_error_and_changes_nothing(level: SqliteLevel) -> None:
    put(level, quote("A"))
    rev = level.rev()
    level._file.write(lambda connection: connection.execute("pragma max_page_count = 1").fetchall())
    with pytest.raises(CacheError, match="disk is full") as caught:
        level.put_many("quote", [quote(f"S{i}") for i in range(5000)], begun=rev)
    assert "free some space" in caught.value.hint
    assert level.rev() == rev
    assert level.keys("quote") == ["A"]


# --------------------------------------------------------------------------------------------- threads


def test_readers_do_not_wait_for_a_slow_writer(level: SqliteLevel) -> None:
    put(level, quote("A"))
    writing, finish = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        connection.execute("update quote set last = 2.0")
        writing.set()
        assert finish.wait(30.0)

    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(level._file.write, slow)
        assert writing.wait(30.0)
        try:
            assert level.get_many("quote", ["A"]) == {"A": quote("A")}
            assert level.changes_since(level.rev()).keys == {}
            with pytest.raises(CacheError, match=r"another thread has been busy with it for 0\.05 s"):
                level.delete_many("quote", None)
        finally:
            finish.set()
        writer.result()
    assert level.get_many("quote", ["A"]) == {"A": quote("A", last=2.0)}


def test_a_lock_of_another_process_is_a_cache_error(path: Path, level: SqliteLevel) -> None:
    put(level, quote("A"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    try:
        with pytest.raises(CacheError, match="locked by another process") as caught:
            put(level, quote("B"))
        assert str(path) in str(caught.value)
        assert caught.value.hint
        assert level.get_many("quote", ["A"]) == {"A": quote("A")}
    finally:
        other.close()
    put(level, quote("B"))


def test_threads_that_ended_leave_no_connections_behind(level: SqliteLevel) -> None:
    for _ in range(20):
        thread = threading.Thread(target=level.get_many, args=("quote", ["A"]))
        thread.start()
        thread.join()
    connections = level._file._connections()
    assert len(connections._idle) == 1


def test_closing_while_others_read_and_write_closes_their_connections_later(level: SqliteLevel) -> None:
    inside, finish = threading.Barrier(3), threading.Event()

    def busy(connection: sqlite3.Connection) -> sqlite3.Connection:
        inside.wait(30.0)
        assert finish.wait(30.0)
        return connection

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(level._file.read, busy), pool.submit(level._file.write, busy)]
        inside.wait(30.0)
        level.close()
        finish.set()
        used = [future.result() for future in running]
    for connection in used:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("select 1")
    with pytest.raises(CacheError, match="closed"):
        level.rev()


# ------------------------------------------------------------------------------------------- statements


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        (0, []),
        (1, [1]),
        (2, [10]),
        (10, [10]),
        (11, [100]),
        (101, [500]),
        (500, [500]),
        (1001, [500, 500, 1]),
    ],
)
def test_chunks_have_few_sizes_and_lose_no_key(keys: int, sizes: list[int]) -> None:
    names = [f"k{i}" for i in range(keys)]
    chunks = list(in_chunks(names))
    assert [len(chunk) for _, chunk in chunks] == sizes
    assert [marks.count("?") for marks, _ in chunks] == sizes
    assert list(dict.fromkeys(key for _, chunk in chunks for key in chunk)) == names
