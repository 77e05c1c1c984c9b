"""What is to be said of a row's figures: why one is missing, and what one rests on."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["BLOCKING", "REASONS", "Flag", "names"]


class Flag(IntFlag):
    """Bits of `Columns.flags`; `names` gives the lower-case names that reports use."""

    UNKNOWN_INSTRUMENT = 1 << 0
    NO_QUANTITY = 1 << 1
    EXPIRED = 1 << 2
    CORPORATE_ACTION = 1 << 3
    NO_PRICE = 1 << 4
    NO_FX_RATE = 1 << 5
    DELIVERABLE_UNKNOWN = 1 << 6
    NO_UNDERLYING_PRICE = 1 << 7
    STYLE_UNKNOWN = 1 << 8
    AS_OF_UNKNOWN = 1 << 9
    UNMATCHED = 1 << 10
    """Price and underlying price are not of one source and moment."""
    BELOW_BOUND = 1 << 11
    ABOVE_BOUND = 1 << 12
    NO_VOLATILITY = 1 << 13
    NO_BETA = 1 << 14

    DISPUTED = 1 << 15
    """Quantity times price is not what the broker says the row is worth."""
    EXPIRES_TODAY = 1 << 16
    EXERCISE = 1 << 17
    """The price is intrinsic in the exercise region: delta ±1."""
    ESTIMATED = 1 << 18
    """No volatility reproduces the price, but delta hardly depends on it."""
    MODEL = 1 << 19
    """Price and delta at a newer underlying price, with the volatility of the last matched pair."""
    ASSUMED_RATE = 1 << 20
    ASSUMED_DIVIDEND = 1 << 21
    GIVEN_RATE = 1 << 22
    GIVEN_DIVIDEND = 1 << 23
    GIVEN_BETA = 1 << 24
    PROXY_DIVIDEND = 1 << 25
    """An index's yield is that of a fund on it."""
    REPORTED = 1 << 26
    """The price is the broker's."""
    STALE = 1 << 27
    ASSIGNMENT = 1 << 28
    """Short, in the money, and its holder would gain by exercising before expiry."""
    STALE_BETA = 1 << 29
    OVERRIDE_PRICE = 1 << 30
    """The price is the user's own; so the others by their names."""
    OVERRIDE_BETA = 1 << 31
    OVERRIDE_DIVIDEND = 1 << 32
    OVERRIDE_DELIVERABLE = 1 << 33
    DISCRETE_DIVIDENDS = 1 << 34
    """Valued with the underlying's dividends at their ex-dates, not with a yield."""
    PROJECTED_DIVIDEND = 1 << 35
    """One of them is not known, but the last regular one at its frequency."""
    ADJUSTED_BETA = 1 << 36
    """Our regression, moved towards 1 by Blume's adjustment, as the user asked."""


REASONS = {
    Flag.UNKNOWN_INSTRUMENT: "not an instrument that can be priced",
    Flag.NO_QUANTITY: "no quantity",
    Flag.EXPIRED: "expired before the valuation day; shares may have been delivered",
    Flag.CORPORATE_ACTION: "corporate action? its price and the broker's differ by the ratio of a split",
    Flag.NO_PRICE: "no price",
    Flag.NO_FX_RATE: "no exchange rate",
    Flag.DELIVERABLE_UNKNOWN: "what the adjusted option delivers is not known",
    Flag.NO_UNDERLYING_PRICE: "no underlying price",
    Flag.STYLE_UNKNOWN: "exercise style not known",
    Flag.AS_OF_UNKNOWN: "the time of the valuation or of its price is not known",
    Flag.UNMATCHED: "its price and its underlying's are not of one source and moment",
    Flag.BELOW_BOUND: "its price is below what it is worth without volatility",
    Flag.ABOVE_BOUND: "its price is above what any volatility gives",
    Flag.NO_VOLATILITY: "no volatility reproduces its price",
    Flag.NO_BETA: "no beta",
}
"""Why a figure is missing, the first that applies."""

BLOCKING = Flag(0)
for _flag in REASONS:
    BLOCKING |= _flag


def names(flags: int) -> tuple[str, ...]:
    """Lower-case names of the bits that are set, as `--json` shows them."""
    return tuple(flag.name.lower() for flag in Flag(flags) if flag.name)
