"""`python -m bench scale`: the report on a million positions in one process, and where its time goes.

It takes minutes, so that it is run for itself. `python -m bench.scale FOLDER` is the process that reports.
"""

from __future__ import annotations

import datetime as dt
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from bench.capacity import UnitCosts
from bench.measure import child
from bench.million import AT, FULL, make_book, store_market, write_csv
from bench.stopwatch import Stopwatch
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.discrete import Discrete

__all__ = ["HEADING", "Timings", "costs", "scale", "section"]

HEADING = "## A million positions"

_COMPILED = 2.9e-6
"""Seconds that an American contract takes in a compiled kernel of the same method, measured before."""


_COMPILED_POINT = 0.3e-6
"""And at another spot, once its boundary is known."""
_POINTS = 13
"""Spots of the report's what-if: nine moves, four of them once more at another volatility."""

_CLOSED, _BOUNDARY = "options: closed form", "options: boundary"
_DISCRETE, _TREE = "options: dividends by their dates", "options: fallback tree"
_PAIRS, _WHAT_IF = "options: which prices belong together", "what-if, 9 moves and 4 of the scenario"
_IMPORT, _NEEDS, _MARKET = "import of the CSV", "needs", "market data from the cache"
_COLUMNS, _GROUPING, _REST = "columns", "grouping", "report"
_SOLVE = "quotewell.analytics.options:_solve_alive"
_STEPS: dict[str, str] = {
    "quotewell.portfolio.portfolio:read_positions": _IMPORT,
    "quotewell.portfolio.portfolio:needs_of": _NEEDS,
    "quotewell.portfolio.portfolio:take": _MARKET,
    "quotewell.portfolio.valuation:holdings_of": _COLUMNS,
    "quotewell.portfolio.valuation:value_holdings": _COLUMNS,
    "quotewell.portfolio.instruments:price_contracts": _PAIRS,
    "quotewell.analytics.pricing.tree:premium": _TREE,
    "quotewell.analytics.exposure:by_underlying": _GROUPING,
    "quotewell.portfolio.what_if:what_if": _WHAT_IF,
}


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """What the reporting process says."""

    seconds: dict[str, float]
    """Processor seconds of each step."""
    elapsed: float
    peak: int
    """Bytes of resident memory at most."""
    positions: int
    contracts: dict[str, int]
    """Contracts whose volatility was solved, by the way."""
    missing: int
    """Symbols without exposure."""
    records: int
    """How many were read of the cache."""
    to_table: float
    """Processor seconds that the positions take to an Arrow table."""
    from_table: float
    """And back."""


def scale(folder: Path) -> Timings:
    """Make the book, and let another process report on it."""
    book = make_book(FULL)
    store_market(book, folder / "cache")
    write_csv(book, folder / "book.csv")
    del book
    return msgspec.json.decode(child(["-m", "bench.scale", str(folder)]), type=Timings)


def main() -> None:
    """Report on the book of a folder and print what it took."""
    from quotewell.portfolio.portfolio import Portfolio  # noqa: PLC0415  its import is part of the measure
    from quotewell.settings import Settings  # noqa: PLC0415
    from quotewell.testing.clock import ManualClock  # noqa: PLC0415
    from quotewell.wiring import connect  # noqa: PLC0415

    folder, watch = Path(sys.argv[1]), Stopwatch()
    contracts: Counter[str] = Counter()

    def path(engine: ModuleType | object, own: Contracts, *_: object) -> str:
        step = _DISCRETE if isinstance(engine, Discrete) else _CLOSED if engine is european else _BOUNDARY
        contracts[step] += own.spot.size
        return step

    settings = Settings(cache_dir=folder / "cache", providers=("snapshot",), offline=True, calendars="plain")
    start = time.perf_counter()
    with (
        connect(settings, clock=ManualClock(AT)) as tickers,
        watch.watching({**_STEPS, _SOLVE: path}),
        watch.step(_REST),
    ):
        book = Portfolio.from_csv(folder / "book.csv", tickers, at=AT)
        summary = book.summary()
    elapsed = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    table, to_table = _timed(book.to_arrow)
    _, from_table = _timed(lambda: Portfolio.from_arrow(table, at=AT))
    timings = Timings(
        seconds=dict(watch.seconds),
        elapsed=elapsed,
        peak=peak,
        records=len(book.needs()),
        to_table=to_table,
        from_table=from_table,
        positions=summary.counts.rows,
        contracts=contracts,
        missing=len(summary.exposure.net.missing),
    )
    print(msgspec.json.encode(timings).decode())


