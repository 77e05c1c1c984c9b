"""The page's own elements, and the plain ones of HTML with a name to be read out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from nicegui import ui
from nicegui.element import Element
from nicegui.elements import echart  # noqa: F401  registers ECharts for `report_chart.js`
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

from quotewell.views.charts import Chart
from quotewell.views.content.positions import Column, TableRow

__all__ = [
    "ColorScheme",
    "DataTable",
    "DropZone",
    "RangeInput",
    "ReportChart",
    "SheetDialog",
    "box",
    "button",
    "chooser",
    "fill",
    "text",
]


class ReportChart(Element, component="components/report_chart.js"):
    """A chart in both colour schemes, with its table."""

    def __init__(self, on_pick: Callable[[str], Any] | None = None) -> None:
        super().__init__()
        self.classes("report-chart")
        self.props["rows"] = []
        if on_pick is not None:
            self.on("picked", lambda event: on_pick(str(event.args["name"])))

    def show(self, light: Chart, dark: Chart) -> None:
        """Draw, or draw anew."""
        self.props.update(
            title=light.title,
            light=light.options,
            dark=dark.options,
            sentence=light.sentence,
            headings=list(light.headings),
            rows=[list(row) for row in light.rows],
            height=light.height,
        )
        self.update()


class DataTable(Element, component="components/data_table.js"):
    """Rows, grouped or not, that the reader sorts, filters and opens.

    Args:
        caption: What it shows.
        columns: Of the table.
        filter_label: What its search says.
        empty: What stands in its place without rows.
        choosable: Whether columns can be hidden.
        actions: Name by key of what can be done with a row.
        on_action: Told key and row's id.
    """

    def __init__(
        self,
        caption: str,
        columns: Sequence[Column],
        *,
        filter_label: str,
        empty: str,
        choosable: bool = False,
        actions: Mapping[str, str] | None = None,
        on_action: Callable[[str, str], Any] | None = None,
    ) -> None:
        super().__init__()
        self.props.update(
            {
                "caption": caption,
                "columns": msgspec.to_builtins(list(columns)),
                "filter-label": filter_label,
                "choosable": choosable,
                "empty": empty,
                "actions": [{"key": key, "name": name} for key, name in (actions or {}).items()],
                "rows": [],
            }
        )
        if on_action is not None:
            self.on("action", lambda event: on_action(event.args["action"], event.args["id"]))

    def show(self, rows: Sequence[TableRow], actions: Mapping[str, Sequence[str]] | None = None) -> None:
        """Show these rows.

        Args:
            rows: In their own order.
            actions: What can be done with a row, by its id.
        """
        of_row = actions or {}
        self.props["rows"] = [
            {**msgspec.to_builtins(row), "actions": list(of_row.get(row.id, ()))} for row in rows
        ]
        self.update()


class DropZone(Element, component="components/drop_zone.js"):
    """Takes files; what stands in it comes before the button."""

    def __init__(self, label: str, on_uploaded: Callable[[str], Any], *, compact: bool = False) -> None:
        super().__init__()
        self.props.update(
            url="/api/v1/portfolios", label=label, compact=compact, accept=".csv,.txt,.tsv,.xml,.xlsx"
        )
        self.on("uploaded", lambda event: on_uploaded(str(event.args["key"])))


class RangeInput(Element, component="components/range_input.js"):
    """A slider that tells its value while it moves."""

    def __init__(
        self,
        name: str,
        label: str,
        *,
        least: float,
        most: float,
        step: float,
        unit: str,
        signed: bool,
        on_move: Callable[[float], Any],
    ) -> None:
        super().__init__()
        self.props.update(
            name=name, label=label, min=least, max=most, step=step, start=0, unit=unit, signed=signed
        )
        self.on("moved", lambda event: on_move(float(event.args["value"])))


class ColorScheme(Element, component="components/color_scheme.js"):
    """A button that goes through light, dark and as the system."""


class SheetDialog(Element, component="components/sheet_dialog.js"):
    """A modal sheet; `open` and `close` work from the page."""

    def __init__(self, title: str, *, side: bool = False) -> None:
        super().__init__()
        self.props.update(title=title, side=side)

    def open(self) -> None:
        """Show it, over everything."""
        self.run_method("open")

    def close(self) -> None:
        """Hide it."""
        self.run_method("close")


def box(tag: str = "div", classes: str = "", **attributes: str) -> Element:
    """Any element of HTML; attributes with hyphens for underscores."""
    made = ui.element(tag).classes(classes)
    made.props.update({key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()})
    return made


def text(said: str, tag: str = "span", classes: str = "") -> TextElement:
    """An element that holds one text."""
    made: TextElement = TextElement(tag=tag, text=said)
    return made.classes(classes)


def button(label: str, on_click: Callable[[], Any], classes: str = "") -> TextElement:
    """A plain button."""
    made = text(label, "button", classes)
    made.props["type"] = "button"
    made.on("click", on_click, args=[])
    return made


def chooser(label: str, on_choose: Callable[[str], Any]) -> Element:
    """A drop-down list without entries yet, named for those who do not see what is beside it."""
    made = box("select", "choose", aria_label=label)
    made.on(
        "change",
        lambda event: on_choose(_chosen(event)),
        js_handler="(event) => emit(event.target.value)",
    )
    return made


def fill(chooser: Element, entries: Mapping[str, str], chosen: str) -> None:
    """Give a drop-down list its entries, names by value."""
    chooser.clear()
    with chooser:
        for value, name in entries.items():
            entry = text(name, "option")
            entry.props["value"] = value
    chooser.props["value"] = chosen
    chooser.update()


def _chosen(event: GenericEventArguments) -> str:
    return str(event.args[0] if isinstance(event.args, list) else event.args)
