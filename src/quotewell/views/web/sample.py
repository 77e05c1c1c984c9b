"""The bundled, made-up portfolio at the close of its bundled prices: what can be tried without a file."""

from __future__ import annotations

import threading
from importlib.resources import as_file

from quotewell import demo
from quotewell.clock import ShiftedClock
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.wiring import connect

__all__ = ["KEY", "Sample"]

KEY = "sample"
"""In place of the key of an upload."""


class Sample:
    """Opened when it is first asked for; its cache is its own, its past is nobody else's."""

    def __init__(self) -> None:
        self._tickers: TickerService | None = None
        self._lock = threading.Lock()

    def open(self) -> tuple[ImportedFile, TickerService]:
        """The file, read anew, and the service that knows its prices."""
        with self._lock:
            if self._tickers is None:
                settings = Settings(providers=("snapshot",), cache_url="memory://", calendars="plain")
                self._tickers = connect(settings, clock=ShiftedClock(demo.demo_now()))
        with as_file(demo.portfolio_file()) as path:
            return read_positions(path, path.name), self._tickers

    def close(self) -> None:
        """Close the service, if it was opened."""
        with self._lock:
            if self._tickers is not None:
                self._tickers.close()
                self._tickers = None
