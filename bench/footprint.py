"""Memory that a ticker takes: `python -m bench.footprint FOLDER` prints bytes, in a process of its own."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from bench.measure import Row, child
from bench.sample import FACETS, offline_service, store_tickers, symbols

__all__ = ["footprint"]

_TICKERS = 100_000
_CHUNK = 2_000


def footprint(folder: Path) -> Iterator[Row]:
    """The row about memory; a count of allocated bytes, which does not vary."""
    place = folder / "footprint"
    store_tickers(place, symbols(_TICKERS))
    yield Row(
        measure=f"memory a ticker: quote, profile and risk, {_TICKERS:,} tickers",
        against="",
        values=(float(child(["-m", "bench.footprint", str(place)])),),
        at_most=1_000.0,
        unit=" bytes",
    )


def main() -> None:
    """Read all tickers into the memory level and count what it took."""
    names = symbols(_TICKERS)
    with offline_service(Path(sys.argv[1])) as tickers:
        tickers.read(product(names[:_CHUNK], FACETS))
        tickers.engine.store.memory.clear()
        gc.collect()
        tracemalloc.start()
        for start in range(0, _TICKERS, _CHUNK):
            tickers.read(product(names[start : start + _CHUNK], FACETS))
        gc.collect()
        allocated, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if len(tickers.engine.store.memory) != _TICKERS * len(FACETS):
            raise RuntimeError("not all records are in memory")
    print(allocated / _TICKERS)


if __name__ == "__main__":
    main()
