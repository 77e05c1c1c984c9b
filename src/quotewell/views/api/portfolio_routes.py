"""`/api/v1/portfolios`: brokers' files handed over, listed and forgotten."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from quotewell.views.api import examples
from quotewell.views.api.answers import document
from quotewell.views.api.context import PREFIX, Context
from quotewell.views.api.documents import Book, BookList, BookListed
from quotewell.views.api.forms import FORM, files_of
from quotewell.views.api.paging import Limit, Offset, links, part_of
from quotewell.views.api.problems import NotFoundError
from quotewell.views.api.schemas import answers
from quotewell.views.api.work import Places
from quotewell.views.imported import file_document
from quotewell.views.uploads import Upload
from quotewell.views.words import iso

__all__ = ["Key", "book_under", "portfolio_routes"]

_MOST_UPLOADS = 4
"""At a time."""

Key = Annotated[str, Path(max_length=64, description="What the upload was answered with.")]


def portfolio_routes(context: Context, *, keeps: bool) -> APIRouter:
    """The routes, over the parts of one application.

    Args:
        context: The parts.
        keeps: Whether books can be handed over and forgotten; not where several processes answer.
    """
    routes = APIRouter(prefix=PREFIX + "/portfolios", tags=["portfolios"])
    uploads, run, places = context.uploads, context.work.run, Places(_MOST_UPLOADS, "uploads")

    @routes.get(
        "",
        summary="All books",
        responses=answers(BookList, "Those that are kept, the oldest first.", example=examples.BOOKS),
    )
    async def listed(request: Request, offset: Offset = 0, limit: Limit = 50) -> Response:
        part, page = part_of(uploads.all(), offset, limit)
        return document(
            BookList(portfolios=[_listed(upload) for upload in part], page=page),
            headers=links(request, page),
        )

    @routes.get(
        "/{key}",
        summary="How a book was read",
        responses=answers(Book, "Rows by kind, and those that could not be read.", example=examples.BOOK),
    )
    async def one(key: Key) -> Response:
        return document(_book(book_under(context, key)))

    if not keeps:
        return routes

    @routes.post(
        "",
        status_code=201,
        summary="Hand over a book",
        description="Brokers' exports or tables, as files of a form; the broker is recognised. "
        "Kept in memory only, and forgotten when others need the room.",
        openapi_extra=FORM,
        responses=answers(Book, "The book; `Location` tells where it is.", example=examples.BOOK, status=201),
    )
    async def add(request: Request) -> Response:
        with places.one():  # each holds its files in memory
            files = await files_of(request)
            upload = await run(lambda: uploads.add(files))
        headers = {"location": f"{PREFIX}/portfolios/{upload.key}"}
        return document(_book(upload), status=201, headers=headers)

    @routes.delete(
        "/{key}",
        status_code=204,
        summary="Forget a book",
        responses={204: {"description": "It is forgotten."}, "default": answers(Book, "")["default"]},
    )
    async def remove(key: Key) -> Response:
        book_under(context, key)
        uploads.remove(key)
        return Response(status_code=204)

    return routes


def book_under(context: Context, key: str) -> Upload:
    """The book under a key.

    Raises:
        NotFoundError: There is none, or none any more.
    """
    try:
        return context.uploads.get(key)
    except KeyError:
        raise NotFoundError("there is no such portfolio, or none any more", hint="upload it again") from None


def _listed(upload: Upload) -> BookListed:
    file = upload.book.file
    return BookListed(
        key=upload.key,
        name=upload.name,
        broker=file.broker,
        accounts=file.accounts,
        rows=file.rows,
        as_of=iso(file.as_of),
        read_at=iso(upload.read_at),
    )


def _book(upload: Upload) -> Book:
    read = file_document(upload.book.file)
    fields = {name: getattr(read, name) for name in read.__struct_fields__}
    return Book(**fields, key=upload.key, name=upload.name, read_at=iso(upload.read_at))
