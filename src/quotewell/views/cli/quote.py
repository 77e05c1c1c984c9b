"""`quotewell quote SYMBOL…`: price, beta and name, with where they come from."""

from __future__ import annotations

import msgspec

from quotewell.errors import SymbolError
from quotewell.records import Freshness, Need, Profile, Quote, Reading, Record, Risk
from quotewell.symbols import normalise
from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import Namespace, Subparsers, add_beta, add_common, open_service
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.words import NOT_AVAILABLE, age, aligned, iso, number, printable, signed

__all__ = ["add", "run"]

_FACETS = ("quote", "profile", "risk")
_SYMBOL_WIDTH = 24


class Row(msgspec.Struct, kw_only=True):
    """One line of `quote --json`; see docs/json.md."""

    symbol: str
    price: float | None = None
    previous_close: float | None = None
    currency: str | None = None
    beta: float | None = None
    name: str | None = None
    as_of: str | None = None
    fetched_at: str | None = None
    source: str | None = None
    freshness: str = "none"
    level: str | None = None
    error: str | None = None


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("quote", help="price, beta and name of symbols")
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL")
    add_beta(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print one line for each symbol, in the order asked."""
    with open_service(options) as tickers:
        names = {text: _canonical(text) for text in options.symbols}
        needs = [(name, facet) for name in names.values() if isinstance(name, str) for facet in _FACETS]
        readings = tickers.read(needs, grace=False)
        now = tickers.now()
    rows = [_row(text, names[text], readings) for text in options.symbols]
    if options.json:
        print_json(rows)
    else:
        print_lines(_table(rows, readings, now))
    if all(row.price is None for row in rows):
        return FAILED
    partial = any(row.price is None or row.beta is None or row.freshness != "fresh" for row in rows)
    return NOT_STRICT if options.strict and partial else FINE


def _canonical(text: str) -> str | SymbolError:
    try:
        return normalise(text)
    except SymbolError as error:
        return error


def _row(text: str, name: str | SymbolError, readings: dict[Need, Reading[Record]]) -> Row:
    if isinstance(name, SymbolError):
        return Row(symbol=text, error=str(name))
    row = Row(symbol=name)
    reading = readings[name, "quote"]
    quote = reading.record
    if isinstance(quote, Quote):
        row.price, row.previous_close, row.currency = quote.last, quote.previous_close, quote.currency
        row.as_of, row.fetched_at, row.source = iso(quote.as_of), iso(quote.fetched_at), quote.source
        row.freshness, row.level = reading.freshness.name.lower(), reading.level
    profile, risk = readings[name, "profile"].record, readings[name, "risk"].record
    if isinstance(profile, Profile):
        row.name = profile.name
    if isinstance(risk, Risk):
        row.beta = risk.beta
    if reading.failure is not None:
        row.error = reading.failure.reason
    elif row.price is None:
        row.error = "not cached, and no provider was asked"
    return row


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