def costs(timings: Timings) -> UnitCosts:
    """What a row, a record and a contract cost."""
    own, contracts = timings.seconds, sum(timings.contracts.values())
    options = (_CLOSED, _BOUNDARY, _DISCRETE, _PAIRS, _TREE)
    return UnitCosts(
        read_row=own[_IMPORT] / timings.positions,
        table_row=timings.from_table / timings.positions,
        to_table=timings.to_table / timings.positions,
        row=sum(own[step] for step in (_NEEDS, _COLUMNS, _GROUPING, _REST)) / timings.positions,
        record=own[_MARKET] / timings.records,
        contract=sum(own.get(step, 0.0) for step in options) / contracts,
        what_if=own[_WHAT_IF] / contracts,
        memory=timings.peak / timings.positions,
    )


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def section(timings: Timings) -> str:
    """What is told of it, in Markdown."""
    total = sum(timings.seconds.values())
    steps = [*dict.fromkeys(_STEPS.values()), _CLOSED, _BOUNDARY, _DISCRETE, _REST]
    lines = [
        f"| {step} | {timings.seconds.get(step, 0.0):.2f} | {timings.seconds.get(step, 0.0) / total:.1%} |"
        for step in sorted(steps, key=lambda step: -timings.seconds.get(step, 0.0))
    ]
    boundary, many = timings.seconds[_BOUNDARY], timings.contracts[_BOUNDARY]
    what_if = timings.seconds[_WHAT_IF]
    kernel = many * (_COMPILED + _POINTS * _COMPILED_POINT)
    return _TEXT.format(
        heading=HEADING,
        date=dt.datetime.now(dt.UTC).date(),
        positions=f"{timings.positions:,}",
        contracts=f"{sum(timings.contracts.values()):,}",
        underlyings=f"{FULL.underlyings:,}",
        total=f"{total:.0f}",
        elapsed=f"{timings.elapsed:.0f}",
        peak=f"{timings.peak / 2**20:,.0f}",
        missing=timings.missing,
        table="\n".join(lines),
        closed=f"{timings.contracts[_CLOSED]:,}",
        boundary=f"{many:,}",
        each=f"{boundary / many * 1e6:.0f}",
        discrete=f"{timings.contracts[_DISCRETE]:,}",
        discrete_each=f"{timings.seconds[_DISCRETE] / timings.contracts[_DISCRETE] * 1e6:,.0f}",
        closed_each=f"{timings.seconds[_CLOSED] / timings.contracts[_CLOSED] * 1e6:.1f}",
        ours=f"{boundary + what_if:.0f}",
        kernel=f"{kernel:.0f}",
        compiled=f"{total - boundary - what_if + kernel:.0f}",
    )


_TEXT = """{heading}

Written by `python -m bench scale`, last on {date}; `make bench` leaves it out. `summary` of a plain CSV
file of {positions} positions in {contracts} distinct American contracts and {underlyings} stocks, 2,000
accounts, all market data in the SQLite cache, in one process that has just started: **{total} s of
processor time**, {elapsed} s on a machine shared with others, **{peak} MB** at most; {missing} symbols
without exposure.

| step | seconds | share |
|---|---|---|
{table}

Each step is without the steps within it; the fallback tree counts wherever it is called from. {closed} of
the contracts are calls on stocks that pay no dividend, which are never exercised early: closed form,
{closed_each} µs each for volatility and five Greeks. {boundary} have an exercise boundary, {each} µs
each. {discrete} are on stocks whose dividends are known by their dates (every tenth stock, if it pays any)
and expire after one of those: finite differences, {discrete_each} µs each.

What a compiled kernel would bring: one of the same method took 2.9 µs a contract and 0.3 µs a point of a
grid of spots, measured before this project. Volatilities and what-if would then take {kernel} s instead
of {ours} s, and the whole report about {compiled} s, the rest of which is Python that reads rows and
records. It would cost a compiler and wheels for every platform, or numba (0.65 s to import, 0.6 s for
the first cached call: more than most books take as a whole), and the formulas twice, since not everybody
would have it.
"""


if __name__ == "__main__":
    main()
