"""The hot cache in front of the persistent level: one plain dict for each table, read without a lock.

Readers look into `table(name)` and count a hit in the record itself; that is all that happens on a hit. Who
wants a single figure again and again looks into `figures(name)` instead, which answers in two thirds of the
time. All changes go through the methods of `MemoryCache`, under its lock.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Container, Iterable, Mapping
from operator import itemgetter

from quotewell.records import FACETS, Record, Result

__all__ = ["FIGURES", "HotFigure", "MemoryCache"]

FIGURES = {"quote": "last", "risk": "beta"}
"""The figure of a table's records that is asked for by itself."""

_EVICTED_SHARE = 0.2
_BYTES = {
    "quote": 450, "profile": 300, "risk": 350, "dividend": 250, "payouts": 2_500, "history": 250, "fx": 220,
    "rate": 250,
}  # fmt: skip
_RESULT_BYTES = 300


class HotFigure:
    """The figure of a record that is in memory, for as long as no look at anything else is needed."""

    __slots__ = ("asked", "hits", "record", "until", "value")

    def __init__(self, record: Record, value: float) -> None:
        self.record = record
        self.value = value
        self.hits = 0.0
        """To be added to those of the record. A float: CPython adds to one without allocating."""
        self.until = 0.0
        """Monotonic seconds until which it answers."""
        self.asked = record.failure is not None
        """Whether the record is being fetched anew, or was in vain just now."""


