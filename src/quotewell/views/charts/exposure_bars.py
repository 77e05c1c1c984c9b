"""One bar an underlying, to the right where it is long and to the left where it is short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from quotewell.portfolio.summary import UnderlyingRow
from quotewell.views.charts.chart import SHORT_AMOUNT, Chart, base_options, bounds, value_axis
from quotewell.views.render.amounts import unit_for
from quotewell.views.theme import Palette
from quotewell.views.words import NOT_AVAILABLE, count, number

__all__ = ["Measure", "exposure_bars", "measured"]

Measure = Literal["raw", "beta"]
"""Exposure as it is, or times beta."""

_SHOWN = 12
_BAR = 26
_AXIS = 44
_FADED = 0.3


def measured(row: UnderlyingRow, measure: Measure) -> float | None:
    """The figure of a row that is drawn."""
    return row.exposure if measure == "raw" else row.beta_adjusted


def exposure_bars(
    rows: Sequence[UnderlyingRow],
    measure: Measure,
    currency: str,
    palette: Palette,
    *,
    selected: str | None = None,
) -> Chart:
    """The twelve largest by absolute amount; the others as one bar, the unknown ones by name.

    Args:
        rows: Underlyings of a report.
        measure: Which figure.
        currency: Of the amounts.
        palette: Colours.
        selected: The underlying whose bar stands out; None where none does.
    """
    known = [(row, amount) for row in rows if (amount := measured(row, measure)) is not None]
    known.sort(key=lambda pair: -abs(pair[1]))
    shown, others = known[:_SHOWN], known[_SHOWN:]
    bars = [(row.underlying, amount) for row, amount in shown]
    if others:
        bars.append((count(len(others), "other"), sum(amount for _, amount in others)))
    unknown = [row.underlying for row in rows if measured(row, measure) is None]
    unit = unit_for([amount for _, amount in bars], currency)
    what = "Net exposure" if measure == "raw" else "Beta-adjusted exposure"
    return Chart(
        title=f"{what} by underlying",
        options={
            **base_options(palette),
            "grid": {"left": 4, "right": 12, "top": 4, "bottom": 4, "containLabel": True},
            "xAxis": value_axis(palette, SHORT_AMOUNT, bounds(amount for _, amount in bars)),
            "yAxis": {
                "type": "category",
                "inverse": True,
                "triggerEvent": True,
                "data": [name for name, _ in bars],
                "axisLine": {"show": False},
                "axisTick": {"show": False},
                "axisLabel": {"color": palette.text, "fontWeight": 600, "interval": 0, "margin": 12},
            },
            "series": [
                {
                    "type": "bar",
                    "name": f"{what}, {unit.currency}",
                    "barWidth": 14,
                    "cursor": "pointer",
                    "data": [
                        _bar(name, amount, unit.text(amount), palette, selected) for name, amount in bars
                    ],
                    "markLine": {
                        "silent": True,
                        "symbol": "none",
                        "label": {"show": False},
                        "lineStyle": {"color": palette.muted, "type": "solid", "width": 1},
                        "data": [{"xAxis": 0}],
                    },
                }
            ],
        },
        sentence=_sentence(what, shown, unknown),
        headings=("Underlying", f"{what}, {unit.name}", "% of value"),
        rows=tuple(
            (row.underlying, unit.text(measured(row, measure)), _share(row) if measure == "raw" else "")
            for row in (*(row for row, _ in known), *(row for row in rows if row.underlying in set(unknown)))
        ),
        height=_AXIS + _BAR * max(len(bars), 1),
    )


def _bar(name: str, amount: float, text: str, palette: Palette, selected: str | None) -> dict[str, Any]:
    is_faded = selected is not None and name != selected
    return {
        "value": amount,
        "name": name,
        "itemStyle": {
            "color": palette.long if amount >= 0 else palette.short,
            "opacity": _FADED if is_faded else 1.0,
            "borderRadius": [0, 2, 2, 0] if amount >= 0 else [2, 0, 0, 2],
        },
        "label": {
            "show": True,
            "position": "right" if amount >= 0 else "left",
            "formatter": text,
            "color": palette.muted if is_faded else palette.text,
            "fontSize": 11,
        },
    }


def _sentence(what: str, shown: Sequence[tuple[UnderlyingRow, float]], unknown: Sequence[str]) -> str:
    if not shown:
        return f"{what}: {NOT_AVAILABLE}."
    named = ", ".join(f"{row.underlying} {number(amount)}" for row, amount in shown[:3])
    left_out = f" Not known: {', '.join(unknown)}." if unknown else ""
    return f"{what}, largest first: {named}.{left_out}"


def _share(row: UnderlyingRow) -> str:
    return number(None if row.share_of_value is None else row.share_of_value * 100, 1)
