"""`quotewell cache stats|clear|refresh|migrate|path`."""

from __future__ import annotations

import argparse

from quotewell.errors import CacheError
from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_common, add_symbols, open_service
from quotewell.views.cli.output import print_json
from quotewell.views.cli.parser import add_command
from quotewell.views.cli.prefetch import report_outcomes
from quotewell.views.documents import Cleared, Copied, statistics_document
from quotewell.views.render.progress import watched
from quotewell.views.words import number

__all__ = ["add"]

_MOST_DAYS = 400
"""For which counts are kept."""
_SHOWN = 40
"""Characters of a wrong argument that a message repeats."""


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "cache",
        "look into the cache, clear it, refresh it",
        "stats",
        "refresh AAPL MSFT",
        "clear AAPL",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    stats = actions.add_parser("stats", help="hits, misses and fetches by facet and day; records and bytes")
    stats.add_argument(
        "--days",
        metavar="N",
        type=_days,
        default=7,
        help="days to count, in UTC, today among them (default 7, at most 400)",
    )
    clear = actions.add_parser("clear", help="forget some symbols, or everything if none is named")
    add_symbols(clear, nargs="*")
    refresh = actions.add_parser("refresh", help="fetch again; old values stay until the new ones are there")
    add_symbols(refresh, nargs="+")
    migrate = actions.add_parser(
        "migrate", help="copy everything from this machine's cache to the shared one, or back"
    )
    migrate.add_argument("--to", choices=("shared", "own"), required=True, help="which of the two is written")
    path = actions.add_parser("path", help="where the cache lives")
    does_what = (
        (stats, _stats),
        (clear, _clear),
        (refresh, _refresh),
        (migrate, _migrate),
        (path, _path),
    )
    for action, does in does_what:
        add_common(action, strict=False)
        action.set_defaults(run=does)


def _stats(options: Namespace) -> int:
    with open_service(options) as tickers:
        stats = tickers.cache_stats()
        days = tickers.daily_stats(options.days)
    if options.json:
        print_json(statistics_document(stats, days))
        return FINE
    from quotewell.views.render.cache_stats import cache_stats_screen  # noqa: PLC0415  only for the screen
    from quotewell.views.render.terminal import screen_width, show  # noqa: PLC0415

    show(cache_stats_screen(stats, days, options.days, screen_width()))
    return FINE


def _clear(options: Namespace) -> int:
    with open_service(options) as tickers:
        settings = tickers.settings
        if settings.cache_url is None and tickers.cache_stats().level.name == "memory":
            # What memory stands in for could not be opened; why, a warning has said.
            raise CacheError(
                f"{settings.cache_place}: the cache cannot be opened; nothing was cleared",
                hint="quotewell doctor",
            )
        some = options.symbols
        count = tickers.invalidate(some, hard=True) if some else tickers.clear_cache()
    if options.json:
        print_json(Cleared(cleared=count))
    else:
        print(f"{number(count)} records cleared")
    return FINE


def _refresh(options: Namespace) -> int:
    with open_service(options) as tickers, watched() as watcher:
        report = tickers.refresh(options.symbols, progress=watcher)
    report_outcomes(report, as_json=options.json)
    return FINE if report.counts()["fetched"] else FAILED


def _migrate(options: Namespace) -> int:
    from quotewell.cache.migration import migrate  # noqa: PLC0415  no other command copies
    from quotewell.settings import load_settings  # noqa: PLC0415  likewise
    from quotewell.wiring import migration  # noqa: PLC0415  likewise

    source, target = migration(load_settings(), to_shared=options.to == "shared")
    try:
        done = migrate(source, target)
    finally:
        source.close()
        target.close()
    if options.json:
        print_json(Copied(to=options.to, copied=done.copied, kept=done.kept))
        return FINE
    for table, copied in done.copied.items():
        kept = done.kept.get(table, 0)
        print(f"{table}: {number(copied)} copied" + (f", {number(kept)} newer there" if kept else ""))
    print(f"{number(sum(done.copied.values()))} records copied")
    return FINE


def _path(options: Namespace) -> int:
    from quotewell.settings import load_settings  # noqa: PLC0415  nothing is opened

    folder = load_settings().cache_folder
    if options.json:
        print_json({"schema": 1, "path": str(folder)})
    else:
        print(folder)
    return FINE


def _days(text: str) -> int:
    digits = text.lstrip("0")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 3 and int(digits) <= _MOST_DAYS):
        raise argparse.ArgumentTypeError(
            f"{text[:_SHOWN]!r} is not a number of days from 1 to {_MOST_DAYS}, for which counts are kept"
        )
    return int(digits)
