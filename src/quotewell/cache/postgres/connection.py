"""A connection to a PostgreSQL server that keeps to a deadline, whatever the server does.

psycopg itself waits two seconds at least for a connection, and for ever for a server that was stopped.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.waiting import Ready

__all__ = ["PostgresConnection"]

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
"""The same bits as psycopg's own `Wait` and `Ready`."""


class PostgresConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection in autocommit mode; every statement of it fails when its `deadline` is over."""

    deadline = 0.0
    """Monotonic seconds of the system: sockets know no other clock."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.temporary: set[str] = set()
        """Names of the temporary tables that it has."""

    @classmethod
    def open(cls, conninfo: str, deadline: float) -> PostgresConnection:
        """Connect.

        Args:
            conninfo: As libpq reads it.
            deadline: When to give up, monotonic seconds of the system.

        Raises:
            psycopg.OperationalError: The server refuses, or does not answer in time.
        """
        low = pq.PGconn.connect_start(conninfo.encode())
        status = pq.PollingStatus.WRITING
        while status != pq.PollingStatus.OK:
            if low.status == pq.ConnStatus.BAD or status == pq.PollingStatus.FAILED:
                raise psycopg.OperationalError(low.get_error_message())
            _await(low.socket, _READ if status == pq.PollingStatus.READING else _WRITE, deadline)
            status = pq.PollingStatus(low.connect_poll())
        low.nonblocking = 1
        connection = cls(low)
        connection.autocommit = True
        connection.deadline = deadline
        return connection

    def wait(self, gen: Any, interval: float = 0.0, timeout: float | None = None) -> Any:
        """As psycopg's, but until the deadline; it takes no notice of its own arguments' times.

        Raises:
            psycopg.OperationalError: The deadline is over; the connection is of no use any more.
        """
        del interval, timeout
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(Ready(_await(self.pgconn.socket, int(wanted), self.deadline)))
        except StopIteration as done:
            return done.value

    def copy_rows(self, sql: str, types: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Send `rows` by a `copy … from stdin (format binary)`."""
        with self.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def is_usable(self) -> bool:
        """Whether nothing came while the connection was idle: that would be the server's farewell."""
        if self.closed:
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self.pgconn.socket, _READ)
            return not selector.select(0.0)


def _await(socket: int, wanted: int, deadline: float) -> int:
    """Wait until a socket can be read or written; return which of both it is."""
    with selectors.DefaultSelector() as selector:
        selector.register(socket, wanted)
        ready = selector.select(max(deadline - time.monotonic(), 0.0))
    if not ready:
        raise psycopg.OperationalError("it did not answer in time")
    return ready[0][1]
