"""`quotewell demo`: the report on a made-up portfolio, from bundled prices, without network."""

from __future__ import annotations

from quotewell.views.cli.book import fetched, summarise
from quotewell.views.cli.exits import FINE
from quotewell.views.cli.options import Namespace, Subparsers
from quotewell.views.cli.output import print_json
from quotewell.views.cli.parser import add_command
from quotewell.views.cli.summary import print_report

__all__ = ["add", "run"]

_NOTES = (
    "The portfolio is made up, its option prices illustrative",
    "your own: quotewell summary FILE",
)
_LIVE_NOTES = ("The portfolio is made up and the market simulated", "your own: quotewell summary FILE")


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "demo",
        "the report on a made-up portfolio; needs no network",
        "",
        "--live --fault 429",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, documented in docs/json.md")
    parser.add_argument(
        "--live",
        action="store_true",
        help="fetch it from a simulated Yahoo on this machine; prices are invented",
    )
    parser.add_argument(
        "--fault", metavar="KIND", help="as --live, from a provider that fails in this way, like 429 or omit"
    )
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Value the bundled portfolio at the close of the bundled prices, whatever is configured."""
    if options.live or options.fault is not None:
        from quotewell.views.cli.live import live_summary  # noqa: PLC0415  starts a server

        summary = live_summary(options.fault, quiet=options.json)
        if options.json:
            print_json(summary)
        else:
            print_report(summary, _LIVE_NOTES)
        return FINE
    from quotewell import demo  # noqa: PLC0415  `--help` needs none of these
    from quotewell.clock import ShiftedClock  # noqa: PLC0415
    from quotewell.portfolio.portfolio import Portfolio  # noqa: PLC0415
    from quotewell.settings import Settings, load_settings  # noqa: PLC0415
    from quotewell.wiring import connect  # noqa: PLC0415

    # A cache of its own: the snapshot's past must not answer for the market of today.
    folder = load_settings().cache_folder / "demo"
    settings = Settings(providers=("snapshot",), cache_dir=folder, calendars="plain")
    with connect(settings, clock=ShiftedClock(demo.demo_now())) as tickers:
        content = demo.content(demo.PORTFOLIO_FILE)
        book = Portfolio.from_csv(content, tickers, name=demo.PORTFOLIO_FILE)
        summary = summarise(fetched(book), tickers)
    if options.json:
        print_json(summary)
    else:
        print_report(summary, _NOTES)
    return FINE
