"""Announcements of other processes: no question without need, and none too few."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from child_process import in_child
from engine_parts import wait_until
from postgres_server import fresh_schema, shared_server
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.postgres.push import PostgresPush
from quotewell.records import Quote
from quotewell.testing import ManualClock

Levels = tuple[PostgresLevel, PostgresLevel]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def schema() -> str:
    return fresh_schema()


@pytest.fixture
def levels(clock: ManualClock, schema: str) -> Iterator[Levels]:
    """Two processes' views of one store; the first listens."""
    first, second = (PostgresLevel(shared_server().url(), clock, schema=schema) for _ in range(2))
    put(second, "OLD")
    listen(first, clock)
    yield first, second
    first.close()
    second.close()


def put(level: PostgresLevel, symbol: str, fetched_at: float = 1.0) -> None:
    assert not level.put_many("quote", [Quote(symbol=symbol, fetched_at=fetched_at)], begun=level.rev())


def listen(level: PostgresLevel, clock: ManualClock) -> int:
    """Ask until it need not ask any more; returns the revision."""

    rev = level.rev()

    def quiet() -> bool:
        nonlocal rev
        clock.advance(1.0)
        rev = level.changes_since(rev).rev
        return level._push.silent_since(rev)

    wait_until(quiet)
    return rev


