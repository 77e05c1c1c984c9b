"""The application: its routes, and what stands before all of them."""

from __future__ import annotations

from fastapi import FastAPI

from quotewell._version import __version__
from quotewell.service import TickerService
from quotewell.views.uploads import Uploads

__all__ = ["create_app"]


def create_app(tickers: TickerService, uploads: Uploads, *, token: str | None = None) -> FastAPI:
    """The API over a ticker service.

    Args:
        tickers: Asked for everything; whoever opened it closes it.
        uploads: The books.
        token: What every request but those for `/health` has to carry; None asks for none.
    """
    app = FastAPI(title="quotewell", version=__version__)
    app.state.tickers, app.state.uploads, app.state.token = tickers, uploads, token
    return app
