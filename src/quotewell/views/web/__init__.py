"""The page: a book in the browser, served by the process that serves the API. Needs the extra `web`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewell.errors import missing_extra

if TYPE_CHECKING:
    from fastapi import FastAPI

    from quotewell.service import TickerService
    from quotewell.views.uploads import Uploads

__all__ = ["attach"]


def attach(app: FastAPI, tickers: TickerService, uploads: Uploads) -> None:
    """Put the page on `/` of an application, behind the routes that it has; once a process.

    Args:
        app: Takes uploads at `POST /api/v1/portfolios`; not started yet.
        tickers: The service that the books ask.
        uploads: The books. The newest of those that are there now is shown first; later ones to whoever has
            their key.

    Raises:
        UsageError: NiceGUI is not installed.
    """
    try:
        from quotewell.views.web.attached import attach_page  # noqa: PLC0415  imports NiceGUI
    except ModuleNotFoundError as error:
        raise missing_extra("the page", error.name, "web") from error
    attach_page(app, tickers, uploads)
