"""Where every value of a valuation comes from, how old it is, and why one is missing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quotewell.outcomes import NOT_ASKED
from quotewell.portfolio.snapshot import Snapshot
from quotewell.records import (
    Dividend,
    Facet,
    Freshness,
    Fx,
    Payouts,
    Profile,
    Quote,
    Rate,
    Reading,
    Record,
    RecordT,
    Risk,
)
from quotewell.views.words import NOT_AVAILABLE, count, number, printable

__all__ = ["Source", "sources"]

_WHAT: dict[str, str] = {
    "quote": "price",
    "profile": "name",
    "risk": "beta",
    "dividend": "dividend yield",
    "payouts": "dividends",
    "fx": "exchange rate",
    "rate": "interest rate",
}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One value that the report rests on, or its gap."""

    symbol: str
    facet: Facet
    what: str
    """The facet in words."""
    value: str
    source: str | None
    as_of: float | None
    """When the market said it, epoch seconds."""
    fetched_at: float | None
    age: float | None
    """Seconds between what the market said and the valuation."""
    freshness: Freshness
    level: str
    reason: str
    """Why it could not be had, or not anew; empty where nothing failed."""
    retry_at: float | None
    """When it is asked for again by itself."""

    @property
    def state(self) -> str:
        """`fresh`, `stale`, `your own`, or `n/a`."""
        if self.level == "override":
            return "your own"
        if self.freshness == Freshness.NONE:
            return NOT_AVAILABLE
        return "stale" if self.freshness == Freshness.STALE else "fresh"


def sources(snapshot: Snapshot) -> tuple[Source, ...]:
    """All that a valuation has read: gaps first, then what is stale, then the rest by symbol."""
    quotes = {symbol: found.best for symbol, found in snapshot.quotes.items()}
    found = [
        *_of("quote", quotes.values(), snapshot.at),
        *_of("risk", snapshot.risks.values(), snapshot.at),
        *_of("dividend", snapshot.dividends.values(), snapshot.at),
        *_of("payouts", _paid(snapshot), snapshot.at),
        *_of("fx", snapshot.fx.values(), snapshot.at),
        *_of("rate", snapshot.rates.values(), snapshot.at),
        *_of("profile", snapshot.profiles.values(), snapshot.at),
    ]
    rank = {NOT_AVAILABLE: 0, "stale": 1}
    return tuple(sorted(found, key=lambda one: (rank.get(one.state, 2), one.symbol)))


def _paid(snapshot: Snapshot) -> list[Reading[Payouts]]:
    """Dividends, but for gaps beside the gap of a yield: where none is known, nobody is asked for them."""
    return [
        reading
        for symbol, reading in snapshot.payouts.items()
        if reading.usable or (symbol in snapshot.dividends and snapshot.dividends[symbol].usable)
    ]


def _of(facet: Facet, readings: Iterable[Reading[RecordT]], at: float | None) -> list[Source]:
    return [_source(facet, reading, at) for reading in readings]


def _source(facet: Facet, reading: Reading[RecordT], at: float | None) -> Source:
    record, failure = reading.record if reading.usable else None, reading.failure
    said_at = None if record is None else record.as_of if record.as_of is not None else record.fetched_at
    reason = ""
    if failure is not None:
        reason = printable(failure.reason)
    elif record is None:
        reason = NOT_ASKED
    return Source(
        symbol=reading.symbol,
        facet=facet,
        what=_WHAT[facet],
        value=NOT_AVAILABLE if record is None else _value(record),
        source=None if record is None else record.source,
        as_of=None if record is None else record.as_of,
        fetched_at=None if record is None else record.fetched_at,
        age=None if said_at is None or at is None else max(at - said_at, 0.0),
        freshness=reading.freshness if record is not None else Freshness.NONE,
        level=reading.level,
        reason=reason,
        retry_at=None if failure is None else failure.retry_at,
    )


def _value(record: Record) -> str:
    if isinstance(record, Quote):
        price = record.last
        if price is None and record.bid is not None and record.ask is not None:
            price = (record.bid + record.ask) / 2.0
        text = f"{number(price, 2)} {record.currency or ''}".strip()
        return f"{text}, a newer one held back" if record.suspect is not None else text
    if isinstance(record, Risk):
        return number(record.beta, 2)
    if isinstance(record, Dividend):
        return _percent(record.dividend_yield)
    if isinstance(record, Fx):
        return number(record.rate, 4)
    if isinstance(record, Rate):
        return _percent(record.rate)
    if isinstance(record, Payouts):
        name = count(len(record.events), "ex-date")
    else:
        name = record.name or NOT_AVAILABLE if isinstance(record, Profile) else ""
    return printable(name)


def _percent(fraction: float | None) -> str:
    return NOT_AVAILABLE if fraction is None else f"{number(fraction * 100, 2)} %"
