"""Every value known of a symbol, with its source, age and last failure: `explain --json`, and the API's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from quotewell.records import Facet, Failure, Need, Payout, Payouts, Quote, Reading, Record
from quotewell.symbols import SymbolKind, kind, parse_option
from quotewell.views.words import iso

__all__ = [
    "Block",
    "Explanation",
    "LastFailure",
    "explanation",
    "facets_of",
    "needs_of",
    "payouts_of",
    "values_of",
]

_FACETS: tuple[Facet, ...] = ("quote", "profile", "risk", "dividend", "payouts", "history")
_FACETS_OF_KIND: dict[SymbolKind, tuple[Facet, ...]] = {
    "option": ("quote",),
    "fx": ("fx", "quote", "history"),
    "rate": ("rate",),
}
_PLUMBING = frozenset(Record.__struct_fields__)
_A_YEAR = dt.timedelta(days=365)
_INSTANTS = ("window_start", "window_end")


class LastFailure(msgspec.Struct, frozen=True, kw_only=True):
    """The last failed attempt to get a value."""

    kind: str
    reason: str
    source: str
    count: int
    last_at: str | None
    retry_at: str | None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One facet."""

    values: dict[str, Any] | None
    source: str | None
    as_of: str | None
    fetched_at: str | None
    freshness: str
    level: str | None
    failure: LastFailure | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All facets of one symbol; `docs/json.md` documents every key."""

    schema: int = 1
    symbol: str
    facets: dict[str, Block]
    payouts: list[Payout]
    requests: int


def facets_of(name: str) -> tuple[Facet, ...]:
    """The facets that a canonical symbol of this kind can have."""
    return _FACETS_OF_KIND.get(kind(name), _FACETS)


def needs_of(name: str) -> list[Need]:
    """What has to be read to explain a canonical symbol: its facets, and what its options are valued with."""
    needs: list[Need] = [(name, facet) for facet in facets_of(name)]
    option = parse_option(name)
    if option is not None and option.underlying is not None:
        needs += [(option.underlying, "dividend"), (option.underlying, "payouts")]
    return needs


def explanation(
    name: str, readings: Mapping[Need, Reading[Record]], now: float, requests: int
) -> Explanation:
    """What readings of all `needs_of` a canonical symbol say at `now` (epoch seconds)."""
    blocks: dict[str, Block] = {facet: _block(readings[name, facet]) for facet in facets_of(name)}
    return Explanation(symbol=name, facets=blocks, payouts=payouts_of(name, readings, now), requests=requests)


def payouts_of(name: str, readings: Mapping[Need, Reading[Record]], now: float) -> list[Payout]:
    """The dividends that options are valued with, to expiry or for a year; empty where a yield is."""
    option = parse_option(name)
    payer = name if option is None else option.underlying
    known = None if payer is None else readings.get((payer, "payouts"))
    if payer is None or known is None or not isinstance(known.record, Payouts):
        return []
    if not known.record.events:
        return []
    from quotewell.portfolio.inputs import currency_of  # noqa: PLC0415  numpy, only where there are any
    from quotewell.portfolio.needs import valuation_day  # noqa: PLC0415  likewise
    from quotewell.portfolio.payouts import payouts_until  # noqa: PLC0415  likewise

    quoted = readings[name, "quote"].record if (name, "quote") in readings else None
    currency = currency_of(payer, quoted.currency if isinstance(quoted, Quote) else None)
    last = valuation_day(now) + _A_YEAR if option is None else option.expiry
    found = payouts_until(last, known.record.events, currency, 1.0, now)
    return [payout for payout in found if payout.years > 0.0]


def values_of(record: Record) -> dict[str, Any]:
    """The record's own fields, times and days as text."""
    fields = (field for field in record.__struct_fields__ if field not in _PLUMBING)
    return {field: _plain(field, getattr(record, field)) for field in fields}


def _block(reading: Reading[Record]) -> Block:
    record, provenance, failure = reading.record, reading.provenance, reading.failure
    return Block(
        values=values_of(record) if record is not None else None,
        source=provenance.source if provenance else None,
        as_of=iso(provenance.as_of) if provenance else None,
        fetched_at=iso(provenance.fetched_at) if provenance else None,
        freshness=reading.freshness.name.lower(),
        level=reading.level or None,
        failure=_failure(failure) if failure is not None else None,
    )


def _failure(failure: Failure) -> LastFailure:
    return LastFailure(
        kind=failure.kind,
        reason=failure.reason,
        source=failure.source,
        count=failure.count,
        last_at=iso(failure.last_at),
        retry_at=iso(failure.retry_at),
    )


def _plain(field: str, value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(name, getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_plain(field, item) for item in value]
    if isinstance(value, int) and field.endswith("_date"):
        return dt.date.fromordinal(value).isoformat()
    if isinstance(value, float) and field in _INSTANTS:
        return iso(value)
    return value
