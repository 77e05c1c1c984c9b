"""The sheet that tells where every value comes from and how old it is, and lets one do something about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from nicegui.element import Element

from quotewell.records import Facet
from quotewell.views.content.overview import Overview
from quotewell.views.content.positions import Cell, Column, TableRow, option_name
from quotewell.views.content.provenance import Source
from quotewell.views.web.book_view import OWN
from quotewell.views.web.elements import DataTable, SheetDialog, box, button, text
from quotewell.views.words import NOT_AVAILABLE, age, iso

__all__ = ["Sources"]

_COLUMNS = (
    Column("symbol", "Symbol", is_text=True),
    Column("what", "What", is_text=True),
    Column("value", "Value"),
    Column("source", "Source", is_text=True),
    Column("as_of", "As of", is_text=True, explained="When the market said it"),
    Column("age", "Age"),
    Column("state", "State", is_text=True),
    Column("reason", "Last failure", is_text=True),
)
_HINTS: dict[str, str] = {
    "quote": "Price of a share, in its own currency",
    "risk": "Beta against the benchmark",
    "dividend": "Dividend yield as a fraction: 0.013 is 1.3 %",
}


class Sources:
    """The sheet, and the small one in which a value of one's own is given.

    Args:
        on_retry: Told symbol and facet of what is to be asked for again.
        on_override: Told symbol, facet and the user's own value; None for the market's again.
    """

    def __init__(
        self,
        on_retry: Callable[[str, Facet], Any],
        on_override: Callable[[str, Facet, float | None], Any],
    ) -> None:
        self._on_retry = on_retry
        self._on_override = on_override
        self._symbol, self._facet = "", OWN[0]
        self._sheet = SheetDialog("Where every value comes from", side=True)
        with self._sheet:
            self._table = DataTable(
                "Values and their sources",
                _COLUMNS,
                filter_label="Filter: symbol, kind, state",
                empty="Nothing was read.",
                actions={"retry": "Retry", "override": "Override"},
                on_action=self._acted,
            )
        self._form = SheetDialog("Your own value")
        with self._form:
            self._field = self._fields()

    def open(self) -> None:
        """Show the sheet."""
        self._sheet.open()

    def show(self, shown: Overview) -> None:
        """Fill it anew."""
        rows = [_row(source) for source in shown.sources]
        self._table.show(rows, {_id(source): _actions(source) for source in shown.sources})

    def _fields(self) -> Element:
        self._about = text("", "p")
        with box("label", "field"):
            self._hint = text("")
            field = box("input", "", type="number", step="any", inputmode="decimal")
            field.on(
                "change",
                lambda event: self._typed(event.args),
                js_handler="(event) => emit(event.target.value)",
            )
        self._value: float | None = None
        with box("div", "row-end"):
            button("Use the market's", lambda: self._done(None))
            button("Use mine", lambda: self._done(self._value), "primary")
        return field

    def _typed(self, said: Any) -> None:
        given = str(said[0] if isinstance(said, list) else said)
        try:
            self._value = float(given)
        except ValueError:
            self._value = None

    def _done(self, value: float | None) -> Any:
        self._form.close()
        return self._on_override(self._symbol, self._facet, value)

    def _acted(self, action: str, row: str) -> Any:
        symbol, _, name = row.rpartition("|")
        facet = next(known for known in get_args(Facet) if known == name)
        if action == "retry":
            return self._on_retry(symbol, facet)
        self._symbol, self._facet, self._value = symbol, facet, None
        self._about.set_text(f"{symbol}: it counts for this page alone, marked ✎, and is never cached.")
        self._hint.set_text(_HINTS[facet])
        self._field.props["value"] = ""
        self._field.update()
        self._form.open()
        return None


def _id(source: Source) -> str:
    return f"{source.symbol}|{source.facet}"


def _actions(source: Source) -> tuple[str, ...]:
    return ("retry", "override") if source.facet in OWN else ("retry",)


def _row(source: Source) -> TableRow:
    said = iso(source.as_of)
    return TableRow(
        _id(source),
        {
            "symbol": Cell(option_name(source.symbol), source.symbol, explained=source.symbol),
            "what": Cell(source.what, source.what),
            "value": Cell(source.value, None, "✎" if source.level == "override" else ""),
            "source": Cell(source.source or "", source.source, explained=_fetched(source)),
            "as_of": Cell("" if said is None else f"{said[:10]} {said[11:16]} UTC", source.as_of),
            "age": Cell(NOT_AVAILABLE if source.age is None else age(source.age), source.age),
            "state": Cell(source.state, source.state, "~" if source.state == "stale" else ""),
            "reason": Cell(source.reason, source.reason or None),
        },
    )


def _fetched(source: Source) -> str:
    """When it was got, and where it was found."""
    return "" if source.fetched_at is None else f"fetched {iso(source.fetched_at)}, from {source.level}"
