"""One reader's page: what is shown of which book, and what happens when something is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element

from quotewell.errors import QuotewellError
from quotewell.freshness import Phase
from quotewell.portfolio.summary import WhatIfPoint
from quotewell.records import Facet
from quotewell.service import TickerService
from quotewell.views.content.overview import Overview
from quotewell.views.theme import DARK, LIGHT, css_variables
from quotewell.views.uploads import Uploads
from quotewell.views.web.book_view import BookView
from quotewell.views.web.curve import Curve
from quotewell.views.web.elements import box, text
from quotewell.views.web.empty import Empty
from quotewell.views.web.exports import exported
from quotewell.views.web.exposures import Exposures
from quotewell.views.web.figures import KeyFigures
from quotewell.views.web.header import Header
from quotewell.views.web.issues import IssueSheet
from quotewell.views.web.positions import Positions
from quotewell.views.web.progress import ProgressBar
from quotewell.views.web.sample import KEY, Sample
from quotewell.views.web.sources import Sources

__all__ = ["Page"]

_POLL = 0.2
"""Seconds between two looks at how far a prefetch is."""
LIVE_EVERY = 15.0
"""Seconds between two valuations while a market of the book is open, or prices may still come."""
_GONE = "This book is not kept any more: open its file again."


class Page:
    """Built once for each visit; its methods are what elements call.

    Args:
        tickers: What books ask.
        uploads: The books.
        sample: The bundled one.
    """

    def __init__(self, tickers: TickerService, uploads: Uploads, sample: Sample) -> None:
        self._tickers = tickers
        self._uploads = uploads
        self._sample = sample
        self._view: BookView | None = None
        self._whole: Overview | None = None
        self._shown: Overview | None = None
        self._phase: Phase = "closed"
        """At that valuation: one more follows it, with the last prices and without the word `live`."""
        self._turn = 0
        """Of the latest valuation: an earlier one that ends later is not shown."""
        self._busy = False

    def build(self, key: str | None) -> None:
        """Make all elements, and open a book when the browser is connected.

        Args:
            key: Of the book; None for the empty state.
        """
        ui.add_css(
            f"body {{ {css_variables(LIGHT)} }}\nbody.body--dark {{ {css_variables(DARK)} }}\n"
            + files(__package__).joinpath("page.css").read_text("utf-8")
        )
        text("Skip to the figures", "a", "skip").props["href"] = "#figures"
        self._header = Header(self)
        self._progress = ProgressBar()
        # NiceGUI has a `main` around all of it.
        with box("div", "content", id="figures", tabindex="-1"):
            self._empty = Empty(self.open_book)
            self._waiting = _outline()
            self._content = box("div", "grid")
            with self._content:
                self._figures = KeyFigures()
                with box("div", "pair"):
                    self._exposures = Exposures(lambda name: self.choose(underlying=name))
                    self._curve = Curve(self._shift)
                self._positions = Positions()
        self._sources = Sources(self._retry, self._override)
        self._issues = IssueSheet()
        self._content.visible = self._waiting.visible = False
        if key is None:
            self._empty.show()
        else:
            self._empty.hide()
            ui.timer(0.0, lambda: self.open_book(key), once=True)
        ui.timer(_POLL, self._progress.show)
        ui.timer(LIVE_EVERY, self._live)
        ui.on_exception(self._failed)

    # ------------------------------------------------------------------------------ what the header asks

    async def open_book(self, key: str) -> None:
        """Show another book: fetch what it needs, value it."""
        try:
            if key == KEY:
                self._view = BookView(*await asyncio.to_thread(self._sample.open))
            else:
                self._view = BookView(self._uploads.get(key).book.file, self._tickers)
        except KeyError:
            self._content.visible = False
            self._empty.show(_GONE)
            return
        self._empty.hide()
        ui.navigate.history.replace(f"/?book={quote(key)}")
        self._whole = self._shown = None
        self._header.begin(self._view)
        self._content.visible, self._waiting.visible = False, True
        try:
            await self._load()
        finally:
            self._waiting.visible = False

    async def choose(self, **fields: Any) -> None:
        """Look at another account, underlying or day."""
        view = self._view
        if view is None:
            return
        day = view.choice.day
        if await self._told(lambda: self._chosen(view, fields)):
            await (self._value() if view.choice.day == day else self._load())

    def show_sources(self) -> None:
        """Open the sheet of sources."""
        self._sources.open()

    def show_issues(self) -> None:
        """Open the sheet of problems."""
        self._issues.open()

    async def export(self, form: str) -> None:
        """Hand over what is shown as `csv`, `json` or `html`."""
        view, shown = self._view, self._shown
        if view is not None and shown is not None:
            made = await asyncio.to_thread(exported, view, shown, form)
            ui.download.content(made.content, made.name, made.media_type)

    # ------------------------------------------------------------------------------------------- inside

    async def _load(self) -> None:
        view = self._view
        if view is None:
            return
        self._progress.begin()
        self._busy = True
        try:
            await self._told(lambda: asyncio.to_thread(view.prefetch, self._progress.tell))
        finally:
            self._busy = False
            self._progress.end()
        await self._value()

    async def _value(self) -> None:
        """Value what is chosen, and show it unless something else was chosen meanwhile."""
        view = self._view
        if view is None:
            return
        self._turn += 1
        turn = self._turn
        whole = await asyncio.to_thread(view.overview, whole=True)
        shown = whole if view.choice.underlying is None else await asyncio.to_thread(view.overview)
        points = await asyncio.to_thread(view.curve, shown)
        phase = await asyncio.to_thread(view.phase, shown)
        if turn == self._turn:
            self._whole, self._shown, self._phase = whole, shown, phase
            self._show(view, whole, shown, points, phase)

    def _show(
        self,
        view: BookView,
        whole: Overview,
        shown: Overview,
        points: tuple[WhatIfPoint, ...],
        phase: Phase,
    ) -> None:
        self._content.visible = True
        self._header.show(view, whole, shown, phase)
        self._figures.show(shown)
        self._exposures.show(whole, shown, view.choice.underlying)
        self._curve.show(shown, points)
        self._positions.show(shown)
        self._sources.show(shown)
        self._issues.show(shown)

    async def _shift(self, days: float, volatility: float) -> None:
        view, shown = self._view, self._shown
        if view is None or shown is None:
            return
        view.choose(days=days, volatility=volatility)
        self._turn += 1
        turn = self._turn
        points = await asyncio.to_thread(view.curve, shown)
        if turn == self._turn:
            self._curve.show(shown, points)

    async def _retry(self, symbol: str, facet: Facet) -> None:
        view = self._view
        if view is None:
            return
        reason = await asyncio.to_thread(view.refresh, symbol, facet)
        ui.notify(
            f"{symbol}: {reason}" if reason else f"{symbol}: fetched anew", type="warning" if reason else None
        )
        await self._value()

    async def _override(self, symbol: str, facet: Facet, value: float | None) -> None:
        view = self._view
        if view is not None and await self._told(lambda: self._overridden(view, symbol, facet, value)):
            await self._value()

    async def _live(self) -> None:
        """While prices change: value anew; what has grown old is fetched."""
        view, shown = self._view, self._shown
        if view is None or shown is None or self._busy:
            return
        self._busy = True
        try:
            if self._phase != "closed" or await asyncio.to_thread(view.phase, shown) != "closed":
                await self._value()
        finally:
            self._busy = False

    async def _chosen(self, view: BookView, fields: dict[str, Any]) -> None:
        view.choose(**fields)

    async def _overridden(self, view: BookView, symbol: str, facet: Facet, value: float | None) -> None:
        view.override(symbol, facet, value)

    async def _told(self, work: Callable[[], Awaitable[Any]]) -> bool:
        """Do something; say so where it cannot be done."""
        try:
            await work()
        except QuotewellError as error:
            ui.notify(str(error), type="warning", multi_line=True, timeout=8000)
            return False
        return True

    def _failed(self, error: Exception) -> None:
        ui.notify(f"This did not work: {type(error).__name__}", type="negative")


def _outline() -> Element:
    """What stands in the place of figures that are still to come."""
    outline = box("div", "grid waiting", aria_hidden="true")
    with outline:
        box("div", "panel")
        with box("div", "pair"):
            box("div", "panel tall")
            box("div", "panel tall")
    return outline
