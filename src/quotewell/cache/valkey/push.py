"""Listens to what other processes announce, so that nobody has to ask whether anything has changed.

Every write announces its revision. As long as the listening connection lives, nothing that was not announced
can have changed since a revision that was asked for while it lived. It is believed to live only while the
server answers on it; when it was cut, the server is asked again, for what was announced meanwhile is lost.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from quotewell.cache.valkey.scripts import CHANNEL
from quotewell.cache.valkey.server import ValkeyServer
from quotewell.errors import CacheError
from quotewell.protocols import Clock

__all__ = ["Push"]

_BEAT = 0.5
"""Seconds without a word after which the server is asked for one."""
_BELIEVED = 2.0
"""Seconds without a word after which nothing is believed any more."""
_BACKOFF = (0.05, 1.0)
"""Seconds until the first and the later attempts to connect again."""


class Push:
    """Knows whether something may have changed; thread-safe.

    Args:
        server: Where to listen.
        clock: The time.
    """

    def __init__(self, server: ValkeyServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._learned = (0, 0)
        """A connection, by its number, and the latest revision that was asked for while it lived."""
        self._begin_in_process()

    def listen(self) -> None:
        """Begin to listen, behind the caller's back, if that was not done before."""
        if self._process != os.getpid():
            self._begin_in_process()
        if self._thread is not None or self._closed.is_set():
            return
        thread = threading.Thread(target=self._run, name="quotewell-push", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no room for another thread: it goes on being asked
            return
        self._thread = thread

    def mark(self) -> int:
        """To be read before the server is asked for its revision, and given to `learned`."""
        return self._connections if self._subscribed else 0

    def learned(self, mark: int, rev: int) -> None:
        """Take note of a revision that the server has answered."""
        if mark:
            self._learned = max(self._learned, (mark, rev))

    def silent_since(self, rev: int) -> bool:
        """Whether it is known that nothing was written after `rev`."""
        mark, known = self._learned
        return (
            self._subscribed
            and mark == self._connections
            and known == rev
            and self._announced <= rev
            and self._process == os.getpid()
            and self._clock.monotonic() - self._heard < _BELIEVED
        )

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._closed.set()

    def _begin_in_process(self) -> None:
        """Also after a fork: the thread that listens is the parent's."""
        self._process = os.getpid()
        self._thread = None
        self._connections = 0
        """How often a connection was made: what was learned on an earlier one counts for nothing."""
        self._subscribed = False
        self._learned = (0, 0)
        self._announced = 0
        self._heard = 0.0

    def _run(self) -> None:
        first, later = _BACKOFF
        wait = 0.0
        while not self._closed.wait(wait):
            wait = later if wait else first
            try:
                connection = self._server.connect()
            except CacheError:  # whoever asks meanwhile will say so
                continue
            try:
                wait = self._follow(connection) or wait
            except self._server.failures:
                wait = first
            finally:
                self._subscribed = False
                connection.disconnect()

    def _follow(self, connection: Any) -> float:
        """Read until the connection is cut or the server is silent; returns seconds until the next one."""
        connection.send_command("SUBSCRIBE", self._server.prefix + CHANNEL)
        asked = False
        while not self._closed.is_set():
            if not connection.can_read(timeout=_BEAT):
                if asked:
                    return _BACKOFF[0]
                connection.send_command("PING")
                asked = True
                continue
            kind, *words = connection.read_response()
            asked = False
            self._heard = self._clock.monotonic()
            if kind == b"message":
                self._announced = int(words[1])
            elif kind == b"subscribe":
                self._connections += 1
                self._subscribed = True
        return 0.0
