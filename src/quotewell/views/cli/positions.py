"""`quotewell positions FILE`: every row of a broker's file, valued, or those that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quotewell.views.cli.book import open_book
from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import (
    Namespace,
    Subparsers,
    add_account,
    add_books,
    add_common,
    add_mapping,
    add_valuation,
    number,
    symbol,
)
from quotewell.views.cli.output import print_json, print_text
from quotewell.views.cli.parser import add_command
from quotewell.views.words import count

if TYPE_CHECKING:
    from quotewell.portfolio.portfolio import Portfolio
    from quotewell.portfolio.row import ValuedRow
    from quotewell.portfolio.selection import Group

__all__ = ["add", "run"]

_KINDS = ("stock", "option", "cash", "pending", "unknown")
_NOT_MISSING = (
    frozenset(
        ("expires_today", "exercise", "estimated", "model", "assumed_rate", "assumed_dividend", "given_rate")
    )
    | {"given_dividend", "given_beta", "adjusted_beta", "proxy_dividend", "reported", "assignment"}
    | {"discrete_dividends", "projected_dividend"}
    | {f"override_{what}" for what in ("price", "beta", "dividend", "deliverable")}
)
"""Flags of a row in which nothing is missing, stale or disputed."""


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "positions",
        "every row of a book, valued",
        "positions.csv --sort exposure:desc",
        "positions.csv --type option --min-value 1000",
        "positions.csv --csv > valued.csv",
    )
    add_books(parser)
    parser.add_argument("--type", choices=_KINDS, help="only rows of this kind")
    add_account(parser)
    parser.add_argument(
        "--underlying", metavar="SYMBOL", type=symbol, help="only rows that move with this symbol"
    )
    parser.add_argument(
        "--flag", metavar="FLAG", help="only rows with this flag, like stale or disputed (docs/json.md)"
    )
    for figure in ("value", "exposure"):
        parser.add_argument(
            f"--min-{figure}",
            metavar="X",
            type=number,
            help=f"only rows whose {figure} is X or more, or -X or less, in the base currency",
        )
    parser.add_argument(
        "--sort",
        metavar="FIELD[:desc]",
        help="by symbol, value, exposure, beta or another field of --json, what is unknown last "
        "(default: as in the file)",
    )
    parser.add_argument(
        "--group", choices=("underlying",), help="with the sums of each underlying above its rows"
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--csv", action="store_true", help="print CSV, which quotewell reads back")
    forms.add_argument("--html", action="store_true", help="print a page for a browser")
    add_mapping(parser)
    add_valuation(parser)
    add_common(parser, forms=forms)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print one line for each row: as a table, CSV, a page, or JSON."""
    from quotewell.portfolio.row import row_of  # noqa: PLC0415  imports numpy
    from quotewell.portfolio.selection import Selection, checked_flag, grouped, not_held, sort_order  # noqa: PLC0415  likewise

    order, descending = sort_order(options.sort)
    selection = Selection(
        kind=options.type,
        underlying=options.underlying,
        min_value=options.min_value,
        min_exposure=options.min_exposure,
        flag=checked_flag(options.flag),
        order=order,
        descending=descending,
    )
    with open_book(options) as (book, tickers):
        columns = book.value()
        requests = tickers.requests
    valued = [row_of(columns, row) for row in range(len(columns.entries))]
    held = {row.underlying for row in valued if row.underlying}
    if options.underlying is not None and options.underlying not in held:
        raise not_held([options.underlying], held)
    rows = selection.of(valued)
    groups = grouped(rows) if options.group else None
    if options.csv:
        from quotewell.portfolio.export import to_csv  # noqa: PLC0415  only then

        entry_of = {id(row): entry for row, entry in zip(valued, columns.entries, strict=True)}
        print_text(to_csv([entry_of[id(row)] for row in rows], rows))
    elif options.json:
        from quotewell.views.valued import positions_document  # noqa: PLC0415  imports numpy

        print_json(positions_document(book, rows, groups, columns.snapshot.at, requests))
    else:
        _print(book, rows if groups is None else groups, columns.snapshot.at, as_page=options.html)
    if not valued:
        return FAILED
    missing = book.rejected or any(set(row.flags) - _NOT_MISSING for row in valued)
    return NOT_STRICT if options.strict and missing else FINE


def _print(
    book: Portfolio, rows: Sequence[ValuedRow] | Sequence[Group], valued_at: float | None, *, as_page: bool
) -> None:
    from quotewell.portfolio.report import instant  # noqa: PLC0415  imports numpy
    from quotewell.views.render.header import title  # noqa: PLC0415  only for the screen
    from quotewell.views.render.positions import positions_screen  # noqa: PLC0415
    from quotewell.views.render.positions_page import positions_page  # noqa: PLC0415
    from quotewell.views.render.terminal import WIDEST, screen_width, show  # noqa: PLC0415

    width = WIDEST if as_page else screen_width()
    about = (book.file.broker, count(len(book.file.positions) + len(book.file.pending), "row"))
    head = title(book.file.path, about, instant(book.as_of), instant(valued_at), width - 2)
    currency = book.basis.base_currency
    if as_page:
        print_text(positions_page([line.plain for line in head], rows, book.rejected, currency))
    else:
        show(positions_screen(head, rows, book.rejected, currency, width))
