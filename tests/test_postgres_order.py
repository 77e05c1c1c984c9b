"""Writes to a shared cache in PostgreSQL take turns, and nobody misses one; who waits, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from engine_parts import Errand, wait_until
from postgres_server import PostgresServer, fresh_schema, shared_server
from quotewell.cache.postgres import log as postgres_log
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.errors import CacheError
from quotewell.protocols import Level
from quotewell.records import Quote
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


def quote(symbol: str, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="yahoo", fetched_at=100.0, last=last, currency="USD")


def put(level: Level, *records: Quote) -> None:
    assert level.put_many("quote", records, begun=level.rev()) == set()


# ------------------------------------------------------------------------------------ order of revisions


@pytest.mark.parametrize("ordered", [True, False], ids=["counter", "sequence"])
def test_nobody_misses_a_revision_that_becomes_visible_late(
    server: PostgresServer, schema: str, open_level: Callable[..., PostgresLevel], ordered: bool
) -> None:
    """One process stops in the middle of its write, another one writes, a third one polls."""
    slow, quick, reader = (open_level(timeout=30.0) for _ in range(3))
    if not ordered:
        server.execute(f"create sequence {schema}.revisions start {slow.rev() + 1}")
        for level in (slow, quick, reader):
            _count_by_sequence(level, schema)
    synced = reader.rev()
    counted, finish = threading.Event(), threading.Event()
    count_up = slow._log._count_up

    def hold(connection: Any) -> tuple[int, int]:
        numbers = count_up(connection)
        counted.set()
        assert finish.wait(30.0)
        return numbers

    slow._log._count_up = hold  # type: ignore[method-assign]
    late = Errand(lambda: put(slow, quote("LATE")))
    assert counted.wait(30.0)
    other = Errand(lambda: put(quick, quote("OTHER")))
    if ordered:
        wait_until(lambda: _waiting(server))
    else:
        other.result()
    polled = reader.changes_since(synced)
    finish.set()
    late.result()
    other.result()

    told: set[str] = set()
    for changes in (polled, reader.changes_since(polled.rev)):
        assert changes.keys is not None
        told.update(changes.keys.get("quote", ()))
    assert (told == {"LATE", "OTHER"}) == ordered
    assert reader.get_many("quote", ["LATE", "OTHER"]).keys() == {"LATE", "OTHER"}


def _count_by_sequence(level: PostgresLevel, schema: str) -> None:
    """Negative control: revisions from a sequence, which lets nobody wait for anybody."""
    log = level._log
    log._rev = f"select last_value from {schema}.revisions"
    log._next_rev = f"select nextval('{schema}.revisions'), 0, null"
    log._changes = (
        log._changes.replace("select rev,", "select last_value as rev,")
        .replace("between born and rev", "between born and last_value")
        .replace(f"from {schema}.counter", f"from {schema}.counter, {schema}.revisions")
    )


def _waiting(server: PostgresServer) -> bool:
    """Whether somebody waits for a lock."""
    return server.execute("select count(*) from pg_locks where not granted") > [(0,)]


# --------------------------------------------------------------------------------------- waiting and locks


def test_readers_do_not_wait_for_a_slow_writer(level: PostgresLevel) -> None:
    put(level, quote("A"))
    rev = level.rev()
    writing, finish = threading.Event(), threading.Event()

    def slow(connection: Any) -> None:
        connection.execute(level._log._next_rev)
        connection.execute(f"update {level._schema}.quote set last = 2.0")
        writing.set()
        assert finish.wait(30.0)

    writer = Errand(lambda: level._pool.write(slow))
    assert writing.wait(30.0)
    assert level.get_many("quote", ["A"]) == {"A": quote("A")}
    assert level.changes_since(rev).keys == {}
    assert level.rev() == rev
    finish.set()
    writer.result()
    assert level.get_many("quote", ["A"]) == {"A": quote("A", last=2.0)}


def test_a_lock_of_another_process_is_a_cache_error(
    server: PostgresServer, schema: str, open_level: Callable[..., PostgresLevel]
) -> None:
    level = open_level(timeout=0.3)
    put(level, quote("A"))
    with psycopg.connect(server.url()) as other:
        other.execute(f"select from {schema}.counter for update")
        with pytest.raises(CacheError, match=r"lock|in time") as caught:
            put(level, quote("B"))
        assert caught.value.hint
        assert level.get_many("quote", ["A", "B"]).keys() == {"A"}
    put(level, quote("B"))


def test_a_process_that_stops_in_the_middle_of_a_write_holds_nobody_up(
    open_level: Callable[..., PostgresLevel],
) -> None:
    stopped, other = open_level(timeout=0.2), open_level(timeout=30.0)
    inside, finish = threading.Event(), threading.Event()

    def stop(connection: Any) -> None:
        connection.execute(stopped._log._next_rev)
        inside.set()
        assert finish.wait(30.0)

    writer = Errand(lambda: stopped._pool.write(stop))
    assert inside.wait(30.0)
    rev = other.rev()
    put(other, quote("A"))
    assert other.rev() == rev + 1, "what the other had counted was rolled back"
    finish.set()
    with pytest.raises(CacheError):
        writer.result()


def test_more_threads_than_connections_wait(level: PostgresLevel) -> None:
    gate = threading.Barrier(20)

    def work(number: int) -> None:
        gate.wait(30.0)
        put(level, quote(f"S{number}"))

    for errand in [Errand(lambda number=number: work(number)) for number in range(20)]:  # type: ignore[misc]
        errand.result()
    assert len(level.keys("quote")) == 20
    assert 1 <= len(level._pool._of_process().idle) <= 4


def test_a_thread_that_finds_no_connection_in_time_is_told(open_level: Callable[..., PostgresLevel]) -> None:
    level = open_level(timeout=0.1)
    inside, finish = threading.Barrier(5), threading.Event()

    def busy(_: Any) -> None:
        inside.wait(30.0)
        assert finish.wait(30.0)

    holders = [Errand(lambda: level._pool.read(busy)) for _ in range(4)]
    inside.wait(30.0)
    with pytest.raises(CacheError, match="all 4 connections of this process have been busy"):
        level.rev()
    finish.set()
    for holder in holders:
        holder.result()
    assert level.rev() > 0


# ----------------------------------------------------------------------------------------------- the log


def test_writes_of_long_ago_leave_the_log(
    monkeypatch: pytest.MonkeyPatch, server: PostgresServer, schema: str, level: PostgresLevel
) -> None:
    monkeypatch.setattr(postgres_log, "_DROP_EVERY", 1)
    monkeypatch.setattr(postgres_log, "_KEPT_WRITES", 3)
    first = level.rev()
    level.delete_many("quote", ["GONE"])
    for number in range(6):
        put(level, quote(f"S{number}"))
    assert level.changes_since(first).keys is None, "further behind than the log"
    recent = level.rev() - 3
    assert level.changes_since(recent).keys == {"quote": {"S3", "S4", "S5"}}
    assert server.execute(f"select count(*) from {schema}.change") == [(4,)]
    assert level.put_many("quote", [quote("GONE"), quote("S9")], begun=first) == {"GONE"}
