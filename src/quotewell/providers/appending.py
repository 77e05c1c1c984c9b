"""Whether new daily closes go on from the stored ones, and both as one series; pure.

A provider's closes are adjusted for all splits up to the day on which it is asked. After a split, or when it
has corrected a close, its series is of another *vintage* than the stored one; a series is of one vintage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quotewell.cache.loading import AskAgainError
from quotewell.records import Closes, DividendEvent, Split

__all__ = ["LONGEST", "OVERLAP_DAYS", "AnotherVintageError", "appended", "replaced"]

LONGEST = 800
"""Bars kept: three years and the 505 closes of the longest beta window."""
OVERLAP_DAYS = 18
"""Days before the last stored bar that are asked for again: ten sessions and a long weekend."""
_TOLERANCE = 1e-6
"""Relative; closes travel as decimals of at most so many digits."""


class AnotherVintageError(AskAgainError):
    """The end of a series that does not go on from the stored one: the whole of it is needed."""

    def __init__(self, source: str, symbol: str) -> None:
        text = f"{symbol}: the new closes do not go on from the stored ones; the whole series is needed"
        super().__init__(source, "invalid", text)


def appended(stored: Closes, new: Closes) -> Closes | None:
    """`stored` with `new` behind it; None if they are not of one vintage, or do not meet.

    A day that only one of them has stays. Of a day that `new` has events of, its events stay.

    Args:
        stored: At least one bar, oldest first.
        new: Likewise, from the same provider.
    """
    known = dict(zip(stored.dates, stored.closes, strict=True))
    common = [day for day in new.dates if day in known]
    if not common or stored.source != new.source or len(_agreed(known, new)) < len(common):
        return None
    known.update(zip(new.dates, new.closes, strict=True))
    dates = sorted(known)[-LONGEST:]
    return Closes(
        symbol=new.symbol,
        source=new.source,
        dates=dates,
        closes=[known[day] for day in dates],
        splits=_splits(stored.splits, new.splits),
        dividends=_dividends(stored.dividends, new.dividends),
    )


def replaced(stored: Closes, new: Closes) -> Closes:
    """`new` in place of `stored`, which is of another vintage.

    That a split was is true in every vintage. The amount of a dividend is adjusted for later splits, as
    closes are, of which a split changes all before it: the stored dividends after the first close that is the
    same in both stay, and all of them where that is the first of all common ones.
    """
    known = dict(zip(stored.dates, stored.closes, strict=True))
    agreed = _agreed(known, new)
    is_unsplit = agreed[:1] == [day for day in new.dates if day in known][:1]
    unsplit = [event for event in stored.dividends if agreed and (is_unsplit or event.ex_date > agreed[0])]
    return Closes(
        symbol=new.symbol,
        source=new.source,
        dates=new.dates[-LONGEST:],
        closes=new.closes[-LONGEST:],
        splits=_splits(stored.splits, new.splits),
        dividends=_dividends(unsplit, new.dividends),
    )


def _agreed(known: Mapping[int, float], new: Closes) -> list[int]:
    """The days of `new` whose close is the known one, oldest first."""
    return [
        day
        for day, close in zip(new.dates, new.closes, strict=True)
        if day in known and abs(known[day] - close) <= _TOLERANCE * max(known[day], close)
    ]


def _splits(stored: Iterable[Split], new: Iterable[Split]) -> tuple[Split, ...]:
    told = {split.date for split in new}
    kept = (split for split in stored if split.date not in told)
    return tuple(sorted((*kept, *new), key=lambda split: split.date))


def _dividends(stored: Iterable[DividendEvent], new: Iterable[DividendEvent]) -> tuple[DividendEvent, ...]:
    told = {event.ex_date for event in new}
    kept = (event for event in stored if event.ex_date not in told)
    return tuple(sorted((*kept, *new), key=lambda event: event.ex_date))
