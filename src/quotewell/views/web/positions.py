"""Every row of the file under its underlying."""

from __future__ import annotations

from quotewell.views.content.overview import Overview
from quotewell.views.content.positions import COLUMNS, position_rows
from quotewell.views.web.elements import DataTable, box, text

__all__ = ["Positions"]


class Positions:
    """The panel with the table."""

    def __init__(self) -> None:
        with box("section", "panel positions", aria_labelledby="positions"):
            text("Positions", "h2").props["id"] = "positions"
            self._table = DataTable(
                "Positions by underlying",
                COLUMNS,
                filter_label="Filter: symbol, description, account, note",
                empty="No positions.",
                choosable=True,
            )

    def show(self, shown: Overview) -> None:
        """Fill the table; what the reader has opened, sorted or hidden stays so."""
        self._table.show(position_rows(shown))
