"""Memory in place of a persistent level that could not be opened, until it can."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from quotewell.cache.memory_level import MemoryLevel
from quotewell.errors import CacheError
from quotewell.protocols import Changes, Clock, Level, LevelStats
from quotewell.records import Closes, Failure, Record

__all__ = ["LateLevel"]

_RETRY_SECONDS = 5.0


class LateLevel:
    """A `protocols.Level` that tries every few seconds to become the one that is wanted.

    It does so only where the store asks for changes, and answers that it is another store now: what memory
    holds is then read, or fetched, anew, for others may have invalidated it meanwhile.

    Args:
        open_wanted: Opens the wanted level, and gives up soon when it cannot; raises `CacheError`.
        clock: The time.
    """

    def __init__(self, open_wanted: Callable[[], Level], clock: Clock) -> None:
        self._open_wanted = open_wanted
        self._clock = clock
        self._level: Level = MemoryLevel(clock)
        self.name = self._level.name
        self._opened = False
        self._closed = False
        self._retry_at = clock.monotonic() + _RETRY_SECONDS
        self._opening = threading.Lock()

    def rev(self) -> int:
        """See `protocols.Level`."""
        return self._level.rev()

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`."""
        return self._level.get_many(table, keys)

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`."""
        return self._level.keys(table)

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`."""
        return self._level.put_many(table, records, begun=begun, closes=closes)

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`."""
        self._level.fail_many(table, failures, begun=begun)

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        return self._level.invalidate_many(table, keys)

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        return self._level.delete_many(table, keys)

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`; `rebuilt`, when the wanted level could be opened now."""
        if not self._opened and self._opens_now():
            return Changes(self._level.rev(), {}, rebuilt=True)
        return self._level.changes_since(rev)

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        return self._level.get_closes(symbols)

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`."""
        return self._level.prune(max_records)

    def stats(self) -> LevelStats:
        """See `protocols.Level`."""
        return self._level.stats()

    def close(self) -> None:
        """See `protocols.Level`."""
        self._closed = True
        self._level.close()

    def _opens_now(self) -> bool:
        if self._clock.monotonic() < self._retry_at or not self._opening.acquire(blocking=False):
            return False
        try:
            if self._opened or self._closed:
                return False
            self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
            try:
                self._level = self._open_wanted()
            except CacheError:
                return False  # it was said at the beginning
            self.name = self._level.name
            self._opened = True
            return True
        finally:
            self._opening.release()
