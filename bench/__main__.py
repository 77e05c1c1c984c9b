"""Run the benchmarks: all, which writes docs/performance.md, or those named: `python -m bench hot cold`.

`python -m bench scale` takes minutes and is never among all; it writes its own section of that page.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.books import books
from bench.cold import cold
from bench.columns import columns
from bench.commands import commands
from bench.crossing import crossing
from bench.footprint import footprint
from bench.hot import hot
from bench.measure import Comparison, Row
from bench.options import options
from bench.page import page, section_of, tables, with_section
from bench.providers import providers
from bench.scale import HEADING, scale
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
    "columns": columns,
    "providers": providers,
}


def main() -> None:
    """Measure, print, write."""
    chosen = sys.argv[1:]
    if chosen == ["scale"]:
        with tempfile.TemporaryDirectory() as folder:
            section = scale(Path(folder))
        print(section)
        _PAGE.write_text(with_section(_PAGE.read_text(encoding="utf-8"), HEADING, section), encoding="utf-8")
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


if __name__ == "__main__":
    main()
