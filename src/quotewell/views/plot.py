"""The curve of a what-if as a picture in a file, without a window; needs matplotlib, the extra `plot`."""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from quotewell.errors import missing_extra
from quotewell.views.words import NOT_AVAILABLE, count, number, printable, shortened, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from quotewell.portfolio.summary import WhatIfPoint
    from quotewell.portfolio.what_if import WhatIfReport

__all__ = ["draw", "require_matplotlib", "save"]

_SIZE, _DOTS = (10.0, 6.0), 160
_INK, _FAINT, _GRID = "#1f2933", "#6b7785", "#e4e8ec"
_CURVE, _SCENARIO = "#0b5cad", "#c2570c"
"""Blue and a dark orange: told apart by every kind of colour vision, and in print by their dashes."""
_GAIN, _LOSS = "#d9e8f7", "#fbe6d8"
_FILE_WIDTH = 48
_NAMED = 6
"""Missing symbols that the note names."""
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "svg.fonttype": "none",  # text stays text: sharp, searchable, small
    "svg.hashsalt": "quotewell",  # the same curve gives the same file
}


def require_matplotlib() -> None:
    """Raise if there is none.

    Raises:
        UsageError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise missing_extra("a picture", "matplotlib", "plot")


def save(found: WhatIfReport, path: Path) -> None:
    """Draw the curve into a file, whose ending says the format.

    Raises:
        OSError: It cannot be written.
        UsageError: matplotlib is not installed.
    """
    require_matplotlib()
    # Where it cannot keep its font list it says so in three lines; the picture is the same.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl  # noqa: PLC0415  an extra, and slow to import

    dated = {"Date": None} if path.suffix.lower() == ".svg" else {}
    with mpl.rc_context(_STYLE):
        draw(found).savefig(path, dpi=_DOTS, metadata=dated)


def draw(found: WhatIfReport) -> Figure:
    """The curve, the delta-only line, and the scenario where it differs."""
    from matplotlib.figure import Figure  # noqa: PLC0415  without pyplot: no window system is asked for

    figure = Figure(figsize=_SIZE, facecolor="white")
    axes = figure.add_axes((0.115, 0.165, 0.775, 0.63))
    moves = [point.market for point in found.points]
    pnl = _line(found.points, lambda point: point.pnl)
    axes.fill_between(moves, pnl, 0.0, where=[y > 0.0 for y in pnl], color=_GAIN, interpolate=True, lw=0)
    axes.fill_between(moves, pnl, 0.0, where=[y < 0.0 for y in pnl], color=_LOSS, interpolate=True, lw=0)
    axes.axhline(0.0, color=_INK, lw=0.8)
    axes.axvline(0.0, color=_INK, lw=0.8)
    linear = _line(found.points, lambda point: point.delta_pnl)
    axes.plot(moves, linear, color=_FAINT, lw=1.4, ls=(0, (6, 3)), label="delta only: today's exposure")
    scenario = _scenario(found.points)
    if not all(map(math.isnan, scenario)):
        axes.plot(
            moves, scenario, color=_SCENARIO, lw=1.6, ls=(0, (1, 1.2)),
            label="scenario: volatility rises as the market falls",
        )  # fmt: skip
    axes.plot(moves, pnl, color=_CURVE, lw=2.4, solid_capstyle="round", label="every option by its model")
    _scales(axes, found, [*pnl, *linear, *scenario])
    _mark(axes, moves, pnl, found.value)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    _words(figure, found)
    return figure


def _line(points: Sequence[WhatIfPoint], figure: Callable[[WhatIfPoint], float | None]) -> list[float]:
    return [math.nan if (amount := figure(point)) is None else amount for point in points]


def _scenario(points: Sequence[WhatIfPoint]) -> list[float]:
    """The second line, as far as it is one: from where the market does not rise."""
    if all(point.scenario_pnl == point.pnl for point in points):
        return [math.nan] * len(points)
    return _line(points, lambda point: point.scenario_pnl if point.market <= 0.0 else None)


def _scales(axes: Axes, found: WhatIfReport, amounts: Sequence[float]) -> None:
    """Amounts at the left, percent of value at the right, moves below."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415

    known = [amount for amount in amounts if math.isfinite(amount)]
    low, high = min([0.0, *known]), max([0.0, *known])
    room = 0.13 * (high - low) or 1.0
    axes.set_ylim(low - room, high + room)
    if len(found.points) > 1:
        axes.set_xlim(found.points[0].market, found.points[-1].market)
    axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: signed(amount)))
    axes.grid(color=_GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=_INK, pad=7)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"move of {found.benchmark}, each position by its beta", color=_FAINT, labelpad=9)
    axes.set_ylabel(f"profit or loss, {found.base_currency}", color=_FAINT, labelpad=9)
    if found.value is not None and found.value > 0.0:
        value = found.value
        both_ways: Any = (lambda amount: amount / value, lambda part: part * value)
        share = axes.secondary_yaxis("right", functions=both_ways)
        share.yaxis.set_major_formatter(FuncFormatter(_percent))
        share.tick_params(length=0, colors=_FAINT, pad=7)
        share.spines[:].set_visible(False)
        label = f"% of {number(value)} {found.base_currency}"
        share.set_ylabel(label, color=_FAINT, labelpad=12, rotation=270, va="bottom")


