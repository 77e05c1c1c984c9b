"""`quotewell reconcile FILE`: the broker's total, ours at its prices and at ours, and why they differ."""

from __future__ import annotations

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
)
from quotewell.views.cli.output import print_json
from quotewell.views.cli.parser import add_command
from quotewell.views.words import count

__all__ = ["add", "run"]


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "reconcile",
        "where the values here and those in the file differ, and why",
        "positions.csv --all",
    )
    add_books(parser)
    parser.add_argument("--all", action="store_true", help="every row that differs, not only the largest")
    add_account(parser)
    add_mapping(parser)
    add_valuation(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print totals, the parts of their differences, accounts, and the rows that differ."""
    from quotewell.portfolio.reconciliation import reconcile  # noqa: PLC0415  imports numpy

    with open_book(options) as (book, _):
        found = reconcile(book)
    if options.json:
        print_json(found)
    else:
        from quotewell.views.render.header import title  # noqa: PLC0415  only for the screen
        from quotewell.views.render.reconciliation import reconciliation_screen  # noqa: PLC0415
        from quotewell.views.render.terminal import screen_width, show  # noqa: PLC0415

        width = screen_width()
        about = (found.broker, count(found.total.rows, "row"))
        head = title(found.file, about, found.as_of, found.valuation_at, width - 2)
        show(reconciliation_screen(head, found, width, every_row=options.all))
    if not found.total.rows:
        return FAILED
    return NOT_STRICT if options.strict and not found.agrees else FINE
