"""Profit and loss against the market, and what deltas alone would say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from quotewell.portfolio.summary import WhatIfPoint
from quotewell.views.charts.chart import PERCENT, SHORT_AMOUNT, Chart, base_options, value_axis
from quotewell.views.render.amounts import Unit, unit_for
from quotewell.views.theme import Palette
from quotewell.views.words import NOT_AVAILABLE, percent, signed

__all__ = ["CURVE_MOVES", "at_move", "pnl_curve"]

CURVE_MOVES = tuple(step / 100 for step in range(-30, 31, 2))
"""Market moves of the curve, fractions."""

_HEIGHT = 300
_IN_TABLE = 0.05
"""The table has a row for each multiple of it."""


def pnl_curve(
    points: Sequence[WhatIfPoint],
    currency: str,
    palette: Palette,
    *,
    market: float | None = None,
) -> Chart:
    """The model's line, and the straight one of today's deltas, dashed.

    Args:
        points: Of a what-if, in rising order of the market's moves.
        currency: Of the amounts.
        palette: Colours.
        market: The move at which a mark stands; None for none.
    """
    unit = unit_for([point.pnl for point in points], currency)
    model = [[_percents(point.market), point.pnl] for point in points]
    series: list[dict[str, Any]] = [
        {
            "type": "line",
            "name": "Model",
            "data": model,
            "symbol": "none",
            "lineStyle": {"width": 2.5, "color": palette.accent},
            "itemStyle": {"color": palette.accent},
            "areaStyle": {"color": palette.accent, "opacity": 0.07},
            "markLine": _zero(palette),
        }
    ]
    has_deltas = any(point.delta_pnl is not None for point in points)
    if has_deltas:
        series.append(
            {
                "type": "line",
                "name": "Delta only",
                "data": [[_percents(point.market), point.delta_pnl] for point in points],
                "symbol": "none",
                "lineStyle": {"width": 1.5, "type": "dashed", "color": palette.muted},
                "itemStyle": {"color": palette.muted},
            }
        )
    chosen = None if market is None else at_move(points, market)
    if market is not None and chosen is not None:
        series.append(_mark(market, chosen, unit, palette))
    return Chart(
        title="Profit and loss if the market moves",
        options={
            **base_options(palette),
            "grid": {"left": 4, "right": 20, "top": 36, "bottom": 4, "containLabel": True},
            "legend": {
                "top": 0,
                "left": 0,
                "itemWidth": 22,
                "itemStyle": {"opacity": 0},  # the line alone
                "data": ["Model", *(["Delta only"] if has_deltas else [])],
                "textStyle": {"color": palette.muted, "fontSize": 12},
            },
            "tooltip": {**base_options(palette)["tooltip"], "trigger": "axis"},
            "xAxis": {
                **value_axis(palette, PERCENT),
                **({"min": model[0][0], "max": model[-1][0]} if model else {}),
                "splitNumber": 6,
                "axisPointer": {"label": {":formatter": f"p => ({PERCENT})(p.value)"}},
            },
            "yAxis": {**value_axis(palette, SHORT_AMOUNT), "scale": False},
            "series": series,
        },
        sentence=_sentence(points, unit),
        headings=("Market", f"P&L, {unit.name}", "% of value", "Delta only"),
        rows=tuple(
            (
                f"{signed(_percents(point.market), 0)} %",
                unit.change(point.pnl).plain,
                percent(point.share_of_value),
                unit.change(point.delta_pnl).plain,
            )
            for point in points
            if abs(point.market / _IN_TABLE - round(point.market / _IN_TABLE)) < 1e-9
        ),
        height=_HEIGHT,
    )


def at_move(points: Sequence[WhatIfPoint], market: float) -> float | None:
    """The profit or loss at a move, on the line between the points beside it; None outside or if unknown."""
    for left, right in itertools.pairwise(points):
        if left.market <= market <= right.market:
            if left.pnl is None or right.pnl is None:
                return None
            part = (market - left.market) / (right.market - left.market)
            return left.pnl + part * (right.pnl - left.pnl)
    return None


def _percents(fraction: float) -> float:
    return round(fraction * 100, 6)


def _zero(palette: Palette) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": palette.muted, "type": "solid", "width": 1, "opacity": 0.6},
        "data": [{"xAxis": 0}, {"yAxis": 0}],
    }


def _mark(market: float, pnl: float, unit: Unit, palette: Palette) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": "Chosen",
        "symbolSize": 11,
        "itemStyle": {
            "color": palette.long if pnl >= 0 else palette.short,
            "borderColor": palette.surface,
            "borderWidth": 2,
        },
        "tooltip": {"show": False},
        "z": 5,
        "data": [
            {
                "value": [_percents(market), pnl],
                "label": {
                    "show": True,
                    "position": "left" if market > 0 else "right",
                    "formatter": unit.change(pnl).plain,
                    "color": palette.text,
                    "fontWeight": 600,
                    "fontSize": 13,
                    "distance": 10,
                },
            }
        ],
    }


def _sentence(points: Sequence[WhatIfPoint], unit: Unit) -> str:
    known = [point for point in points if point.pnl is not None]
    if not known:
        return f"Profit and loss if the market moves: {NOT_AVAILABLE}."
    ends = (known[0], known[-1])
    said = ", ".join(
        f"{unit.change(point.pnl).plain} at {signed(_percents(point.market), 0)} %" for point in ends
    )
    left_out = max((point.missing for point in known), key=len)
    missing = f" Not in it: {', '.join(left_out)}." if left_out else ""
    return f"Profit and loss in {unit.name}: {said}.{missing}"
