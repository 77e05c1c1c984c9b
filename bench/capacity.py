"""How far one process and many carry, from what a million positions cost: a section of docs/scale.md."""

from __future__ import annotations

import msgspec

from quotewell.settings import Settings

__all__ = ["CAPACITY", "UnitCosts", "capacity"]

CAPACITY = "## Computed"

_WORKERS = (1, 2, 16, 64)
_QUOTE_LIFE = 300.0
_QUOTES_A_REQUEST, _HISTORIES_A_REQUEST = 50, 20
_SETTINGS = Settings()


class UnitCosts(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds; bytes."""

    read_row: float
    """From a line of a CSV file to a position."""
    table_row: float
    """From a row of an Arrow table to a position."""
    to_table: float
    """And back."""
    row: float
    """Needs, columns and sums of a position."""
    record: float
    """From a record in SQLite to a reading."""
    contract: float
    """From the prices of a contract to its volatility and Greeks."""
    what_if: float
    """Of a contract, all moves."""
    memory: float
    """At most, a position."""


def capacity(cost: UnitCosts, positions: int, contracts: int, records: int) -> str:
    """The section in Markdown, with its arithmetic.

    Args:
        cost: What was measured.
        positions: Of the book that is reckoned with.
        contracts: Distinct options in it.
        records: Quotes, profiles, betas, yields, rates that it reads.
    """
    shared = positions * cost.row + records * cost.record + contracts * cost.contract
    alone = positions * cost.to_table  # who cuts the book; putting parts together costs hardly anything
    lines = [
        f"| {workers} | {alone + shared / workers:,.1f} "
        f"| {_QUOTE_LIFE * positions / (alone + shared / workers) / 1e6:,.0f} |"
        for workers in _WORKERS
    ]
    each = {name: value for name, value in msgspec.structs.asdict(cost).items() if name != "memory"}
    a_second = _SETTINGS.yahoo_rate * 0.95 * _QUOTES_A_REQUEST
    return _TEXT.format(
        heading=CAPACITY,
        **{name: f"{value * 1e6:.1f}" for name, value in each.items()},
        memory=f"{cost.memory / 1e3:.1f}",
        positions=f"{positions:,}",
        contracts=f"{contracts:,}",
        records=f"{records:,}",
        shared=f"{shared:.0f}",
        alone=f"{alone:.1f}",
        limit=f"{shared / alone:.0f}",
        table="\n".join(lines),
        a_second=f"{a_second:.0f}",
        rate=_SETTINGS.yahoo_rate,
        fresh=f"{a_second * _QUOTE_LIFE:,.0f}",
        stocks=f"{10_000 / a_second:.0f}",
        histories=f"{10_000 / (_SETTINGS.yahoo_rate * 0.95 * _HISTORIES_A_REQUEST):.0f}",
        options=f"{contracts / a_second / 60:.0f}",
    )


_TEXT = """{heading}

Written by `python -m bench scale` beside the section of that name in [performance.md](performance.md).

| unit | costs |
|---|---|
| a row of a CSV file becomes a position | {read_row} µs |
| a row of an Arrow table becomes a position, and back | {table_row} µs, {to_table} µs |
| a position: needs, columns, sums, report | {row} µs |
| a record: from SQLite to a reading | {record} µs |
| a contract: prices, volatility, five Greeks | {contract} µs |
| a contract in a what-if of nine moves and the scenario | {what_if} µs |
| a position, memory at most | {memory} kB |

**Processors.** {positions} positions × position + {records} records × record + {contracts} contracts ×
contract = {shared} s, which workers share; {positions} × "and back" = {alone} s, which the process that
cuts the book has alone, and at least as that. So it takes about {alone} + {shared} / workers seconds,
and, for books of the same mix (as many positions for each distinct contract), so many million positions
can be valued anew within the five minutes for which a quote is fresh:

| workers | seconds for {positions} positions | million positions in 300 s |
|---|---|---|
{table}

What-if, the import and whatever the network costs come on top. Beyond some {limit} workers the one
process that cuts and joins is the limit: leave the parts where they are (Parquet files by account or by
underlying) and gather sums.

**Requests.** All processes that share a cache share one budget: {rate:.0f} requests a second to Yahoo,
kept 5 % below, of 50 quotes each: {a_second} quotes a second, whoever asks. With 10,000 stocks that is
{stocks} s for their quotes and {histories} s for the histories behind their betas (20 a request, then
appended daily); {contracts} contracts take {options} minutes. So {fresh} symbols can be kept as fresh as
five minutes, however many accounts, positions and processes there are; for more, options above all, the
prices have to come from a provider without such a limit, or with the broker's file, whose prices cost no
request.
"""
