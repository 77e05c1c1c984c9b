"""The dividends that an underlying pays before an option expires: known ones, and regular ones to come.

A share that has paid alike at equal distances, and not missed the last time, is taken to go on so: the last
regular amount, at the frequency of the last ones. Amounts far from the usual one are special, and neither
projected nor counted for the frequency.
"""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import numpy as np

from quotewell.analytics.arrays import Objects
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.portfolio.needs import valuation_day, yield_symbol
from quotewell.portfolio.snapshot import Snapshot
from quotewell.records import DividendEvent, Payout
from quotewell.symbols import Option

__all__ = ["YEAR", "dividends_of", "payouts_before", "payouts_until", "projected"]

YEAR = 365.0 * 86400.0
"""Seconds a year in every time to expiry."""

_MONTHS = (1, 3, 6, 12)
_DAYS_A_MONTH = 365.25 / 12
_RHYTHM_TOLERANCE = 0.25
_MOST_ALIKE = 2.0  # an amount is regular from half to twice the usual one
_USUAL_OF = 6  # the last payments that say what is usual
_LATE = 0.5  # of a period: when a payment that did not come has been left out
_LOOK_BACK = 10  # days before the valuation: the age of a matched pair of prices
_NEW_YORK = ZoneInfo("America/New_York")
_OPEN = dt.time(9, 30)
_SATURDAY = 5


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
        reading = snapshot.dividends.get(underlying)
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


def projected(events: Iterable[DividendEvent], today: int, last: int) -> list[tuple[int, float]]:
    """Ex-dates and amounts after `today` and all that is known, up to `last`; empty without a rhythm.

    Args:
        events: Past and declared dividends, by date.
        today: Proleptic ordinal day of the valuation.
        last: The last day wanted.
    """
    known = sorted((event.ex_date, event.amount) for event in events)
    regular = _regular(known)
    months = _months_between([day for day, _ in regular])
    if months is None:
        return []
    newest, amount = regular[-1]
    if today - newest > (1.0 + _LATE) * months * _DAYS_A_MONTH:
        return []
    out = []
    for count in range(1, (last - newest) // (28 * months) + 2):
        day = _business_day(_months_later(newest, count * months))
        if today < day <= last and day > known[-1][0]:
            out.append((day, amount))
    return out


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


def _regular(known: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The payments of about the usual amount."""
    if not known:
        return []
    usual = statistics.median(amount for _, amount in known[-_USUAL_OF:])
    return [(day, amount) for day, amount in known if usual / _MOST_ALIKE <= amount <= usual * _MOST_ALIKE]


def _months_between(days: Sequence[int]) -> int | None:
    """The months between the last payments; None where they follow no rhythm."""
    gaps = [later - day for day, later in itertools.pairwise(days)][-_USUAL_OF:]
    if not gaps:
        return None
    usual = statistics.median(gaps)
    for months in _MONTHS:
        period = months * _DAYS_A_MONTH
        alike = [gap for gap in (*gaps, usual) if abs(gap / period - 1.0) <= _RHYTHM_TOLERANCE]
        if usual in alike and len(alike) > (len(gaps) + 1) / 2:
            return months
    return None


def _months_later(day: int, months: int) -> dt.date:
    date = dt.date.fromordinal(day)
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    first = dt.date(year, month + 1, 1)
    following = (first + dt.timedelta(days=31)).replace(day=1)
    return first.replace(day=min(date.day, (following - first).days))


def _business_day(date: dt.date) -> int:
    """The day itself, or the Monday after a weekend."""
    return date.toordinal() + max(0, 7 - date.weekday()) % 7 * (date.weekday() >= _SATURDAY)


def _opening(day: int) -> float:
    """When trading without the dividend begins, in epoch seconds."""
    return dt.datetime.combine(dt.date.fromordinal(day), _OPEN, tzinfo=_NEW_YORK).timestamp()
