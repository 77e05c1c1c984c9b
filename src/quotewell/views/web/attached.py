"""The page as a part of an application."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui

from quotewell.service import TickerService
from quotewell.views.uploads import Uploads
from quotewell.views.web.page import Page
from quotewell.views.web.policy import ContentPolicy
from quotewell.views.web.sample import Sample

__all__ = ["attach_page"]

_TITLE = "quotewell"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" '
    'fill="#1f5fa8"/><path d="M9 9v14M9 12h13M9 20h8" stroke="#fff" stroke-width="3" fill="none" '
    'stroke-linecap="round"/></svg>'
)


def attach_page(app: FastAPI, tickers: TickerService, uploads: Uploads) -> None:
    """As `web.attach`."""
    given = uploads.all()
    first = given[-1].key if given else None
    sample = Sample()

    @ui.page("/", title=_TITLE, favicon=_ICON, language="en-US")
    def page(book: str | None = None) -> None:
        Page(tickers, uploads, sample).build(first if book is None else book)

    pages.add_middleware(ContentPolicy)
    pages.on_shutdown(sample.close)
    ui.run_with(
        app,
        title=_TITLE,
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        cache_control_directives="private, max-age=86400",
    )
