"""A ticker source that knows nothing: a book without a service is valued at its file's own prices."""

from __future__ import annotations

from collections.abc import Iterable

from quotewell.clock import SystemClock
from quotewell.protocols import Clock
from quotewell.records import (
    Dividend,
    Failure,
    Freshness,
    Fx,
    Payouts,
    Profile,
    Quote,
    Rate,
    Reading,
    RecordT,
    Risk,
)

__all__ = ["NoTickers"]


class NoTickers:
    """A `TickerSource` whose every reading says that there is no ticker service.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = SystemClock() if clock is None else clock

    def now(self) -> float:
        """Now."""
        return self._clock.now()

    def quotes(self, symbols: Iterable[str]) -> dict[str, Reading[Quote]]:
        """No prices."""
        return self._nothing(symbols)

    def profiles(self, symbols: Iterable[str]) -> dict[str, Reading[Profile]]:
        """No names and types."""
        return self._nothing(symbols)

    def risks(self, symbols: Iterable[str]) -> dict[str, Reading[Risk]]:
        """No betas."""
        return self._nothing(symbols)

    def dividends(self, symbols: Iterable[str]) -> dict[str, Reading[Dividend]]:
        """No dividend yields."""
        return self._nothing(symbols)

    def payouts(self, symbols: Iterable[str]) -> dict[str, Reading[Payouts]]:
        """No dividends."""
        return self._nothing(symbols)

    def rates(self, symbols: Iterable[str]) -> dict[str, Reading[Rate]]:
        """No risk-free curve."""
        return self._nothing(symbols)

    def fx(self, symbols: Iterable[str]) -> dict[str, Reading[Fx]]:
        """No exchange rates."""
        return self._nothing(symbols)

    def _nothing(self, symbols: Iterable[str]) -> dict[str, Reading[RecordT]]:
        now = self._clock.now()
        failure = Failure("unsupported", "there is no ticker service", "", 1, now, now, now)
        return {symbol: Reading(symbol, None, Freshness.NONE, "", failure) for symbol in symbols}
