"""How numbers, times and markers are written, everywhere that a person reads them.

Markers: `~` stale or estimated, `!` assumed, `n/a` missing.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Sequence

__all__ = [
    "MINUS",
    "NOT_AVAILABLE",
    "age",
    "aligned",
    "count",
    "data_size",
    "day",
    "iso",
    "money",
    "number",
    "percent",
    "printable",
    "share",
    "shortened",
    "signed",
]

NOT_AVAILABLE = "n/a"
MINUS = "\N{MINUS SIGN}"
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_HUGE = 1e12
"""From here on numbers are written with an exponent."""


def number(value: float | None, decimals: int = 0) -> str:
    """A number with thousands separators and a true minus sign: `−1,234.50`."""
    if value is None or not math.isfinite(value):  # a percentage of next to nothing may be infinite
        return NOT_AVAILABLE
    magnitude = abs(value)
    text = f"{magnitude:.2e}" if magnitude >= _HUGE else f"{magnitude:,.{decimals}f}"
    is_zero = not text.strip("0.,")
    return text if value >= 0 or is_zero else MINUS + text


def signed(value: float | None, decimals: int = 0) -> str:
    """A change: `number` with a plus sign where it is positive."""
    text = number(value, decimals)
    is_rise = value is not None and 0 < value < math.inf and text.strip("0.,")
    return f"+{text}" if is_rise else text


def money(value: float | None) -> str:
    """An amount in whole units."""
    return number(value)


def percent(value: float | None, decimals: int = 1) -> str:
    """A fraction as a percentage, without the sign: `65.4`."""
    return number(None if value is None else value * 100, decimals)


def share(value: float) -> str:
    """A fraction of a whole as text: `4 %`; neither 0 nor 100 unless it is exactly that."""
    rounded = round(value, 9)  # sums of fractions may miss 1 by a hair
    if 0 < rounded < 0.005:
        return "under 1 %"
    if 0.995 <= rounded < 1:
        return "over 99 %"
    return f"{value * 100:.0f} %"


def count(n: int, noun: str, plural: str = "") -> str:
    """A number of things: `1 account`, `1,200 accounts`."""
    return f"{number(n)} {noun if n == 1 else plural or noun + 's'}"


def data_size(size: int | None) -> str:
    """Bytes in the unit in which they are short: `512 B`, `88.0 KiB`, `1.5 GiB`."""
    if size is None:
        return NOT_AVAILABLE
    if size < 1024:
        return f"{size} B"
    value, units = size / 1024, ["KiB", "MiB", "GiB"]
    while value >= 1023.95 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{number(value, 1)} {units[0]}"


def iso(instant: float | None) -> str | None:
    """ISO 8601 in UTC with `Z`, to the second."""
    if instant is None:
        return None
    moment = dt.datetime.fromtimestamp(round(instant), dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(date: dt.date) -> str:
    """A date as people write it: `8 May 2025`."""
    return f"{date.day} {date:%b %Y}"


def age(seconds: float) -> str:
    """A duration in its largest unit: `40 s`, `12 min`, `5 h`, `2 d`."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} d"


def printable(text: str) -> str:
    """`text` on one line, without characters that would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters; what is cut is cut from the middle, where names differ least."""
    if len(text) <= width:
        return text
    tail = max((width - 1) // 2, 0)
    return text[: max(width - 1 - tail, 0)] + _ELLIPSIS + text[len(text) - tail :]


def aligned(rows: Sequence[Sequence[str]], *, left: Collection[int] = (0,)) -> str:
    """Rows as text columns; the columns in `left` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if position in left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
