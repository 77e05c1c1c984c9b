"""One SQLite file shared by threads and processes: opening, schema steps, transactions, repair.

Threads read on connections of their own, taken from a pool, so that no reader waits for a writer (in WAL
mode) and none is left open by a thread that ended. One connection writes, behind a lock: threads that took
turns in SQLite's own busy loop would sleep where they could go. After a fork the child opens its own
connections and never touches the inherited ones: closing them would drop the parent's locks.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from quotewell.cache.sqlite.faults import (
    FileIdentity,
    cache_error,
    file_identity,
    is_busy,
    is_damage,
    is_emptied,
    is_meeting,
    is_network_filesystem,
    set_aside,
    wait_for_renaming,
)
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Clock

__all__ = ["Schema", "SqliteFile"]

T = TypeVar("T")

_MOUNTS = Path("/proc/mounts")
_OLDEST_SQLITE = (3, 37)
_OPEN_ATTEMPTS = 3
_SWITCH_ATTEMPTS = 20
_LOG_BYTES = 64 * 1024 * 1024
_UNREADABLE = (sqlite3.Error, OSError, OverflowError, UnicodeError, msgspec.MsgspecError)


class Schema(NamedTuple):
    """What is in a file, and how it came to be so."""

    application_id: int
    """Marks the file as ours."""
    steps: Sequence[Sequence[str]]
    """SQL statements by schema version: step 0 makes version 1 of an empty file, step 1 makes version 2 …"""


class _Connections:
    """The connections of one process to one file."""

    def __init__(
        self,
        path: Path,
        identity: FileIdentity,
        connect: Callable[[], sqlite3.Connection],
        first: sqlite3.Connection,
    ) -> None:
        self.identity = identity
        self._path = path
        self._connect = connect
        self._idle = [first]
        self._writer: sqlite3.Connection | None = None
        self._write_lock = threading.Lock()
        self._closed = False

    def read(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        clean = False
        try:
            result = operation(connection)
            clean = True
            return result
        finally:
            if clean:
                self._idle.append(connection)
            else:
                connection.close()
            if self._closed:
                self._close_idle()

    def write(self, operation: Callable[[sqlite3.Connection], T], timeout: float) -> T:
        if not self._write_lock.acquire(timeout=timeout):
            text = f"{self._path}: it is locked: another thread has been busy with it for {timeout:g} s"
            raise CacheError(text, hint="try again")
        try:
            if self._writer is None:
                self._writer = self._connect()
            return _transaction(self._writer, operation)
        finally:
            if self._closed:
                self._close_writer()
            self._write_lock.release()

    def close(self) -> None:
        """Close what is idle now, and the rest as soon as it is given back."""
        self._closed = True
        self._close_idle()
        if self._write_lock.acquire(blocking=False):
            try:
                self._close_writer()
            finally:
                self._write_lock.release()

    def _close_idle(self) -> None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return  # another thread took the last one
            connection.close()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class _Process:
    """What one process has open."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections: _Connections | None = None


