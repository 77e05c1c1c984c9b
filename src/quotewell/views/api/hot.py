"""Tickers that are asked for again and again: answered before routes are looked at, while memory agrees.

What was answered once is kept as text, beside the records that it was made of. While memory answers with the
same records, nothing has changed, and it is sent again. To look for the route, check its parameters and write
the JSON anew would take several times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from quotewell.records import Need, Record
from quotewell.service import TickerService
from quotewell.views.api.answers import fresh_for

__all__ = ["HotAnswers", "HotTickers"]

_MOST = 10_000
"""Answers that are kept; with more, all are forgotten, and come back as they are asked for."""


class _Answer(msgspec.Struct, frozen=True):
    needs: Sequence[Need]
    records: Sequence[Record]
    body: bytes
    tag: str


class _Route(msgspec.Struct, frozen=True):
    path: str


class HotAnswers:
    """Answers by symbol, in the spelling of the request; only for the event loop's thread.

    Args:
        tickers: Whose records they are made of.
    """

    def __init__(self, tickers: TickerService) -> None:
        self._tickers = tickers
        self._answers: dict[str, _Answer] = {}

    def remember(self, symbol: str, made_of: Mapping[Need, Record], body: bytes, tag: str) -> None:
        """Keep an answer.

        Args:
            symbol: As it was asked for.
            made_of: The records behind it, with which memory has answered.
            body: The JSON text.
            tag: Its entity tag.
        """
        if len(self._answers) >= _MOST:
            self._answers.clear()
        self._answers[symbol] = _Answer(tuple(made_of), tuple(made_of.values()), body, tag)

    def find(self, symbol: str) -> tuple[bytes, str, float] | None:
        """Text, tag, and seconds for which it is fresh, if memory still answers with the same records."""
        answer = self._answers.get(symbol)
        if answer is None:
            return None
        records = self._tickers.at_hand(answer.needs)
        if records is None:  # grown old, or it is time to see what others have changed
            return None
        if any(now is not then for now, then in zip(records, answer.records, strict=True)):
            del self._answers[symbol]
            return None
        until = min(record.fresh_until for record in records)
        return answer.body, answer.tag, until - self._tickers.clock.monotonic()


class HotTickers:
    """An ASGI application before another one, which answers what is hot and passes on all the rest.

    Args:
        app: The rest.
        answers: What is hot.
        prefix: Of the path, before the symbol.
    """

    def __init__(self, app: ASGIApp, *, answers: HotAnswers, prefix: str) -> None:
        self._app = app
        self._answers = answers
        self._prefix = prefix
        self._route = _Route(f"{prefix}{{symbol}}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["path"].startswith(self._prefix) and scope["method"] == "GET":
            found = self._answers.find(scope["path"][len(self._prefix) :])
            if found is not None:
                scope["route"] = self._route
                asked = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
                response = fresh_for(*found, None if asked is None else asked.decode("latin-1"))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
