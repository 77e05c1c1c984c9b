"""Whether a price is believable beside what was known before; one that is not is *held back*.

A price outside [1/3, 3] x its reference is held back. The reference is the previous close of the same
answer or, lacking that, the stored price if it is at most five sessions old. Held back means:

- the need becomes a failure of kind `suspect` (`SuspectPrice`), so that it is throttled and the next provider
  is asked, as after any other failure; the old value and its times stay as they are and are served with that
  failure beside them;
- if there is an old value, `SuspectPrice.kept` is a copy of it that also names the refused price in
  `Quote.suspect`; storing it (before the failure, because storing a value clears one) makes the price visible
  to every reader.

An answer may be wrong in itself: a feed that mixes up pence and pounds, or currencies, shows a previous close
as wrong as its price. So the stored price is heard as well: one in another currency, or more than thirty
times smaller or larger, speaks against the new price whatever the answer's own previous close says. (Within
that, a previous close that agrees is believed: it knows of splits that we do not.)

A price outside the band is accepted all the same when a split of those sessions, known from the same answer,
explains it. After a price was held back, one that is still outside the band around the stored price is
accepted only in a later session and only with a previous close that agrees: in the same session, a faulty
feed may show a previous close as wrong as its price. A second source that agrees within a tenth confirms it
at once.

A stored price that is itself unverified speaks against nothing; it speaks for a price of a later session that
is near it. An answer of an earlier session than the stored price is no news, and refused.

Exempt: options, rights, and instruments whose reference is under one unit of their currency; these do leap.
(Of the latter the stored price still finds a factor of about a hundred: 85 pence are not 85 pounds.)
Exchange rates are not exempt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from quotewell.calendars import new_york_sessions
from quotewell.errors import ProviderError
from quotewell.records import Closes, Quote, Record, Split
from quotewell.symbols import kind

__all__ = [
    "SuspectPrice",
    "doubt_of_rate",
    "doubt_of_scale",
    "doubt_of_unit",
    "doubt_of_yield",
    "is_confirmed",
    "weigh",
]

_LOW, _HIGH = 1.0 / 3.0, 3.0
_UNIT_FACTOR = 30.0
"""Well below the hundred that lies between a unit and its hundredth, well above most splits."""
_HUNDRED = (50.0, 200.0)
_POINTS = 2.0
_EVIDENCE_SESSIONS = 5
_SMALL_PRICE = 1.0
_OLDER = 3600.0
_CLOCKS_DIFFER = 60.0
_AGREES = 0.1
# Yahoo's suffix for rights (XYZ-RI, XYZ-RT) and Nasdaq's fifth letter R.
_RIGHTS = re.compile(r"[A-Z0-9]+-R[IT]?|[A-Z]{4}R")


class SuspectPrice(ProviderError):  # noqa: N818  named after the event, like the rest of the error tree
    """A price that was held back.

    Args:
        quote: The refused quote.
        doubt: What speaks against it.
        kept: The stored quote with the refused price in `suspect`; None when nothing was stored.
    """

    def __init__(self, quote: Quote, doubt: str, kept: Quote | None) -> None:
        super().__init__(
            quote.source or "",
            "suspect",
            f"{quote.symbol}: price {quote.last:g} held back: {doubt}; accepted when a later session "
            "confirms it",
        )
        self.price = quote.last
        self.kept = kept


def weigh(
    quote: Quote,
    stored: Quote | None,
    splits: Sequence[Split],
    now: float,
    refused: SuspectPrice | None = None,
) -> Quote:
    """Decide on a quote whose fields are already checked and in the major unit.

    Args:
        quote: The new quote; `last` and `currency` are known.
        stored: What is stored now, with or without a value.
        splits: Splits of the symbol that came in the same answer.
        now: Epoch seconds.
        refused: The last price of the symbol that was held back, and whose it was.

    Returns:
        The quote, with `unverified` set when there was nothing to compare it with.

    Raises:
        SuspectPrice: When the price is held back.
        ProviderError: `invalid`, when it is older than the stored one.
    """
    last = quote.last
    if last is None:
        return quote
    _refuse_older(quote, stored, now)
    if kind(quote.symbol) == "option" or _RIGHTS.fullmatch(quote.symbol):
        return quote
    known = _recent(stored, now)
    if quote.previous_close is None and (known is None or known.unverified):
        return quote if _repeats(quote, known, now) else msgspec.structs.replace(quote, unverified=True)
    if _is_second_opinion(quote, refused):
        return quote
    doubt = _doubt_of_answer(quote, known, splits, now) or _hearing(quote, stored, known, splits, now)
    if doubt:
        raise SuspectPrice(quote, doubt, _kept(stored, last))
    return quote


def is_confirmed(stored: Record, now: float) -> bool:
    """Whether a price or closes were held back in an earlier session, so that this one may confirm them."""
    held_at = _held_at(stored)
    return held_at is not None and _session(now) > _session(held_at)


def doubt_of_unit(price: float, currency: str | None, stored: Quote | None, now: float) -> str | None:
    """What a stored price of the last five sessions says against the unit of `price`; None for nothing.

    Args:
        price: In the major unit of `currency`.
        currency: None if nobody knows, which is no contradiction.
        stored: What is stored now.
        now: Epoch seconds.
    """
    known = _recent(stored, now)
    if known is None or known.last is None or known.unverified:
        return None
    if currency is not None and currency != known.currency:
        return f"it is in {currency}, the {known.last:g} known before in {known.currency}"
    return _ratio(price, known.last) if _is_other_unit(price, known.last) else None


def doubt_of_scale(closes: Closes, known: Closes) -> str | None:
    """What the stored closes say against the unit of new ones: the last day that both have decides."""
    before = dict(zip(known.dates, known.closes, strict=True))
    for day, close in zip(reversed(closes.dates), reversed(closes.closes), strict=True):
        if day in before:
            return _ratio(close, before[day]) if _is_other_unit(close, before[day]) else None
    return None


def doubt_of_rate(price: Quote | None) -> str | None:
    """What speaks against an exchange rate: its price (None) is refused, or nothing is known of it."""
    if price is None:
        return "the price that it is made of is refused"
    return "nothing is known to compare it with" if price.unverified else None


def doubt_of_yield(quote: Quote, stored: Quote | None, now: float) -> str | None:
    """What speaks against a Treasury yield: a leap of more than two points, or nothing to compare it with.

    Args:
        quote: As the provider gave it: `last` and `previous_close` in percent, zero and less included.
        stored: What is stored now.
        now: Epoch seconds.
    """
    known = _recent(stored, now)
    reference = quote.previous_close if known is None or quote.previous_close is not None else known.last
    if reference is None or quote.last is None:
        return "nothing is known to compare it with"
    if abs(quote.last - reference) > _POINTS:
        return f"{quote.last:g} % after {reference:g} %"
    return None


def _refuse_older(quote: Quote, stored: Quote | None, now: float) -> None:
    if stored is None or stored.last is None or stored.as_of is None or quote.as_of is None:
        return
    if stored.invalidated or stored.as_of > now + _CLOCKS_DIFFER:  # the clock was wrong then, or is now
        return
    age = stored.as_of - quote.as_of
    if age > _OLDER and _session(stored.as_of) > _session(quote.as_of):
        raise ProviderError(
            quote.source or "", "invalid", f"{quote.symbol}: {age / 3600.0:.0f} h older than the price known"
        )


def _doubt_of_answer(quote: Quote, known: Quote | None, splits: Sequence[Split], now: float) -> str | None:
    """What the previous close says against the price or, lacking that, the stored price."""
    reference = quote.previous_close
    if reference is None and known is not None:
        if known.currency != quote.currency:
            return f"it is in {quote.currency}, the {known.last:g} known before in {known.currency}"
        reference = known.last
    if reference is None or quote.last is None or _may_leap(quote, reference):
        return None
    if _within(quote.last, reference) or _within(quote.last * _recent_split_ratio(splits, now), reference):
        return None
    return _ratio(quote.last, reference)


def _hearing(
    quote: Quote, stored: Quote | None, known: Quote | None, splits: Sequence[Split], now: float
) -> str | None:
    """What the stored price says against a price that agrees with its own previous close."""
    if stored is None or known is None or known.last is None or quote.last is None:
        return None
    if is_confirmed(stored, now):
        return None
    alike = known.currency == quote.currency
    if alike and _within(quote.last * _recent_split_ratio(splits, now), known.last):
        return None
    doubt = doubt_of_unit(quote.last, quote.currency, stored, now)
    if doubt is None and alike and _held_at(stored) is not None and not _may_leap(quote, known.last):
        return _ratio(quote.last, known.last)
    return doubt


def _is_second_opinion(quote: Quote, refused: SuspectPrice | None) -> bool:
    if refused is None or not refused.price or quote.last is None or refused.provider == quote.source:
        return False
    return abs(quote.last / refused.price - 1.0) <= _AGREES


def _held_at(stored: Record) -> float | None:
    """When something was held back that still is."""
    failure = stored.failure
    if failure is None:
        return None
    held = failure.kind == "suspect" or (isinstance(stored, Quote) and stored.suspect is not None)
    return failure.last_at if held else None


def _repeats(quote: Quote, known: Quote | None, now: float) -> bool:
    """Whether a price is near an unverified one of an earlier session."""
    if known is None or known.last is None or quote.last is None or known.currency != quote.currency:
        return False
    return _within(quote.last, known.last) and _session(now) > _session(known.fetched_at or now)


def _recent(stored: Quote | None, now: float) -> Quote | None:
    """The stored quote if its price is at most five sessions old."""
    if stored is None or stored.last is None:
        return None
    instant = stored.fetched_at if stored.as_of is None else stored.as_of
    return stored if instant is not None and instant >= _evidence_begins(now) else None


def _session(now: float) -> int:
    return new_york_sessions(now).previous.date


def _evidence_begins(now: float) -> float:
    session = new_york_sessions(now).previous
    for _ in range(_EVIDENCE_SESSIONS):
        session = new_york_sessions(session.open - 1.0).previous
    return session.open


def _recent_split_ratio(splits: Sequence[Split], now: float) -> float:
    """New shares for one old over the splits of the sessions that evidence may come from."""
    if not splits:
        return 1.0
    first = new_york_sessions(_evidence_begins(now)).previous.date
    return math.prod(split.ratio for split in splits if split.date >= first)


def _kept(stored: Quote | None, suspect: float) -> Quote | None:
    if stored is None or stored.fetched_at is None or stored.last is None:
        return None
    return msgspec.structs.replace(stored, suspect=suspect, fresh_until=0.0, hits=0)


def _is_other_unit(price: float, reference: float) -> bool:
    factor = max(price / reference, reference / price)
    if min(price, reference) < _SMALL_PRICE:
        return _HUNDRED[0] <= factor <= _HUNDRED[1]  # the rest is how such prices move
    return factor > _UNIT_FACTOR


def _may_leap(quote: Quote, reference: float) -> bool:
    return reference < _SMALL_PRICE and kind(quote.symbol) != "fx"


def _ratio(price: float, reference: float) -> str:
    return f"{price / reference:.3g} times the {reference:g} known before"


def _within(price: float, reference: float) -> bool:
    return _LOW <= price / reference <= _HIGH
