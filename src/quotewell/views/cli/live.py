"""`quotewell demo --live`: the same portfolio, fetched over HTTP from a simulated Yahoo on this machine."""

from __future__ import annotations

import tempfile
from importlib.resources import as_file
from pathlib import Path
from typing import TYPE_CHECKING

from quotewell import demo
from quotewell.clock import ShiftedClock
from quotewell.errors import UsageError
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import StockPosition
from quotewell.settings import Settings
from quotewell.suggestions import did_you_mean
from quotewell.views.cli.prefetch import report_outcomes
from quotewell.views.render.progress import watched
from quotewell.views.words import count
from quotewell.wiring import connect

if TYPE_CHECKING:
    from quotewell.portfolio.summary import Summary
    from quotewell.testing.simulator import Instrument

__all__ = ["live_summary"]

_NEXT_MORNING = 18 * 3600.0
"""From the close of the sample to 10 o'clock: the market is open."""


def live_summary(fault: str | None, *, quiet: bool) -> Summary:
    """Fetch and value the bundled portfolio twice, cold and warm, and tell what each has cost.

    Args:
        fault: A kind of fault that the simulated provider shows to every data request; None for none.
        quiet: Whether nothing is printed beside errors.

    Returns:
        The report of the first valuation.

    Raises:
        UsageError: There is no such fault.
    """
    from quotewell.testing import MarketSimulator  # noqa: PLC0415  imports numpy
    from quotewell.testing.simulator import FAULTS  # noqa: PLC0415  likewise

    clock = ShiftedClock(demo.demo_now() + _NEXT_MORNING)
    with (
        as_file(demo.portfolio_file()) as path,
        tempfile.TemporaryDirectory() as folder,
        MarketSimulator(symbols=_instruments(path), now=clock.now) as simulator,
    ):
        if fault is not None:
            if fault not in FAULTS:
                raise UsageError(
                    f"--fault {fault[:40]}: no such fault",
                    hint=f"{did_you_mean(fault, FAULTS)}one of {', '.join(FAULTS)}",
                )
            simulator.fault(fault)
        settings = Settings(
            providers=("yahoo",),
            yahoo_base_url=simulator.yahoo_url,
            cache_dir=Path(folder),
            calendars="plain",
            request_timeout=2.0,
        )
        with connect(settings, clock=clock) as tickers:
            book = Portfolio.from_csv(path, tickers, name=path.name)
            with watched() as watcher:
                cold = book.prefetch(progress=watcher)
            summary = book.summary()
            before, start = len(simulator.requests), clock.monotonic()
            book.prefetch()
            book.summary()
            warm = len(simulator.requests) - before
            seconds = clock.monotonic() - start
    if not quiet:
        report_outcomes(cold, as_json=False)
        handshakes = count(before - cold.requests, "request")
        print(f"that is with {handshakes} for the handshake; valued once more: {warm} in {seconds:.2f} s")
        print()
    return summary


def _instruments(path: Path) -> list[str | Instrument]:
    """The stocks of the portfolio at their prices in it; the rest of the simulated market is invented."""
    from quotewell.testing.simulator import Instrument  # noqa: PLC0415  imports numpy

    return [
        Instrument(symbol=position.symbol, name=position.description, type="stock", price=position.price)
        for position in Portfolio.from_csv(path).positions
        if isinstance(position, StockPosition) and position.price is not None
    ]
