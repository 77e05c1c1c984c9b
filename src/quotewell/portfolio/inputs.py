"""From readings to the inputs of a valuation, each with the flag that says what it rests on.

Betas, dividend yields and rates follow one order: what is known, what the user gave, and then nothing; only
rates and dividend yields end at an assumed 0, marked.
"""

from __future__ import annotations

import math

from quotewell.portfolio.basis import Basis
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.marks import Mark, last_mark
from quotewell.portfolio.needs import fx_symbol, yield_symbol
from quotewell.portfolio.reported import Candidates
from quotewell.portfolio.snapshot import Snapshot
from quotewell.records import Freshness, Quote, Reading, Risk
from quotewell.symbols import exchange_suffix, minor_unit

__all__ = [
    "NAN",
    "beta_of",
    "currency_of",
    "curve_of",
    "dividend_yield_of",
    "fx_rate",
    "is_adjusted",
    "is_split_between",
    "is_stale",
    "risk_of",
    "spot_of",
]

NAN = math.nan

_SPLIT_RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)
_SPLIT_TOLERANCE = 0.02


def spot_of(symbol: str, snapshot: Snapshot) -> Mark | None:
    """The valuation price of a security; None if there is none."""
    found = snapshot.quotes.get(symbol)
    if found is None or not found.best.usable or found.best.record is None:
        return None
    return last_mark(found.best.record)


def is_stale(reading: Reading[Quote] | Reading[Risk]) -> bool:
    """Whether a reading's value may only be shown with the mark of a stale one."""
    return reading.usable and reading.freshness == Freshness.STALE


def is_split_between(found: Candidates | None) -> bool:
    """Whether service and broker price differ by the ratio of a split (2:1 to 100:1, either way, ± 2 %).

    3:2 is left out: a price rises by half more often than it is split so.
    """
    if found is None or found.service is None or found.reported is None:
        return False
    service, reported = found.service.last, found.reported.last
    if not service or not reported:
        return False
    ratio = max(service / reported, reported / service)
    return any(abs(ratio / split - 1.0) <= _SPLIT_TOLERANCE for split in _SPLIT_RATIOS)


def risk_of(symbol: str, snapshot: Snapshot, basis: Basis) -> Risk | None:
    """The known beta record against the basis' benchmark."""
    reading = snapshot.risks.get(symbol)
    if reading is None or not reading.usable or reading.record is None:
        return None
    risk = reading.record
    return risk if risk.beta is not None and risk.benchmark in (None, basis.benchmark) else None


def beta_of(symbol: str, snapshot: Snapshot, basis: Basis) -> tuple[float, Flag]:
    """Beta against the benchmark, whose own is 1; NaN where neither the market nor the user says."""
    if symbol in basis.betas:
        return basis.betas[symbol], Flag.OVERRIDE_BETA
    if symbol == basis.benchmark:
        return 1.0, Flag(0)
    risk = risk_of(symbol, snapshot, basis)
    if risk is not None and risk.beta is not None:
        flag = Flag.STALE_BETA if is_stale(snapshot.risks[symbol]) else Flag(0)
        if is_adjusted(risk, basis):
            from quotewell.analytics.beta import blume  # noqa: PLC0415  no other report regresses

            return blume(risk.beta), flag | Flag.ADJUSTED_BETA
        return risk.beta, flag
    if basis.beta is not None:
        return basis.beta, Flag.GIVEN_BETA
    return NAN, Flag.NO_BETA


def is_adjusted(risk: Risk, basis: Basis) -> bool:
    """Whether a beta is adjusted: what a provider states may be so already."""
    return basis.blume and risk.method in ("ols_daily", "ols_weekly")


def dividend_yield_of(underlying: str, snapshot: Snapshot, basis: Basis) -> tuple[float, Flag]:
    """Continuous dividend yield, fraction a year; an index's is that of a fund on it."""
    if underlying in basis.dividend_yields:
        return basis.dividend_yields[underlying], Flag.OVERRIDE_DIVIDEND
    symbol = yield_symbol(underlying)
    reading = snapshot.dividends.get(symbol)
    if reading is not None and reading.usable and reading.record is not None:
        known = reading.record.dividend_yield
        if known is not None:
            return known, Flag(0) if symbol == underlying else Flag.PROXY_DIVIDEND
    if basis.dividend_yield is not None:
        return basis.dividend_yield, Flag.GIVEN_DIVIDEND
    return 0.0, Flag.ASSUMED_DIVIDEND


def curve_of(
    currency: str, snapshot: Snapshot, basis: Basis
) -> tuple[tuple[float, ...], tuple[float, ...], Flag]:
    """Years and continuous rates of a currency's risk-free curve, between which rates are linear in time.

    Only the dollar has a curve; elsewhere one point is what the user gave, else an assumed 0.
    """
    if currency == "USD":
        points = sorted(
            (reading.record.years, reading.record.rate)
            for reading in snapshot.rates.values()
            if reading.usable
            and reading.record is not None
            and reading.record.years is not None
            and reading.record.rate is not None
        )
        if points:
            years, rates = zip(*points, strict=True)
            return years, rates, Flag(0)
    given = basis.rates.get(currency)
    if given is not None:
        return (1.0,), (given,), Flag.GIVEN_RATE
    return (1.0,), (0.0,), Flag.ASSUMED_RATE


def fx_rate(currency: str | None, snapshot: Snapshot, basis: Basis) -> float:
    """Base units per unit of `currency`'s major unit; NaN if there is none."""
    if currency is None:
        return NAN
    if minor_unit(currency)[0] == basis.base_currency:
        return 1.0
    pair = fx_symbol(currency, basis.base_currency)
    reading = snapshot.fx.get(pair) if pair is not None else None
    if reading is None or not reading.usable or reading.record is None or reading.record.rate is None:
        return NAN
    return reading.record.rate


def currency_of(symbol: str, *said: str | None) -> str | None:
    """The first currency that somebody states; else US dollars for a symbol without a foreign exchange."""
    for currency in said:
        if currency is not None:
            return minor_unit(currency)[0]
    return "USD" if exchange_suffix(symbol) is None else None
