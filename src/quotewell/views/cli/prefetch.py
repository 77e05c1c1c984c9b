"""`quotewell prefetch FILE|SYMBOL…`: fetch in one plan all that a book or some symbols need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import (
    Namespace,
    Subparsers,
    add_common,
    add_mapping,
    mapping_of,
    open_service,
)
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.cli.parser import add_command
from quotewell.views.render.progress import watched
from quotewell.views.words import aligned, count, number, printable

if TYPE_CHECKING:
    from quotewell.outcomes import Outcome, PrefetchReport, Status
    from quotewell.portfolio.portfolio import Portfolio
    from quotewell.prefetch import PrefetchPlan
    from quotewell.records import Need
    from quotewell.service import TickerService

__all__ = ["WHAT_HELP", "add", "book_of", "is_file", "report_outcomes", "run"]

WHAT_HELP = "books and symbols, in any order; a name that ends in .csv or .xlsx is a file"
_SHOWN = 10
_WORDS: dict[Status, str] = {
    "fresh": "already fresh",
    "fetched": "fetched",
    "kept": "kept old",
    "omitted": "left out",
    "failed": "failed",
    "unknown": "unknown",
}
"""In the order in which one facet's outcome outweighs another's."""


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "prefetch",
        "fetch in one plan all that books or symbols need",
        "positions.csv",
        "AAPL MSFT SPY --plan",
    )
    parser.add_argument("what", nargs="+", metavar="FILE|SYMBOL", help=WHAT_HELP)
    parser.add_argument(
        "--plan", action="store_true", help="only print the requests that it would take; fetch nothing"
    )
    add_mapping(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Fetch, and print what became of each symbol; or print what would be asked."""
    mapping = mapping_of(options)
    with open_service(options) as tickers:
        wanted: list[str | Need] = [item for item in options.what if not is_file(item)]
        if book := book_of(options.what, tickers, mapping):
            wanted += book.needs_by_size()
        if options.plan:
            _print_plan(tickers.plan(wanted), as_json=options.json)
            return FINE
        with watched() as watcher:
            report = tickers.prefetch(wanted, progress=watcher)
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
        from quotewell.views.documents import prefetch_document  # noqa: PLC0415  only then

        print_json(prefetch_document(report))
        return
    statuses = Counter(_status(outcomes.values()) for outcomes in by_symbol.values())
    parts = [f"{number(statuses[status])} {_WORDS[status]}" for status in _WORDS if statuses[status]]
    waited = f", {report.waited:.1f} s of it for the rate limit" if report.waited >= 1.0 else ""
    spent = f"{count(len(by_symbol), 'symbol')} in {report.seconds:.1f} s{waited}"
    print_lines(f"{spent}, {count(report.requests, 'request')}: {' · '.join(parts) or 'nothing to do'}")
    lines = [
        f"  {symbol} {facet}: {_WORDS[outcome.status]}: {printable(outcome.reason)}{_next_try(outcome)}"
        for symbol, outcomes in sorted(by_symbol.items())
        for facet, outcome in sorted(outcomes.items())
        if outcome.status not in ("fresh", "fetched")
    ]
    if lines:
        print_lines("\n".join(lines[:_SHOWN]))
    if len(lines) > _SHOWN:
        print(f"  and {number(len(lines) - _SHOWN)} more: --json shows all")


def _status(outcomes: Iterable[Outcome]) -> Status:
    """What a symbol counts as: as its worst facet."""
    found = {outcome.status for outcome in outcomes}
    return next(status for status in reversed(_WORDS) if status in found)


def _next_try(outcome: Outcome) -> str:
    if outcome.retry_at is None:
        return ""
    import datetime as dt  # noqa: PLC0415  only beside failures

    return f" (next try {dt.datetime.fromtimestamp(outcome.retry_at).astimezone():%H:%M})"


def _print_plan(plan: PrefetchPlan, *, as_json: bool) -> None:
    if as_json:
        import msgspec  # noqa: PLC0415  not on the way of `cache`

        fields = {name: getattr(plan, name) for name in plan.__struct_fields__}
        print_json({"schema": 1, **msgspec.to_builtins(fields), "total": plan.total})
        return
    lines = [
        f"{count(plan.symbols, 'symbol')}, {count(plan.needs, 'value')}: {number(plan.fresh)} fresh already"
    ]
    rows = [
        [
            f"  {one.provider} {one.endpoint}",
            count(one.symbols, "symbol"),
            count(int(one.requests), "request"),
            ", ".join(one.facets),
        ]
        for one in plan.requests
    ]
    if rows:
        lines.append(aligned(rows, left=(0, 3)))
    handshake = f" and {number(plan.handshake)} for the handshake" if plan.handshake else ""
    lines.append(
        f"{count(int(plan.total), 'request')}{handshake}, at least {plan.seconds:.1f} s at the rate limit"
        if rows
        else "no requests"
    )
    if plan.possible:
        more = f"{count(plan.possible, 'request')} more at most"
        lines.append(f"{more}, one for each underlying of options that turns out to pay dividends")
    if plan.unsupported:
        shown = ", ".join(map(printable, plan.unsupported[:_SHOWN]))
        more = f" and {number(len(plan.unsupported) - _SHOWN)} more" if len(plan.unsupported) > _SHOWN else ""
        lines.append(f"no provider has all of {shown}{more}")
    print_lines("\n".join(lines))


def is_file(item: str) -> bool:
    """Whether an argument is a file, and no symbol."""
    import os.path  # noqa: PLC0415  not on the way of `cache`

    # `Path.is_file` raises for a name that is too long; this says no.
    return item.lower().endswith((".csv", ".xlsx")) or os.path.isfile(item)  # noqa: PTH113


def book_of(
    items: Sequence[str], tickers: TickerService, mapping: Mapping[str, str] | None
) -> Portfolio | None:
    """The files among some arguments as one book, as in `summary`; None if there are none."""
    files = [item for item in items if is_file(item)]
    if not files:
        return None
    from quotewell.portfolio.importers import read_files  # noqa: PLC0415  only for files
    from quotewell.portfolio.portfolio import Portfolio  # noqa: PLC0415

    return Portfolio(read_files(files, mapping), tickers)
