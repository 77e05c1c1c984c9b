"""What moves it: profit and loss against the market, some days later, at another volatility."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from quotewell.portfolio.summary import Summary, WhatIfPoint
from quotewell.views.charts import at_move, pnl_curve
from quotewell.views.content.key_figures import unit_of
from quotewell.views.content.overview import Overview
from quotewell.views.theme import DARK, LIGHT
from quotewell.views.web.elements import RangeInput, ReportChart, box, text
from quotewell.views.words import NOT_AVAILABLE, signed

__all__ = ["Curve"]

_LONGEST = 90
"""Days that the what-if can be later."""


class Curve:
    """The panel.

    Args:
        on_shift: Told by how many days and volatility points the line is to be shifted.
    """

    def __init__(self, on_shift: Callable[[float, float], Any]) -> None:
        self._on_shift = on_shift
        self._market, self._days, self._volatility = -0.10, 0.0, 0.0
        self._shown: Overview | None = None
        self._points: Sequence[WhatIfPoint] = ()
        with box("section", "panel curve", aria_labelledby="curve"):
            with box("div", "panel-head"):
                text("If the market moves", "h2").props["id"] = "curve"
                self._said = text("", "output", "outcome")
                self._said.props["aria-live"] = "polite"
            self._chart = ReportChart()
            with box("div", "ranges"):
                self._ranges()

    def show(self, shown: Overview, points: Sequence[WhatIfPoint]) -> None:
        """Draw the line of a book."""
        self._shown, self._points = shown, points
        self._draw()

    def _ranges(self) -> None:
        for name, label, least, most, start, unit, is_signed, on_move in (
            ("market", "Market", -30, 30, -10, "%", True, self._move_market),
            ("days", "Days from now", 0, _LONGEST, 0, "d", False, self._move_days),
            ("volatility", "Volatility", -20, 40, 0, "points", True, self._move_volatility),
        ):
            made = RangeInput(
                name, label, least=least, most=most, step=1, unit=unit, signed=is_signed, on_move=on_move
            )
            made.props["start"] = start

    def _move_market(self, percent: float) -> None:
        self._market = percent / 100.0
        self._draw()

    def _move_days(self, days: float) -> Any:
        self._days = days
        return self._on_shift(self._days, self._volatility)

    def _move_volatility(self, points: float) -> Any:
        self._volatility = points
        return self._on_shift(self._days, self._volatility)

    def _draw(self) -> None:
        if self._shown is None:
            return
        summary = self._shown.summary
        currency = summary.base_currency
        self._chart.show(
            pnl_curve(self._points, currency, LIGHT, market=self._market),
            pnl_curve(self._points, currency, DARK, market=self._market),
        )
        self._said.set_text(_outcome(summary, self._market, at_move(self._points, self._market)))


def _outcome(summary: Summary, market: float, pnl: float | None) -> str:
    """What the chosen move would do, as a sentence."""
    move = f"{signed(round(market * 100, 6), 0)} % market"
    if pnl is None:
        return f"{move}: {NOT_AVAILABLE}, no position has both a price and a beta"
    unit, total = unit_of(summary), summary.value.total
    share = f" ({signed(pnl / total * 100, 1)} % of value)" if total is not None and total > 0 else ""
    return f"{move}: {unit.change(pnl).plain} {unit.name}{share}"