class MemoryCache:
    """Records of all tables, bounded in number and bytes.

    Eviction is an approximation of least-frequently-used that costs readers nothing. When a bound is
    exceeded, a fifth of it is made free in one go: of each table in proportion to its size, the records with
    the fewest hits, and among equals those that have been there longest. Records that were put just now stay,
    unless they alone exceed the bound. A record that replaces another inherits half of its hits, so that a
    refresh does not make a popular symbol look unused, and popularity fades.

    Args:
        max_records: A bound, over all tables.
        max_bytes: Another, on what the records take, about.
    """

    def __init__(self, max_records: int, max_bytes: int = 2**40) -> None:
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.evictions = 0
        """Records evicted so far."""
        self.evictions_of: dict[str, int] = {}
        """The same by table."""
        self._lock = threading.Lock()
        self._tables: dict[str, dict[str, Record]] = {}
        self._figures: dict[str, dict[str, HotFigure]] = {table: {} for table in FIGURES}
        self._size = 0
        self._bytes = 0
        self._retired: dict[str, int] = {}
        self._reported: dict[str, dict[str, int]] = {}
        self._unreported: dict[str, int] = {}

    def __len__(self) -> int:
        return self._size

    @property
    def bytes(self) -> int:
        """What the records take, about."""
        return self._bytes

    def table(self, name: str) -> dict[str, Record]:
        """The live dict of a table; always the same object. Read it freely, change it only through `self`."""
        table = self._tables.get(name)
        return self._tables.setdefault(name, {}) if table is None else table

    def tables(self) -> list[str]:
        """The names of all tables that were ever asked for."""
        return list(self._tables)

    def figures(self, table: str) -> dict[str, HotFigure]:
        """The live dict of a table's figures; always the same object. Only read it."""
        return self._figures[table]

    def heat(self, table: str, key: str) -> HotFigure | None:
        """Have the figure of a record at hand; None when the record has gone or has none.

        Args:
            table: One of `FIGURES`.
            key: The record's key.
        """
        with self._lock:
            record = self.table(table).get(key)
            value = None if record is None else getattr(record, FIGURES[table])
            if record is None or value is None:
                return None
            return self._figures[table].setdefault(key, HotFigure(record, value))

    def heat_all(self, table: str, keys: Iterable[str], until: float) -> None:
        """`heat` each of `keys`; those that are fresh answer until the monotonic instant `until`."""
        for key in keys:
            figure = self.heat(table, key)
            if figure is not None:
                figure.until = min(until, figure.record.fresh_until)

    def put_many(self, table: str, records: Mapping[str, Record]) -> None:
        """Keep `records`, in place of those with the same keys."""
        live = self.table(table)
        with self._lock:
            if live.keys().isdisjoint(records):
                live.update(records)
                self._size += len(records)
                self._bytes += _weight(table, records.values())
            else:
                for key, record in records.items():
                    self._put(live, table, key, record)
            if self._size > self.max_records or self._bytes > self.max_bytes:
                self._evict(table, records)

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
                    record.fresh_until = record.grace = 0.0
            for figures in self._figures.values():
                for figure in figures.values():
                    figure.until = 0.0

    def hits(self, table: str) -> int:
        """Look-ups that the records of a table have answered since the cache was made."""
        live = self.table(table)
        with self._lock:
            self._collect_hits(table)
            return self._retired.get(table, 0) + sum(record.hits for record in live.values())

    def usage(self) -> dict[str, int]:
        """Hits by symbol since the last call, summed over the facets; symbols without any are left out."""
        with self._lock:
            counts, self._unreported = self._unreported, {}
            for table in FACETS:
                reported = self._reported.setdefault(table, {})
                self._collect_hits(table)
                for key, record in self.table(table).items():
                    new = record.hits - reported.get(key, 0)
                    if new > 0:
                        counts[key] = counts.get(key, 0) + new
                        reported[key] = record.hits
            return counts

    def _put(self, live: dict[str, Record], table: str, key: str, record: Record) -> None:
        old = live.get(key)
        if old is record:
            return
        if old is None:
            self._size += 1
        else:
            self._bytes -= _weight(table, (old,))
            record.hits = self._retire(table, old, replaced=True)
        self._bytes += _weight(table, (record,))
        live[key] = record

    def _drop(self, table: str, keys: Iterable[str]) -> None:
        live = self._tables[table]
        for key in keys:
            record = live.pop(key, None)
            if record is not None:
                self._size -= 1
                self._bytes -= _weight(table, (record,))
                self._retire(table, record, replaced=False)

    def _collect_hits(self, table: str) -> None:
        for figure in self._figures.get(table, {}).values():
            _hand_over_hits(figure)

    def _retire(self, table: str, record: Record, *, replaced: bool) -> int:
        """Account for the hits of a record that leaves; return with how many its successor starts."""
        figure = self._figures[table].pop(record.symbol, None) if table in FIGURES else None
        if figure is not None:
            figure.until = 0.0
            _hand_over_hits(figure)
        keep = record.hits // 2 if replaced else 0
        self._retired[table] = self._retired.get(table, 0) + record.hits - keep
        if table in FACETS:
            reported = self._reported.setdefault(table, {})
            new = record.hits - reported.pop(record.symbol, 0)
            if new > 0:
                self._unreported[record.symbol] = self._unreported.get(record.symbol, 0) + new
            if keep:
                reported[record.symbol] = keep
        return keep

    def _evict(self, put_table: str, put: Container[str]) -> None:
        crowding = max(self._size / self.max_records, self._bytes / self.max_bytes)
        leaving = 1.0 - (1.0 - _EVICTED_SHARE) / crowding
        before = self._size
        for name in self._figures:
            self._collect_hits(name)
        candidates = {
            name: [(record.hits, key) for key, record in live.items() if name != put_table or key not in put]
            for name, live in self._tables.items()
        }
        share = min(1.0, leaving * before / max(sum(map(len, candidates.values())), 1))
        for name, records in candidates.items():
            records.sort(key=itemgetter(0))
            self._evict_from(name, [key for _, key in records[: math.ceil(share * len(records))]])
        self._drop_excess(put_table)
        self.evictions += before - self._size

    def _drop_excess(self, table: str) -> None:
        """What was put just now exceeds a bound by itself: the first of it go."""
        for key in list(self._tables[table]):
            if self._size <= self.max_records and self._bytes <= self.max_bytes:
                return
            self._evict_from(table, (key,))

    def _evict_from(self, table: str, keys: Collection[str]) -> None:
        self.evictions_of[table] = self.evictions_of.get(table, 0) + len(keys)
        self._drop(table, keys)


def _hand_over_hits(figure: HotFigure) -> None:
    hits, figure.hits = figure.hits, 0.0
    figure.record.hits += int(hits)


def _weight(table: str, records: Collection[Record]) -> int:
    """Bytes that records take, about: measured for facets, three times its packed form for a result."""
    if table in _BYTES:
        return _BYTES[table] * len(records)
    blobs = (record.blob or b"" for record in records if isinstance(record, Result))
    return sum(_RESULT_BYTES + 3 * len(blob) for blob in blobs)
