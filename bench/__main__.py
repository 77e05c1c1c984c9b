"""Run the benchmarks: all, which writes docs/performance.md, or those named: `python -m bench hot cold`.

`python -m bench scale` takes minutes and is never among all; it writes its own section of that page,
and one of docs/scale.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.books import books
from bench.capacity import CAPACITY, capacity
from bench.cold import cold
from bench.columns import columns
from bench.commands import commands
from bench.crossing import crossing
from bench.dividends import dividends
from bench.footprint import footprint
from bench.hot import hot
from bench.measure import Comparison, Row
from bench.options import options
from bench.page import page, section_of, tables, with_section
from bench.providers import providers
from bench.scale import HEADING, costs, scale, section
from bench.serving import serving
from bench.shared import shared
from bench.stale import stale
from bench.writing import writing

_DOCS = Path(__file__).parent.parent / "docs"
_PAGE, _SCALE = _DOCS / "performance.md", _DOCS / "scale.md"
_BENCHES: Mapping[str, Callable[[Path], Iterator[Row | Comparison]]] = {
    "hot": hot,
    "cold": cold,
    "writing": writing,
    "stale": stale,
    "crossing": crossing,
    "shared": shared,
    "footprint": footprint,
    "books": books,
    "commands": commands,
    "options": options,
    "dividends": dividends,
    "serving": serving,
    "columns": columns,
    "providers": providers,
}


def main() -> None:
    """Measure, print, write."""
    chosen = sys.argv[1:]
    if chosen == ["scale"]:
        _scale()
        return
    unknown = set(chosen) - _BENCHES.keys()
    if unknown:
        raise SystemExit(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(_BENCHES)}, scale")
    lines: list[Row | Comparison] = []
    for name in chosen or _BENCHES:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            lines += _BENCHES[name](Path(folder))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    print(tables(lines))
    if not chosen:
        own = section_of(_PAGE.read_text(encoding="utf-8"), HEADING)
        _PAGE.write_text(with_section(page(lines), HEADING, own), encoding="utf-8")


def _scale() -> None:
    """Measure a million positions; print and write what they took and how far that carries."""
    with tempfile.TemporaryDirectory() as folder:
        timings = scale(Path(folder))
    contracts = sum(timings.contracts.values())
    carries = capacity(costs(timings), timings.positions, contracts, timings.records)
    for path, heading, text in ((_PAGE, HEADING, section(timings)), (_SCALE, CAPACITY, carries)):
        print(text)
        path.write_text(with_section(path.read_text(encoding="utf-8"), heading, text), encoding="utf-8")


if __name__ == "__main__":
    main()
