"""The dividends that an underlying pays before an option expires: known ones, and regular ones to come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import numpy as np

from quotewell.analytics.arrays import Objects
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.payment_rhythm import projected
from quotewell.portfolio.needs import valuation_day, yield_symbol
from quotewell.portfolio.snapshot import Snapshot
from quotewell.records import DividendEvent, Payout
from quotewell.symbols import Option

__all__ = ["YEAR", "dividends_of", "payouts_before", "payouts_until"]

YEAR = 365.0 * 86400.0
"""Seconds a year in every time to expiry."""

_LOOK_BACK = 10  # days before the valuation: the age of a matched pair of prices
_NEW_YORK = ZoneInfo("America/New_York")
_OPEN = dt.time(9, 30)


def payouts_before(
    option: Option,
    currency: str | None,
    shares: float,
    snapshot: Snapshot,
    own: Sequence[DividendEvent] | None = None,
) -> tuple[Payout, ...]:
    """The dividends of an option's underlying between the valuation and expiry; empty where none are known.

    Those that went ex a few days before the valuation come along, with negative `years`, for prices of
    before; on their own they do not count. Events in another currency than the option's say nothing.

    Args:
        option: The contract.
        currency: Of the contract.
        shares: Delivered for one unit of premium.
        snapshot: What is known.
        own: The user's own dividends of the underlying, in place of those; None if there are none.
    """
    underlying = option.underlying
    if underlying is None or snapshot.at is None or yield_symbol(underlying) != underlying:
        return ()
    events = own
    if events is None:
        reading = snapshot.payouts.get(underlying)
        events = reading.record.events if reading is not None and reading.usable and reading.record else ()
    scale = shares * option.underlying_scale
    found = payouts_until(option.expiry, events, currency, scale, snapshot.at)
    return found if any(payout.years > 0.0 for payout in found) else ()


def payouts_until(
    last_day: dt.date, events: Iterable[DividendEvent], currency: str | None, scale: float, at: float
) -> tuple[Payout, ...]:
    """Those from a few days before `at` (epoch seconds) to a day, each amount times `scale`."""
    events = [event for event in events if event.currency in (None, currency)]
    today, last = valuation_day(at).toordinal(), last_day.toordinal()
    known = [(event.ex_date, event.amount, not event.declared) for event in events]
    coming = [(day, amount, True) for day, amount in projected(events, today, last)]
    return tuple(
        Payout(
            ex_date=dt.date.fromordinal(day),
            years=(_opening(day) - at) / YEAR,
            amount=amount * scale,
            projected=is_projected,
        )
        for day, amount, is_projected in sorted(known + coming)
        if today - _LOOK_BACK <= day <= last
    )


def dividends_of(payouts: Objects) -> Dividends | None:
    """The dividends of contracts as columns, one for each contract; None where no contract has any.

    Args:
        payouts: A tuple of `Payout` for each contract; None for what is no contract.
    """
    most = max((len(own) for own in payouts if own is not None), default=0)
    if not most:
        return None
    when, amount = np.zeros((2, most, len(payouts)))
    for column, own in enumerate(payouts):
        for row, payout in enumerate(own or ()):
            when[row, column], amount[row, column] = payout.years, payout.amount
    return Dividends(when, amount)


def _opening(day: int) -> float:
    """When trading without the dividend begins, in epoch seconds."""
    return dt.datetime.combine(dt.date.fromordinal(day), _OPEN, tzinfo=_NEW_YORK).timestamp()
