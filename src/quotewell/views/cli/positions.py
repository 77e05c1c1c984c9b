"""`quotewell positions FILE`: every row of a broker's file, valued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quotewell.errors import UsageError
from quotewell.views.cli.book import open_book
from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import Namespace, Subparsers, add_common, add_valuation
from quotewell.views.cli.output import print_json
from quotewell.views.words import count

if TYPE_CHECKING:
    import datetime as dt

    from quotewell.portfolio.portfolio import Portfolio
    from quotewell.portfolio.row import ValuedRow

__all__ = ["add", "run"]

_KINDS = ("stock", "option", "cash", "pending", "unknown")
_NOT_MISSING = frozenset(
    ("expires_today", "exercise", "estimated", "model", "assumed_rate", "assumed_dividend", "given_rate")
) | {"given_dividend", "given_beta", "proxy_dividend", "reported", "assignment"}
"""Flags of a row in which nothing is missing, stale or disputed."""


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("positions", help="every row of a broker's file, valued")
    parser.add_argument("file", metavar="FILE", help="a broker's export, or a table symbol,quantity,…")
    parser.add_argument("--type", choices=_KINDS, help="only rows of this kind")
    parser.add_argument(
        "--sort",
        metavar="FIELD[:desc]",
        help="symbol, value, exposure, beta or another field of --json; what is unknown comes last",
    )
    add_valuation(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print one line for each row, as a table or as JSON."""
    from quotewell.portfolio.report import instant  # noqa: PLC0415  imports numpy
    from quotewell.portfolio.row import ValuedRow, row_of  # noqa: PLC0415  likewise

    field, descending = _order(options.sort, ValuedRow.__struct_fields__)
    with open_book(options) as (book, tickers):
        columns = book.value()
        requests = tickers.requests
    valued = [row_of(columns, row) for row in range(len(columns.entries))]
    rows = [row for row in valued if options.type is None or row.kind == options.type]
    if field:
        rows = _sorted(rows, field, descending=descending)
    as_of, valued_at = instant(book.as_of), instant(columns.snapshot.at)
    if options.json:
        print_json(
            {
                "schema": 1,
                "file": book.file.path,
                "broker": book.file.broker,
                "as_of": as_of,
                "valuation_at": valued_at,
                "base_currency": book.basis.base_currency,
                "benchmark": book.basis.benchmark,
                "positions": rows,
                "rejected": book.rejected,
                "requests": requests,
            }
        )
    else:
        _print(book, rows, as_of, valued_at)
    if not valued:
        return FAILED
    missing = book.rejected or any(set(row.flags) - _NOT_MISSING for row in valued)
    return NOT_STRICT if options.strict and missing else FINE


def _print(
    book: Portfolio, rows: Sequence[ValuedRow], as_of: dt.datetime | None, valued_at: dt.datetime | None
) -> None:
    from quotewell.views.render.header import title  # noqa: PLC0415  imports rich
    from quotewell.views.render.positions import positions_screen  # noqa: PLC0415
    from quotewell.views.render.terminal import screen_width, show  # noqa: PLC0415

    width = screen_width()
    about = (book.file.broker, count(len(rows), "row"))
    head = title(book.file.path, about, as_of, valued_at, width - 2)
    show(positions_screen(head, rows, book.rejected, book.basis.base_currency, width))


def _order(text: str | None, fields: tuple[str, ...]) -> tuple[str, bool]:
    """The field to sort by, and whether the largest comes first."""
    if text is None:
        return "", False
    field, separator, direction = text.partition(":")
    if field not in fields or field == "flags":
        known = ", ".join(name for name in fields if name != "flags")
        raise UsageError(f"--sort {field[:40]}: no such field", hint=f"one of {known}")
    if separator and direction not in ("asc", "desc"):
        raise UsageError(f"--sort {text[:60]}: the direction is asc or desc", hint=f"--sort {field}:desc")
    return field, direction == "desc"


def _sorted(rows: list[ValuedRow], field: str, *, descending: bool) -> list[ValuedRow]:
    """Rows by one field, those without it last; equal ones stay in the order of the file."""
    known = [row for row in rows if getattr(row, field) is not None]
    unknown = [row for row in rows if getattr(row, field) is None]
    return [*sorted(known, key=lambda row: getattr(row, field), reverse=descending), *unknown]
