"""A small line beside a figure: how the shares of today have come to what they are worth."""

from __future__ import annotations

import msgspec

from quotewell.portfolio.past_values import PastValues
from quotewell.views.render.amounts import Unit
from quotewell.views.words import day, percent

__all__ = ["Sparkline", "sparkline"]

_WIDTH, _HEIGHT = 120.0, 30.0
_EDGE = 3.0
"""Room for the dot at the end."""


class Sparkline(msgspec.Struct, frozen=True, kw_only=True):
    """A line as SVG draws it, in a box of 120 by 30.

    Args:
        box: The `viewBox`.
        path: The `d` of a path.
        end: Where the last value is: x, y.
        label: What stands below it.
        sentence: All that it says, for those who do not see it, and where the pointer rests.
    """

    box: str
    path: str
    end: tuple[float, float]
    label: str
    sentence: str


def sparkline(past: PastValues, unit: Unit) -> Sparkline:
    """The line of past values, as high as their range."""
    values = past.values
    least, most = min(values), max(values)
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    scale = (_HEIGHT - 2 * _EDGE) / (most - least) if most > least else 0.0
    base = _HEIGHT - _EDGE if scale else _HEIGHT / 2
    points = [
        (round(_EDGE + place * step, 1), round(base - (value - least) * scale, 1))
        for place, value in enumerate(values)
    ]
    return Sparkline(
        box=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        path="M" + "L".join(f"{x:g} {y:g}" for x, y in points),
        end=points[-1],
        label=f"today's shares, {len(values)} closes: {unit.change(values[-1] - values[0]).plain}",
        sentence=_sentence(past, unit),
    )


def _sentence(past: PastValues, unit: Unit) -> str:
    values, dates = past.values, past.dates
    lowest, highest = values.index(min(values)), values.index(max(values))
    rates = ", at today's exchange rates" if past.converted else ""
    left_out = f" Without closes: {', '.join(past.missing)}." if past.missing else ""
    return (
        f"Today's shares at the closes from {day(dates[0])} to {day(dates[-1])}{rates}, {unit.name}: "
        f"from {unit.text(values[0])} to {unit.text(values[-1])}, lowest {unit.text(values[lowest])} on "
        f"{day(dates[lowest])}, highest {unit.text(values[highest])} on {day(dates[highest])}. They are "
        f"{percent(past.share, 0)} % of what the book holds besides cash; options, and what was held then, "
        f"are not in it.{left_out}"
    )
