"""What stands before every route: who may ask, from where, and how much they may send.

- `Host`: on loopback only loopback's own names, so that a page whose name was made to point here (DNS
  rebinding) cannot read what is answered.
- `Origin` and `Sec-Fetch-Site`: other sites' pages may neither change anything nor open a WebSocket; answers
  carry no CORS headers, so they cannot read anything either.
- The token, as `Authorization: Bearer TOKEN`, or as the password of Basic, which browsers can ask for.
- The size of the body: by its header before a byte is read, and while it is read.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quotewell.views.api.context import PREFIX
from quotewell.views.api.problems import problem
from quotewell.views.uploads import MOST_BYTES

__all__ = ["LOOPBACK", "MOST_SENT", "Gate"]

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
"""What a client on this machine may call it."""
MOST_SENT = 256 * 1024
"""Bytes of a body that is no upload."""

_UPLOADED = MOST_BYTES + MOST_SENT
_UNGUARDED = "/health"
_API = "/api/"
_UPLOAD = f"{PREFIX}/portfolios"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_CHALLENGES = ('Bearer realm="quotewell"', 'Basic realm="quotewell", charset="UTF-8"')
"""A header each: browsers read no more than the first of a header."""
_ASKED = frozenset((b"host", b"origin", b"authorization", b"content-length", b"sec-fetch-site"))


class Gate:
    """An ASGI application before another one.

    Args:
        app: What answers those who may pass.
        token: What they have to carry; None for nothing.
        hosts: The names in `Host` that are accepted; None for any.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Collection[str] | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in _ASKED}
        refusal = self._refusal(scope, headers)
        if refusal is None:
            if scope["type"] == "http" and scope["method"] not in _SAFE:
                receive = _bounded(receive, _most(scope["path"]))
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        host = headers.get(b"host", b"")
        if self._hosts is not None and _name(host) not in self._hosts:
            return problem(
                421, "this server does not answer to that host name", hint="ask for localhost or 127.0.0.1"
            )
        if scope["path"] == _UNGUARDED:
            return None
        if self._token is not None and not self._carries_token(headers.get(b"authorization", b"")):
            refusal = problem(401, "a token is needed", hint="Authorization: Bearer TOKEN")
            for challenge in _CHALLENGES:
                refusal.headers.append("www-authenticate", challenge)
            return refusal
        if scope["type"] == "websocket" or scope["method"] not in _SAFE:
            if not _same_site(headers, host):
                return problem(403, "pages of other sites may change nothing here")
            length = headers.get(b"content-length", b"0")
            if not length.isdigit() or int(length[:20]) > _most(scope["path"]):
                return problem(413, _too_large(_most(scope["path"])), headers={"connection": "close"})
        return None

    def _carries_token(self, authorization: bytes) -> bool:
        scheme, _, given = authorization.partition(b" ")
        kind = scheme.lower()
        if kind == b"basic":
            try:
                given = base64.b64decode(given.strip(), validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif kind != b"bearer":
            return False
        return hmac.compare_digest(given.strip(), self._token or b"")


def _name(host: bytes) -> str:
    """A host's name without its port."""
    text = host.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if ":" in text else text


def _same_site(headers: dict[bytes, bytes], host: bytes) -> bool:
    """Whether a request comes from no page at all, or from one of this server's own."""
    if headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
    except ValueError:
        return False


def _most(path: str) -> int:
    # Outside of the API the page has uploads of its own.
    return MOST_SENT if path.startswith(_API) and path != _UPLOAD else _UPLOADED


def _too_large(most: int) -> str:
    return f"the body has more than {most:,} bytes"


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive`, until more than `most` bytes have come: a body may come in pieces and name no length."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, _too_large(most), {"connection": "close"})
        return message

    return bounded
