"""Run the benchmarks: all, which writes docs/performance.md, or those named: `python -m bench hot cold`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.books import books
from bench.cold import cold
from bench.commands import commands
from bench.crossing import crossing
from bench.dividends import dividends
from bench.footprint import footprint
from bench.hot import hot
from bench.measure import Comparison, Row
from bench.options import options
from bench.page import page, tables
from bench.providers import providers
from bench.serving import serving
from bench.stale import stale
from bench.writing import writing

_PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_BENCHES: Mapping[str, Callable[[Path], Iterator[Row | Comparison]]] = {
    "hot": hot,
    "cold": cold,
    "writing": writing,
    "stale": stale,
    "crossing": crossing,
    "footprint": footprint,
    "books": books,
    "commands": commands,
    "options": options,
    "serving": serving,
    "dividends": dividends,
    "providers": providers,
}


def main() -> None:
    """Measure, print, write."""
    chosen = sys.argv[1:]
    unknown = set(chosen) - _BENCHES.keys()
    if unknown:
        raise SystemExit(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(_BENCHES)}")
    lines: list[Row | Comparison] = []
    for name in chosen or _BENCHES:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            lines += _BENCHES[name](Path(folder))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    print(tables(lines))
    if not chosen:
        _PAGE.write_text(page(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
