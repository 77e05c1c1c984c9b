"""The Content-Security-Policy of the page: nothing from anywhere but this server, and only its own scripts.

NiceGUI starts from scripts inside its page, and Vue compiles templates while it runs. So scripts inside carry
a nonce of this one answer, and `unsafe-eval` has to stay; styles inside elements are ECharts' and Quasar's.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ContentPolicy", "policy"]

_PAGE = "x-nicegui-content"


def policy(nonce: str) -> str:
    """The header's value."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class ContentPolicy:
    """An ASGI middleware that gives pages their policy, and their scripts the nonce that it names.

    The page of NiceGUI holds no text from files: it comes later, as data. So every `<script` in it is
    NiceGUI's own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is no page goes by untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _PAGE in MutableHeaders(scope=message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_page(start, bytes(body), send)

        await self._app(scope, receive, held)


async def _send_page(start: Message, body: bytes, send: Send) -> None:
    nonce = secrets.token_urlsafe(16)
    page = body.replace(b"<script", f'<script nonce="{nonce}"'.encode())
    headers = MutableHeaders(scope=start)
    headers["content-length"] = str(len(page))
    headers["content-security-policy"] = policy(nonce)
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"
    headers["cross-origin-opener-policy"] = "same-origin"
    await send(start)
    await send({"type": "http.response.body", "body": page})
