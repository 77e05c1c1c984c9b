"""The application: its routes, and what stands before and around all of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from quotewell._version import __version__
from quotewell.errors import QuotewellError
from quotewell.refresh import Refresher
from quotewell.service import TickerService
from quotewell.views.api.analysis_routes import analysis_routes
from quotewell.views.api.cache_routes import cache_routes
from quotewell.views.api.context import PREFIX, Context
from quotewell.views.api.gate import LOOPBACK, Gate
from quotewell.views.api.health_routes import health_routes
from quotewell.views.api.hot import HotTickers
from quotewell.views.api.job_routes import job_routes
from quotewell.views.api.metrics import peers_of
from quotewell.views.api.observing import LoggedRequest, Observing
from quotewell.views.api.portfolio_routes import portfolio_routes
from quotewell.views.api.problems import details_of
from quotewell.views.api.refused_routes import refused_routes
from quotewell.views.api.schemas import describe
from quotewell.views.api.ticker_routes import ticker_routes
from quotewell.views.uploads import Uploads

__all__ = ["create_app"]

_ABOUT = "One source of truth for ticker data, and the portfolio report built on it."


def create_app(
    tickers: TickerService,
    uploads: Uploads,
    *,
    token: str | None = None,
    hosts: Collection[str] | None = LOOPBACK,
    keeps: bool = True,
    peers: Path | None = None,
    refresher: Refresher | None = None,
    log: Callable[[LoggedRequest], None] | None = None,
) -> FastAPI:
    """The API over a ticker service.

    Args:
        tickers: Asked for everything; whoever opened it closes it.
        uploads: The books.
        token: What every request but those for `/health` has to carry; None asks for none.
        hosts: The names in `Host` that are accepted; None for any.
        keeps: Whether clients may hand over books and start jobs: not where several processes answer, of
            which only one would know of them.
        peers: The folder in which these processes find each other, for their metrics; None without others.
        refresher: What keeps values fresh, for the metrics.
        log: Told of every request.
    """
    context = Context(tickers, uploads, refresher, None if keeps else str(os.getpid()))
    others = None if peers is None else peers_of(context, peers)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            if others is not None:
                others.close()
            context.close()

    app = FastAPI(
        title="quotewell",
        version=__version__,
        description=_ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its scripts come from another host
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(ticker_routes(context))
    app.include_router(cache_routes(context))
    app.include_router(portfolio_routes(context, keeps=keeps))
    app.include_router(analysis_routes(context))
    app.include_router(job_routes(context) if keeps else refused_routes())
    app.include_router(health_routes(context, others))
    for kind in (QuotewellError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _problem)
    describe(app, needs_token=token is not None)
    app.add_middleware(HotTickers, answers=context.hot, prefix=f"{PREFIX}/tickers/")
    app.add_middleware(Gate, token=token, hosts=hosts)
    app.add_middleware(Observing, clock=tickers.clock, latencies=context.latencies, log=log)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    del request
    return details_of(error)
