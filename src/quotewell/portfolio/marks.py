"""The price that a quote is taken to say, and whether two prices are of the same moment."""

from __future__ import annotations

import msgspec

from quotewell.calendars import new_york_sessions
from quotewell.records import Quote, Record

__all__ = ["Mark", "is_later", "is_matched", "last_mark", "option_marks"]

_SAME_MOMENT = 15 * 60.0
_WIDEST_SPREAD = 0.25
_TICKS_ALLOWED = 0.10
_CLOCK_TOLERANCE = 60.0


class Mark(msgspec.Struct, frozen=True, gc=False):
    """One price per share or unit of premium.

    Args:
        price: In the major unit of `currency`.
        time: When the market said it, epoch seconds; None if not known.
        source: Who says so.
        currency: Currency of the price; None if not said.
        half_spread: Half of ask - bid, where the price is their middle.
    """

    price: float
    time: float | None
    source: str
    currency: str | None
    half_spread: float | None = None


def last_mark(quote: Quote) -> Mark | None:
    """The last trade; None if the quote has none."""
    if quote.last is None:
        return None
    return Mark(quote.last, quote.as_of, quote.source or "", quote.currency)


def option_marks(quote: Quote) -> list[Mark]:
    """The prices that an option's quote offers, the best first.

    The middle of bid and ask where bid > 0 and ask - bid ≤ max(0.10, 25 % of the middle); it is of the time
    it was asked for, or of the last close when the market was closed then. After it, the last trade.
    """
    marks = []
    bid, ask, asked_at = quote.bid, quote.ask, quote.fetched_at
    if bid is not None and ask is not None and asked_at is not None and 0.0 < bid <= ask:
        middle = (bid + ask) / 2.0
        if ask - bid <= max(_TICKS_ALLOWED, _WIDEST_SPREAD * middle):
            sessions = new_york_sessions(asked_at)
            time = asked_at if sessions.is_open else sessions.previous.close
            marks.append(Mark(middle, time, quote.source or "", quote.currency, (ask - bid) / 2.0))
    last = last_mark(quote)
    return marks if last is None else [*marks, last]


def is_matched(option: Mark, underlying: Mark) -> bool:
    """Whether the two are of one source and moment: within 15 minutes, or both the close of one session."""
    if option.source != underlying.source or option.time is None or underlying.time is None:
        return False
    if abs(option.time - underlying.time) <= _SAME_MOMENT:
        return True
    first, second = _closing_session(option.time), _closing_session(underlying.time)
    return first is not None and first == second


def _closing_session(time: float) -> int | None:
    """The session whose close is the last thing the market said at `time`; None while it is open."""
    sessions = new_york_sessions(time)
    return None if sessions.is_open else sessions.previous.date


def is_later(record: Record, at: float | None) -> bool:
    """Whether a record says something of a time after the valuation instant, clocks' differences aside."""
    time = record.as_of if record.as_of is not None else record.fetched_at
    return at is not None and time is not None and time > at + _CLOCK_TOLERANCE
