"""Run all benchmarks and write the table to docs/performance.md."""

from __future__ import annotations

import datetime as dt
import functools
import os
import platform
import tempfile
from pathlib import Path

import quotewell
from bench.measure import Ratio, compare, compare_processes

_PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_GETS = 20_000


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QUOTEWELL_CACHE_DIR"] = folder
        os.environ["QUOTEWELL_PROVIDERS"] = "snapshot"
        ratios = [hot_price(folder), warm_quote(), demo()]
    rows = [
        f"| {r.measure} | {r.peer} | {r.floor:g}× | {r.median:.2f}× | {r.low:.2f}–{r.high:.2f} |"
        for r in ratios
    ]
    table = "\n".join(["| measure | against | floor | median | range |", "|---|---|---|---|---|", *rows])
    print(table)
    today = dt.datetime.now(dt.UTC).date()
    _PAGE.write_text(_TEXT.format(table=table, date=today, python=platform.python_version()))


def hot_price(folder: str) -> Ratio:
    """A price from memory against a hit of `functools.lru_cache`."""

    @functools.lru_cache
    def peer(symbol: str) -> float:
        return float(len(symbol))

    with quotewell.open(providers=["snapshot"], cache_dir=folder) as tickers:
        get_price = tickers.get_price
        get_price("AAPL")

        def ours() -> None:
            for _ in range(_GETS):
                get_price("AAPL")

        def theirs() -> None:
            for _ in range(_GETS):
                peer("AAPL")

        return compare("hot `get_price`", ours, "`functools.lru_cache` hit", theirs, floor=3)


def warm_quote() -> Ratio:
    """`quotewell quote AAPL` from a warm cache, the whole process."""
    command = ["-m", "quotewell", "quote", "AAPL"]
    return compare_processes(
        "`quotewell quote AAPL`, warm, process", command, "`python -c pass`", ["-c", "pass"], floor=8
    )


def demo() -> Ratio:
    """`quotewell demo`, the whole process."""
    return compare_processes(
        "`quotewell demo`, warm, process",
        ["-m", "quotewell", "demo"],
        "`python -c pass`",
        ["-c", "pass"],
        floor=24,
    )


_TEXT = """# Performance

Written by `make bench`: each figure is the median of the ratios of nine interleaved rounds on one machine,
and the range of the rounds; absolute times say little on shared machines. Measured {date} on CPython
{python}. The measured object is the one that `quotewell.open()` returns, everything on.

{table}
"""

if __name__ == "__main__":
    main()
