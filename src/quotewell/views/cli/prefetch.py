"""`quotewell prefetch FILE|SYMBOL…`: fetch in one plan all that a book or some symbols need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import Namespace, Subparsers, add_common, open_service
from quotewell.views.cli.output import print_json, print_lines, working
from quotewell.views.words import count, number, printable

if TYPE_CHECKING:
    from quotewell.prefetch import PrefetchReport
    from quotewell.records import Need
    from quotewell.service import TickerService

__all__ = ["add", "report_outcomes", "run"]

_SHOWN = 10


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("prefetch", help="fetch all that a file of positions, or some symbols, need")
    parser.add_argument("what", nargs="+", metavar="FILE|SYMBOL")
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Fetch, and print what became of each symbol."""
    with open_service(options) as tickers:
        wanted: list[str | Need] = []
        for item in options.what:
            wanted += _needs_of_file(item, tickers) if _is_file(item) else [item]
        with working(f"fetching {count(len(wanted), 'item')}"):
            report = tickers.prefetch(wanted)
    report_outcomes(report, as_json=options.json)
    counts = report.counts()
    if report.outcomes and not (counts["fresh"] or counts["fetched"] or counts["kept"]):
        return FAILED
    missing = counts["kept"] or counts["unknown"] or counts["omitted"] or counts["failed"]
    return NOT_STRICT if options.strict and missing else FINE


def report_outcomes(report: PrefetchReport, *, as_json: bool) -> None:
    """Print a `PrefetchReport`: totals, then what is not as it should be."""
    by_symbol = report.by_symbol()
    if as_json:
        print_json(
            {
                "schema": 1,
                "requests": report.requests,
                "seconds": report.seconds,
                "counts": report.counts(),
                "outcomes": by_symbol,
            }
        )
        return
    words = ", ".join(f"{number(n)} {status}" for status, n in report.counts().items() if n)
    symbols, requests = count(len(by_symbol), "symbol"), count(report.requests, "request")
    values = f"{words} values" if words else "nothing to do"
    print(f"{symbols} in {report.seconds:.1f} s, {requests}: {values}")
    lines = [
        f"  {symbol} {facet}: {outcome.status}: {printable(outcome.reason)}"
        for symbol, outcomes in by_symbol.items()
        for facet, outcome in outcomes.items()
        if outcome.status not in ("fresh", "fetched")
    ]
    if lines:
        print_lines("\n".join(lines[:_SHOWN]))
    if len(lines) > _SHOWN:
        print(f"  and {number(len(lines) - _SHOWN)} more: --json shows all")


def _is_file(item: str) -> bool:
    import os.path  # noqa: PLC0415  not on the way of `cache`

    # `Path.is_file` raises for a name that is too long; this says no.
    return item.lower().endswith(".csv") or os.path.isfile(item)  # noqa: PTH113


def _needs_of_file(path: str, tickers: TickerService) -> list[Need]:
    from quotewell.portfolio.portfolio import Portfolio  # noqa: PLC0415  only for files

    return sorted(Portfolio.from_csv(path, tickers=tickers).needs())
