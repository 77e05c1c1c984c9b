"""Price, beta and name of symbols, with where they come from: the rows of `quote --json` and of the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from quotewell.errors import SymbolError
from quotewell.outcomes import NOT_ASKED
from quotewell.records import Need, Profile, Quote, Reading, Record, Risk
from quotewell.symbols import normalise
from quotewell.views.words import iso

__all__ = ["FACETS", "Row", "canonical", "quote_row"]

FACETS = ("quote", "profile", "risk")
"""What a row is made of."""


class Row(msgspec.Struct, kw_only=True):
    """One symbol; see docs/json.md."""

    symbol: str
    price: float | None = None
    previous_close: float | None = None
    currency: str | None = None
    beta: float | None = None
    name: str | None = None
    as_of: str | None = None
    fetched_at: str | None = None
    source: str | None = None
    freshness: str = "none"
    level: str | None = None
    error: str | None = None


def canonical(texts: Iterable[str]) -> dict[str, str | SymbolError]:
    """Each text with the symbol that it is, or why it is none."""
    return {text: _canonical(text) for text in texts}


def quote_row(text: str, name: str | SymbolError, readings: Mapping[Need, Reading[Record]]) -> Row:
    """One row.

    Args:
        text: The symbol as it was given.
        name: What `canonical` says of it.
        readings: Of all `FACETS` of the symbol.
    """
    if isinstance(name, SymbolError):
        return Row(symbol=text, error=str(name))
    row = Row(symbol=name)
    reading = readings[name, "quote"]
    quote = reading.record
    if isinstance(quote, Quote):
        row.price, row.previous_close, row.currency = quote.last, quote.previous_close, quote.currency
        row.as_of, row.fetched_at, row.source = iso(quote.as_of), iso(quote.fetched_at), quote.source
        row.freshness, row.level = reading.freshness.name.lower(), reading.level
    profile, risk = readings[name, "profile"].record, readings[name, "risk"].record
    if isinstance(profile, Profile):
        row.name = profile.name
    if isinstance(risk, Risk):
        row.beta = risk.beta
    if reading.failure is not None:
        row.error = reading.failure.reason
    elif row.price is None:
        row.error = NOT_ASKED
    return row


def _canonical(text: str) -> str | SymbolError:
    try:
        return normalise(text)
    except SymbolError as error:
        return error
