"""Which day a count belongs to, and how long the counts of a day are kept. Days are UTC."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

__all__ = ["KEPT_DAYS", "first_kept", "period", "positive", "utc_day"]

KEPT_DAYS = 400
"""Days for which counts are kept, today among them: a year, and a month to compare with."""
_EPOCH = dt.date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86400.0


def utc_day(now: float) -> dt.date:
    """The day of an instant (epoch seconds)."""
    return dt.date.fromordinal(_EPOCH + math.floor(now / _DAY_SECONDS))


def first_kept(now: float) -> dt.date:
    """The first day whose counts are still kept at `now` (epoch seconds)."""
    return period(now, KEPT_DAYS)[0]


def period(now: float, days: int) -> tuple[dt.date, dt.date]:
    """First and last of the last `days` days, the last of which is today; none are before the year 1."""
    today = utc_day(now)
    return dt.date.fromordinal(max(today.toordinal() - days + 1, 1)), today


def positive(counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, int]]:
    """Facet, event and count of everything that was counted at all."""
    return [(facet, event, n) for facet, events in counts.items() for event, n in events.items() if n > 0]
