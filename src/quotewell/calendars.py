"""When markets are open: the sessions that decide how long a quote stays fresh.

A plain rule: weekdays, 09:30 to 16:00 New York. It knows no holidays and no half days.
"""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_right
from zoneinfo import ZoneInfo

import msgspec

__all__ = ["Session", "Sessions", "close_of", "day_of", "new_york_sessions"]

_NEW_YORK = ZoneInfo("America/New_York")
_OPEN = dt.time(9, 30)
_CLOSE = dt.time(16, 0)
_SATURDAY = 5
_DAY = 86400.0
_EPOCH = dt.date(1970, 1, 1)
_REACH = 5
"""Days to either side among which there are sessions before and after."""


class Session(msgspec.Struct, frozen=True, gc=False):
    """One trading day: `date` as an ordinal day, open and close in epoch seconds."""

    date: int
    open: float
    close: float


class Sessions(msgspec.Struct, frozen=True, gc=False):
    """The market's state at one instant, by the sessions around it."""

    previous: Session
    """The last session that opened at or before the instant; open now when `is_open`."""
    next: Session
    is_open: bool


def new_york_sessions(now: float) -> Sessions:
    """The sessions of the New York exchanges around `now` (epoch seconds), by the plain rule."""
    opens, sessions = _near(int(now // _DAY))
    following = bisect_right(opens, now)
    previous = sessions[following - 1]
    return Sessions(previous, sessions[following], now < previous.close)


def close_of(day: dt.date) -> float:
    """The regular close of `day` in New York, in epoch seconds, whether or not a session takes place."""
    return dt.datetime.combine(day, _CLOSE, _NEW_YORK).timestamp()


def day_of(instant: float) -> int:
    """The date in New York at `instant` (epoch seconds), as an ordinal day."""
    return _date(instant).toordinal()


def _date(instant: float) -> dt.date:
    return dt.datetime.fromtimestamp(instant, _NEW_YORK).date()


@functools.lru_cache(maxsize=1024)
def _near(utc_day: int) -> tuple[tuple[float, ...], tuple[Session, ...]]:
    """Opens and sessions around a UTC day (days since the epoch); remembered, for it is asked often."""
    middle = _EPOCH + dt.timedelta(days=utc_day)
    days = (middle + dt.timedelta(days=offset) for offset in range(-_REACH, _REACH + 1))
    sessions = tuple(_session(day) for day in days if day.weekday() < _SATURDAY)
    return tuple(session.open for session in sessions), sessions


def _session(day: dt.date) -> Session:
    opens = dt.datetime.combine(day, _OPEN, _NEW_YORK).timestamp()
    return Session(day.toordinal(), opens, close_of(day))
