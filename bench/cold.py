"""10,000 quotes by key in a process that has nothing in memory.

Each reading is a process of its own: `python -m bench.cold READER FOLDER` prints the processor's seconds from
the question to a dict of all quotes by symbol; imports and opening are not counted.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import diskcache  # type: ignore[import-untyped]

from bench.measure import Row, child, interleaved, quotients
from bench.sample import made_quotes, offline_service, store_quotes, symbols
from quotewell.cache.codec import value_columns
from quotewell.records import Quote

__all__ = ["cold"]

_COUNT = 10_000
_ROUNDS = 15


def cold(folder: Path) -> Iterator[Row]:
    """The rows about reading from disk."""
    names = symbols(_COUNT)
    store_quotes(folder / "cold", names, time.time())
    with diskcache.Cache(folder / "cold" / "diskcache") as disk, disk.transact():
        for quote in made_quotes(names, time.time()):
            disk[quote.symbol] = quote
    readers = [_reader(kind, folder / "cold") for kind in _READERS]
    ours, raw, by_key = interleaved(_ROUNDS, *readers)
    note = f"{min(ours) / _COUNT * 1e6:.1f} µs against {min(raw) / _COUNT * 1e6:.1f} µs a quote at best"
    measure = "cold process, 10,000 quotes by key"
    yield Row(
        measure=measure,
        against="raw SQL, the same columns, one `select`",
        values=quotients(ours, raw),
        at_most=1.4,
        note=note,
    )
    yield Row(
        measure="the same from `diskcache`, per key",
        against=measure,
        values=quotients(by_key, ours),
        at_least=4.0,
    )


def _reader(kind: str, folder: Path) -> Callable[[], float]:
    return lambda: float(child(["-m", "bench.cold", kind, str(folder)]))


def _ours(folder: Path) -> float:
    names = symbols(_COUNT)
    with offline_service(folder) as tickers:
        return _checked(lambda: tickers.get_many(names))


def _raw(folder: Path) -> float:
    connection = sqlite3.connect(folder / "cache.db")
    statement = f"select {', '.join(value_columns(Quote))} from quote"
    try:
        return _checked(lambda: {row[0]: row for row in connection.execute(statement).fetchall()})
    finally:
        connection.close()


def _diskcache(folder: Path) -> float:
    names = symbols(_COUNT)
    with diskcache.Cache(folder / "diskcache") as disk:
        return _checked(lambda: {symbol: disk[symbol] for symbol in names})


_READERS: Mapping[str, Callable[[Path], float]] = {"ours": _ours, "raw": _raw, "diskcache": _diskcache}


def _checked(read: Callable[[], Mapping[str, object]]) -> float:
    start = time.process_time()
    found = read()
    elapsed = time.process_time() - start
    if len(found) != _COUNT or None in found.values():
        raise RuntimeError("not all quotes were found")
    return elapsed


def main() -> None:
    """One reading."""
    _, kind, folder = sys.argv
    print(_READERS[kind](Path(folder)))


if __name__ == "__main__":
    main()
