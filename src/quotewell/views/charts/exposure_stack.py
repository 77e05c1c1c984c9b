"""Long, short and net: stocks and options stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quotewell.portfolio.summary import Bucket, ExposureTable
from quotewell.views.charts.chart import SHORT_AMOUNT, Chart, base_options, bounds, value_axis
from quotewell.views.charts.exposure_bars import Measure
from quotewell.views.render.amounts import Unit, unit_for
from quotewell.views.theme import Palette
from quotewell.views.words import percent

__all__ = ["exposure_stack"]

_HEIGHT = 168
_BAR = 18


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
    parts = ("stocks", "options") if measure == "raw" else ()
    series = [_part(part, table, palette) for part in parts]
    series.append(_whole(buckets, measure, unit, palette))
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
            "xAxis": value_axis(
                palette, SHORT_AMOUNT, bounds(total for total in totals if total is not None)
            ),
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


def _part(part: str, table: ExposureTable, palette: Palette) -> dict[str, Any]:
    """The stocks or the options in long and short; of the net only the whole says anything."""
    is_first = part == "stocks"
    return {
        "type": "bar",
        "name": part.capitalize(),
        "stack": "exposure",
        "barWidth": _BAR,
        "color": palette.long if is_first else palette.long_soft,  # of the legend
        "data": [
            {
                "value": getattr(table.long, part),
                "itemStyle": {"color": palette.long if is_first else palette.long_soft},
            },
            {
                "value": getattr(table.short, part),
                "itemStyle": {"color": palette.short if is_first else palette.short_soft},
            },
            {"value": None},
        ],
    }


def _whole(
    buckets: Sequence[tuple[str, Bucket]], measure: Measure, unit: Unit, palette: Palette
) -> dict[str, Any]:
    """Bars of what has no parts, and the amount at the end of each, whether of one part or two."""
    colours = {"Long": palette.long, "Short": palette.short, "Net": palette.net}
    data = []
    for name, bucket in buckets:
        amount = _total(bucket, measure)
        is_whole = measure == "beta" or name == "Net"
        data.append(
            {
                "value": amount,
                # Parts lie below: the bar is there for its label alone.
                "itemStyle": {"color": colours[name] if is_whole else "transparent"},
                "label": {
                    "show": amount is not None,
                    "position": "right" if amount is None or amount >= 0 else "left",
                    "formatter": unit.text(amount),
                    "color": palette.text,
                    "fontWeight": 600,
                    "fontSize": 12,
                },
            }
        )
    return {"type": "bar", "name": "Total", "barWidth": _BAR, "barGap": "-100%", "data": data}
