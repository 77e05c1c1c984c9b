"""The key figures: five amounts, each with its share, its marker, and its past where that is known."""

from __future__ import annotations

from quotewell.views.charts import Sparkline
from quotewell.views.content.key_figures import key_figures
from quotewell.views.content.overview import Overview
from quotewell.views.web.elements import box, text

__all__ = ["KeyFigures"]

_FIGURES = 5


class KeyFigures:
    """The row of them."""

    def __init__(self) -> None:
        self._rows = []
        with box("section", "panel keys", aria_label="Key figures"):
            for _ in range(_FIGURES):
                with box("div", "key"):
                    label = text("", "span", "name")
                    figure = text("", "span", "figure")
                    beside = text("", "span", "beside")
                    marker = text("", "span", "marker")
                    past = _Past()
                self._rows.append((label, figure, beside, marker, past))

    def show(self, shown: Overview) -> None:
        """Say them anew."""
        for figure, (label, amount, beside, marker, past) in zip(key_figures(shown), self._rows, strict=True):
            label.set_text(figure.name)
            amount.set_text(figure.text)
            amount.classes(replace=f"figure {figure.tone}")
            beside.set_text(figure.beside)
            marker.set_text(figure.marker)
            marker.props["title"] = figure.explained
            marker.visible = bool(figure.marker)
            past.show(figure.past)


class _Past:
    """A sparkline and what it says."""

    def __init__(self) -> None:
        self._box = box("div", "past")
        with self._box:
            self._drawing = box("svg", "sparkline", role="img")
            with self._drawing:
                self._line = box("path")
                self._end = box("circle", r="2.5")
            self._label = text("", "span")

    def show(self, line: Sparkline | None) -> None:
        """Draw it anew; nothing where there is none."""
        self._box.visible = line is not None
        if line is None:
            return
        self._drawing.props.update({"viewBox": line.box, "aria-label": line.sentence})
        self._line.props["d"] = line.path
        self._end.props.update({"cx": str(line.end[0]), "cy": str(line.end[1])})
        self._box.props["title"] = line.sentence
        self._label.set_text(line.label)
        for element in (self._box, self._drawing, self._line, self._end):
            element.update()
