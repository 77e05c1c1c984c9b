"""Whether new daily closes go on from the stored ones, and both as one series; pure.

A provider's closes are adjusted for all splits up to the day on which it is asked. After a split, or when it
has corrected a close, its series is of another *vintage* than the stored one; a series is of one vintage.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from quotewell.cache.loading import AskAgainError
from quotewell.records import Closes, DividendEvent, Split

__all__ = ["LONGEST", "OVERLAP_DAYS", "AnotherVintageError", "appended", "replaced"]

LONGEST = 800
"""Bars kept: three years and the 505 closes of the longest beta window."""
OVERLAP_DAYS = 18
"""Days before the last stored bar that are asked for again: ten sessions and a long weekend."""
_TOLERANCE = 1e-6
"""Relative; closes travel as decimals of at most so many digits."""

EventT = TypeVar("EventT", Split, DividendEvent)


class AnotherVintageError(AskAgainError):
    """The end of a series that does not go on from the stored one: the whole of it is needed."""

    def __init__(self, source: str, symbol: str) -> None:
        text = f"{symbol}: the new closes do not go on from the stored ones; the whole series is needed"
        super().__init__(source, "invalid", text)


def appended(stored: Closes, new: Closes) -> Closes | None:
    """`stored` with `new` behind it; None if they are not of one vintage, or do not meet.

    A day that only one of them has stays. Events are merged by day; those of `new` win.

    Args:
        stored: At least one bar, oldest first.
        new: Likewise, from the same provider.
    """
    known = dict(zip(stored.dates, stored.closes, strict=True))
    common = [(known[day], close) for day, close in zip(new.dates, new.closes, strict=True) if day in known]
    is_one_vintage = stored.source == new.source and all(
        abs(before - after) <= _TOLERANCE * max(before, after) for before, after in common
    )
    if not common or not is_one_vintage:
        return None
    known.update(zip(new.dates, new.closes, strict=True))
    dates = sorted(known)[-LONGEST:]
    return Closes(
        symbol=new.symbol,
        source=new.source,
        dates=dates,
        closes=[known[day] for day in dates],
        splits=tuple(_by_day({split.date: split for split in (*stored.splits, *new.splits)})),
        dividends=tuple(_by_day({event.ex_date: event for event in (*stored.dividends, *new.dividends)})),
    )


def replaced(stored: Closes, new: Closes) -> Closes:
    """`new` in place of `stored`, which is of another vintage.

    That a split was is true in every vintage; the amount of a dividend is not, as it is adjusted for splits.
    """
    splits = {split.date: split for split in (*stored.splits, *new.splits)}
    return Closes(
        symbol=new.symbol,
        source=new.source,
        dates=new.dates[-LONGEST:],
        closes=new.closes[-LONGEST:],
        splits=tuple(_by_day(splits)),
        dividends=new.dividends,
    )


def _by_day(events: dict[int, EventT]) -> Iterable[EventT]:
    return (events[day] for day in sorted(events))
