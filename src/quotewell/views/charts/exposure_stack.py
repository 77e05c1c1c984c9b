"""Long, short and net: stocks and options stacked."""

from __future__ import annotations

from typing import Any

from quotewell.portfolio.summary import Bucket, ExposureTable
from quotewell.views.charts.chart import SHORT_AMOUNT, Chart, base_options, value_axis
from quotewell.views.charts.exposure_bars import Measure
from quotewell.views.render.amounts import Unit, unit_for
from quotewell.views.theme import Palette
from quotewell.views.words import percent

__all__ = ["exposure_stack"]

_HEIGHT = 176


def exposure_stack(table: ExposureTable, measure: Measure, currency: str, palette: Palette) -> Chart:
    """Exposure by leg: a long call and a short put are long.

    Args:
        table: Of a report.
        measure: Raw, of which the parts of stocks and options are known, or times beta, as a whole.
        currency: Of the amounts.
        palette: Colours.
    """
    buckets = (("Long", table.long), ("Short", table.short), ("Net", table.net))
    totals = [_total(bucket, measure) for _, bucket in buckets]
    unit = unit_for(totals, currency)
    parts = ("stocks", "options") if measure == "raw" else ("total",)
    series = [_part(part, buckets, measure, palette) for part in parts]
    series.append(_totals(buckets, measure, unit, palette))
    what = "exposure" if measure == "raw" else "beta-adjusted exposure"
    said = ", ".join(f"{name.lower()} {unit.text(_total(bucket, measure))}" for name, bucket in buckets)
    return Chart(
        title=f"Long, short and net {what}",
        options={
            **base_options(palette),
            "grid": {"left": 4, "right": 12, "top": 34 if measure == "raw" else 8, "bottom": 4}
            | {"containLabel": True},
            "legend": {
                "show": measure == "raw",
                "top": 0,
                "left": 0,
                "itemWidth": 12,
                "itemHeight": 10,
                "data": [part.capitalize() for part in parts],
                "textStyle": {"color": palette.muted, "fontSize": 12},
            },
            "xAxis": {**value_axis(palette, SHORT_AMOUNT), **_room(totals, buckets, measure)},
            "yAxis": {
                "type": "category",
                "inverse": True,
                "data": [name for name, _ in buckets],
                "axisLine": {"show": False},
                "axisTick": {"show": False},
                "axisLabel": {"color": palette.text, "fontWeight": 600, "margin": 12},
            },
            "series": series,
        },
        sentence=f"By leg, {unit.name}: {said}; gross {unit.text(_total(table.gross, measure))}.",
        headings=(
            "By leg",
            *([f"Stocks, {unit.name}", "Options"] if measure == "raw" else []),
            "Total",
            "% of value",
        ),
        rows=tuple(
            (
                name,
                *([unit.text(bucket.stocks), unit.text(bucket.options)] if measure == "raw" else []),
                unit.text(_total(bucket, measure)),
                percent(bucket.share_of_value) if measure == "raw" else "",
            )
            for name, bucket in (*buckets, ("Gross", table.gross))
        ),
        height=_HEIGHT,
    )


def _total(bucket: Bucket, measure: Measure) -> float | None:
    return bucket.total if measure == "raw" else bucket.beta_adjusted


def _part(
    part: str, buckets: tuple[tuple[str, Bucket], ...], measure: Measure, palette: Palette
) -> dict[str, Any]:
    is_first = part != "options"
    colours = {
        "Long": palette.long if is_first else palette.long_soft,
        "Short": palette.short if is_first else palette.short_soft,
    }
    net = {True: palette.net, False: palette.muted}[is_first]
    return {
        "type": "bar",
        "name": part.capitalize(),
        "stack": "exposure",
        "barWidth": 18,
        "color": net,
        "data": [
            {
                "value": getattr(bucket, part) if measure == "raw" else bucket.beta_adjusted,
                "itemStyle": {"color": colours.get(name, net)},
            }
            for name, bucket in buckets
        ],
    }


def _totals(
    buckets: tuple[tuple[str, Bucket], ...], measure: Measure, unit: Unit, palette: Palette
) -> dict[str, Any]:
    """A mark with the amount, where the parts together end."""
    return {
        "type": "scatter",
        "name": "Total",
        "symbol": "rect",
        "symbolSize": [3, 24],
        "silent": True,
        "itemStyle": {"color": palette.text},
        "tooltip": {"show": False},
        "data": [
            {
                "value": [amount, name],
                "label": {
                    "show": True,
                    "position": "right" if amount >= 0 else "left",
                    "formatter": unit.text(amount),
                    "color": palette.text,
                    "fontWeight": 600,
                    "fontSize": 12,
                },
            }
            for name, bucket in buckets
            if (amount := _total(bucket, measure)) is not None
        ],
    }


def _room(
    totals: list[float | None], buckets: tuple[tuple[str, Bucket], ...], measure: Measure
) -> dict[str, float]:
    amounts = [amount for amount in totals if amount is not None]
    if measure == "raw":
        amounts += [
            part for _, bucket in buckets for part in (bucket.stocks, bucket.options) if part is not None
        ]
    largest, least = max([0.0, *amounts]), min([0.0, *amounts])
    room = 0.22 * (largest - least)
    return {"max": largest + room, "min": least - room if least < 0 else 0.0} if room else {}
