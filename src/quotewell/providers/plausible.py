"""Whether a price is believable beside what was known before; one that is not is *held back*.

A price outside [1/3, 3] x its reference is held back. The reference is the previous close of the same
answer or, lacking that, the stored price if it is at most five sessions old and in the same currency. Held
back means:

- the need becomes a failure of kind `suspect` (`SuspectPrice`), so that it is throttled and the next provider
  is asked, as after any other failure; the old value and its times stay as they are and are served with that
  failure beside them;
- if there is an old value, `SuspectPrice.kept` is a copy of it that also names the refused price in
  `Quote.suspect`; storing it (before the failure, because storing a value clears one) makes the price visible
  to every reader.

A price outside the band is accepted all the same when a split of those sessions, known from the same answer,
explains it. After a price was held back, one that is still outside the band around the stored price is
accepted only in a later session and only with a previous close that agrees: in the same session, a faulty
feed may show a previous close as wrong as its price. Confirmation by a second source belongs in `_confirmed`.

Exempt: options, rights, and instruments whose reference is under one unit of their currency; these do leap.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from quotewell.calendars import new_york_sessions
from quotewell.errors import ProviderError
from quotewell.records import Quote, Split
from quotewell.symbols import kind

__all__ = ["SuspectPrice", "weigh"]

_LOW, _HIGH = 1.0 / 3.0, 3.0
_EVIDENCE_SESSIONS = 5
_SMALL_PRICE = 1.0
# Yahoo's suffix for rights (XYZ-RI, XYZ-RT) and Nasdaq's fifth letter R.
_RIGHTS = re.compile(r"[A-Z0-9]+-R[IT]?|[A-Z]{4}R")


class SuspectPrice(ProviderError):  # noqa: N818  named after the event, like the rest of the error tree
    """A price that was held back.

    Args:
        quote: The refused quote.
        reference: The price that it was compared with.
        kept: The stored quote with the refused price in `suspect`; None when nothing was stored.
    """

    def __init__(self, quote: Quote, reference: float, kept: Quote | None) -> None:
        super().__init__(
            quote.source or "",
            "suspect",
            f"{quote.symbol}: price {quote.last:g} held back: {(quote.last or 0.0) / reference:.3g} times "
            f"the {reference:g} known before; accepted when a later session confirms it",
        )
        self.price = quote.last
        self.kept = kept


def weigh(quote: Quote, stored: Quote | None, splits: Sequence[Split], now: float) -> Quote:
    """Decide on a quote whose fields are already checked and in the major unit.

    Args:
        quote: The new quote; `last` and `currency` are known.
        stored: What is stored now, with or without a value.
        splits: Splits of the symbol that came in the same answer.
        now: Epoch seconds.

    Returns:
        The quote, with `unverified` set when there was nothing to compare it with.

    Raises:
        SuspectPrice: When the price is held back.
    """
    last = quote.last
    if last is None or kind(quote.symbol) == "option" or _RIGHTS.fullmatch(quote.symbol):
        return quote
    previous = quote.previous_close
    reference = _recent_price(quote, stored, now) if previous is None else previous
    if reference is None:
        return msgspec.structs.replace(quote, unverified=True)
    if reference < _SMALL_PRICE:
        return quote
    if not _within(last, reference):
        if _within(last * _recent_split_ratio(splits, now), reference):
            return quote
        raise SuspectPrice(quote, reference, _kept(stored, last))
    if not _confirmed(stored, now):
        known = _recent_price(quote, stored, now)
        if known is not None and not _within(last, known):
            raise SuspectPrice(quote, known, _kept(stored, last))
    return quote


def _confirmed(stored: Quote | None, now: float) -> bool:
    """Whether no price is being held back, or a later session has begun since the last one was."""
    if stored is None or stored.failure is None:
        return True
    if stored.suspect is None and stored.failure.kind != "suspect":
        return True
    return new_york_sessions(now).previous.date > new_york_sessions(stored.failure.last_at).previous.date


def _recent_price(quote: Quote, stored: Quote | None, now: float) -> float | None:
    if stored is None or stored.last is None or stored.currency != quote.currency:
        return None
    instant = stored.fetched_at if stored.as_of is None else stored.as_of
    return stored.last if instant is not None and instant >= _evidence_begins(now) else None


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


def _within(price: float, reference: float) -> bool:
    return _LOW <= price / reference <= _HIGH
