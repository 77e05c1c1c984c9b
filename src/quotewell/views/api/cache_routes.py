"""`/api/v1/cache`: fetch again, distrust, and count."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from quotewell.views.api import examples
from quotewell.views.api.answers import document
from quotewell.views.api.bodies import InvalidateBody, RefreshBody, needs_of
from quotewell.views.api.context import PREFIX, Context
from quotewell.views.api.schemas import answers
from quotewell.views.documents import (
    Cleared,
    Prefetch,
    Statistics,
    prefetch_document,
    statistics_document,
)

__all__ = ["cache_routes"]

_LONGEST = 60.0
"""Seconds that a refresh may keep its client waiting; what is on its way then is still kept."""

_Days = Annotated[int, Query(ge=1, le=400, description="Days to count, today among them.")]


def cache_routes(context: Context) -> APIRouter:
    """The routes, over the parts of one application."""
    routes = APIRouter(prefix=PREFIX + "/cache", tags=["cache"])
    tickers, run = context.tickers, context.work.run

    @routes.post(
        "/refresh",
        summary="Fetch again, however fresh",
        responses=answers(
            Prefetch,
            "What became of each; a value that could not be had anew is `kept`.",
            example=examples.PREFETCH,
        ),
    )
    async def refresh(body: RefreshBody) -> Response:
        wanted = needs_of(body.symbols, body.facets)
        return document(prefetch_document(await run(lambda: tickers.refresh(wanted, timeout=_LONGEST))))

    @routes.post(
        "/invalidate",
        summary="Distrust what is cached, in all processes",
        responses=answers(Cleared, "How many records it concerned.", example=Cleared(cleared=4)),
    )
    async def invalidate(body: InvalidateBody) -> Response:
        count = await run(lambda: tickers.invalidate(body.symbols, facets=body.facets, hard=body.hard))
        return document(Cleared(cleared=count))

    @routes.get(
        "/stats",
        summary="Hits, misses and fetches",
        responses=answers(Statistics, "Since this process started, and by day over all processes."),
    )
    async def stats(days: _Days = 7) -> Response:
        return document(
            await run(lambda: statistics_document(tickers.cache_stats(), tickers.daily_stats(days)))
        )

    return routes
