"""Announcements of other processes: no question without need, and none too few."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from child_process import in_child
from engine_parts import wait_until
from quotewell.cache.valkey.level import ValkeyLevel
from quotewell.cache.valkey.push import Push
from quotewell.records import Quote
from quotewell.testing import ManualClock
from valkey_servers import own_prefix, shared_server, valkey_level


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def levels(clock: ManualClock) -> Iterator[tuple[ValkeyLevel, ValkeyLevel]]:
    """Two processes' views of one store; the first listens."""
    prefix = own_prefix()
    first, second = valkey_level(clock, prefix=prefix), valkey_level(clock, prefix=prefix)
    put(second, "OLD")
    listen(first)
    yield first, second
    first.close()
    second.close()


def put(level: ValkeyLevel, symbol: str, fetched_at: float = 1.0) -> None:
    assert not level.put_many("quote", [Quote(symbol=symbol, fetched_at=fetched_at)], begun=level.rev())


def listen(level: ValkeyLevel) -> int:
    """Ask until it need not ask any more; returns the revision."""

    rev = level.rev()

    def quiet() -> bool:
        nonlocal rev
        rev = level.changes_since(rev).rev
        return level._push.silent_since(rev)

    wait_until(quiet)
    return rev


class Questions:
    """Counts what a level sends to the server."""

    def __init__(self, level: ValkeyLevel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = 0
        call = level._server.call

        def count(use: object) -> object:
            self.sent += 1
            return call(use)  # type: ignore[arg-type]

        monkeypatch.setattr(level._server, "call", count)


Levels = tuple[ValkeyLevel, ValkeyLevel]


def test_nobody_asks_while_nothing_was_announced(levels: Levels, monkeypatch: pytest.MonkeyPatch) -> None:
    level, _ = levels
    rev = listen(level)
    questions = Questions(level, monkeypatch)
    for _ in range(100):
        assert level.changes_since(rev).keys == {}
    assert questions.sent == 0


def test_what_another_process_writes_is_told(levels: Levels) -> None:
    level, other = levels
    rev = listen(level)
    put(other, "NEW")
    other.invalidate_many("quote", ["OLD"])
    wait_until(lambda: level._push._announced == other.rev())
    changes = level.changes_since(rev)
    assert (changes.rev, changes.keys) == (other.rev(), {"quote": {"NEW", "OLD"}})


@pytest.mark.parametrize("believes", [True, False])
def test_the_negative_control_who_believes_in_silence_sees_nothing(
    levels: Levels, monkeypatch: pytest.MonkeyPatch, believes: bool
) -> None:
    level, other = levels
    rev = listen(level)
    if believes:
        monkeypatch.setattr(Push, "silent_since", lambda self, rev: True)
    other.delete_many("quote", ["OLD"])
    wait_until(lambda: level._push._announced == other.rev())
    assert (level.changes_since(rev).keys == {}) == believes


def test_what_is_written_while_the_connection_is_cut_is_seen(
    levels: Levels, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, other = levels
    rev = listen(level)
    closed = threading.Event()
    wait = level._push._closed.wait
    # It does not connect again before it may.
    monkeypatch.setattr(level._push._closed, "wait", lambda _: closed.wait(30.0) and wait(0.0))
    other._server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    wait_until(lambda: not level._push._subscribed)
    put(other, "NEW")
    assert level.changes_since(rev).keys == {"quote": {"NEW"}}
    put(other, "NEWER")
    closed.set()
    again = level.changes_since(rev)
    assert again.keys == {"quote": {"NEW", "NEWER"}}
    put(other, "NEWEST")
    rev = listen(level)
    assert rev == other.rev(), "everything was asked for again before silence is believed"


def test_a_server_that_is_silent_for_two_seconds_is_not_believed(levels: Levels, clock: ManualClock) -> None:
    level, _ = levels
    rev = listen(level)
    clock.advance(1.9)
    assert level._push.silent_since(rev)
    clock.advance(0.2)
    assert not level._push.silent_since(rev)
    listen(level)


def test_a_revision_of_another_time_is_not_answered_from_silence(levels: Levels) -> None:
    level, _ = levels
    rev = listen(level)
    assert level.changes_since(rev - 1).keys == {"quote": {"OLD"}}
    assert level.changes_since(rev + 1).rebuilt


def test_who_asks_but_once_does_not_listen(clock: ManualClock) -> None:
    level = valkey_level(clock)
    level.changes_since(0)
    level.get_many("quote", ["A"])
    assert level._push._thread is None
    level.close()


def test_a_forked_process_does_not_believe_in_its_parents_silence(levels: Levels) -> None:
    level, _ = levels
    rev = listen(level)

    def child() -> list[object]:
        before = level._push.silent_since(rev)
        assert level.changes_since(rev).keys == {}
        return [before, listen(level) == rev]

    assert in_child(child) == "returned [False, True]"
    assert level._push.silent_since(rev)


def test_closing_ends_the_thread(clock: ManualClock) -> None:
    level = valkey_level(clock)
    listen(level)
    thread = level._push._thread
    assert thread is not None
    level.close()
    thread.join(30.0)
    assert not thread.is_alive()
    assert shared_server().port
