"""What book it is, which part of it, valued when; and what can be done with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Protocol

from quotewell.freshness import Phase
from quotewell.views.content.overview import Overview
from quotewell.views.render.header import moment
from quotewell.views.web.book_view import BookView
from quotewell.views.web.elements import ColorScheme, DropZone, box, button, chooser, fill, text
from quotewell.views.words import NOT_AVAILABLE, count, printable

__all__ = ["Actions", "Header"]

_ALL = ""
_PLAIN = "plain"
"""The broker of tables of one's own: none."""


class Actions(Protocol):
    """What the header asks the page to do."""

    def choose(self, **fields: Any) -> Any:
        """Look at another part of the book."""

    def open_book(self, key: str) -> Any:
        """Show another book."""

    def show_sources(self) -> Any:
        """Open the sheet of sources."""

    def show_issues(self) -> Any:
        """Open the sheet of problems."""

    def export(self, form: str) -> Any:
        """Hand over the report as `csv`, `json` or `html`."""


class Header:
    """The bar at the top; without a book it holds the name and the colours alone."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        with box("header", "top"):
            text("quotewell", "span", "wordmark")
            self._title = box("div", "title")
            with self._title:
                self._name = text("", "h1")
                self._about = text("", "p", "about")
            self._files = box("div", "bar")
            with self._files:
                self._export_menu()
                DropZone("Open…", actions.open_book, compact=True)
            ColorScheme()
        self._tools = box("nav", "bar tools-bar", aria_label="What is shown")
        with self._tools:
            self._account = chooser("Account", lambda name: actions.choose(account=name or None))
            self._underlying = chooser("Underlying", lambda name: actions.choose(underlying=name or None))
            self._day_input()
            box("span", "spacer")
            self._sources = button("Sources", actions.show_sources)
            self._issues = button("Problems", actions.show_issues)
        self._parts = (self._title, self._files, self._tools)
        for part in self._parts:
            part.visible = False

    def begin(self, view: BookView) -> None:
        """Say what book is on its way."""
        self._title.visible = True
        self._name.set_text(printable(PurePath(view.file.path).name))
        self._about.set_text(count(view.file.rows, "row"))
        self._files.visible = self._tools.visible = False

    def show(self, view: BookView, whole: Overview, shown: Overview, phase: Phase) -> None:
        """Say what is shown.

        Args:
            view: What is chosen.
            whole: Of all underlyings.
            shown: What is chosen of it.
            phase: Of its market.
        """
        summary = shown.summary
        for part in self._parts:
            part.visible = True
        self._name.set_text(printable(PurePath(view.file.path).name))
        valued = NOT_AVAILABLE if summary.valuation_at is None else moment(summary.valuation_at)
        about = [count(summary.counts.rows, "row"), f"valued {valued}"]
        if summary.broker != _PLAIN:
            about.insert(0, summary.broker)
        if phase == "open":
            about.append("live")
        self._about.set_text(" · ".join(about))
        accounts = view.file.accounts
        self._valued.set_text("Valued now" if view.choice.day is None else "Valued at the close of")
        self._account.visible = len(accounts) > 1
        choice = view.choice
        fill(
            self._account,
            {_ALL: "All accounts", **{a: printable(a) for a in accounts}},
            choice.account or _ALL,
        )
        symbols = sorted(row.underlying for row in whole.summary.by_underlying)
        fill(
            self._underlying,
            {_ALL: "All underlyings", **{name: printable(name) for name in symbols}},
            choice.underlying or _ALL,
        )
        problems = len(summary.problems)
        old = sum(source.state in (NOT_AVAILABLE, "stale") for source in shown.sources)
        self._sources.set_text(f"Sources · {old} old or missing" if old else "Sources")
        self._sources.classes(add="alert" if old else "", remove="" if old else "alert")
        self._issues.set_text(f"Problems · {problems}" if problems else "No problems")
        self._issues.classes(add="alert" if problems else "", remove="" if problems else "alert")

    def _day_input(self) -> None:
        with box("label", "day"):
            self._valued = text("Valued now", "span")
            # Required, so that a style sheet can tell whether a day is given; there is no form to send.
            day = box(
                "input", "", type="date", required="required", aria_label="Valued at the close of a day"
            )
            day.on(
                "change",
                lambda event: self._actions.choose(day=_day(event.args)),
                js_handler="(event) => emit(event.target.value)",
            )

    def _export_menu(self) -> None:
        with box("details", "menu"):
            text("Export", "summary")
            with box("div", "sheet-menu"):
                for form, name in (
                    ("html", "Report (HTML)"),
                    ("csv", "Positions (CSV)"),
                    ("json", "Report (JSON)"),
                ):
                    button(name, _exporter(self._actions, form), "entry")


def _exporter(actions: Actions, form: str) -> Callable[[], Any]:
    return lambda: actions.export(form)


def _day(said: Any) -> dt.date | None:
    given = said[0] if isinstance(said, list) else said
    return dt.date.fromisoformat(given) if given else None
