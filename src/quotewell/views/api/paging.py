"""Long lists in parts: `offset` and `limit`, and links to the parts before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from fastapi import Query
from starlette.requests import Request

__all__ = ["Limit", "Offset", "Page", "links", "part_of"]

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1_000, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many of the first to leave out.")]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list this is."""

    offset: int
    limit: int
    total: int
    """Entries of the whole list."""


def part_of(entries: Sequence[T], offset: int, limit: int) -> tuple[Sequence[T], Page]:
    """The part, and which it is."""
    return entries[offset : offset + limit], Page(offset=offset, limit=limit, total=len(entries))


def links(request: Request, page: Page) -> dict[str, str]:
    """The `Link` header (RFC 8288) of a part, with `prev` and `next` where there are such."""
    places: list[tuple[str, int]] = []
    if page.offset > 0:
        places.append(("prev", max(0, page.offset - page.limit)))
    if page.offset + page.limit < page.total:
        places.append(("next", page.offset + page.limit))
    if not places:
        return {}
    given = [
        (name, value)
        for name, value in parse_qsl(request.url.query, keep_blank_values=True)
        if name not in ("offset", "limit")
    ]
    found = []
    for relation, offset in places:
        query = urlencode([*given, ("offset", offset), ("limit", page.limit)])
        found.append(f'<?{query}>; rel="{relation}"')
    return {"link": ", ".join(found)}
