"""`/api/v1/prefetch` and `/api/v1/jobs`: fetch much in one plan, behind the answer, and follow it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quotewell.errors import UsageError
from quotewell.symbols import normalise
from quotewell.views.api import examples
from quotewell.views.api.answers import document
from quotewell.views.api.bodies import PrefetchBody, needs_of
from quotewell.views.api.context import PREFIX, Context
from quotewell.views.api.documents import JobList
from quotewell.views.api.jobs import Job, Prefetcher
from quotewell.views.api.paging import Limit, Offset, links, part_of
from quotewell.views.api.portfolio_routes import book_under
from quotewell.views.api.schemas import answers, schema_of

__all__ = ["job_routes"]


_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"const": "job"},
        "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": schema_of(Job)},
    },
}


def job_routes(context: Context) -> APIRouter:
    """The routes, over the parts of one application."""
    routes = APIRouter(prefix=PREFIX, tags=["prefetch"])
    jobs = context.jobs

    @routes.post(
        "/prefetch",
        status_code=202,
        summary="Fetch all that is missing or old, in one plan",
        responses=answers(
            Job, "It has begun; `Location` tells where it is.", example=examples.JOB_BEGUN, status=202
        ),
    )
    async def prefetch(body: PrefetchBody) -> Response:
        job = jobs.start(_prefetcher(context, body))
        return document(job, status=202, headers={"location": f"{PREFIX}/jobs/{job.id}"})

    @routes.get(
        "/jobs", summary="All prefetches", responses=answers(JobList, "The last ones, the oldest first.")
    )
    async def listed(request: Request, offset: Offset = 0, limit: Limit = 50) -> Response:
        part, page = part_of(jobs.all(), offset, limit)
        return document(JobList(jobs=part, page=page), headers=links(request, page))

    @routes.get(
        "/jobs/{job}",
        summary="One prefetch",
        responses=answers(Job, "As it is now.", example=examples.JOB_DONE),
    )
    async def one(job: str) -> Response:
        return document(jobs.get(job))

    @routes.get(
        "/jobs/{job}/events",
        summary="Follow a prefetch",
        description="Server-sent events: `job`, with the job whenever it has changed, until it has ended.",
        responses={
            200: {
                "description": "Events.",
                "content": {"text/event-stream": {"schema": _EVENT, "example": examples.EVENTS}},
            },
            "default": answers(Job, "")["default"],
        },
    )
    async def events(job: str) -> Response:
        jobs.get(job)
        headers = {
            "cache-control": "no-store",
            "x-accel-buffering": "no",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(_events(jobs.follow(job)), 200, headers, "text/event-stream")

    @routes.delete(
        "/jobs/{job}",
        status_code=202,
        summary="End a prefetch",
        responses=answers(Job, "It will end; what is on its way is still fetched and kept.", status=202),
    )
    async def cancel(job: str) -> Response:
        return document(jobs.cancel(job), status=202)

    return routes


def _prefetcher(context: Context, body: PrefetchBody) -> Prefetcher:
    if (body.portfolio is None) == (not body.symbols):
        raise UsageError("a prefetch is of symbols, or of a portfolio", hint="name one of the two")
    if body.portfolio is not None:
        book = book_under(context, body.portfolio).book
        return lambda progress: book.prefetch(progress=progress)
    symbols = [normalise(symbol) for symbol in body.symbols]
    wanted, tickers = needs_of(symbols, body.facets), context.tickers
    return lambda progress: tickers.prefetch(wanted, progress=progress)


async def _events(states: AsyncIterator[Job | None]) -> AsyncIterator[bytes]:
    async for job in states:
        yield (
            b": still there\n\n"
            if job is None
            else b"event: job\ndata: " + msgspec.json.encode(job) + b"\n\n"
        )
