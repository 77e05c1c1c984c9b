"""The overlay of one book's reported prices over the ticker source; never cached, never another book's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from quotewell.calendars import new_york_sessions
from quotewell.portfolio.marks import is_later, option_marks
from quotewell.portfolio.positions import OptionPosition, Position, StockPosition
from quotewell.protocols import TickerSource
from quotewell.records import (
    Dividend,
    Freshness,
    Fx,
    Need,
    Payouts,
    Profile,
    Quote,
    Rate,
    Reading,
    Risk,
)
from quotewell.symbols import minor_unit

__all__ = ["LEVEL", "OVERRIDE", "Candidates", "ReportedPrices"]

LEVEL = "reported"
"""What a reading says of a price that is the file's."""
OVERRIDE = "override"
"""What it says of one that the user has given in its place."""


class Candidates(msgspec.Struct, frozen=True):
    """What is known of one symbol's price."""

    best: Reading[Quote]
    """What `quotes` answers."""
    service: Quote | None = None
    """The service's price, unless it is later than the valuation instant."""
    reported: Quote | None = None
    """The file's price, unless it is later than the valuation instant."""


class ReportedPrices:
    """A `TickerSource` that knows the prices of one file besides those of `service`.

    A reported price answers where the service has no price, or none that is fresh while the file's is newer;
    where the file's as-of is unknown, only where the service has none. It counts as fresh if no session has
    begun between its as-of and the valuation instant. Other facets are the service's.

    Args:
        service: The ticker source underneath.
        positions: The positions whose prices the file reports.
        broker: What the prices' source is called.
        as_of: When the file's prices were the market's; None if unknown.
        at: The valuation instant; None is the service's own.
        prices: The user's own prices, which answer instead of all others, fresh at any instant.
        together: Told what is about to be read, so that what a whole book needs can be had in one go.
    """

    def __init__(
        self,
        service: TickerSource,
        positions: Iterable[Position],
        *,
        broker: str,
        as_of: float | None,
        at: float | None = None,
        prices: Mapping[str, float] | None = None,
        together: Callable[[Collection[Need]], None] | None = None,
    ) -> None:
        self.service = service
        self._at = at
        self._together = together
        self._prices = prices or {}
        self._quotes = _reported_quotes(positions, broker, as_of, service.now())

    def now(self) -> float:
        """The valuation instant."""
        return self.service.now() if self._at is None else self._at

    def announce(self, needs: Collection[Need]) -> None:
        """Say what is about to be read, before the first of it is."""
        if self._together is not None:
            self._together(needs)

    def quotes(self, symbols: Iterable[str]) -> dict[str, Reading[Quote]]:
        """Prices by symbol, the service's or the file's."""
        return {symbol: found.best for symbol, found in self.candidates(symbols).items()}

    def candidates(self, symbols: Iterable[str]) -> dict[str, Candidates]:
        """All that service and file say of each symbol's price."""
        asked = list(symbols)
        readings = self.service.quotes(asked)
        now = self.now()
        return {symbol: self._choose(readings[symbol], self._quotes.get(symbol), now) for symbol in asked}

    def own_prices(self) -> dict[str, Candidates]:
        """The user's own prices, of symbols that no market may know; nobody is asked."""
        now = self.now()
        return {
            symbol: Candidates(
                self._own(symbol, self._quotes.get(symbol), now), None, self._quotes.get(symbol)
            )
            for symbol in self._prices
        }

    def profiles(self, symbols: Iterable[str]) -> dict[str, Reading[Profile]]:
        """Names and types by symbol, the service's."""
        return self.service.profiles(symbols)

    def risks(self, symbols: Iterable[str]) -> dict[str, Reading[Risk]]:
        """Betas by symbol, the service's."""
        return self.service.risks(symbols)

    def dividends(self, symbols: Iterable[str]) -> dict[str, Reading[Dividend]]:
        """Dividend yields by symbol, the service's."""
        return self.service.dividends(symbols)

    def payouts(self, symbols: Iterable[str]) -> dict[str, Reading[Payouts]]:
        """Dividends paid or declared by symbol, the service's."""
        return self.service.payouts(symbols)

    def rates(self, symbols: Iterable[str]) -> dict[str, Reading[Rate]]:
        """Points of the risk-free curve, the service's."""
        return self.service.rates(symbols)

    def fx(self, symbols: Iterable[str]) -> dict[str, Reading[Fx]]:
        """Exchange rates, the service's."""
        return self.service.fx(symbols)

    def _choose(self, reading: Reading[Quote], reported: Quote | None, now: float) -> Candidates:
        service = reading.record if reading.usable else None
        if service is not None and (not option_marks(service) or is_later(service, now)):
            service = None
        if reported is not None and is_later(reported, now):
            reported = None
        if reading.symbol in self._prices:
            return Candidates(self._own(reading.symbol, service or reported, now), service, reported)
        if reported is not None and (service is None or _replaces(reported, service, reading.freshness)):
            chosen = Reading(reported.symbol, reported, _freshness(reported, now), LEVEL, reading.failure)
            return Candidates(chosen, service, reported)
        if service is None and reading.record is not None:
            reading = Reading(reading.symbol, None, Freshness.NONE, "", reading.failure)
        return Candidates(reading, service, reported)

    def _own(self, symbol: str, known: Quote | None, now: float) -> Reading[Quote]:
        """The user's own price, in the currency in which others quote the symbol."""
        currency = None if known is None else known.currency
        price = self._prices[symbol]
        quote = Quote(
            symbol=symbol, source=OVERRIDE, as_of=now, fetched_at=now, last=price, currency=currency
        )
        return Reading(symbol, quote, Freshness.FRESH, OVERRIDE)


def _reported_quotes(
    positions: Iterable[Position], broker: str, as_of: float | None, read_at: float
) -> dict[str, Quote]:
    """The file's prices in major units; of a symbol that several rows price, the first row's."""
    quotes: dict[str, Quote] = {}
    for position in positions:
        price, said_at = position.price, as_of if position.as_of is None else position.as_of
        if price is None or price < 0.0 or position.symbol in quotes:
            continue
        # An option may be worth nothing; a stock at 0 is one without a price.
        if isinstance(position, OptionPosition) or (isinstance(position, StockPosition) and price > 0.0):
            currency, unit = minor_unit(position.currency) if position.currency else (None, 1.0)
            quotes[position.symbol] = Quote(
                symbol=position.symbol,
                source=broker,
                as_of=said_at,
                fetched_at=read_at if said_at is None else said_at,
                last=price * unit,
                currency=currency,
            )
    return quotes


def _replaces(reported: Quote, service: Quote, freshness: Freshness) -> bool:
    if freshness == Freshness.FRESH or reported.as_of is None:
        return False
    time = service.as_of if service.as_of is not None else service.fetched_at
    return time is None or time < reported.as_of


def _freshness(reported: Quote, now: float) -> Freshness:
    if reported.as_of is None:
        return Freshness.STALE
    same_session = new_york_sessions(reported.as_of).previous.date == new_york_sessions(now).previous.date
    return Freshness.FRESH if same_session else Freshness.STALE
