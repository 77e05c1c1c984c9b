"""`quotewell cache stats|clear|refresh|path`."""

from __future__ import annotations

import msgspec

from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_common, open_service
from quotewell.views.cli.output import print_json
from quotewell.views.cli.prefetch import report_outcomes
from quotewell.views.words import NOT_AVAILABLE, aligned, number

__all__ = ["add"]


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("cache", help="look into the cache, clear it, refresh it")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    stats = actions.add_parser("stats", help="records, hits and misses by facet")
    clear = actions.add_parser("clear", help="forget everything, or some symbols")
    clear.add_argument("symbols", nargs="*", metavar="SYMBOL")
    refresh = actions.add_parser("refresh", help="fetch again; old values stay until the new ones are there")
    refresh.add_argument("symbols", nargs="+", metavar="SYMBOL")
    path = actions.add_parser("path", help="where the cache lives")
    for action, does in ((stats, _stats), (clear, _clear), (refresh, _refresh), (path, _path)):
        add_common(action, strict=False)
        action.set_defaults(run=does)


def _stats(options: Namespace) -> int:
    with open_service(options) as tickers:
        stats = tickers.cache_stats()
    if options.json:
        print_json({"schema": 1, **msgspec.to_builtins(stats)})
        return FINE
    rows = [["facet", "records"], *([table, number(count)] for table, count in stats.level_records.items())]
    size = NOT_AVAILABLE if stats.level_bytes is None else f"{number(stats.level_bytes / 1024)} KiB"
    print(aligned(rows))
    print(f"\n{stats.level}: {size}")
    return FINE


def _clear(options: Namespace) -> int:
    with open_service(options) as tickers:
        some = options.symbols
        count = tickers.invalidate(some, hard=True) if some else tickers.clear_cache()
    if options.json:
        print_json({"schema": 1, "cleared": count})
    else:
        print(f"{number(count)} records cleared")
    return FINE


def _refresh(options: Namespace) -> int:
    with open_service(options) as tickers:
        report = tickers.refresh(options.symbols)
    report_outcomes(report, as_json=options.json)
    return FINE if report.counts()["fetched"] else FAILED


def _path(options: Namespace) -> int:
    from quotewell.settings import load_settings  # noqa: PLC0415  nothing is opened

    folder = load_settings().cache_folder
    if options.json:
        print_json({"schema": 1, "path": str(folder)})
    else:
        print(folder)
    return FINE
