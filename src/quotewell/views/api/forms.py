"""Files in a form (`multipart/form-data`), read into memory and never onto a disk."""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from quotewell.views.uploads import MOST_BYTES, MOST_FILES

__all__ = ["FORM", "files_of"]

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "minItems": 1,
                            "maxItems": MOST_FILES,
                            "description": "Brokers' exports, or tables symbol,quantity,…: one book.",
                        }
                    },
                }
            }
        },
    }
}
"""How OpenAPI describes it."""


class _InMemory(MultiPartParser):
    spool_max_size = 2 * MOST_BYTES
    """A file that is larger would go to the disk; a body is refused before it is as large."""


async def files_of(request: Request) -> list[tuple[str, bytes]]:
    """Name and content of each file of a form.

    Raises:
        HTTPException: It is no form, or not whole (400), not of this kind (415), or too large (413).
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(415, "files come as multipart/form-data")
    parser = _InMemory(request.headers, request.stream(), max_files=MOST_FILES, max_fields=0)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from error
    try:
        uploaded = [entry for _, entry in form.multi_items() if isinstance(entry, UploadFile)]
        return [(entry.filename or "", await entry.read()) for entry in uploaded]
    finally:
        await form.close()
