"""Listens to what other processes announce, so that nobody has to ask whether anything has changed.

Every write announces its revision (`NOTIFY`). As long as the connection that listens lives, what was not
announced has not changed since a revision that was learned while it lived. When it was cut, the server is
asked again, for what was announced meanwhile is lost. A connection that was lost without anybody saying so
keeps quiet, too: so the server is asked once a second in any case, if somebody wants to know.
"""

from __future__ import annotations

import itertools
import os
import selectors
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple

from quotewell.cache.postgres.log import channel_of
from quotewell.errors import CacheError
from quotewell.protocols import Clock

if TYPE_CHECKING:
    from quotewell.cache.postgres.connection import PostgresConnection
    from quotewell.cache.postgres.pool import PostgresPool

__all__ = ["Mark", "PostgresPush"]

_BELIEVED_SECONDS = 1.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.05, 5.0
"""Seconds between attempts to connect again."""
_LONGEST_END = 5.0
"""Seconds to wait for the thread's end: it may be asking for the server's address."""


class Mark(NamedTuple):
    """What a revision was learned under; under another one it counts for nothing."""

    connection: int
    """The number of the connection that listens; 0 for none."""
    events: int
    """How many there were in this process that made what was learned before them worthless."""


_NONE = Mark(0, 0)


class PostgresPush:
    """Knows whether something may have changed; thread-safe.

    Args:
        pool: Where to listen.
        clock: The time.
    """

    def __init__(self, pool: PostgresPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._asked_at: float | None = None
        self._closed = False
        self._begin_in_process()

    def _begin_in_process(self) -> None:
        """Also after a fork: the thread that listens is the parent's."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._connections = 0
        self._listening = 0
        self._events = 0
        self._numbers = itertools.count(1)
        self._announced = 0
        self._learned = (_NONE, 0, 0.0)

    def mark(self) -> Mark:
        """To be read before the server is asked for its revision, and given to `learned`."""
        return Mark(self._listening, self._events) if self._process == os.getpid() else _NONE

    def learned(self, mark: Mark, rev: int) -> None:
        """Take note of a revision that the server has answered; begin to listen if it is asked often."""
        now = self._clock.monotonic()
        self._learned = (mark, rev, now)
        if self._asked_at is None:
            self._asked_at = now
        elif now - self._asked_at >= _BELIEVED_SECONDS:
            self._listen()

    def silent_since(self, rev: int) -> bool:
        """Whether it is known that nothing was written after `rev`."""
        mark, known, at = self._learned
        return (
            rev == known
            and mark.connection > 0
            and mark == self.mark()
            and self._announced <= rev
            and self._clock.monotonic() - at < _BELIEVED_SECONDS
        )

    def wrote(self) -> None:
        """This process has written: nothing that was learned before that counts any more."""
        self._events = next(self._numbers)

    def replaced(self) -> None:
        """The schema is another, and may have lower revisions."""
        self._announced = 0
        self._events = next(self._numbers)

    def close(self) -> None:
        """Stop listening; may be called twice."""
        if self._process != os.getpid():
            self._closed = True
            return
        with self._lock:
            self._closed = True
            thread, wake = self._thread, self._wake
            self._thread = None
        if thread is not None and wake is not None:
            wake.send(b"\0")
            thread.join(_LONGEST_END)
            wake.close()

    def _listen(self) -> None:
        """Begin to listen, behind the caller's back, if that was not done before."""
        if self._process != os.getpid():
            self._begin_in_process()
        with self._lock:
            if self._thread is not None or self._closed:
                return
            wake, woken = socket.socketpair()
            thread = threading.Thread(target=self._run, args=(woken,), name="quotewell-push", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no room for another thread: it goes on being asked
                wake.close()
                woken.close()
                return
            self._thread, self._wake = thread, wake

    def _run(self, woken: socket.socket) -> None:
        backoff = _FIRST_BACKOFF
        with woken, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            while not self._closed:
                try:
                    with self._pool.connect() as connection:
                        backoff = _FIRST_BACKOFF
                        self._follow(connection, selector)
                except CacheError:
                    # Whoever asks the server meanwhile hears of it.
                    backoff = min(2.0 * backoff, _LONGEST_BACKOFF)
                self._listening = 0
                if not self._closed:
                    selector.select(backoff)

    def _follow(self, connection: PostgresConnection, selector: selectors.BaseSelector) -> None:
        """Read announcements until that is no longer wanted.

        Raises:
            CacheError: The connection is lost.
        """
        with self._pool.translating():
            connection.execute(f"listen {channel_of(self._pool.schema)}")
        self._connections += 1
        self._listening = self._connections
        low = connection.pgconn
        number = low.socket  # which a lost connection no longer tells
        selector.register(number, selectors.EVENT_READ)
        try:
            while not self._closed:
                selector.select()
                with self._pool.translating():
                    low.consume_input()
                while (notice := low.notifies()) is not None:
                    self._announced = max(self._announced, int(notice.extra))
        finally:
            selector.unregister(number)