def _percent(fraction: float, _place: object = None) -> str:
    percents = round(fraction * 100, 6)
    return f"{signed(percents, 0 if percents.is_integer() else 1)} %" if percents else "0"


def _mark(axes: Axes, moves: Sequence[float], pnl: Sequence[float], value: float | None) -> None:
    """The figures at the ends, half-way, and where nothing moves if that is not nothing."""
    last = len(moves) - 1
    for place in sorted({0, last // 4, last // 2, last - last // 4, last}):
        amount = pnl[place]
        if not amount or math.isnan(amount):
            continue
        axes.plot([moves[place]], [amount], "o", ms=5.5, color=_CURVE, mec="white", mew=1.2, clip_on=False)
        text = signed(amount)
        if value is not None and value > 0.0:
            text += f"\n{_percent(round(amount / value, 3))}"
        # Inward from the point, on the side where the curve does not go.
        is_left = place <= last / 2
        is_below = is_left == _rises(pnl, place)
        axes.annotate(
            text,
            (moves[place], amount),
            xytext=(9 if is_left else -9, -7 if is_below else 7),
            textcoords="offset points",
            ha="left" if is_left else "right",
            va="top" if is_below else "bottom",
            color=_CURVE,
            fontsize=9.0,
            linespacing=1.25,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.7},
        )


def _rises(pnl: Sequence[float], place: int) -> bool:
    """Whether the curve goes up around a point."""
    around = pnl[max(place - 2, 0) : place + 3]
    return not around[-1] < around[0]


def _words(figure: Figure, found: WhatIfReport) -> None:
    """What it is of and when, what else changes, and what is missing."""
    from quotewell.views.render.header import day_in_new_york, moment  # noqa: PLC0415
    from quotewell.views.render.what_if import conditions  # noqa: PLC0415

    left = 0.022
    figure.text(left, 0.945, "If the market moves", fontsize=16.0, weight="bold", color=_INK, va="center")
    positions = "of an unknown day" if found.as_of is None else f"of {day_in_new_york(found.as_of)}"
    valued = NOT_AVAILABLE if found.valuation_at is None else moment(found.valuation_at)
    name = shortened(printable(PurePath(found.file).name), _FILE_WIDTH)
    about = f"{name} · {found.broker} · positions {positions} · valued {valued}"
    figure.text(left, 0.892, _plain(about), color=_INK, va="center")
    figure.text(left, 0.850, _plain(" · ".join(conditions(found))), color=_FAINT, va="center")
    missing = dict.fromkeys(symbol for point in found.points for symbol in point.missing)
    if missing:
        named = ", ".join(list(missing)[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        what = f"{count(len(missing), 'position')} without price, beta or volatility left out"
        note = f"{what}: {printable(named)}"
        figure.text(left, 0.028, _plain(note), color=_SCENARIO, fontsize=9.0, va="center")


def _plain(text: str) -> str:
    """Text that is shown as it is: a pair of dollars would else be a formula."""
    return text.replace("$", r"\$")
