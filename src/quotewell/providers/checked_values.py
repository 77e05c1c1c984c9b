"""Single values of an answer, checked: finite, of a possible size, in the major unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quotewell.records import DividendEvent, Split
from quotewell.symbols import minor_unit

__all__ = ["check_events", "check_splits", "finite", "in_major", "positive", "scaled"]

_SMALLEST, _LARGEST = 1e-12, 1e15


def in_major(currency: str) -> tuple[str, int]:
    """The major unit of a currency, and how many of `currency` are one of it."""
    major, share = minor_unit(currency)
    return major, round(1.0 / share)


def check_splits(splits: Sequence[Split]) -> tuple[Split, ...]:
    """Those of a possible date and ratio, by date."""
    good = [split for split in splits if split.date > 0 and positive(split.ratio) is not None]
    return tuple(sorted(good, key=lambda split: split.date))


def check_events(events: Iterable[DividendEvent], currency: str | None) -> tuple[DividendEvent, ...]:
    """Those with a date and a positive amount, in the major unit, by date.

    Args:
        events: Dividends.
        currency: The unit of those that name none.
    """
    good: list[DividendEvent] = []
    for event in events:
        unit = event.currency or currency
        major, scale = (None, 1) if unit is None else in_major(unit)
        amount = scaled(positive(event.amount), scale)
        if amount is not None and event.ex_date > 0:
            good.append(DividendEvent(event.ex_date, amount, major, event.declared))
    return tuple(sorted(good, key=lambda event: event.ex_date))


def finite(value: object) -> float | None:
    """A finite number of a size that a market can have; None for anything else, NaN included."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST:
        return float(value)
    return None


def positive(value: object) -> float | None:
    """A finite number above 0; None for anything else."""
    number = finite(value)
    return number if number is not None and number >= _SMALLEST else None


def scaled(value: float | None, scale: int) -> float | None:
    """A value in a unit of which `scale` are one of the major unit, in that."""
    return value if value is None or scale == 1 else value / scale
