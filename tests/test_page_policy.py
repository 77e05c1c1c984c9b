"""The policy of the page: on pages alone, a nonce of its own for each, none for what comes later."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from quotewell.views.web.policy import ContentPolicy, policy

PAGE = b"<html><head><script>one()</script></head><script type=module src=x></script></html>"
IS_PAGE = {"X-NiceGUI-Content": "page"}


def answered(response: Response, kind: str = "http") -> tuple[dict[str, str], bytes]:
    """Headers and body of what the middleware makes of a response."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        waits: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await waits  # the client says nothing more

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await response(scope, receive, send)

    scope = {"type": kind, "method": "GET", "headers": []}
    asyncio.run(ContentPolicy(app)(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_every_script_of_a_page_has_the_nonce_that_the_policy_names() -> None:
    headers, body = answered(Response(PAGE, headers=IS_PAGE, media_type="text/html"))
    nonce = re.search("'nonce-([^']+)'", headers["content-security-policy"])
    assert nonce is not None
    assert body.count(f'<script nonce="{nonce[1]}"'.encode()) == body.count(b"<script") == 2
    assert int(headers["content-length"]) == len(body)
    assert headers["x-content-type-options"] == "nosniff"


def test_each_answer_has_a_nonce_of_its_own() -> None:
    first, second = (answered(Response(PAGE, headers=IS_PAGE))[0] for _ in range(2))
    assert first["content-security-policy"] != second["content-security-policy"]


def test_a_page_in_pieces_is_one_page() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(PAGE), 7):
            yield PAGE[at : at + 7]

    _, body = answered(StreamingResponse(pieces(), headers=IS_PAGE))
    assert body.count(b"<script nonce=") == 2


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/html"}])
def test_what_is_no_page_goes_by_untouched(headers: dict[str, str]) -> None:
    found, body = answered(PlainTextResponse(PAGE, headers=headers))
    assert body == PAGE
    assert "content-security-policy" not in found


def test_the_policy_names_no_other_host_and_no_script_inside() -> None:
    directives = dict(part.split(" ", 1) for part in policy("abc").split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self' 'nonce-abc' 'unsafe-eval'"
    assert not re.search(r"https?:|\*", policy("abc"))
