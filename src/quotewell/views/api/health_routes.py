"""`/health`, `/ready`, `/metrics`: what a supervisor, a load balancer and Prometheus ask."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from quotewell.errors import CacheError
from quotewell.views.api.answers import document
from quotewell.views.api.context import Context
from quotewell.views.api.documents import Health, Ready
from quotewell.views.api.metrics import CONTENT_TYPE, exposition
from quotewell.views.api.peers import Peers
from quotewell.views.api.schemas import answers
from quotewell.views.words import iso

__all__ = ["health_routes"]


def health_routes(context: Context, peers: Peers | None) -> APIRouter:
    """The routes, over the parts of one application, and the processes that answer the same."""
    routes = APIRouter(tags=["health"])
    run = context.work.run

    @routes.get(
        "/health",
        summary="Whether the process answers",
        description="Needs no token, and asks nobody.",
        responses=answers(Health, "It does.", example=Health()),
    )
    async def health() -> Response:
        return document(Health())

    @routes.get(
        "/ready",
        summary="Whether requests can be answered, and how well",
        description="503 once the service is closed.",
        responses=answers(
            Ready, "They can.", example=Ready(status="ready", cache="sqlite", providers={"yahoo": "ok"})
        ),
    )
    async def ready() -> Response:
        return document(await run(lambda: _ready(context)))

    @routes.get(
        "/metrics",
        summary="Metrics for Prometheus",
        responses={
            200: {"description": "Text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            "default": answers(Health, "")["default"],
        },
    )
    async def metrics() -> Response:
        headers = {"cache-control": "no-store"}
        return Response(await run(lambda: exposition(context, peers)), 200, headers, CONTENT_TYPE)

    return routes


def _ready(context: Context) -> Ready:
    """Raises `CacheError` once the service is closed."""
    tickers = context.tickers
    tickers.engine.follow_others()
    store = tickers.engine.store
    try:
        store.level.stats()
        cache, degraded = store.level_name, False
    except CacheError as error:
        cache, degraded = f"{store.level_name}: {error}", True
    providers = {
        name: "ok" if pause is None else f"paused until {iso(pause.until)}: {pause.reason}"
        for name, pause in tickers.pauses().items()
    }
    idle = bool(providers) and all(state != "ok" for state in providers.values())
    return Ready(status="degraded" if degraded or idle else "ready", cache=cache, providers=providers)
