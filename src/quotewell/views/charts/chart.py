"""What a chart is here, and the parts that all of them have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from quotewell.views.theme import Palette

__all__ = [
    "AMOUNT",
    "FONT",
    "PERCENT",
    "SHORT_AMOUNT",
    "Chart",
    "base_options",
    "javascript_in",
    "value_axis",
]

FONT = "Roboto, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', sans-serif"

AMOUNT = "v => v == null ? 'n/a' : Math.round(v).toLocaleString('en-US').replace('-', '\u2212')"
"""A whole amount with a true minus sign, in JavaScript. Keys that begin with a colon hold such functions."""
SHORT_AMOUNT = (
    "v => Intl.NumberFormat('en-US', {notation: 'compact', maximumFractionDigits: 1})"
    ".format(v).replace('-', '\u2212')"
)
PERCENT = "v => (v > 0 ? '+' : '') + String(Math.round(v * 10) / 10).replace('-', '\u2212') + '\u202f%'"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One chart, drawn or read out.

    Args:
        title: What it is called.
        options: What ECharts is given, JSON; a key that begins with a colon holds a JavaScript function.
        sentence: What it shows, for those who do not see it.
        headings: Of the table.
        rows: The figures, as texts.
        height: CSS pixels.
    """

    title: str
    options: dict[str, Any]
    sentence: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    height: int


def base_options(palette: Palette) -> dict[str, Any]:
    """Type, motion and tooltip; ECharts escapes the names that its own tooltips show."""
    return {
        "animationDuration": 250,
        "animationDurationUpdate": 250,
        "textStyle": {"fontFamily": FONT, "fontSize": 12, "color": palette.text},
        "tooltip": {
            "confine": True,
            "backgroundColor": palette.surface,
            "borderColor": palette.border,
            "textStyle": {"color": palette.text, "fontSize": 12},
            ":valueFormatter": AMOUNT,
        },
    }


def bounds(amounts: Iterable[float]) -> dict[str, Any]:
    """Ends of an axis of bars that leave room for the amounts written beyond them; the ends have no label."""
    known = [0.0, *amounts]
    largest, least = max(known), min(known)
    room = 0.22 * (largest - least)
    ends = {"max": largest + room, "min": least - room if least < 0 else 0.0} if room else {}
    return {**ends, "axisLabel": {"showMinLabel": least == 0.0, "showMaxLabel": False}}


def value_axis(palette: Palette, formatter: str, ends: dict[str, Any] | None = None) -> dict[str, Any]:
    """An axis of numbers with a faint line at each label.

    Args:
        palette: Colours.
        formatter: JavaScript function from a number to its label.
        ends: What `bounds` says, for bars.
    """
    ends = ends or {}
    return {
        **ends,
        "type": "value",
        "splitNumber": 4,
        "axisLabel": {
            "color": palette.muted,
            "fontSize": 11,
            "hideOverlap": True,
            ":formatter": formatter,
            **ends.get("axisLabel", {}),
        },
        "splitLine": {"lineStyle": {"color": palette.border}},
        "axisLine": {"show": False},
        "axisTick": {"show": False},
    }


def javascript_in(options: Any) -> Iterator[str]:
    """The JavaScript functions that chart options name, as source."""
    if isinstance(options, dict):
        for key, value in options.items():
            if key.startswith(":"):
                yield value
            else:
                yield from javascript_in(value)
    elif isinstance(options, list):
        for value in options:
            yield from javascript_in(value)
