"""`quotewell explain SYMBOL`: every value known of a symbol, where it comes from and how old it is."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.outcomes import NOT_ASKED
from quotewell.records import Facet, Payout, Reading, Record
from quotewell.symbols import normalise, parse_option
from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import SYMBOL_HELP, Namespace, Subparsers, add_beta, add_common, open_service
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.cli.parser import add_command
from quotewell.views.explanation import explanation, facets_of, needs_of, payouts_of, values_of
from quotewell.views.words import NOT_AVAILABLE, age, aligned, count, iso, number, printable

__all__ = ["add", "run"]


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "explain",
        "every value known of a symbol, its source and age",
        "AAPL",
    )
    parser.add_argument("symbol", metavar="SYMBOL", help=SYMBOL_HELP)
    add_beta(parser)
    add_common(parser, strict=False)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print one block for each facet."""
    name = normalise(options.symbol)
    with open_service(options) as tickers:
        readings = tickers.read(needs_of(name), grace=False)
        now, requests = tickers.now(), tickers.requests
    facets = {facet: readings[name, facet] for facet in facets_of(name)}
    if options.json:
        print_json(explanation(name, readings, now, requests))
    else:
        print_lines(_text(name, facets, now) + _schedule(name, payouts_of(name, readings, now)))
    return FINE if any(reading.usable for reading in facets.values()) else FAILED


def _schedule(name: str, payouts: Sequence[Payout]) -> str:
    if not payouts:
        return ""
    option = parse_option(name)
    reach = "of a year" if option is None else f"of {option.underlying} until expiry"
    rows = [
        [f"  {one.ex_date.isoformat()}", number(one.amount, 4), "projected" if one.projected else "known"]
        for one in payouts
    ]
    return f"\n\nex-dates {reach}, with which options are valued\n" + aligned(rows, left=(0, 2))


def _text(name: str, facets: dict[Facet, Reading[Record]], now: float) -> str:
    blocks = [name]
    for facet, reading in facets.items():
        lines = [f"\n{facet}"]
        provenance, failure = reading.provenance, reading.failure
        if provenance is not None:
            seen = provenance.as_of or provenance.fetched_at
            market = f"as of {iso(provenance.as_of)}" if provenance.as_of else "as of unknown"
            lines.append(
                f"  {provenance.source}, {market} ({age(now - seen)} old), "
                f"fetched {iso(provenance.fetched_at)}, "
                f"{provenance.freshness.name.lower()}, from {provenance.level}"
            )
        if reading.record is not None:
            known = {
                field: value for field, value in values_of(reading.record).items() if value not in (None, [])
            }
            rows = [[f"  {field}", _word(value)] for field, value in known.items()]
            lines.append(aligned(rows, left=(0, 1)) if rows else "  nothing more is known")
        if failure is not None:
            lines.append(
                f"  last failure: {printable(failure.reason)} ({failure.source or 'quotewell'}, "
                f"{iso(failure.last_at)}, {failure.count} in a row, next try after {iso(failure.retry_at)})"
            )
        elif reading.record is None:
            lines.append(f"  {NOT_AVAILABLE}: {NOT_ASKED}")
        blocks += lines
    return "\n".join(blocks)


def _word(value: object) -> str:
    if isinstance(value, float):
        text = number(value, 6)
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
    if isinstance(value, list):
        return count(len(value), "entry", "entries") + ", --json shows them"
    return printable(str(value))
