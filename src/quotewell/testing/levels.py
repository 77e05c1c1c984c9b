"""A persistent level that can be put out of order while it is in use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from quotewell.errors import CacheError
from quotewell.protocols import Changes, Level, LevelStats
from quotewell.records import Closes, Failure, Record

__all__ = ["BrokenLevel"]


class BrokenLevel:
    """A `protocols.Level` in front of another that raises `CacheError` on demand.

    Args:
        inner: The level that answers as long as nothing is broken.

    Attributes:
        broken: While True, every method but `close` raises.
        fail_on: Names of methods that raise even while `broken` is False, `close` among them if named.
    """

    def __init__(self, inner: Level) -> None:
        self.inner = inner
        self.name = inner.name
        self.broken = False
        self.fail_on: set[str] = set()

    def rev(self) -> int:
        """See `protocols.Level`."""
        self._check("rev")
        return self.inner.rev()

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`."""
        self._check("get_many")
        return self.inner.get_many(table, keys)

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`."""
        self._check("keys")
        return self.inner.keys(table)

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`."""
        self._check("put_many")
        return self.inner.put_many(table, records, begun=begun, closes=closes)

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`."""
        self._check("fail_many")
        self.inner.fail_many(table, failures, begun=begun)

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        self._check("invalidate_many")
        return self.inner.invalidate_many(table, keys)

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        self._check("delete_many")
        return self.inner.delete_many(table, keys)

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`."""
        self._check("changes_since")
        return self.inner.changes_since(rev)

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        self._check("get_closes")
        return self.inner.get_closes(symbols)

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`."""
        self._check("prune")
        return self.inner.prune(max_records)

    def stats(self) -> LevelStats:
        """See `protocols.Level`."""
        self._check("stats")
        return self.inner.stats()

    def close(self) -> None:
        """See `protocols.Level`."""
        if "close" in self.fail_on:
            self._check("close")
        self.inner.close()

    def _check(self, method: str) -> None:
        if self.broken or method in self.fail_on:
            raise CacheError(f"{self.name}: {method} is broken on purpose", hint="this is a test double")
