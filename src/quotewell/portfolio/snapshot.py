"""All that a valuation reads of the market, taken in one go; from here on everything is pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from quotewell.portfolio.marks import is_later
from quotewell.portfolio.needs import fx_needs
from quotewell.portfolio.reported import Candidates, ReportedPrices
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
    RecordT,
    Risk,
)

__all__ = ["Snapshot", "take", "until"]


class Snapshot(msgspec.Struct, kw_only=True, frozen=True):
    """Readings by facet and symbol; a symbol that was not asked for is absent."""

    at: float | None
    """The valuation instant; None if unknown."""
    quotes: Mapping[str, Candidates] = {}
    profiles: Mapping[str, Reading[Profile]] = {}
    risks: Mapping[str, Reading[Risk]] = {}
    dividends: Mapping[str, Reading[Dividend]] = {}
    payouts: Mapping[str, Reading[Payouts]] = {}
    rates: Mapping[str, Reading[Rate]] = {}
    fx: Mapping[str, Reading[Fx]] = {}


def take(source: TickerSource, needs: Iterable[Need], base_currency: str, *, dated: bool = True) -> Snapshot:
    """Read from `source` what is needed, and the exchange rates of the currencies that its quotes are in.

    What is later than the valuation instant is dropped, whatever the source says.

    Args:
        source: The ticker source of the book.
        needs: What `needs.needs_of` says.
        base_currency: To which exchange rates lead.
        dated: False where the valuation instant is not known.
    """
    wanted = sorted(needs)
    if isinstance(source, ReportedPrices):
        source.announce(wanted)
    asked: dict[str, list[str]] = {}
    for symbol, facet in wanted:
        asked.setdefault(facet, []).append(symbol)
    candidates = _candidates(source, asked.get("quote", []))
    if isinstance(source, ReportedPrices):
        candidates = source.own_prices() | candidates
    currencies = {
        quote.currency for found in candidates.values() for quote in _quotes(found) if quote.currency
    }
    pairs = {symbol for symbol, _ in fx_needs(currencies, base_currency)} | set(asked.get("fx", []))
    profiles = _read(source.profiles, asked.get("profile"))
    risks = _read(source.risks, asked.get("risk"))
    dividends = _read(source.dividends, asked.get("dividend"))
    payouts = _read(source.payouts, asked.get("payouts"))
    rates = _read(source.rates, asked.get("rate"))
    fx = _read(source.fx, sorted(pairs))
    # Read last: what has just been fetched is not later than the valuation.
    at = source.now() if dated else None
    return until(
        Snapshot(
            at=at,
            quotes=candidates,
            profiles=profiles,
            risks=risks,
            dividends=dividends,
            payouts=payouts,
            rates=rates,
            fx=fx,
        )
    )


def until(snapshot: Snapshot) -> Snapshot:
    """What is known of the market at the snapshot's instant; names and types are of no instant."""
    at = snapshot.at
    return Snapshot(
        at=at,
        quotes={symbol: _candidates_until(found, at) for symbol, found in snapshot.quotes.items()},
        profiles=snapshot.profiles,
        risks={symbol: _until(reading, at) for symbol, reading in snapshot.risks.items()},
        dividends={symbol: _until(reading, at) for symbol, reading in snapshot.dividends.items()},
        payouts={symbol: _until(reading, at) for symbol, reading in snapshot.payouts.items()},
        rates={symbol: _until(reading, at) for symbol, reading in snapshot.rates.items()},
        fx={symbol: _until(reading, at) for symbol, reading in snapshot.fx.items()},
    )


def _read(
    reader: Callable[[Iterable[str]], dict[str, Reading[RecordT]]], symbols: list[str] | None
) -> dict[str, Reading[RecordT]]:
    return reader(symbols) if symbols else {}


def _candidates(source: TickerSource, symbols: list[str]) -> dict[str, Candidates]:
    if not symbols:
        return {}
    if isinstance(source, ReportedPrices):
        return source.candidates(symbols)
    readings = source.quotes(symbols)
    return {
        symbol: Candidates(reading, reading.record if reading.usable else None)
        for symbol, reading in readings.items()
    }


def _quotes(found: Candidates) -> list[Quote]:
    return [quote for quote in (found.service, found.reported) if quote is not None]


def _candidates_until(found: Candidates, at: float | None) -> Candidates:
    service, reported = (
        None if quote is None or is_later(quote, at) else quote for quote in (found.service, found.reported)
    )
    return Candidates(_until(found.best, at), service, reported)


def _until(reading: Reading[RecordT], at: float | None) -> Reading[RecordT]:
    record = reading.record
    if record is None or not reading.usable or not is_later(record, at):
        return reading
    return Reading(reading.symbol, None, Freshness.NONE, "", reading.failure)
