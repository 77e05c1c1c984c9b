"""When a share pays next, by the dividends that it has paid; pure.

A share that has paid alike at equal distances, and not missed the last time, is taken to go on so: the last
regular amount, at the frequency of the last ones. Amounts far from the usual one are special, and neither
projected nor counted for the frequency.
"""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
from collections.abc import Iterable, Sequence

from quotewell.records import DividendEvent

__all__ = ["next_expected", "projected"]

_MONTHS = (1, 3, 6, 12)
_DAYS_A_MONTH = 365.25 / 12
_RHYTHM_TOLERANCE = 0.25
_MOST_ALIKE = 2.0  # an amount is regular from half to twice the usual one
_USUAL_OF = 6  # the last payments that say what is usual
_LATE = 0.5  # of a period: when a payment that did not come has been left out
_SATURDAY = 5


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
    if _has_stopped(newest, months, today):
        return []
    out = []
    for count in range(1, (last - newest) // (28 * months) + 2):
        day = _business_day(_months_later(newest, count * months))
        if today < day <= last and day > known[-1][0]:
            out.append((day, amount))
    return out


def next_expected(events: Iterable[DividendEvent], today: int) -> int | None:
    """The ex-date (ordinal day) of the first regular payment after the known ones, past where it is late.

    None without a rhythm, or where so much time has passed that the share has stopped paying.

    Args:
        events: As in `projected`.
        today: As in `projected`.
    """
    regular = _regular(sorted((event.ex_date, event.amount) for event in events))
    months = _months_between([day for day, _ in regular])
    if months is None or _has_stopped(regular[-1][0], months, today):
        return None
    return _business_day(_months_later(regular[-1][0], months))


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


def _has_stopped(newest: int, months: int, today: int) -> bool:
    return today - newest > (1.0 + _LATE) * months * _DAYS_A_MONTH


def _months_later(day: int, months: int) -> dt.date:
    date = dt.date.fromordinal(day)
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    first = dt.date(year, month + 1, 1)
    following = (first + dt.timedelta(days=31)).replace(day=1)
    return first.replace(day=min(date.day, (following - first).days))


def _business_day(date: dt.date) -> int:
    """The day itself, or the Monday after a weekend."""
    return date.toordinal() + max(0, 7 - date.weekday()) % 7 * (date.weekday() >= _SATURDAY)
