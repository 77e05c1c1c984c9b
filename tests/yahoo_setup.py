"""A Yahoo provider before a simulated market, as its tests have it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from open_coordinator import OpenCoordinator
from quotewell.clock import SystemClock
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.protocols import Clock
from quotewell.providers.yahoo import YahooProvider
from quotewell.records import Facet, Need
from quotewell.settings import Settings
from quotewell.testing import ManualClock
from quotewell.testing.simulator import Instrument, MarketSimulator

NOW = dt.datetime(2026, 10, 7, 16, 0, tzinfo=dt.UTC).timestamp()  # Wednesday, 12:00 in New York
STOCKS = tuple(f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(120))
SPLIT = Instrument(
    symbol="SPLT",
    name="Split Inc.",
    type="stock",
    price=50.0,
    dividend_yield=0.02,
    splits=((dt.date(2026, 9, 1).toordinal(), 4.0),),
)
UNSEEN = Instrument(symbol="QUIET", name="Quiet Inc.", type="stock", price=50.0, dividend_yield=None)


class Setup:
    def __init__(self, simulator: MarketSimulator, clock: ManualClock) -> None:
        self.simulator = simulator
        self.clock = clock
        self.monotonic: Callable[[], float] = clock.monotonic
        self.coordinator = OpenCoordinator(clock)
        self.provider = self.new_provider()

    def new_provider(self, clock: Clock | None = None, request_timeout: float = 15.0) -> YahooProvider:
        settings = Settings(yahoo_base_url=self.simulator.yahoo_url, request_timeout=request_timeout)
        return YahooProvider(settings, self.coordinator, clock or self.clock)

    def in_real_time(self) -> None:
        """Threads wait for each other in real time: a manual clock would run away meanwhile."""
        self.monotonic = SystemClock.monotonic
        self.provider = self.new_provider(SystemClock())

    def call(self, endpoint: str, *symbols: str, facets: tuple[Facet, ...] = ()) -> Call:
        (chosen,) = (each for each in self.provider.endpoints if each.name == endpoint)
        wanted = facets or (("quote",) if "quote" in chosen.facets else tuple(sorted(chosen.facets)))
        needs: frozenset[Need] = frozenset((symbol, facet) for symbol in symbols for facet in wanted)
        return Call(chosen, symbols, needs)

    def fetch(
        self, endpoint: str, *symbols: str, facets: tuple[Facet, ...] = (), deadline: float | None = None
    ) -> Fetched:
        call = self.call(endpoint, *symbols, facets=facets)
        until = self.monotonic() + 20.0 if deadline is None else deadline
        return self.provider.fetch(call, lane=Lane.INTERACTIVE, deadline=until)

    def failure(self, endpoint: str = "quote", *symbols: str) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            self.fetch(endpoint, *(symbols or ("AAPL", "MSFT")))
        return caught.value

    @property
    def endpoints(self) -> list[str]:
        return [request.endpoint for request in self.simulator.requests]