class SqliteFile:
    """A database file with a schema of ours.

    A damaged file is set aside as `NAME.corrupt-TIME` and built anew, with one `CacheDegradedWarning`; so is
    one that is found damaged while it is in use. On a network file system the journal mode is `DELETE`.

    Args:
        path: The file; it and its folder are made, for the owner alone, when they do not exist.
        clock: The time, for the name of a file set aside.
        schema: What is to be in it.
        timeout: Seconds to wait for the lock of another process.

    Raises:
        CacheError: The file cannot be used: locked, read-only, of a newer version, another program's.
    """

    def __init__(self, path: Path, clock: Clock, schema: Schema, *, timeout: float) -> None:
        self.path = path.absolute()
        self._clock = clock
        self._schema = schema
        self._timeout = timeout
        self._processes: dict[int, _Process] = {}
        self._closed = False
        self._network_told = False
        self.read(lambda _: None)

    def read(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run `operation`, which changes nothing; again, on the new file, when the old one proves damaged.

        Raises:
            CacheError: The file cannot be used.
        """
        return self._run(lambda connections: connections.read(operation))

    def read_snapshot(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, with all statements of `operation` seeing the same state.

        Raises:
            CacheError: The file cannot be used.
        """
        return self.read(lambda connection: _transaction(connection, operation, begin="begin"))

    def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run `operation` in a transaction of its own, all or nothing; again as `read` does.

        Raises:
            CacheError: The file cannot be used; nothing was changed.
        """
        return self._run(lambda connections: connections.write(operation, self._timeout))

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        total = 0
        for suffix in ("", "-wal"):
            path = self.path.with_name(self.path.name + suffix)
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue  # there is no log in DELETE mode, nor before the first write
        return total

    def close(self) -> None:
        """Close this process's connections; may be called twice."""
        self._closed = True
        process = self._processes.get(os.getpid())
        if process is not None and process.connections is not None:
            process.connections.close()

    def _run(self, use: Callable[[_Connections], T]) -> T:
        for last in (False, True):
            connections = None
            try:
                connections = self._connections()
                return use(connections)
            except _UNREADABLE as error:
                again = is_damage(error) or is_emptied(error) or is_meeting(error)
                if last or connections is None or not again:
                    raise cache_error(self.path, error) from error
                self._forget(connections)
                if is_damage(error):
                    # No other thread may open what is just being renamed.
                    with self._processes[os.getpid()].lock:
                        self._replace(connections.identity, error)
        raise AssertionError("unreachable")  # pragma: no cover

    def _connections(self) -> _Connections:
        process = self._processes.get(os.getpid())
        if process is None:
            process = self._processes.setdefault(os.getpid(), _Process())
        if self._closed:
            raise CacheError(f"{self.path}: the cache is closed", hint="open a new service")
        connections = process.connections
        if connections is not None and connections.identity == file_identity(self.path):
            return connections
        with process.lock:
            if process.connections is not connections and process.connections is not None:
                return process.connections
            if process.connections is not None:
                # The file was deleted, or set aside by another process.
                process.connections.close()
            process.connections = self._open()
            return process.connections

    # ----------------------------------------------------------------------------------------- opening

    def _open(self) -> _Connections:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            oldest = ".".join(map(str, _OLDEST_SQLITE))
            text = f"{self.path}: this Python has SQLite {sqlite3.sqlite_version}, needed is {oldest}"
            raise CacheError(text, hint="use a newer Python")
        for attempt in range(_OPEN_ATTEMPTS):
            identity = self._made()
            try:
                return _Connections(self.path, identity, self._connect, self._prepared())
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if attempt + 1 == _OPEN_ATTEMPTS:
                    raise
                if is_damage(error):
                    self._replace(identity, error)
                elif is_meeting(error):
                    wait_for_renaming(self.path)
                else:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def _made(self) -> FileIdentity:
        """The identity of the file, made now if need be, before SQLite writes anything to it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_OPEN_ATTEMPTS):
            identity = file_identity(self.path)
            if identity is not None:
                return identity
            # An existing file must not be opened: to close it again would drop SQLite's locks on it.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        raise FileNotFoundError(errno.ENOENT, "it is a link to nowhere, or others keep deleting it")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        ready = False
        try:
            connection.execute("pragma synchronous = normal")
            connection.execute(f"pragma journal_size_limit = {_LOG_BYTES}")
            ready = True
            return connection
        finally:
            if not ready:
                connection.close()

    def _prepared(self) -> sqlite3.Connection:
        """A connection, after the file was checked and brought up to date."""
        connection = self._connect()
        ready = False
        try:
            version = self._checked_version(connection)
            _set_journal_mode(connection, "delete" if self._on_network() else "wal")
            if version < len(self._schema.steps):
                _transaction(connection, self._migrate)
            ready = True
            return connection
        finally:
            if not ready:
                connection.close()

    def _checked_version(self, connection: sqlite3.Connection) -> int:
        version = _pragma(connection, "user_version")
        if version > len(self._schema.steps):
            text = f"{self.path}: version {version} of the file is newer than this program's"
            hint = "update quotewell, or set QUOTEWELL_CACHE_DIR to another folder"
            raise CacheError(f"{text} ({len(self._schema.steps)})", hint=hint)
        (tables,) = connection.execute("select count(*) from sqlite_schema").fetchone()
        if tables and _pragma(connection, "application_id") != self._schema.application_id:
            text = f"{self.path}: the file is another program's database"
            raise CacheError(text, hint="set QUOTEWELL_CACHE_DIR to another folder")
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        # Read again: another process may have been faster.
        version = self._checked_version(connection)
        for step in self._schema.steps[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"pragma application_id = {self._schema.application_id}")
        connection.execute(f"pragma user_version = {len(self._schema.steps)}")

    def _on_network(self) -> bool:
        try:
            mounts = _MOUNTS.read_text(errors="replace")
        except OSError:
            return False  # not Linux: SQLite itself refuses a log where it knows that it cannot work
        if not is_network_filesystem(self.path.parent.resolve(), mounts):
            return False
        if not self._network_told:
            self._network_told = True
            text = (
                f"{self.path} is on a network file system: slower, and less safe against two writers at once"
            )
            warnings.warn(text, CacheDegradedWarning, stacklevel=2)
        return True

    def _forget(self, connections: _Connections) -> None:
        """Close `connections`; the next statement opens the file again."""
        process = self._processes[os.getpid()]
        with process.lock:
            if process.connections is connections:
                process.connections = None
        connections.close()

    def _replace(self, identity: FileIdentity, error: Exception) -> None:
        """Set a damaged file aside; the next statement builds a new one."""
        try:
            aside = set_aside(self.path, identity, self._clock.now())
        except OSError as reason:
            raise cache_error(self.path, reason) from reason
        if aside is not None:
            text = f"{self.path} was damaged ({error}); it was set aside as {aside.name} and is built anew"
            warnings.warn(text, CacheDegradedWarning, stacklevel=2)


def _transaction(
    connection: sqlite3.Connection,
    operation: Callable[[sqlite3.Connection], T],
    *,
    begin: str = "begin immediate",
) -> T:
    connection.execute(begin)
    try:
        result = operation(connection)
        connection.execute("commit")
        return result
    finally:
        if connection.in_transaction:
            connection.rollback()


def _set_journal_mode(connection: sqlite3.Connection, mode: str) -> None:
    for attempt in range(_SWITCH_ATTEMPTS):
        try:
            connection.execute(f"pragma journal_mode = {mode}").fetchone()
        except sqlite3.OperationalError as error:
            if attempt + 1 == _SWITCH_ATTEMPTS or not is_busy(error):
                raise
            # SQLite does not wait for others here, but it does for the write lock.
            _transaction(connection, lambda _: None)
        else:
            return


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"pragma {name}").fetchone()
    return int(value)
