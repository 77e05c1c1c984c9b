"""A ticker source that knows what a test tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from quotewell.outcomes import Outcome, PrefetchReport
from quotewell.records import (
    Dividend,
    DividendEvent,
    Facet,
    Failure,
    Freshness,
    Fx,
    InstrumentType,
    Need,
    Payouts,
    Profile,
    Quote,
    Rate,
    Reading,
    Record,
    RecordT,
    Risk,
)

__all__ = ["FakeSource"]

_YEARS = {"^IRX": 0.25, "^FVX": 5.0, "^TNX": 10.0, "^TYX": 30.0}


class FakeSource:
    """A `protocols.TickerSource` of given values; whatever is not given is absent, with a reason.

    Args:
        prices: Last price by symbol, in US dollars and as of `now`; or whole quotes.
        betas: Beta by symbol, by daily regression against `benchmark`.
        dividend_yields: Fraction a year by symbol.
        payouts: Dividends paid or declared by symbol.
        rates: Continuous rate by symbol of the curve (`^IRX`, `^FVX`, `^TNX`, `^TYX`).
        fx: Rate by pair (`EURUSD=X`).
        types: Instrument type by symbol.
        benchmark: What `betas` are measured against.
        freshness: Of every value.
        now: The valuation instant, epoch seconds; may be set.
    """

    def __init__(
        self,
        prices: Mapping[str, float | Quote] | None = None,
        betas: Mapping[str, float] | None = None,
        *,
        dividend_yields: Mapping[str, float] | None = None,
        payouts: Mapping[str, Sequence[DividendEvent]] | None = None,
        rates: Mapping[str, float] | None = None,
        fx: Mapping[str, float] | None = None,
        types: Mapping[str, InstrumentType] | None = None,
        benchmark: str = "^GSPC",
        freshness: Freshness = Freshness.FRESH,
        now: float = 1_746_734_400.0,
    ) -> None:
        self.at = now
        self.asked: list[Need] = []
        """Every symbol and facet that was read, in order."""
        self.prefetched: list[set[Need]] = []
        self._freshness = freshness
        self._records: dict[Need, Record] = {}
        for symbol, price in (prices or {}).items():
            quote = price if isinstance(price, Quote) else Quote(symbol=symbol, last=price, currency="USD")
            self._keep("quote", quote)
        for symbol, beta in (betas or {}).items():
            risk = Risk(symbol=symbol, beta=beta, method="ols_daily", benchmark=benchmark, n=504)
            self._keep("risk", risk)
        for symbol, dividend_yield in (dividend_yields or {}).items():
            self._keep("dividend", Dividend(symbol=symbol, dividend_yield=dividend_yield))
        for symbol, events in (payouts or {}).items():
            self._keep("payouts", Payouts(symbol=symbol, events=tuple(events)))
        for symbol, rate in (rates or {}).items():
            self._keep("rate", Rate(symbol=symbol, years=_YEARS[symbol], rate=rate))
        for symbol, rate in (fx or {}).items():
            self._keep("fx", Fx(symbol=symbol, rate=rate))
        for symbol, kind in (types or {}).items():
            self._keep("profile", Profile(symbol=symbol, type=kind))

    def now(self) -> float:
        """The valuation instant."""
        return self.at

    def prefetch(self, needs: Iterable[Need], **options: object) -> PrefetchReport:
        """Remember what was asked for; there is nothing to fetch."""
        del options
        self.prefetched.append(set(needs))
        outcomes = dict.fromkeys(self.prefetched[-1], Outcome("fresh"))
        return PrefetchReport(outcomes=outcomes, requests=0, seconds=0.0)

    def quotes(self, symbols: Iterable[str]) -> dict[str, Reading[Quote]]:
        """Prices by symbol."""
        return self._read("quote", symbols, Quote)

    def profiles(self, symbols: Iterable[str]) -> dict[str, Reading[Profile]]:
        """Types by symbol."""
        return self._read("profile", symbols, Profile)

    def risks(self, symbols: Iterable[str]) -> dict[str, Reading[Risk]]:
        """Betas by symbol."""
        return self._read("risk", symbols, Risk)

    def dividends(self, symbols: Iterable[str]) -> dict[str, Reading[Dividend]]:
        """Dividend yields by symbol."""
        return self._read("dividend", symbols, Dividend)

    def payouts(self, symbols: Iterable[str]) -> dict[str, Reading[Payouts]]:
        """Dividends paid or declared by symbol."""
        return self._read("payouts", symbols, Payouts)

    def rates(self, symbols: Iterable[str]) -> dict[str, Reading[Rate]]:
        """Points of the risk-free curve by symbol."""
        return self._read("rate", symbols, Rate)

    def fx(self, symbols: Iterable[str]) -> dict[str, Reading[Fx]]:
        """Exchange rates by pair."""
        return self._read("fx", symbols, Fx)

    def _keep(self, facet: Facet, record: Record) -> None:
        record.source = record.source or "fake"
        record.as_of = self.at if record.as_of is None else record.as_of
        record.fetched_at = self.at if record.fetched_at is None else record.fetched_at
        self._records[record.symbol, facet] = record

    def _read(
        self, facet: Facet, symbols: Iterable[str], record_type: type[RecordT]
    ) -> dict[str, Reading[RecordT]]:
        readings = {}
        for symbol in symbols:
            self.asked.append((symbol, facet))
            record = self._records.get((symbol, facet))
            if isinstance(record, record_type):
                readings[symbol] = Reading(symbol, record, self._freshness, "memory")
            else:
                failure = Failure("unknown", f"no {facet} was given", "fake", 1, self.at, self.at, self.at)
                readings[symbol] = Reading(symbol, None, Freshness.NONE, "", failure)
        return readings
