"""What several workers do not serve: said plainly, rather than that there is nothing."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from quotewell.views.api.context import PREFIX
from quotewell.views.api.problems import problem

__all__ = ["refused_routes"]

_ONE = "start it with one worker (`quotewell serve`, without --workers)"


def refused_routes() -> APIRouter:
    """The routes; no client is told of them beforehand."""
    routes = APIRouter(include_in_schema=False)

    @routes.post(PREFIX + "/portfolios")
    @routes.delete(PREFIX + "/portfolios/{key}")
    async def books() -> Response:
        return _refused(
            "several workers answer here, of which only one would know of a book that is handed over",
            f"{_ONE}, or name the book when it starts: `quotewell serve FILE --workers N`",
        )

    @routes.post(PREFIX + "/prefetch")
    @routes.api_route(PREFIX + "/jobs", methods=["GET"])
    @routes.api_route(PREFIX + "/jobs/{rest:path}", methods=["GET", "DELETE"])
    async def jobs(rest: str = "") -> Response:
        del rest
        return _refused(
            "several workers answer here, of which only one would know of a job",
            f"{_ONE}; `quotewell prefetch` fetches into the cache that all workers read",
        )

    @routes.get("/")
    async def page() -> Response:
        return _refused("several workers serve the API alone, without the page", _ONE)

    return routes


def _refused(detail: str, hint: str) -> Response:
    return problem(501, detail, hint=hint)
