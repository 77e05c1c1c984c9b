"""`quotewell position FILE SYMBOL`: all legs of one underlying, and what they come to."""

from __future__ import annotations

from quotewell.views.cli import positions
from quotewell.views.cli.options import (
    FILE_HELP,
    Namespace,
    Subparsers,
    add_common,
    add_mapping,
    add_valuation,
    symbol,
)
from quotewell.views.cli.parser import add_command

__all__ = ["add", "run"]

_UNASKED = ("type", "account", "flag", "min_value", "min_exposure", "sort")


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "position",
        "all legs of one underlying, netted",
        "positions.csv AAPL",
    )
    parser.add_argument("file", metavar="FILE", nargs=1, help=FILE_HELP)
    parser.add_argument("underlying", metavar="SYMBOL", type=symbol, help="the underlying, like AAPL")
    add_mapping(parser)
    add_valuation(parser)
    add_common(parser)
    parser.set_defaults(run=run, group="underlying", csv=False, html=False, **dict.fromkeys(_UNASKED))


def run(options: Namespace) -> int:
    """Print the rows of one underlying below their sums."""
    return positions.run(options)
