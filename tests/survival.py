"""What tests of survival share: services over real files under a clock moved by hand, and their warnings."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quotewell.errors import CacheDegradedWarning, DataUnavailable
from quotewell.protocols import Provider
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

SYMBOLS = [f"S{number:03d}" for number in range(150)]
UNTIL_STALE = 1000.0
"""Seconds after which a quote is neither fresh nor in its grace window."""
UNTIL_RETRIED = 31.0
"""Seconds after which both files are asked again."""


class Market:
    """Prices that all change at once, and a clock.

    Args:
        patience: See `ManualClock`.

    Attributes:
        round: Part of every price, so that an old price is told from a new one.
    """

    def __init__(self, *, patience: float = 10.0) -> None:
        self.clock = ManualClock(patience=patience)
        self.round = 0
        self.provider = FakeProvider(self.clock)
        self.next_round()

    def next_round(self) -> None:
        """New prices, and no price of before is good enough."""
        self.round += 1
        self.provider.prices = {symbol: self.price(symbol) for symbol in SYMBOLS}
        self.clock.advance(UNTIL_STALE)

    def price(self, symbol: str) -> float:
        """The right price now."""
        return float(self.round * 1000 + SYMBOLS.index(symbol))

    def open(self, folder: Path, *providers: Provider) -> TickerService:
        """A service as `quotewell.open` makes it, but for clock and provider."""
        settings = Settings(cache_dir=folder, calendars="plain")
        return connect(settings, clock=self.clock, providers=providers or [self.provider])

    def fill(self, folder: Path) -> None:
        """Let another service leave all prices in `folder`."""
        with self.open(folder) as tickers:
            tickers.get_many(SYMBOLS)

    def wrong(self, tickers: TickerService) -> list[str]:
        """Symbols whose price is not the right one, or held back, as beside a currency that was damaged."""
        return [symbol for symbol in SYMBOLS if self._answer(tickers, symbol) != self.price(symbol)]

    def _answer(self, tickers: TickerService, symbol: str) -> float | None:
        try:
            return tickers.get_price(symbol)
        except DataUnavailable:
            return None

    def check(self, tickers: TickerService) -> None:
        """All prices are right, by the bulk reader as by the look-up."""
        quotes = tickers.get_many(SYMBOLS)
        assert {symbol: quote and quote.last for symbol, quote in quotes.items()} == self.provider.prices
        assert self.wrong(tickers) == []

    def stored(self, folder: Path) -> dict[str, float | None]:
        """What a service that can ask nobody finds in `folder`."""
        settings = Settings(cache_dir=folder, calendars="plain", offline=True)
        with connect(settings, clock=self.clock, providers=[]) as tickers:
            quotes = tickers.get_many(SYMBOLS)
        return {symbol: quote.last for symbol, quote in quotes.items() if quote is not None}


@contextmanager
def warnings_told() -> Iterator[list[str]]:
    """Collects the texts of `CacheDegradedWarning`s; any other warning is an error."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", CacheDegradedWarning)
        try:
            yield told
        finally:
            told += [str(warning.message) for warning in caught]


def set_aside(folder: Path, name: str) -> list[str]:
    """Names of what was set aside of a database, without its companions."""
    return [
        path.name for path in folder.glob(f"{name}.corrupt-*") if not path.name.endswith(("-wal", "-shm"))
    ]


def checkpointed(path: Path) -> None:
    """Let all that is in the log of a database come into the file itself."""
    connection = sqlite3.connect(path)
    connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    connection.close()


def integrity(path: Path) -> str:
    """What SQLite itself finds wrong with a file; `ok` for nothing."""
    connection = sqlite3.connect(path)
    (result,) = connection.execute("pragma integrity_check").fetchone()
    connection.close()
    return str(result)
