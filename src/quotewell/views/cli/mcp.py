"""`quotewell mcp [FILE…]`: tools for a language model, over standard input and output."""

from __future__ import annotations

from quotewell.errors import missing_extra
from quotewell.views.cli.exits import FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_mapping, mapping_of
from quotewell.views.cli.parser import add_command

__all__ = ["add", "run"]


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "mcp",
        "tools for a language model (Model Context Protocol, over stdin and stdout)",
        "positions.csv",
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="*", help="the book that the tools may read; they read no other file"
    )
    parser.add_argument("--offline", action="store_true", help="use what is cached; never ask a provider")
    add_mapping(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Answer until standard input ends."""
    try:
        from quotewell.views.mcp.server import create_server  # noqa: PLC0415  needs the extra `mcp`
    except ModuleNotFoundError as error:
        raise missing_extra("quotewell mcp", error.name, "mcp") from error
    from pathlib import PurePath  # noqa: PLC0415  `--help` needs none of these

    from quotewell.portfolio.importers import read_files  # noqa: PLC0415
    from quotewell.settings import load_settings  # noqa: PLC0415
    from quotewell.views.books import book_of  # noqa: PLC0415
    from quotewell.wiring import connect  # noqa: PLC0415

    file = read_files(options.file, mapping_of(options)) if options.file else None
    with connect(load_settings({"offline": True if options.offline else None})) as tickers:
        book = None
        if file is not None:
            file.path = PurePath(file.path).name  # where it lies is no client's affair
            book = book_of(file, tickers)
        try:
            create_server(tickers, book).run("stdio", show_banner=False, log_level="ERROR")
        except KeyboardInterrupt:
            return FINE
    return FINE
