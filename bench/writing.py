"""Storing 10,000 changed quotes."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import diskcache  # type: ignore[import-untyped]

from bench.measure import Row, interleaved, quotients
from bench.sample import made_quotes, offline_service, store_quotes, symbols
from quotewell.cache.codec import value_columns
from quotewell.cache.sqlite.tables import ROWS_AT_ONCE
from quotewell.protocols import Level
from quotewell.records import Quote
from quotewell.service import TickerService

__all__ = ["writing"]

_COUNT = 10_000
_ROUNDS = 15
_NAMES = symbols(_COUNT)
_COLUMNS = value_columns(Quote)


def writing(folder: Path) -> Iterator[Row]:
    """The rows about storing values; every round changes every price, as SQLite skips what is identical."""
    for place in ("ours", "raw"):
        store_quotes(folder / "writing" / place, _NAMES, time.time())
    raw = _RawTable(folder / "writing" / "raw" / "cache.db")
    with (
        offline_service(folder / "writing" / "ours") as tickers,
        diskcache.Cache(folder / "writing" / "diskcache") as disk,
    ):
        _rows(disk)
        ours, through, upsert, disk_times = interleaved(
            _ROUNDS,
            lambda: _put(tickers.engine.store.level),
            lambda: _write_through(tickers),
            raw.upsert,
            lambda: _rows(disk),
        )
    raw.close()
    measure = "`put_many` of 10,000 changed quotes"
    raw_upsert = "raw upsert, same table and indexes, one transaction"
    note = f"{min(ours) / _COUNT * 1e6:.1f} µs against {min(upsert) / _COUNT * 1e6:.1f} µs a quote at best"
    yield Row(measure=measure, against=raw_upsert, values=quotients(ours, upsert), at_most=1.4, note=note)
    yield Row(
        measure="the same into both levels, as a fetch does",
        against=raw_upsert,
        values=quotients(through, upsert),
    )
    yield Row(
        measure="the same into `diskcache`, one transaction",
        against=measure,
        values=quotients(disk_times, ours),
        at_least=7.0,
    )


_seeds = itertools.count(1)


def _changed() -> list[Quote]:
    return made_quotes(_NAMES, time.time(), seed=next(_seeds))


def _put(level: Level) -> float:
    quotes = _changed()
    start = time.perf_counter()
    refused = level.put_many("quote", quotes, begun=level.rev())
    elapsed = time.perf_counter() - start
    if refused:
        raise RuntimeError(f"{len(refused)} quotes were refused")
    return elapsed


def _write_through(tickers: TickerService) -> float:
    quotes, store = _changed(), tickers.engine.store
    start = time.perf_counter()
    store.write("quote", quotes, begun=store.rev())
    return time.perf_counter() - start


def _rows(disk: diskcache.Cache) -> float:
    quotes = _changed()
    start = time.perf_counter()
    with disk.transact():
        for quote in quotes:
            disk.set(quote.symbol, quote, expire=300.0)
    return time.perf_counter() - start


class _RawTable:
    """A plain upsert of ready rows into a file with our schema."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma synchronous = normal")
        columns = (*_COLUMNS, "rev")
        updates = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "symbol")
        marks = ", ".join("?" * len(columns))
        self._statement = (
            f"insert into quote ({', '.join(columns)}) values {', '.join([f'({marks})'] * ROWS_AT_ONCE)} "
            f"on conflict (symbol) do update set {updates}"
        )

    def upsert(self) -> float:
        (rev,) = self._connection.execute("select max(rev) + 1 from quote").fetchone()
        rows = [(*(getattr(quote, column) for column in _COLUMNS), rev) for quote in _changed()]
        start = time.perf_counter()
        self._connection.execute("begin immediate")
        for first in range(0, len(rows), ROWS_AT_ONCE):
            values = list(itertools.chain.from_iterable(rows[first : first + ROWS_AT_ONCE]))
            self._connection.execute(self._statement, values)
        self._connection.execute("commit")
        return time.perf_counter() - start

    def close(self) -> None:
        self._connection.close()
