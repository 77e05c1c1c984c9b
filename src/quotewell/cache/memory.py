"""The hot cache in front of the persistent level: one plain dict for each table, read without a lock.

Readers look into `table(name)` and count a hit in the record itself; that is all that happens on a hit. All
changes go through the methods of `MemoryCache`, under its lock.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterable
from operator import itemgetter

from quotewell.records import FACETS, Record

__all__ = ["MemoryCache"]

_EVICTED_SHARE = 0.2


class MemoryCache:
    """Records of all tables, bounded in number.

    Eviction is an approximation of least-frequently-used that costs readers nothing. When the bound is
    exceeded, a fifth of it is made free in one go: of each table in proportion to its size, the records with
    the fewest hits, and among equals those that have been there longest. Records that were put just now stay,
    unless they alone exceed the bound. A record that replaces another inherits half of its hits, so that a
    refresh does not make a popular symbol look unused, and popularity fades.

    Args:
        max_records: The bound, over all tables.
    """

    def __init__(self, max_records: int) -> None:
        self.max_records = max_records
        self.evictions = 0
        """Records evicted so far."""
        self._lock = threading.Lock()
        self._tables: dict[str, dict[str, Record]] = {}
        self._size = 0
        self._retired: dict[str, int] = {}
        self._reported: dict[str, dict[str, int]] = {}
        self._unreported: dict[str, int] = {}

    def __len__(self) -> int:
        return self._size

    def table(self, name: str) -> dict[str, Record]:
        """The live dict of a table; always the same object. Read it freely, change it only through `self`."""
        table = self._tables.get(name)
        return self._tables.setdefault(name, {}) if table is None else table

    def put_many(self, table: str, records: Iterable[Record]) -> None:
        """Keep `records`, in place of those with the same keys."""
        live = self.table(table)
        with self._lock:
            put: set[str] = set()
            for record in records:
                key = record.symbol
                old = live.get(key)
                if old is None:
                    record.hits = 0
                    self._size += 1
                elif old is not record:
                    record.hits = self._retire(table, old, keep=old.hits // 2)
                live[key] = record
                put.add(key)
            if self._size > self.max_records:
                self._evict(table, put)

    def drop(self, table: str, keys: Collection[str] | None) -> None:
        """Forget the records of `keys`, or the whole table for None."""
        live = self.table(table)
        with self._lock:
            self._drop(table, list(live) if keys is None else keys)

    def clear(self) -> None:
        """Forget all records of all tables."""
        for table in list(self._tables):
            self.drop(table, None)

    def expire_all(self) -> None:
        """Let no record be answered before it has been judged again."""
        with self._lock:
            for live in self._tables.values():
                for record in live.values():
                    record.fresh_until = 0.0

    def hits(self, table: str) -> int:
        """Look-ups that the records of a table have answered since the cache was made."""
        live = self.table(table)
        with self._lock:
            return self._retired.get(table, 0) + sum(record.hits for record in live.values())

    def usage(self) -> dict[str, int]:
        """Hits by symbol since the last call, summed over the facets; symbols without any are left out."""
        with self._lock:
            counts, self._unreported = self._unreported, {}
            for table in FACETS:
                reported = self._reported.setdefault(table, {})
                for key, record in self.table(table).items():
                    new = record.hits - reported.get(key, 0)
                    if new > 0:
                        counts[key] = counts.get(key, 0) + new
                        reported[key] = record.hits
            return counts

    def _drop(self, table: str, keys: Iterable[str]) -> None:
        live = self._tables[table]
        for key in keys:
            record = live.pop(key, None)
            if record is not None:
                self._size -= 1
                self._retire(table, record, keep=0)

    def _retire(self, table: str, record: Record, *, keep: int) -> int:
        """Account for the hits of a record that leaves; its successor starts with `keep` of them."""
        self._retired[table] = self._retired.get(table, 0) + record.hits - keep
        if table in FACETS:
            reported = self._reported.setdefault(table, {})
            new = record.hits - reported.pop(record.symbol, 0)
            if new > 0:
                self._unreported[record.symbol] = self._unreported.get(record.symbol, 0) + new
            if keep:
                reported[record.symbol] = keep
        return keep

    def _evict(self, put_table: str, put: set[str]) -> None:
        excess = self._size - math.floor(self.max_records * (1.0 - _EVICTED_SHARE))
        others = {name: len(live) for name, live in self._tables.items()}
        others[put_table] -= len(put)
        share = min(1.0, excess / max(sum(others.values()), 1))
        before = self._size
        for name, live in self._tables.items():
            candidates = [
                (record.hits, key) for key, record in live.items() if name != put_table or key not in put
            ]
            candidates.sort(key=itemgetter(0))
            self._drop(name, [key for _, key in candidates[: math.ceil(share * others[name])]])
        if self._size > self.max_records:
            self._drop(put_table, list(self._tables[put_table])[: self._size - self.max_records])
        self.evictions += before - self._size
