"""Connections to one PostgreSQL server, and how one is used: in time, all or nothing, once more if lost.

There are a few connections, made when they are needed and kept. A thread that uses one has it for itself. One
that the server has closed meanwhile is noticed before it is used again: there is something to read on it.
After a fork the child opens its own connections and never touches the inherited ones.

psycopg's own pool would answer a refused connection by trying again until the time is up, in threads of its
own, which a fork loses.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg

from quotewell.cache.postgres import schema as postgres_schema
from quotewell.cache.postgres.connection import PostgresConnection
from quotewell.cache.postgres.faults import cache_error, is_missing
from quotewell.errors import CacheError, UsageError

__all__ = ["PostgresPool"]

T = TypeVar("T")

_MOST = 4
"""Connections of a process at the same time; more threads wait."""
_KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_OLDEST_SERVER = 140000
_SECONDS_PER_ROW = 1e-4
"""Given to a write beyond the timeout for each of its rows."""
_UNUSABLE = (psycopg.Error, OverflowError, UnicodeError)


class _Connections:
    """The connections of one process."""

    def __init__(self) -> None:
        self.idle: list[PostgresConnection] = []
        self.free = threading.BoundedSemaphore(_MOST)
        self.prepared = False
        """Whether the tables were seen to be there."""
        self.preparing = threading.Lock()


class PostgresPool:
    """Connections to a shared cache, whose tables are made when they do not exist.

    Args:
        url: See `server.open_pool`.
        schema: Where the tables are.
        timeout: Seconds that an operation may take.

    Raises:
        CacheError: The server cannot be used.
        UsageError: The URL or the name of the schema is none.
    """

    def __init__(self, url: str, schema: str, *, timeout: float) -> None:
        self.schema = postgres_schema.checked_name(schema)
        self._timeout = timeout
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # What it says quotes the URL, and so may show a password.
            hint = "like postgresql://user@host:5432/database"
            raise UsageError("cache_url: this is no URL of a PostgreSQL database", hint=hint) from None
        self._secret = str(given.get("password") or "")
        where = given.get("host") or given.get("hostaddr") or "localhost"
        port = f":{given['port']}" if given.get("port") else ""
        database = given.get("dbname") or given.get("user") or "by default"
        self.place = f"PostgreSQL at {where}{port}, database {database}"
        settings: dict[str, Any] = {"application_name": "quotewell", **_KEEPALIVES, **given}
        self._conninfo = psycopg.conninfo.make_conninfo(**(settings | {"client_encoding": "utf8"}))
        self._processes: dict[int, _Connections] = {}
        self._closed = False
        self.read(lambda _: None)

    def read(self, operation: Callable[[PostgresConnection], T]) -> T:
        """Run `operation`, a single statement that may well be run twice.

        Raises:
            CacheError: The server cannot be used.
        """
        return self._run(lambda connection, _: operation(connection), rows=0)

    def write(self, operation: Callable[[PostgresConnection], T], *, rows: int = 0) -> T:
        """Run `operation` in a transaction, all or nothing.

        If the connection is lost while the end of the transaction is under way, nobody can tell whether
        it came to pass; this is an error, too.

        Raises:
            CacheError: The server cannot be used.
        """

        def transaction(connection: PostgresConnection, ending: Callable[[], None]) -> T:
            connection.execute("begin")
            result = operation(connection)
            ending()
            connection.execute("commit")
            return result

        return self._run(transaction, rows=rows)

    def run_once(self, operation: Callable[[PostgresConnection], T]) -> T:
        """Run `operation`, a single statement that must not be run twice.

        Raises:
            CacheError: The server cannot be used.
        """

        def once(connection: PostgresConnection, ending: Callable[[], None]) -> T:
            ending()
            return operation(connection)

        return self._run(once, rows=0)

    def connect(self) -> PostgresConnection:
        """A connection of the caller's own.

        Raises:
            CacheError: The server cannot be used.
        """
        with self.translating():
            return self._connect(time.monotonic() + self._timeout)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turns what psycopg raises into `CacheError`."""
        try:
            yield
        except _UNUSABLE as error:
            raise cache_error(self.place, error, secret=self._secret) from error

    def close(self) -> None:
        """Close this process's idle connections now, and the others when they are given back."""
        self._closed = True
        self._close_idle(self._of_process())

    def _run(self, use: Callable[[PostgresConnection, Callable[[], None]], T], *, rows: int) -> T:
        deadline = time.monotonic() + self._timeout + rows * _SECONDS_PER_ROW
        again = True

        def ending() -> None:
            nonlocal again
            again = False

        while True:
            connections = self._of_process()
            try:
                with self._borrowed(connections, deadline) as connection:
                    return use(connection, ending)
            except _UNUSABLE as error:
                if is_missing(error):
                    connections.prepared = False
                elif not _is_lost(error) or time.monotonic() >= deadline:
                    again = False
                if not again:
                    raise cache_error(self.place, error, secret=self._secret) from error
            again = False

    @contextmanager
    def _borrowed(self, connections: _Connections, deadline: float) -> Iterator[PostgresConnection]:
        if self._closed:
            raise CacheError(f"{self.place}: the cache is closed", hint="open a new service")
        if not connections.free.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            text = f"all {_MOST} connections of this process have been busy for {self._timeout:g} s"
            raise CacheError(f"{self.place}: {text}", hint="try again")
        connection: PostgresConnection | None = None
        clean = False
        try:
            connection = self._idle(connections) or self._connect(deadline)
            connection.deadline = deadline
            if not connections.prepared:
                with connections.preparing:
                    postgres_schema.prepare(connection, self.schema)
                connections.prepared = True
            yield connection
            clean = True
        finally:
            if connection is not None:
                if clean:
                    connections.idle.append(connection)
                else:
                    # With whatever is under way in it: the server rolls back.
                    connection.close()
            connections.free.release()
            if self._closed:
                self._close_idle(connections)

    def _idle(self, connections: _Connections) -> PostgresConnection | None:
        with suppress(IndexError):
            while True:
                connection = connections.idle.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        return None

    def _connect(self, deadline: float) -> PostgresConnection:
        connection = PostgresConnection.open(self._conninfo, deadline)
        ready = False
        try:
            self._check(connection)
            milliseconds = str(max(1, round(self._timeout * 1000)))
            # A process that was stopped must not hold the others' lock, nor one that is gone wait for it.
            # Numbers come back as they were put, and nothing is compiled for statements as short as these.
            connection.execute(
                """select set_config('lock_timeout', %(ms)s, false),
                    set_config('idle_in_transaction_session_timeout', %(ms)s, false),
                    set_config('client_connection_check_interval', %(ms)s, false),
                    set_config('default_transaction_isolation', 'read committed', false),
                    set_config('extra_float_digits', '1', false), set_config('jit', 'off', false)""",
                {"ms": milliseconds},
            )
            ready = True
            return connection
        finally:
            if not ready:
                connection.close()

    def _check(self, connection: PostgresConnection) -> None:
        if connection.info.server_version < _OLDEST_SERVER:
            text = (
                f"{self.place}: the server's version is {connection.info.server_version // 10000}, needed is"
            )
            raise CacheError(f"{text} {_OLDEST_SERVER // 10000}", hint="use a newer server")
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            text = f"{self.place}: the database's encoding is {encoding}"
            raise CacheError(text, hint="make one with the encoding UTF8")

    def _of_process(self) -> _Connections:
        connections = self._processes.get(os.getpid())
        return connections or self._processes.setdefault(os.getpid(), _Connections())

    def _close_idle(self, connections: _Connections) -> None:
        with suppress(IndexError):
            while True:
                connections.idle.pop().close()


def _is_lost(error: Exception) -> bool:
    """Whether an error means that the connection is of no use, and another one may be."""
    state = getattr(error, "sqlstate", None)
    return isinstance(error, psycopg.OperationalError) and (state is None or state.startswith(("08", "57P")))