@pytest.fixture
def questions(levels: Levels, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the first level has asked the server so far."""
    sent = 0
    read = levels[0]._pool.read

    def count(operation: Callable[[object], object]) -> object:
        nonlocal sent
        sent += 1
        return read(operation)

    monkeypatch.setattr(levels[0]._pool, "read", count)
    return lambda: sent


def test_nobody_asks_while_nothing_was_announced(
    levels: Levels, clock: ManualClock, questions: Callable[[], int]
) -> None:
    level, _ = levels
    rev = listen(level, clock)
    before = questions()
    for _ in range(100):
        assert level.changes_since(rev).keys == {}
    assert questions() == before


def test_the_server_is_asked_once_a_second_in_any_case(
    levels: Levels, clock: ManualClock, questions: Callable[[], int]
) -> None:
    """A connection may be lost without anybody saying so."""
    level, _ = levels
    rev = listen(level, clock)
    before = questions()
    for _ in range(10):
        clock.advance(0.3)
        assert level.changes_since(rev).keys == {}
    assert questions() == before + 2


def test_what_another_process_writes_is_told(levels: Levels, clock: ManualClock) -> None:
    level, other = levels
    rev = listen(level, clock)
    put(other, "NEW")
    other.invalidate_many("quote", ["OLD"])
    wait_until(lambda: level._push._announced == other.rev())
    changes = level.changes_since(rev)
    assert (changes.rev, changes.keys) == (other.rev(), {"quote": {"NEW", "OLD"}})


@pytest.mark.parametrize("believes", [True, False])
def test_the_negative_control_who_believes_in_silence_sees_nothing(
    levels: Levels, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, believes: bool
) -> None:
    level, other = levels
    rev = listen(level, clock)
    if believes:
        monkeypatch.setattr(PostgresPush, "silent_since", lambda self, rev: True)
    other.delete_many("quote", ["OLD"])
    wait_until(lambda: level._push._announced == other.rev())
    assert (level.changes_since(rev).keys == {}) == believes


def test_own_writes_are_seen_before_they_are_announced(levels: Levels, clock: ManualClock) -> None:
    level, _ = levels
    for number in range(50):
        rev = listen(level, clock)
        put(level, f"S{number}")
        assert level.changes_since(rev).keys == {"quote": {f"S{number}"}}


def test_an_answer_from_before_an_own_write_is_not_learned_after_it(
    levels: Levels, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread asks; before it takes note of the answer, another one writes."""
    level, _ = levels
    rev = listen(level, clock)
    changes = level._log.changes

    def answer(connection: object, rev: int) -> object:
        told = changes(connection, rev)  # type: ignore[arg-type]
        put(level, "NEW")
        return told

    monkeypatch.setattr(level._log, "changes", answer)
    clock.advance(1.0)
    assert level.changes_since(rev).keys == {}
    monkeypatch.undo()
    # Whatever the server announces of that, it is not waited for.
    level._push._announced = 0
    assert level.changes_since(rev).keys == {"quote": {"NEW"}}


def test_what_is_written_while_the_connection_is_cut_is_seen(
    levels: Levels, clock: ManualClock, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, other = levels
    rev = listen(level, clock)
    may_connect = threading.Event()
    connect = level._pool.connect

    def held() -> object:
        assert may_connect.wait(30.0)
        return connect()

    # It does not connect again before it may.
    monkeypatch.setattr(level._pool, "connect", held)
    cut_listener(schema)
    wait_until(lambda: not level._push._listening)
    put(other, "NEW")
    assert level.changes_since(rev).keys == {"quote": {"NEW"}}
    put(other, "NEWER")
    may_connect.set()
    assert level.changes_since(rev).keys == {"quote": {"NEW", "NEWER"}}
    wait_until(lambda: level._push._listening)
    put(other, "NEWEST")
    rev = listen(level, clock)
    assert rev == other.rev(), "everything was asked for again before silence is believed"


def cut_listener(schema: str) -> None:
    told = shared_server().execute(
        f"select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen {schema}_rev'"
    )
    assert told == [(True,)]


def test_a_revision_of_another_time_is_not_answered_from_silence(levels: Levels, clock: ManualClock) -> None:
    level, _ = levels
    rev = listen(level, clock)
    assert level.changes_since(rev - 1).keys == {"quote": {"OLD"}}
    assert level.changes_since(rev + 1).rebuilt


def test_a_schema_with_lower_revisions_is_listened_to_as_well(
    levels: Levels, clock: ManualClock, schema: str
) -> None:
    level, other = levels
    put(other, "A")
    rev = listen(level, clock)
    wait_until(lambda: level._push._announced == other.rev())
    server = shared_server()
    server.execute(f"drop schema {schema} cascade")
    other.rev()  # makes it anew
    server.execute(f"update {schema}.counter set rev = 5, born = 5")
    clock.advance(1.0)
    assert level.changes_since(rev).rebuilt
    assert listen(level, clock) == 5
    put(other, "B")
    wait_until(lambda: level._push._announced == 6)
    assert level.changes_since(5).keys == {"quote": {"B"}}


def test_who_asks_but_for_a_second_does_not_listen(clock: ManualClock) -> None:
    level = PostgresLevel(shared_server().url(), clock, schema=fresh_schema())
    level.changes_since(0)
    clock.advance(0.9)
    level.changes_since(0)
    assert level._push._thread is None
    clock.advance(0.1)
    level.changes_since(0)
    assert level._push._thread is not None
    level.close()
    assert level._push._thread is None


def test_without_room_for_a_thread_it_goes_on_asking(
    clock: ManualClock, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    level, other = (PostgresLevel(shared_server().url(), clock, schema=schema) for _ in range(2))
    rev = level.changes_since(0).rev
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_room)
        for number in range(3):
            clock.advance(1.0)
            put(other, f"S{number}")
            changes = level.changes_since(rev)
            assert changes.keys == {"quote": {f"S{number}"}}
            rev = changes.rev
    assert level._push._thread is None
    listen(level, clock)
    level.close()
    other.close()


def test_closing_while_it_cannot_connect_does_not_wait_for_ever(
    levels: Levels, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, _ = levels
    thread = level._push._thread
    assert thread is not None
    monkeypatch.setattr(level._pool, "_conninfo", "host=/nowhere")
    cut_listener(schema)
    wait_until(lambda: not level._push._listening)
    level.close()
    assert not thread.is_alive()


def test_a_forked_process_does_not_believe_in_its_parents_silence(levels: Levels, clock: ManualClock) -> None:
    level, _ = levels
    rev = listen(level, clock)

    def in_the_child() -> tuple[bool, bool]:
        believed = level._push.silent_since(rev)
        listen(level, clock)
        listens = level._push.silent_since(rev)
        level.close()
        return believed, listens

    assert in_child(in_the_child) == "returned (False, True)"
    assert level._push.silent_since(rev) or listen(level, clock) == rev
