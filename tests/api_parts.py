"""The API as tests ask it: in this process, over a provider that does what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.testclient import TestClient

from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.views.api.app import create_app
from quotewell.views.uploads import Uploads
from quotewell.wiring import connect

BOOK = b"""symbol,quantity,price,value,account
AAPL,10,190,1900,A1
MSFT,-5,390,-1950,A1
AAPL,x,,,
Cash,,,500,A1
"""
PREFIX = "/api/v1"
TOKEN = "a-token-that-nobody-else-knows"


class Api(msgspec.Struct):
    """One application and what is behind it."""

    client: TestClient
    app: FastAPI
    tickers: TickerService
    uploads: Uploads
    provider: FakeProvider
    clock: ManualClock

    def get(self, path: str, **more: Any) -> Any:
        """Ask for a path below the API's."""
        return self.client.get(PREFIX + path, **more)

    def post(self, path: str, **more: Any) -> Any:
        """Send something to a path below the API's."""
        return self.client.post(PREFIX + path, **more)

    def upload(self, content: bytes = BOOK, name: str = "book.csv") -> str:
        """Hand over a book; returns the path of its own."""
        answer = self.post("/portfolios", files={"file": (name, content)})
        assert answer.status_code == 201, answer.text
        path: str = answer.headers["location"].removeprefix(PREFIX)
        return path


def market(clock: ManualClock) -> FakeProvider:
    """Two stocks and the benchmark."""
    closes = {
        symbol: [100.0 * (1.01 if day % 2 else 1.0) ** beta for day in range(600)]
        for symbol, beta in (("AAPL", 1.5), ("MSFT", 0.5), ("^GSPC", 1.0))
    }
    return FakeProvider(clock, {"AAPL": 200.0, "MSFT": 400.0, "^GSPC": 5000.0}, closes)


@contextmanager
def serving(settings: Settings | None = None, *, patience: float = 30.0, **more: Any) -> Iterator[Api]:
    """An application over a market of three symbols; `more` goes to `create_app`."""
    clock = ManualClock(patience=patience)
    provider = market(clock)
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    with connect(settings or Settings(), clock=clock, providers=[provider], stores=stores) as tickers:
        uploads = Uploads(tickers)
        app = create_app(tickers, uploads, **more)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            yield Api(client, app, tickers, uploads, provider, clock)
