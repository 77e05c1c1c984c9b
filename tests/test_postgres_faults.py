"""What a PostgreSQL server can do to level and coordinator: an error in time, and recovery by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from engine_parts import Errand, wait_until
from postgres_server import PostgresServer, postgres_server
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.endpoints import Limit
from quotewell.errors import CacheError
from quotewell.records import Failure, Quote
from quotewell.testing import ManualClock

TIMEOUT, SHORT = 5.0, 0.2
LIMIT = Limit(2.0, 5)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as made:
        yield made


@pytest.fixture(autouse=True)
def restored(server: PostgresServer) -> Iterator[None]:
    yield
    server.resume()


@pytest.fixture
def level(server: PostgresServer) -> Iterator[PostgresLevel]:
    made = PostgresLevel(server.url(), ManualClock(), timeout=TIMEOUT)
    made.delete_many("quote", None)
    put(made, "A")
    yield made
    made.close()


@pytest.fixture
def coordinator(server: PostgresServer) -> Iterator[PostgresCoordinator]:
    made = PostgresCoordinator(server.url(), ManualClock(), timeout=TIMEOUT)
    made.resume("yahoo")
    yield made
    made.close()


def quote(symbol: str, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="x", fetched_at=1.0, last=last)


def put(level: PostgresLevel, symbol: str, last: float = 1.0) -> None:
    assert level.put_many("quote", [quote(symbol, last)], begun=level.rev()) == set()


CALLS: dict[str, Callable[[PostgresLevel, PostgresCoordinator], object]] = {
    "rev": lambda level, _: level.rev(),
    "get_many": lambda level, _: level.get_many("quote", ["A"]),
    "keys": lambda level, _: level.keys("quote"),
    "put_many": lambda level, _: level.put_many("quote", [quote("B")], begun=0),
    "fail_many": lambda level, _: level.fail_many(
        "quote", {"B": Failure("server", "", "x", 1, 0, 0, 0)}, begun=0
    ),
    "invalidate_many": lambda level, _: level.invalidate_many("quote", ["A"]),
    "delete_many": lambda level, _: level.delete_many("quote", ["C"]),
    "changes_since": lambda level, _: level.changes_since(0),
    "get_closes": lambda level, _: level.get_closes(["A"]),
    "prune": lambda level, _: level.prune(10),
    "stats": lambda level, _: level.stats(),
    "lease": lambda _, coordinator: coordinator.lease(["a"], "me", 30.0),
    "renew": lambda _, coordinator: coordinator.renew(["a"], "me", 30.0),
    "release": lambda _, coordinator: coordinator.release(["a"], "me"),
    "spend": lambda _, coordinator: coordinator.spend("yahoo", LIMIT, max_wait=1e9),
    "quota_left": lambda _, coordinator: coordinator.quota_left("yahoo", Limit(2.0, 5, 10)),
    "pause": lambda _, coordinator: coordinator.pause("fmp", 1e9, "HTTP 429"),
    "paused": lambda _, coordinator: coordinator.paused("yahoo"),
    "resume": lambda _, coordinator: coordinator.resume("fmp"),
    "add_usage": lambda _, coordinator: coordinator.add_usage({"A": 1.0}),
    "top_usage": lambda _, coordinator: coordinator.top_usage(1),
    "add_stats": lambda _, coordinator: coordinator.add_stats({"quote": {"misses": 1}}),
    "stats_by_day": lambda _, coordinator: coordinator.stats_by_day(1),
}


def test_a_server_that_does_not_answer_costs_each_call_its_timeout(
    server: PostgresServer, level: PostgresLevel, coordinator: PostgresCoordinator
) -> None:
    """A call that hangs makes this test hang, and time out."""
    server.suspend()
    for part in (level, coordinator):
        part._pool._timeout = SHORT
    started = time.monotonic()
    for call in CALLS.values():
        with pytest.raises(CacheError, match="did not answer in time") as caught:
            call(level, coordinator)
        assert caught.value.hint
    each = (time.monotonic() - started) / len(CALLS)
    print(f"{each:.2f} s a call, with a timeout of {SHORT} s")  # noqa: T201  a figure
    server.resume()
    for part in (level, coordinator):
        part._pool._timeout = TIMEOUT
    for call in CALLS.values():
        call(level, coordinator)


def test_a_server_that_is_gone_is_told_at_once_and_found_again(
    server: PostgresServer, level: PostgresLevel, coordinator: PostgresCoordinator
) -> None:
    server.kill()
    for call in CALLS.values():
        with pytest.raises(CacheError, match="cannot be reached"):
            call(level, coordinator)
    server.start()
    assert level.get_many("quote", ["A"]) == {"A": quote("A")}
    for call in CALLS.values():
        call(level, coordinator)


def test_connections_that_are_cut_while_nobody_uses_them_are_replaced_unseen(
    server: PostgresServer, level: PostgresLevel, coordinator: PostgresCoordinator
) -> None:
    for call in CALLS.values():
        server.cut()
        call(level, coordinator)


def cut_when(connection: psycopg.Connection[Any], server: PostgresServer) -> None:
    server.execute(f"select pg_terminate_backend({connection.info.backend_pid}, 30000)")


@pytest.mark.parametrize("times", [1, 2])
def test_a_read_whose_connection_is_cut_is_made_once_more(
    server: PostgresServer, level: PostgresLevel, times: int
) -> None:
    tries = 0

    def read(connection: psycopg.Connection[Any]) -> object:
        nonlocal tries
        tries += 1
        if tries <= times:
            cut_when(connection, server)
        return connection.execute("select 1").fetchone()

    if times == 1:
        assert level._pool.read(read) == (1,)
    else:
        with pytest.raises(CacheError, match=r"ended the statement|connection is lost|cannot be reached"):
            level._pool.read(read)
    assert tries == 2
    assert level.get_many("quote", ["A"]) == {"A": quote("A")}


def test_a_write_that_is_cut_before_its_end_is_made_once_more_and_counted_once(
    server: PostgresServer, level: PostgresLevel
) -> None:
    rev = level.rev()
    count_up = level._log._count_up
    tries = 0

    def cut_once(connection: Any) -> tuple[int, int]:
        nonlocal tries
        tries += 1
        numbers = count_up(connection)
        if tries == 1:
            cut_when(connection, server)
        return numbers

    level._log._count_up = cut_once  # type: ignore[method-assign]
    assert level.put_many("quote", [quote("B", 2.0)], begun=rev) == set()
    assert (tries, level.rev()) == (2, rev + 1)
    assert level.get_many("quote", ["B"]) == {"B": quote("B", 2.0)}


def test_what_must_not_be_done_twice_is_not(server: PostgresServer, coordinator: PostgresCoordinator) -> None:
    """Counts that were perhaps added are an error: to add them again would count them twice."""
    tries = 0

    def add(connection: psycopg.Connection[Any]) -> object:
        nonlocal tries
        tries += 1
        cut_when(connection, server)
        return connection.execute("select 1")

    with pytest.raises(CacheError):
        coordinator._pool.run_once(add)
    assert tries == 1


def test_an_end_that_was_lost_is_an_error_and_the_write_can_be_made_again(
    server: PostgresServer, level: PostgresLevel
) -> None:
    """Nobody knows whether it came to pass; here it did."""

    def commit_and_die(connection: psycopg.Connection[Any]) -> None:
        rev = level._log._count_up(connection)  # type: ignore[arg-type]
        connection.execute(f"insert into quotewell.quote (symbol, rev, format) values ('X', {rev[0]}, 1)")
        execute = connection.execute

        def lose(sql: Any, *arguments: Any, **named: Any) -> Any:
            answer = execute(sql, *arguments, **named)
            assert sql == "commit"
            del answer
            raise psycopg.OperationalError("the answer was lost")

        connection.execute = lose  # type: ignore[assignment]

    rev = level.rev()
    with pytest.raises(CacheError, match="the answer was lost"):
        level._pool.write(commit_and_die)
    assert level.rev() == rev + 1
    put(level, "X")
    assert level.get_many("quote", ["X"]) == {"X": quote("X")}


def test_a_statement_that_waits_when_its_client_gives_up_leaves_nothing_behind(
    server: PostgresServer, level: PostgresLevel
) -> None:
    rev = level.rev()
    with psycopg.connect(server.url()) as holder:
        holder.execute("select from quotewell.counter for update")
        level._pool._timeout = SHORT
        with pytest.raises(CacheError, match="in time"):
            level.put_many("quote", [quote("LATE")], begun=rev)
        level._pool._timeout = TIMEOUT
    wait_until(
        lambda: server.execute(
            "select count(*) from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() "
            "and backend_type = 'client backend'"
        ) == [(0,)]
    )  # fmt: skip
    assert level.rev() == rev
    assert level.get_many("quote", ["LATE"]) == {}


def test_a_standby_that_only_reads_says_so(server: PostgresServer, level: PostgresLevel) -> None:
    server.execute("alter database postgres set default_transaction_read_only = on")
    try:
        server.cut()
        with pytest.raises(CacheError, match="only reads") as caught:
            put(level, "B")
        assert "primary" in caught.value.hint
        assert level.get_many("quote", ["A"]) == {"A": quote("A")}
    finally:
        server.execute("alter database postgres reset default_transaction_read_only")
    server.cut()
    put(level, "B")


def test_too_many_connections_are_an_error_that_says_so() -> None:
    with postgres_server(settings={"max_connections": "4", "superuser_reserved_connections": "3"}) as full:
        full.execute("create role plain login; grant create on database postgres to plain")
        levels: list[PostgresLevel] = []

        def opened() -> bool:
            # The connection of before may be on its way out.
            with suppress(CacheError):
                levels.append(PostgresLevel(full.url(user="plain"), ManualClock(), timeout=TIMEOUT))
            return bool(levels)

        wait_until(opened)
        with pytest.raises(CacheError, match=r"refuses the connection .* slots") as caught:
            PostgresLevel(full.url(user="plain"), ManualClock(), timeout=TIMEOUT)
        assert "what the server allows" in caught.value.hint
        levels[0].close()


def test_threads_that_use_it_while_the_server_comes_and_goes_see_nothing_wrong(
    server: PostgresServer, level: PostgresLevel
) -> None:
    """Each value says when it was written: what is read is never older than what was read before."""
    over = threading.Event()

    def work(symbol: str) -> int:
        errors, seen, turn = 0, 0.0, 0
        while not over.is_set() or turn == 0:
            turn += 1
            try:
                level.put_many(
                    "quote",
                    [Quote(symbol=symbol, fetched_at=float(turn), last=float(turn))],
                    begun=level.rev(),
                )
                [record] = level.get_many("quote", [symbol]).values()
            except (CacheError, ValueError):
                errors += 1
                continue
            assert isinstance(record, Quote)
            assert record.last == record.fetched_at
            assert seen <= (record.last or 0.0) <= turn
            seen = record.last or 0.0
        return errors

    errands = [Errand(lambda symbol=f"T{number}": work(symbol)) for number in range(3)]  # type: ignore[misc]
    for _ in range(3):
        server.cut()
        server.kill()
        server.start()
    over.set()
    for errand in errands:
        errand.result()
    put(level, "AFTER")
