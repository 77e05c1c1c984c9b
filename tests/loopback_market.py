"""A market on loopback that counts and holds fetches of many processes, and the provider that asks it."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, cast

from quotewell.clock import SystemClock
from quotewell.endpoints import Call, Endpoint, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.protocols import Clock
from quotewell.records import Facet, Quote
from quotewell.testing import FakeProvider

NAME = "loopback"
ENDPOINT = Endpoint(NAME, "quote", frozenset[Facet](("quote",)), 50)


class LoopbackMarket(FakeProvider):
    """Answers the `LoopbackProvider`s of other processes; what it is told holds for all of them."""

    def __init__(self, prices: dict[str, float]) -> None:
        super().__init__(SystemClock(), prices, name=NAME)
        self._told = threading.Condition()
        self._events: list[str] = []
        self._server = _Server(self)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def await_events(self, *events: str) -> None:
        """Block until each of `events` has been told as often as it is named."""
        with self._told:
            happened = self._told.wait_for(
                lambda: all(self._events.count(event) >= events.count(event) for event in events), 30
            )
        assert happened, f"waited in vain for {events}, told were {self._events}"

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer one line of another process."""
        if "event" in message:
            with self._told:
                self._events.append(message["event"])
                self._told.notify_all()
            return {}
        symbols = tuple(message["symbols"])
        call = Call(ENDPOINT, symbols, frozenset((symbol, "quote") for symbol in symbols))
        try:
            fetched = self.fetch(call, lane=Lane.INTERACTIVE, deadline=0.0)
        except ProviderError as error:
            return {"failure": error.failure}
        quotes = [record for record in fetched.found.values() if isinstance(record, Quote)]
        return {"prices": {quote.symbol: quote.last for quote in quotes}}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, market: LoopbackMarket) -> None:
        self.market = market
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        answer = cast("_Server", self.server).market.answer(json.loads(self.rfile.readline()))
        with suppress(ConnectionError):  # the process that asked was killed
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class LoopbackProvider:
    """A `protocols.Provider` that asks a `LoopbackMarket`."""

    name = NAME
    endpoints = (ENDPOINT,)
    handshake = 0
    limit = None
    waited = 0.0

    def __init__(self, clock: Clock, port: int) -> None:
        self.requests = 0
        self._clock = clock
        self._port = port

    def tell(self, event: str) -> None:
        """Let the market know of an event in this process."""
        self._ask({"event": event})

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        del lane, deadline
        self.requests += 1
        answer = self._ask({"symbols": call.symbols})
        if "failure" in answer:
            raise ProviderError(NAME, answer["failure"], "told to fail")
        prices = answer["prices"]
        now = self._clock.now()
        fetched = Fetched(unknown={need for need in call.needs if need[0] not in prices})
        for symbol, price in prices.items():
            fetched.found[symbol, "quote"] = Quote(
                symbol=symbol, source=NAME, as_of=now, fetched_at=now, last=price,
                previous_close=price, currency="USD",
            )  # fmt: skip
        return fetched

    def close(self) -> None:
        """Nothing is kept open."""

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 30) as connection:
                connection.sendall(json.dumps(message).encode() + b"\n")
                with connection.makefile("rb") as answers:
                    return cast("dict[str, Any]", json.loads(answers.readline()))
        except (OSError, ValueError) as error:
            raise ProviderError(NAME, "network", f"no market on loopback: {error}") from error
