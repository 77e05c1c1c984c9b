"""A persistent level that is not persistent: it lives as long as its process.

For tests, for `memory://`, and in place of a store on disk that is out of order.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from quotewell.cache.codec import bare, record_type
from quotewell.freshness import FUTURE_TOLERANCE
from quotewell.protocols import Changes, Clock, LevelStats
from quotewell.records import Closes, Failure, Record

__all__ = ["MemoryLevel"]

_LOG_SECONDS = 3600.0


class _Row(NamedTuple):
    record: Record
    rev: int
    """When the value was last written or invalidated; 0 if never."""
    failure_rev: int


class _Withdrawal(NamedTuple):
    """An invalidation or deletion; `key` is None for a whole table."""

    rev: int
    table: str
    key: str | None
    at: float
    whole_table_gone: bool


class MemoryLevel:
    """A `protocols.Level` in this process, with exactly the rules of the others.

    Args:
        clock: The time, for the log of deletions.
    """

    name = "memory"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rev = 0
        self._forgotten_rev = 0
        self._tables: dict[str, dict[str, _Row]] = {}
        self._log: list[_Withdrawal] = []
        self._closes: dict[str, Closes] = {}

    def rev(self) -> int:
        """See `protocols.Level`."""
        return self._rev

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`."""
        with self._lock:
            rows = self._rows(table)
            return {key: bare(rows[key].record) for key in keys if key in rows}

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`."""
        with self._lock:
            return list(self._rows(table))

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`."""
        with self._lock:
            rows = self._rows(table)
            if not records:
                return set()
            self._rev += 1
            withdrawn = self._withdrawn(table, begun)
            latest = self._clock.now() + FUTURE_TOLERANCE
            refused: set[str] = set()
            for record in records:
                key = record.symbol
                if withdrawn is None or key in withdrawn or not _newer(record, rows.get(key), latest):
                    refused.add(key)
                    continue
                stored = bare(record)
                stored.failure = None
                stored.invalidated = False
                rows[key] = _Row(stored, self._rev, 0)
            accepted = {record.symbol for record in records} - refused
            for series in closes:
                if series.symbol not in accepted:
                    continue
                if series.dates:
                    self._closes[series.symbol] = _copied(series)
                else:
                    self._closes.pop(series.symbol, None)
            return refused

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`."""
        with self._lock:
            rows = self._rows(table)
            if not failures:
                return
            self._rev += 1
            withdrawn = self._withdrawn(table, begun)
            if withdrawn is None:
                return
            for key, failure in failures.items():
                row = rows.get(key, _Row(record_type(table)(symbol=key), 0, 0))
                if key not in withdrawn and row.rev <= begun:
                    record = msgspec.structs.replace(row.record, failure=failure)
                    rows[key] = _Row(record, row.rev, self._rev)

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        with self._lock:
            rows = self._rows(table)
            concerned = self._withdraw(table, keys, gone=False)
            for key in concerned:
                row = rows[key]
                record = msgspec.structs.replace(row.record, invalidated=True)
                rows[key] = _Row(record, self._rev, row.failure_rev)
            return len(concerned)

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        with self._lock:
            rows = self._rows(table)
            concerned = self._withdraw(table, keys, gone=True)
            for key in concerned:
                del rows[key]
            if table == "history":
                for symbol in list(self._closes) if keys is None else keys:
                    self._closes.pop(symbol, None)
            return len(concerned)

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`; a deletion of a whole table is answered by `keys=None`."""
        with self._lock:
            if rev == self._rev:
                return Changes(rev, {})
            rebuilt = rev > self._rev
            if rebuilt:
                rev = 0
            news = [entry for entry in self._log if entry.rev > rev]
            whole = any(entry.whole_table_gone or (rebuilt and entry.key is None) for entry in news)
            if rev < self._forgotten_rev or whole:
                return Changes(self._rev, None)
            changed: dict[str, set[str]] = {
                table: {key for key, row in rows.items() if row.rev > rev or row.failure_rev > rev}
                for table, rows in self._tables.items()
                if not rebuilt
            }
            for entry in news:
                if entry.key is not None:
                    changed.setdefault(entry.table, set()).add(entry.key)
            return Changes(self._rev, {table: keys for table, keys in changed.items() if keys}, rebuilt)

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        with self._lock:
            return {symbol: _copied(self._closes[symbol]) for symbol in symbols if symbol in self._closes}

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`."""
        with self._lock:
            pruned = 0
            for table, rows in self._tables.items():
                oldest = sorted(rows, key=lambda key, rows=rows: _fetched_at(rows[key]))  # type: ignore[misc]
                for key in oldest[: max(len(rows) - max_records, 0)]:
                    del rows[key]
                    pruned += 1
                    if table == "history":
                        self._closes.pop(key, None)
            return pruned

    def stats(self) -> LevelStats:
        """See `protocols.Level`; the size in bytes is not known."""
        with self._lock:
            return LevelStats({table: len(rows) for table, rows in self._tables.items() if rows}, None)

    def close(self) -> None:
        """See `protocols.Level`; nothing is held."""

    def _rows(self, table: str) -> dict[str, _Row]:
        rows = self._tables.get(table)
        if rows is None:
            record_type(table)
            rows = self._tables[table] = {}
        return rows

    def _withdraw(self, table: str, keys: Collection[str] | None, *, gone: bool) -> list[str]:
        """Log an invalidation or deletion; return the keys of existing records that it concerns."""
        rows = self._rows(table)
        if keys is not None and not keys:
            return []
        self._rev += 1
        now = self._clock.now()
        for entry in self._log:
            if not _remembered(entry, now):
                self._forgotten_rev = max(self._forgotten_rev, entry.rev)
        self._log = [entry for entry in self._log if _remembered(entry, now)]
        if keys is None:
            self._log.append(_Withdrawal(self._rev, table, None, now, gone))
            return list(rows)
        distinct = dict.fromkeys(keys)
        self._log += [_Withdrawal(self._rev, table, key, now, False) for key in distinct]
        return [key for key in distinct if key in rows]

    def _withdrawn(self, table: str, begun: int) -> set[str] | None:
        """Keys invalidated or deleted after `begun`; None when that concerns, or may concern, all."""
        if begun < self._forgotten_rev:
            return None
        withdrawn: set[str] = set()
        for entry in self._log:
            if entry.rev > begun and entry.table == table:
                if entry.key is None:
                    return None
                withdrawn.add(entry.key)
        return withdrawn


def _newer(record: Record, row: _Row | None, latest: float) -> bool:
    """Whether a value may replace what is stored; always if that is dated after `latest`."""
    if record.fetched_at is None:
        return False
    return row is None or record.fetched_at >= _fetched_at(row) or _fetched_at(row) > latest


def _fetched_at(row: _Row) -> float:
    return -math.inf if row.record.fetched_at is None else row.record.fetched_at


def _remembered(entry: _Withdrawal, now: float) -> bool:
    """Entries from the future, too, are dropped: the clock was wrong when they were made."""
    return abs(now - entry.at) <= _LOG_SECONDS


def _copied(series: Closes) -> Closes:
    return msgspec.structs.replace(series, dates=list(series.dates), closes=list(series.closes))
