"""`quotewell summary FILE`: what a book is worth, what it is exposed to, and how far to trust the numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quotewell.views.cli.book import open_book, summarise
from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import (
    Namespace,
    Subparsers,
    add_account,
    add_books,
    add_common,
    add_mapping,
    add_valuation,
)
from quotewell.views.cli.output import cannot_write, print_json
from quotewell.views.cli.parser import add_command
from quotewell.views.words import data_size

if TYPE_CHECKING:
    from quotewell.portfolio.portfolio import Portfolio
    from quotewell.portfolio.summary import Summary
    from quotewell.service import TickerService

__all__ = ["add", "complete", "print_report", "run"]

_NOT_MISSING = frozenset(
    ("as_of_unknown", "assumed_dividend", "assumed_rate", "expires_today", "ignored_columns", "override")
)
"""Problems of a report in which no figure is missing, stale, disputed or rejected."""


_NAME_WIDTH = 40


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "summary",
        "the report: value, exposure, what-if, and how old every number is",
        "positions.csv",
        "positions.csv --as-of 2025-05-08 --base EUR",
        "fidelity.csv schwab.csv --html report.html",
    )
    add_books(parser)
    parser.add_argument(
        "--html", metavar="PATH", type=Path, help="write the report to PATH, as a page for a browser"
    )
    add_account(parser)
    add_mapping(parser)
    add_valuation(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print the report, as a screen or as JSON, or write it as a page."""
    with open_book(options) as (book, tickers):
        summary = summarise(book, tickers) if options.html is None else _written(book, tickers, options.html)
    if options.json:
        print_json(summary)
    elif options.html is None:
        files = _named(options.file[0]) if len(options.file) == 1 else "FILE…"
        largest = next((row.underlying for row in summary.by_underlying), None)
        print_report(
            summary,
            [
                f"quotewell positions {files} --sort exposure:desc",
                *([f"quotewell explain {largest}"] if largest else []),
                "--json for programs",
            ],
        )
    if summary.value.total is None:
        print(f"quotewell: {summary.file}: nothing in it could be valued", file=sys.stderr)
        return FAILED
    return NOT_STRICT if options.strict and not complete(summary) else FINE


def _written(book: Portfolio, tickers: TickerService, path: Path) -> Summary:
    """Write the page of a book, in place of what stands there, and say so on standard error.

    Raises:
        QuotewellError: It cannot be written.
        UsageError: The charts cannot be had.
    """
    from quotewell.views.content.overview import overview  # noqa: PLC0415  imports numpy
    from quotewell.views.report.document import html_report  # noqa: PLC0415  imports rich

    shown = overview(book, requests=tickers.requests)
    page = html_report(shown).encode()
    try:
        path.write_bytes(page)
    except OSError as error:
        raise cannot_write(path, error) from error
    print(f"quotewell: {path}: {data_size(len(page))}", file=sys.stderr)
    return shown.summary


def complete(summary: Summary) -> bool:
    """Whether nothing is missing, stale, disputed or rejected."""
    value, net = summary.value, summary.exposure.net
    return (
        summary.valuation_at is not None
        and value.complete
        and net.complete
        and net.beta_adjusted_complete
        and not (summary.freshness.stale or summary.freshness.missing)
        and not (summary.disputed or summary.counts.rejected)
        and all(problem.kind in _NOT_MISSING for problem in summary.problems)
    )


def print_report(summary: Summary, hints: Sequence[str]) -> None:
    """Print the screen, as wide as the terminal."""
    from quotewell.views.render.layout import cell  # noqa: PLC0415  only for the screen
    from quotewell.views.render.summary import summary_screen  # noqa: PLC0415
    from quotewell.views.render.terminal import screen_width, show  # noqa: PLC0415

    show(summary_screen(summary, screen_width(), [cell(hint, "dim") for hint in hints]))


def _named(path: str) -> str:
    """The file as a shell takes it, where that leaves room for the command."""
    import shlex  # noqa: PLC0415  only for the screen

    quoted = shlex.quote(path)
    return quoted if len(quoted) <= _NAME_WIDTH else "FILE"
