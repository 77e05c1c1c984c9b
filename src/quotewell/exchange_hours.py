"""Sessions of the world's exchanges, with holidays, half days and daylight saving, from exchange_calendars.

The only file that imports that library, and pandas with it: half a second, so only when it is asked.
"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import threading
import warnings

from quotewell.calendars import Session

__all__ = ["sessions_around"]

_REACH = dt.timedelta(days=40)
_FILTERS = threading.Lock()
"""Warning filters belong to the whole process: one thread at a time may change and restore them."""


def sessions_around(code: str, instant: float) -> tuple[Session, ...]:
    """The sessions from at least 40 days before `instant` to 40 days after it, or as far as they are known.

    A lunch break is part of its session.

    Args:
        code: The exchange's code in exchange_calendars.
        instant: Epoch seconds.

    Raises:
        ValueError: The library has no holidays for that time.
        exchange_calendars.errors.CalendarError: It does not know the exchange, or no session of that time.
        ImportError: It cannot be imported.
    """
    day = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=instant)
    return _around_month(code, day.year, day.month)


@functools.lru_cache(maxsize=128)
def _around_month(code: str, year: int, month: int) -> tuple[Session, ...]:
    month_ends = dt.date(year, month, calendar.monthrange(year, month)[1])
    # Many calendars end with the last year whose holidays have been announced.
    ends = (month_ends + _REACH, dt.date(year, 12, 31), month_ends)
    start = dt.date(year, month, 1) - _REACH
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(pandas|numpy|exchange_calendars|pyluach|toolz)(\.|$)")
        for end in ends[:-1]:
            try:
                return _between(code, start, end)
            except ValueError:
                continue
        return _between(code, start, ends[-1])


def _between(code: str, start: dt.date, end: dt.date) -> tuple[Session, ...]:
    from exchange_calendars import get_calendar  # noqa: PLC0415  see above

    known = get_calendar(code, start=start.isoformat(), end=end.isoformat())
    days = zip(known.sessions, known.opens, known.closes, strict=True)
    return tuple(
        Session(day.toordinal(), opens.timestamp(), closes.timestamp()) for day, opens, closes in days
    )
