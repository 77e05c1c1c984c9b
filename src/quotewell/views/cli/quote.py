"""`quotewell quote SYMBOL…`: price, beta and name, with where they come from."""

from __future__ import annotations

from quotewell.records import Freshness, Need, Reading, Record
from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import Namespace, Subparsers, add_beta, add_common, add_symbols, open_service
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.cli.parser import add_command
from quotewell.views.quotes import FACETS, Row, canonical, quote_row
from quotewell.views.words import NOT_AVAILABLE, age, aligned, number, printable, signed

__all__ = ["add", "run"]

_SYMBOL_WIDTH = 24


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "quote",
        "price, beta and name of symbols",
        "AAPL BRK-B ^GSPC",
        "AAPL --json",
    )
    add_symbols(parser, nargs="+")
    add_beta(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print one line for each symbol, in the order asked."""
    with open_service(options) as tickers:
        names = canonical(options.symbols)
        needs = [(name, facet) for name in names.values() if isinstance(name, str) for facet in FACETS]
        readings = tickers.read(needs, grace=False)
        now = tickers.now()
    rows = [quote_row(text, names[text], readings) for text in options.symbols]
    if options.json:
        print_json(rows)
    else:
        print_lines(_table(rows, readings, now))
    if all(row.price is None for row in rows):
        return FAILED
    partial = any(row.price is None or row.beta is None or row.freshness != "fresh" for row in rows)
    return NOT_STRICT if options.strict and partial else FINE


def _table(rows: list[Row], readings: dict[Need, Reading[Record]], now: float) -> str:
    lines: list[list[str]] = [["symbol", "price", "", "change", "beta", "age", "source", "name"]]
    for row in rows:
        if row.price is None:
            name = printable(row.symbol[:_SYMBOL_WIDTH])
            lines.append([name, NOT_AVAILABLE, "", "", "", "", "", printable(row.error or "")])
            continue
        record = readings[row.symbol, "quote"].record
        seen = record.as_of or record.fetched_at if record is not None else None
        marker = "~" if row.freshness in (Freshness.STALE.name.lower(), Freshness.GRACE.name.lower()) else ""
        change = row.price / row.previous_close - 1 if row.previous_close else None
        lines.append(
            [
                row.symbol,
                f"{number(row.price, 2)}{marker}",
                row.currency or "",
                f"{signed(change * 100, 2)} %" if change is not None else NOT_AVAILABLE,
                number(row.beta, 2),
                age(now - seen) if seen is not None else NOT_AVAILABLE,
                row.source or "",
                printable(row.name or ""),
            ]
        )
    return aligned(lines, left=(0, 2, 6, 7))
