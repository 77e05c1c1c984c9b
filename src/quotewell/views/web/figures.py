"""The key figures: five amounts, each with its share and its marker."""

from __future__ import annotations

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
                self._rows.append((label, figure, beside, marker))

    def show(self, shown: Overview) -> None:
        """Say them anew."""
        for figure, (label, amount, beside, marker) in zip(key_figures(shown), self._rows, strict=True):
            label.set_text(figure.name)
            amount.set_text(figure.text)
            amount.classes(replace=f"figure {figure.tone}")
            beside.set_text(figure.beside)
            marker.set_text(figure.marker)
            marker.props["title"] = figure.explained
            marker.visible = bool(figure.marker)
