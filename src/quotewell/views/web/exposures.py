"""Where the exposure is: a bar an underlying, and long, short and net below; raw or times beta."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quotewell.views.charts import Measure, exposure_bars, exposure_stack
from quotewell.views.content.overview import Overview
from quotewell.views.theme import DARK, LIGHT
from quotewell.views.web.elements import ReportChart, box, button, text

__all__ = ["Exposures"]

_MEASURES: tuple[tuple[Measure, str], ...] = (("raw", "Exposure"), ("beta", "Beta-adjusted"))


class Exposures:
    """The panel.

    Args:
        on_pick: Told the underlying whose bar was chosen; None where it is to be all of them again.
    """

    def __init__(self, on_pick: Callable[[str | None], Any]) -> None:
        self._measure: Measure = "raw"
        self._whole: Overview | None = None
        self._shown: Overview | None = None
        self._selected: str | None = None
        self._on_pick = on_pick
        with box("section", "panel exposures", aria_labelledby="exposures"):
            with box("div", "panel-head"):
                text("By underlying", "h2").props["id"] = "exposures"
                with box("div", "segments", role="group", aria_label="Measure"):
                    self._buttons = {
                        measure: button(name, _setter(self, measure)) for measure, name in _MEASURES
                    }
            self._bars = ReportChart(self._picked)
            text("Long and short, by leg", "h3")
            self._stack = ReportChart()
        self._mark()

    def show(self, whole: Overview, shown: Overview, selected: str | None) -> None:
        """Draw anew.

        Args:
            whole: Of all underlyings: the bars.
            shown: What is chosen of it: long, short and net.
            selected: The underlying that is chosen.
        """
        self._whole, self._shown, self._selected = whole, shown, selected
        rows, currency, measure = whole.summary.by_underlying, whole.summary.base_currency, self._measure
        self._bars.show(
            exposure_bars(rows, measure, currency, LIGHT, selected=selected),
            exposure_bars(rows, measure, currency, DARK, selected=selected),
        )
        table = shown.summary.exposure
        self._stack.show(
            exposure_stack(table, measure, currency, LIGHT), exposure_stack(table, measure, currency, DARK)
        )

    def measure(self, measure: Measure) -> None:
        """Show exposure as it is, or times beta."""
        self._measure = measure
        self._mark()
        if self._whole is not None and self._shown is not None:
            self.show(self._whole, self._shown, self._selected)

    def _mark(self) -> None:
        for measure, choice in self._buttons.items():
            choice.props["aria-pressed"] = "true" if measure == self._measure else "false"
            choice.update()

    def _picked(self, name: str) -> Any:
        known = (
            set() if self._whole is None else {row.underlying for row in self._whole.summary.by_underlying}
        )
        if name in known:
            return self._on_pick(None if name == self._selected else name)
        return None


def _setter(panel: Exposures, measure: Measure) -> Callable[[], None]:
    return lambda: panel.measure(measure)
