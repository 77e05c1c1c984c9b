"""The table of results, for the terminal and for docs/performance.md."""

from __future__ import annotations

import datetime as dt
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from importlib.metadata import version

from bench.measure import Comparison, Row
from quotewell.settings import Settings

__all__ = ["page", "section_of", "tables", "with_section"]

_SETTINGS = Settings()


def tables(lines: Sequence[Row | Comparison]) -> str:
    """Rows and comparisons in Markdown, each kind in a table of its own."""
    rows, compared = _sorted(lines)
    texts = ([_measures(rows)] if rows else []) + ([_comparisons(compared)] if compared else [])
    return "\n\n".join(texts)


def page(lines: Sequence[Row | Comparison]) -> str:
    """The whole page."""
    rows, compared = _sorted(lines)
    return _TEXT.format(
        table=_measures(rows),
        comparisons=_comparisons(compared),
        notes="\n".join(f"- {row.measure}: {row.note}." for row in rows if row.note),
        date=dt.datetime.now(dt.UTC).date(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        cachetools=version("cachetools"),
        diskcache=version("diskcache"),
        quantlib=version("QuantLib"),
        yfinance=version("yfinance"),
    )


def section_of(text: str, heading: str) -> str:
    """The section of a page that begins with this heading, up to the next one; empty if it has none."""
    _, found, after = text.partition(f"{heading}\n")
    return found + after.partition("\n## ")[0]


def with_section(text: str, heading: str, section: str) -> str:
    """The page with this section in place of the one that it has, else at its end."""
    old = section_of(text, heading)
    if not section:
        return text
    return text.replace(old, section) if old else f"{text.rstrip()}\n\n{section}"


def _sorted(lines: Sequence[Row | Comparison]) -> tuple[list[Row], list[Comparison]]:
    rows = [line for line in lines if isinstance(line, Row)]
    return rows, [line for line in lines if isinstance(line, Comparison)]


def _measures(rows: Sequence[Row]) -> str:
    heads = ["| measure | against | floor | median | range | |", "|---|---|---|---|---|---|"]
    return "\n".join([*heads, *(_line(row) for row in rows)])


def _comparisons(compared: Sequence[Comparison]) -> str:
    heads = [
        "| tickers | | prices, betas, names | requests | seconds | at 2/s | again: requests | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*heads, *(_comparison(line) for line in compared)])


def _comparison(line: Comparison) -> str:
    again = "not run" if line.requests_again is None else f"{line.requests_again:,}"
    cells = (
        f"{line.tickers}",
        line.way,
        ", ".join(str(count) for count in line.found),
        f"{line.requests:,}",
        _number(statistics.median(line.seconds)),
        _number(max(0.0, (line.requests - _SETTINGS.yahoo_burst) / _SETTINGS.yahoo_rate)),
        again,
        _number(statistics.median(line.seconds_again)) if line.seconds_again else "",
    )
    return f"| {' | '.join(cells)} |"


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
- **Serving**: one uvicorn worker each; sixteen connections, from a third process, on which one question
  follows the other; requests a second of each round. Ours checks the host, counts the request, has an ETag.
- **Options**: one batch of ours against one contract after the other, with its objects built fresh, as a book
  of different contracts asks for. `QdFpAmericanEngine` gives no Greeks: its delta and gamma are two more
  values at other spots. Its `impliedVolatility` uses finite differences for American contracts. A what-if is
  all of it, boundaries and both lines; the re-quote sets the spot of an option that has been built. Both in
  processor time.
- **Columns**: random returns; of the tickers with gaps two fifths were listed within the window, the others
  lack up to thirty single days. Both sides of the sums are one thread's processor time, grouping included.

## Beside yfinance

Price, beta and name of many tickers: with nothing kept from before, and again in another process with what
the first one has kept.

{comparisons}

All ask the same simulated Yahoo on this machine, which answers every request, the handshake too, 10 ms
after its arrival: what counts is the requests; the seconds only compare. *At 2/s* is the least number of
seconds in which so many requests can be sent at two a second after five at once, the limit that quotewell
sets itself for Yahoo (it stays 5 % below it; for the seconds it was lifted). Yahoo does not publish its
limit; who goes beyond it is answered 429. Every run is a process of its own; opening, and importing
yfinance and pandas, are not counted.

- **`Ticker(t).info`** (yfinance {yfinance}) asks three times a ticker, one ticker after the other, and
  brings far more fields than these. It keeps nothing for the next process but Yahoo's cookie (here not even
  that: one request of the second run). Its beta is Yahoo's own: against what, over which window and with
  which returns is not said; funds have `beta3Year` instead.
- **`download`** brings bars and nothing else: no beta, no name. It asks for a ticker's time zone, which it
  keeps in a file, and then for its bars, in twice as many threads as there are processors. A ticker that
  failed is a column without numbers and a line in the log.
- **`prefetch`** (of what `quotewell.open()` returns, with Yahoo alone as its provider) asks for 50 quotes
  with names, or 20 histories, at a time, two requests at once. The beta is computed from two years of daily
  closes against ^GSPC and has a standard error; Yahoo's own comes along in the profile. The second process
  reads SQLite. Of the bars only closes are kept: for opens, volumes or minutes there is `download`.

None of this says how the real Yahoo answers: the market is made up, and so is the time that an answer
takes.
"""
