"""`quotewell watch FILE|SYMBOL…`: prices as they are kept fresh, until interrupted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from quotewell.outcomes import NOT_ASKED
from quotewell.records import Freshness, Quote
from quotewell.refresh import Refresher, RefreshStatus
from quotewell.symbols import normalise
from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import (
    Namespace,
    Subparsers,
    add_common,
    add_mapping,
    mapping_of,
    number,
    open_service,
)
from quotewell.views.cli.output import print_json
from quotewell.views.cli.parser import add_command
from quotewell.views.cli.prefetch import WHAT_HELP, book_of, is_file
from quotewell.views.render.progress import watched
from quotewell.views.words import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from quotewell.service import TickerService
    from quotewell.views.render.text import Text

__all__ = ["WatchRow", "add", "run"]

_INTERVAL = 5.0
_SHORTEST = 1.0


class WatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol as it is known now; None is unknown."""

    symbol: str
    price: float | None = None
    currency: str | None = None
    change: float | None = None
    """Since the previous close, a fraction."""
    as_of: str | None = None
    fetched_at: str | None = None
    age: float | None = None
    """Seconds since the market said it."""
    freshness: str = "none"
    source: str | None = None
    is_open: bool | None = None
    """Whether its exchange is open; None where it has no sessions."""
    error: str | None = None


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "watch",
        "prices kept fresh in the background, until Ctrl-C",
        "AAPL MSFT",
        "positions.csv --interval 10",
    )
    parser.add_argument("what", nargs="+", metavar="FILE|SYMBOL", help=WHAT_HELP)
    parser.add_argument(
        "--interval",
        metavar="S",
        type=number,
        default=_INTERVAL,
        help="seconds between updates (default 5, at least 1)",
    )
    parser.add_argument(
        "--once", action="store_true", help="print one table and end; so does a pipe without --json"
    )
    add_mapping(parser)
    add_common(parser, strict=False)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Fetch, then show prices again and again; Ctrl-C is the way to end it, and no failure."""
    mapping = mapping_of(options)
    with open_service(options) as tickers:
        symbols = _symbols(options.what, tickers, mapping)
        if not tickers.settings.offline:
            with watched() as watcher:
                tickers.prefetch([(symbol, "quote") for symbol in symbols], progress=watcher)
        if options.once or not (options.json or sys.stdout.isatty()):
            rows = _rows(symbols, tickers)
            _show(rows, tickers, RefreshStatus(), as_json=options.json)
            return FINE if any(row.price is not None for row in rows) else FAILED
        try:
            _watch(symbols, tickers, max(options.interval, _SHORTEST), as_json=options.json)
        except KeyboardInterrupt:
            return FINE
    return FINE


def _symbols(items: Sequence[str], tickers: TickerService, mapping: Mapping[str, str] | None) -> list[str]:
    """Symbols, then the stocks and underlyings of the files' book, the largest holdings first."""
    symbols = [normalise(item) for item in items if not is_file(item)]
    if book := book_of(items, tickers, mapping):
        symbols += [symbol for symbol, facet in book.needs_by_size() if facet == "risk"]
    return list(dict.fromkeys(symbols))


def _watch(symbols: Sequence[str], tickers: TickerService, interval: float, *, as_json: bool) -> None:
    with Refresher(tickers, symbols) as refresher:
        if as_json:
            while True:
                _show(_rows(symbols, tickers), tickers, refresher.status(), as_json=True)
                tickers.clock.sleep(interval)
        with _screen() as update:
            while True:
                update(_lines(_rows(symbols, tickers), tickers, refresher.status()))
                tickers.clock.sleep(interval)


@contextmanager
def _screen() -> Iterator[Callable[[list[Text]], None]]:
    from rich.console import Console  # noqa: PLC0415  only on a terminal
    from rich.live import Live  # noqa: PLC0415

    from quotewell.views.render.terminal import as_rich  # noqa: PLC0415  likewise

    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def update(lines: list[Text]) -> None:
            screen = as_rich(lines)
            screen.no_wrap = True
            live.update(screen, refresh=True)

        yield update


def _show(rows: Sequence[WatchRow], tickers: TickerService, status: RefreshStatus, *, as_json: bool) -> None:
    if as_json:
        at = iso(tickers.now())
        print_json({"schema": 1, "at": at, "rows": rows, "requests": tickers.requests, "refresh": status})
        sys.stdout.flush()
        return
    from quotewell.views.render.terminal import show  # noqa: PLC0415  only without --json

    show(_lines(rows, tickers, status))


def _lines(rows: Sequence[WatchRow], tickers: TickerService, status: RefreshStatus) -> list[Text]:
    from quotewell.views.render.terminal import screen_width  # noqa: PLC0415  only without --json
    from quotewell.views.render.watch import watch_screen  # noqa: PLC0415  likewise

    pauses = [
        f"{name} {iso(pause.until)}: {pause.reason}" for name, pause in tickers.pauses().items() if pause
    ]
    return watch_screen(rows, status, tickers.now(), tickers.requests, pauses, screen_width())


def _rows(symbols: Sequence[str], tickers: TickerService) -> list[WatchRow]:
    """What the cache knows; nobody is asked, as the refresher does that."""
    now = tickers.now()
    stored = tickers.stored([(symbol, "quote") for symbol in symbols])
    rows = []
    for symbol in symbols:
        quote = stored.get((symbol, "quote"))
        if not isinstance(quote, Quote):
            rows.append(WatchRow(symbol=symbol, error=NOT_ASKED))
            continue
        judgement, around = tickers.judged("quote", quote, now)
        usable = judgement.freshness > Freshness.NONE
        last, before = (quote.last, quote.previous_close) if usable else (None, None)
        said_at = quote.as_of or quote.fetched_at
        rows.append(
            WatchRow(
                symbol=symbol,
                price=last,
                currency=quote.currency,
                change=last / before - 1.0 if last is not None and before else None,
                as_of=iso(quote.as_of),
                fetched_at=iso(quote.fetched_at),
                age=None if said_at is None else max(now - said_at, 0.0),
                freshness=judgement.freshness.name.lower(),
                source=quote.source,
                is_open=None if around is None else around.is_open,
                error=None if quote.failure is None else quote.failure.reason,
            )
        )
    return rows
