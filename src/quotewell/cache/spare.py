"""What stands behind a shared level: a spare that is written behind, and what could not be sent.

The spare holds what this machine has read and written lately. It is brought up to date by a thread that lives
only while there is something to write, so that nobody waits for it.
"""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Changes, Level
from quotewell.records import Closes, Record

__all__ = ["Spare", "Unsent"]

T = TypeVar("T")

_MOST_UNSENT = 10_000
"""Records that are kept for the shared level; older ones are left to the next fetch."""
_BATCH = 500
_MOST_WAITING = 1_000
"""Bulk writes that may wait for the spare; when there are more, it is left behind, and trusted no longer."""
_MOST_CHANGED = 100_000
"""Keys of a table that are remembered as changed by others; when there are more, the spare forgets them."""


class Spare:
    """A level that follows another one.

    Args:
        level: The spare.
    """

    def __init__(self, level: Level) -> None:
        self._level = level
        self._changed: dict[str, set[str]] = {}
        """Keys that others have changed in the shared level, and that nobody here has read since."""
        self._warned = False
        self._writing = False
        self._withdrawals = 0
        self._begin_in_process()

    @property
    def name(self) -> str:
        """The name of the spare itself."""
        return self._level.name

    @property
    def withdrawals(self) -> int:
        """How often something was withdrawn: to be read before the shared level is asked for a value."""
        return self._withdrawals

    def ask(self, use: Callable[[Level], T]) -> T:
        """What the spare answers when everything that waits for it is written."""
        self._settle()
        return use(self._level)

    def later(self, write: Callable[[Level], object]) -> None:
        """Let `write` change the spare, in its turn, behind the caller's back."""
        if self._process != os.getpid():
            self._begin_in_process()
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                self._waiting.clear()
                self._waiting.append(_distrust)
            self._waiting.append(write)
            if self._writing:
                return
            self._writing = True
        thread = threading.Thread(target=self._write, name="quotewell-spare", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no room for another thread
            self._write()

    def withdraw(self, write: Callable[[Level], object]) -> None:
        """Let `write` invalidate or delete something, `later`."""
        self._withdrawals += 1
        self.later(write)

    def put(self, table: str, records: Sequence[Record], closes: Sequence[Closes], withdrawals: int) -> None:
        """Take over values that the shared level has taken.

        Not if anything was withdrawn since `withdrawals` was read: it may have been one of these.
        """
        if records and withdrawals == self._withdrawals:
            self.later(lambda level: level.put_many(table, records, begun=level.rev(), closes=closes))

    def copy(
        self, table: str, keys: Collection[str], records: Mapping[str, Record], withdrawals: int
    ) -> None:
        """Take over, likewise, what the shared level has answered for `keys`."""
        changed = self._changed.get(table)
        gone = [key for key in keys if key in changed and key not in records] if changed else []
        if gone:
            self.later(lambda level: level.delete_many(table, gone))
        if changed:
            changed.difference_update(keys)
        good = [
            record
            for record in records.values()
            if record.fetched_at is not None and not record.invalidated and table != "history"
        ]
        self.put(table, good, (), withdrawals)

    def follow(self, changes: Changes) -> None:
        """Distrust what others have changed; forget all when that cannot be told."""
        if changes.rebuilt or changes.keys is None:
            self.withdraw(_distrust if changes.rebuilt else _forget)
            return
        for table, keys in changes.keys.items():
            changed = self._changed.setdefault(table, set())
            changed.update(keys)
            self.withdraw(functools.partial(_invalidate, table=table, keys=keys))
            if len(changed) > _MOST_CHANGED:
                self.withdraw(functools.partial(_delete, table=table, keys=list(changed)))
                changed.clear()

    def close(self) -> None:
        """Write what waits, and close the spare."""
        self._settle()
        self._level.close()

    def _begin_in_process(self) -> None:
        """Also after a fork: what the parent has to write is the parent's."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._applying = threading.Lock()
        self._waiting: deque[Callable[[Level], object]] = deque()
        self._writing = False

    def _settle(self) -> None:
        if self._process != os.getpid():
            self._begin_in_process()
        while self._next():
            pass

    def _write(self) -> None:
        while True:
            if not self._next():
                with self._lock:
                    if not self._waiting:
                        self._writing = False
                        return

    def _next(self) -> bool:
        """Make the first write that waits; False when there is none."""
        with self._applying:
            try:
                write = self._waiting.popleft()
            except IndexError:
                return False
            try:
                write(self._level)
            except CacheError as error:
                if not self._warned:
                    self._warned = True
                    warnings.warn(f"{error}; the spare cache is behind", CacheDegradedWarning, stacklevel=2)
            return True


class Unsent:
    """Values that the shared level could not be sent, bounded; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], tuple[Record, int, Closes | None]] = {}

    def add(self, table: str, records: Collection[Record], begun: int, closes: Collection[Closes]) -> None:
        """Remember values, the newest of each key, with the revision at which their fetch began."""
        series = {one.symbol: one for one in closes}
        with self._lock:
            for record in records:
                name = (table, record.symbol)
                known = self._values.pop(name, None)
                if known is None or (known[0].fetched_at or 0.0) <= (record.fetched_at or 0.0):
                    known = (record, begun, series.get(record.symbol))
                self._values[name] = known
            for key in list(self._values)[: max(len(self._values) - _MOST_UNSENT, 0)]:
                del self._values[key]

    def send(self, shared: Level) -> bool:
        """Store some of what is remembered, and forget it; returns whether there may be more.

        Raises:
            CacheError: The level is out of order again; all that it did not take is kept.
        """
        table, begun, batch = self._take()
        if not batch:
            return False
        records = [record for record, _ in batch]
        closes = [series for _, series in batch if series is not None]
        try:
            shared.put_many(table, records, begun=begun, closes=closes)
        except CacheError:
            self.add(table, records, begun, closes)
            raise
        return True

    def _take(self) -> tuple[str, int, list[tuple[Record, Closes | None]]]:
        """Take out some values of one table whose fetches began at the same revision."""
        with self._lock:
            table, begun = "", 0
            names: list[tuple[str, str]] = []
            for name, (_, began, _) in self._values.items():
                if not names:
                    table, begun = name[0], began
                if (name[0], began) == (table, begun):
                    names.append(name)
                if len(names) == _BATCH:
                    break
            taken = [self._values.pop(name) for name in names]
            return table, begun, [(record, series) for record, _, series in taken]


def _invalidate(level: Level, *, table: str, keys: Collection[str]) -> None:
    level.invalidate_many(table, keys)


def _delete(level: Level, *, table: str, keys: Collection[str]) -> None:
    level.delete_many(table, keys)


def _distrust(level: Level) -> None:
    for table in level.stats().records:
        level.invalidate_many(table, None)


def _forget(level: Level) -> None:
    for table in level.stats().records:
        level.delete_many(table, None)
