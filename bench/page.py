"""The table of results, for the terminal and for docs/performance.md."""

from __future__ import annotations

import datetime as dt
import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import version

from bench.measure import Row
from bench.providers import Comparison, comparison_table

__all__ = ["page", "table"]


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    heads = ["| measure | against | floor | median | range | |", "|---|---|---|---|---|---|"]
    return "\n".join([*heads, *(_line(row) for row in rows)])


def page(rows: Sequence[Row], compared: Sequence[Comparison]) -> str:
    """The whole page."""
    return _TEXT.format(
        table=table(rows),
        compared=comparison_table(compared),
        yfinance=version("yfinance"),
        notes="\n".join(f"- {row.measure}: {row.note}." for row in rows if row.note),
        date=dt.datetime.now(dt.UTC).date(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        cachetools=version("cachetools"),
        diskcache=version("diskcache"),
        quantlib=version("QuantLib"),
    )


def _line(row: Row) -> str:
    floor = ""
    if row.at_most is not None:
        floor = f"≤ {_number(row.at_most)}{row.unit}"
    elif row.at_least is not None:
        floor = f"≥ {_number(row.at_least)}{row.unit}"
    low, high = min(row.values), max(row.values)
    spread = f"{_number(low)}–{_number(high)}" if low < high else ""
    mark = {True: "", False: "missed", None: "no floor"}[row.met]
    return (
        f"| {row.measure} | {row.against} | {floor} | {_number(row.median)}{row.unit} | {spread} | {mark} |"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.3g}"


_TEXT = """# Performance

Written by `make bench`, last on {date}: CPython {python}, SQLite {sqlite}, cachetools {cachetools}, diskcache
{diskcache}, QuantLib {quantlib}, two cores of a shared machine. What is compared runs in turn within one run,
after a warm-up round; each round gives a ratio, and the table shows the median and the range of the rounds.
Absolute times say little on a shared machine; those below the table are the best of all rounds.

{table}

{notes}

What is measured is the service that `quotewell.open()` returns, with everything on: both cache levels,
polling of the persistent one, expiry by the clock, hit counts. It runs on made-up quotes in a temporary
folder. Peers get their fastest form:

- **Hot**: the same symbol again and again, through a bound method; `functools.lru_cache` neither expires nor
  notices what other processes change.
- **Threads**: four threads share one interpreter lock; 1 would be no loss at all.
- **Cold**: from the question to a dict by symbol, in a process that has just started, files in the page
  cache, imports and opening not counted. Raw SQL reads the same columns of the same table in one scan into
  tuples; `diskcache` gives back the same records, pickled.
- **put_many**: the raw peer upserts ready tuples, twenty a statement as we do, without looking whether they
  are newer or were invalidated.
- **Stale hits**: quotes in their grace window, while the provider holds its answers back; medians over 40
  symbols a round. Both sides include the 50 ns in which the bench reads its clock. What has not been asked
  for a while has left the processor's caches, so the first is compared with a fresh hit after a pause.
- **Crossing**: two processes that `quotewell.open()` the same folder; from the return of `invalidate` or
  `refresh` in the one to the first answer of the new price in the other, the fetch from a file included. The
  other looks at the persistent level every 50 ms at most; the rounds are spread evenly over them.
- **Memory**: bytes allocated for records, keys and dicts, by `tracemalloc`, after all were read from disk.
- **Books**: 100,000 rows of Fidelity's form. The importer's time is beside a bare `csv.DictReader` pass over
  the same bytes. The position that stores figures is the same struct with a price, a beta, a market value, an
  exposure and a beta-adjusted exposure of its own, as programs have that keep market data in positions.
- **Commands**: the installed script, from start to exit, files in the page cache.
- **Options**: one batch of ours against one contract after the other, with its objects built fresh, as a book
  of different contracts asks for. `QdFpAmericanEngine` gives no Greeks: its delta and gamma are two more
  values at other spots. Its `impliedVolatility` uses finite differences for American contracts.

## Against yfinance

Price, beta and name of a portfolio, from a simulated Yahoo whose every answer takes 10 ms longer than it
would. No rate limit is kept to; beside the seconds stands what Yahoo's of two a second would make of the
requests. One run; yfinance {yfinance}, its cookie asked for once.

{compared}

`Ticker.info` asks three times for each ticker; its beta is Yahoo's own, of a window that it does not tell.
`download` asks twice for each of which it does not know the time zone, and brings prices alone. quotewell
asks for fifty quotes a request and for the closes of twenty, computes betas with their window and standard
error, and finds all of it again the next time, in any process.
"""
