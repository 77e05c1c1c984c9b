"""When markets are open: the sessions that decide how long a quote stays fresh.

A `Schedule` answers from a list of sessions. Where no list reaches there is a plain rule for New York:
weekdays, 09:30 to 16:00. It knows no holidays and no half days.
"""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from quotewell.exchanges import NEW_YORK, Exchange

__all__ = ["Schedule", "Session", "Sessions", "close_of", "day_of", "new_york_sessions"]

_NEW_YORK = ZoneInfo(NEW_YORK.time_zone)
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
    exchange: Exchange = NEW_YORK


class Schedule:
    """The sessions of one exchange over some months.

    Args:
        sessions: Without gaps, oldest first; may be empty.
        exchange: Whose they are.
        beyond: Answers for instants that `sessions` do not cover.
    """

    def __init__(
        self, sessions: Sequence[Session], exchange: Exchange, beyond: Callable[[float], Sessions | None]
    ) -> None:
        self._sessions = sessions
        self._opens = [session.open for session in sessions]
        self._exchange = exchange
        self._beyond = beyond

    def __call__(self, instant: float) -> Sessions | None:
        """The sessions around `instant` (epoch seconds); None where neither list nor rule knows any."""
        following = bisect_right(self._opens, instant)
        if not 0 < following < len(self._opens):
            return self._beyond(instant)
        previous = self._sessions[following - 1]
        return Sessions(previous, self._sessions[following], instant < previous.close, self._exchange)

    def covers(self, instant: float) -> bool:
        """Whether the list has a session before and one after `instant`."""
        return 0 < bisect_right(self._opens, instant) < len(self._opens)


def new_york_sessions(now: float) -> Sessions:
    """The sessions of the New York exchanges around `now` (epoch seconds), by the plain rule."""
    opens, sessions = _near(int(now // _DAY))
    following = bisect_right(opens, now)
    previous = sessions[following - 1]
    return Sessions(previous, sessions[following], now < previous.close)


def close_of(day: dt.date) -> float:
    """The regular close of `day` in New York, in epoch seconds, whether or not a session takes place."""
    return dt.datetime.combine(day, _CLOSE, _NEW_YORK).timestamp()


def day_of(instant: float, exchange: Exchange = NEW_YORK) -> int:
    """The date at the exchange at `instant` (epoch seconds), as an ordinal day."""
    zone = _NEW_YORK if exchange is NEW_YORK else ZoneInfo(exchange.time_zone)
    return dt.datetime.fromtimestamp(instant, zone).toordinal()


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
