"""`quotewell position FILE SYMBOL`: all legs of one underlying, and what they come to."""

from __future__ import annotations

from quotewell.views.cli import positions
from quotewell.views.cli.options import Namespace, Subparsers, add_common, add_mapping, add_valuation, symbol

__all__ = ["add", "run"]

_UNASKED = ("type", "account", "flag", "min_value", "min_exposure", "sort")


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("position", help="all legs of one underlying, netted")
    parser.add_argument("file", metavar="FILE", nargs=1, help="a broker's export, or a table of one's own")
    parser.add_argument("underlying", metavar="SYMBOL", type=symbol)
    add_mapping(parser)
    add_valuation(parser)
    add_common(parser)
    parser.set_defaults(run=run, group="underlying", csv=False, html=False, **dict.fromkeys(_UNASKED))


def run(options: Namespace) -> int:
    """Print the rows of one underlying below their sums."""
    return positions.run(options)
