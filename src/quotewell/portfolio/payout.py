"""One dividend of a schedule; apart from what makes schedules, which imports numpy."""

from __future__ import annotations

import datetime as dt

import msgspec

__all__ = ["Payout"]


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """One dividend before an option expires.

    Args:
        ex_date: The first day without it.
        years: From the valuation to the open of that day.
        amount: Per unit of what the option is priced on, in its currency.
        projected: Whether it is the last regular amount at its frequency, not one that is known.
    """

    ex_date: dt.date
    years: float
    amount: float
    projected: bool
