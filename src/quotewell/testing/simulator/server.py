"""A loopback HTTP server that speaks Yahoo's and FMP's wire formats from one invented market."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

import msgspec

from quotewell.testing.simulator.endpoints import Endpoints, parse_request
from quotewell.testing.simulator.faults import HANDSHAKE, Fault, Faults, Reply
from quotewell.testing.simulator.instruments import Instrument
from quotewell.testing.simulator.market import Market

__all__ = ["LoggedRequest", "MarketSimulator"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_POLL = 0.02
_BETWEEN_DROPS = 0.01


class LoggedRequest(msgspec.Struct):
    """One request that reached the simulator."""

    time: float
    """Monotonic seconds of its arrival."""
    endpoint: str
    """`cookie`, `crumb`, `quote`, `spark`, `chart`, `quote_summary`, `timeseries`, `fmp/profile`, …, or
    `unknown`."""
    path: str
    symbols: tuple[str, ...]
    target: str = ""
    """Path and query, as they were sent."""
    status: int = 0
    """0 until it is answered, and for a connection that was reset."""


class MarketSimulator:
    """Yahoo and FMP on this machine: the same market behind both, and faults on command.

    A context manager; the server runs in daemon threads and closing it ends every connection, also those
    that a `hang` or a `drip` holds.

    ```python
    with MarketSimulator(symbols=["AAPL", "MSFT"]) as simulator:
        settings = Settings(yahoo_base_url=simulator.yahoo_url)
        simulator.fault("429", times=1, retry_after=60)
    ```

    Args:
        market: The market to show; else one is made of the next three arguments.
        symbols: What is listed beside what always is (see `Market`).
        seed: Seed of the market.
        now: The market's time: epoch seconds or a callable; None for the system's clock.
        port: 0 for any free one.
        fmp_key: The only API key that FMP's endpoints accept.
        fmp_batch_quotes: Whether the FMP plan has `batch-quote`; else it answers 402.
        latency: Seconds from the arrival of a request until it is answered, if answering takes no longer.
    """

    def __init__(
        self,
        market: Market | None = None,
        *,
        symbols: Iterable[str | Instrument] | None = None,
        seed: int = 0,
        now: float | Callable[[], float] | None = None,
        port: int = 0,
        fmp_key: str = "simulated-key",
        fmp_batch_quotes: bool = False,
        latency: float = 0.0,
    ) -> None:
        self.market = market if market is not None else Market(symbols, seed=seed, now=now)
        self.endpoints = Endpoints(self.market, fmp_key)
        self.endpoints.fmp_batch_quotes = fmp_batch_quotes
        self._latency = latency
        self._closing = threading.Event()
        self._faults = Faults()
        self._lock = threading.Lock()
        self._log: list[LoggedRequest] = []
        self._server = _Server(port, self)
        self._thread: threading.Thread | None = None

    @property
    def yahoo_url(self) -> str:
        """Base URL in place of Yahoo's hosts."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def fmp_url(self) -> str:
        """Base URL in place of FMP's."""
        return f"{self.yahoo_url}/stable"

    @property
    def fmp_key(self) -> str:
        """The API key that FMP's endpoints accept."""
        return self.endpoints.fmp_key

    @property
    def requests(self) -> list[LoggedRequest]:
        """All requests so far, in order of arrival."""
        with self._lock:
            return list(self._log)

    @property
    def handshakes(self) -> list[LoggedRequest]:
        """The requests for Yahoo's cookie and crumb."""
        return [request for request in self.requests if request.endpoint in HANDSHAKE]

    @property
    def data_requests(self) -> list[LoggedRequest]:
        """All requests but the handshakes."""
        return [request for request in self.requests if request.endpoint not in HANDSHAKE]

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._log.clear()

    def fault(
        self,
        kind: str,
        *,
        endpoint: str | None = None,
        times: int | None = None,
        symbols: Iterable[str] | None = None,
        after: int = 0,
        retry_after: float | str | None = None,
        share: float = 1.0,
        seed: int = 0,
    ) -> Fault:
        """Show a fault from now on; `faults` lists the kinds, `Fault` explains the arguments.

        Returns:
            The fault: `hits` counts the requests that it hit, `release()` ends a `hang` or a `drip`.

        Raises:
            ValueError: If there is no such kind.
        """
        fault = Fault(
            kind,
            endpoint=endpoint,
            times=times,
            symbols=symbols,
            after=after,
            retry_after=retry_after,
            share=share,
            seed=seed,
        )
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """End all faults; held requests go on."""
        self._faults.clear()

    def expire_crumb(self) -> None:
        """Make Yahoo's present crumb invalid: the next request that carries it is answered 401."""
        self.endpoints.expire_crumb()

    def start(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="market-simulator", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End all faults, waits and connections and stop; may be called twice."""
        self._closing.set()
        self._faults.clear()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.close_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Begin to answer."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.close()

    def reply(self, target: str, headers: dict[str, str]) -> Reply:
        """The answer to one request; called by the server's threads.

        Args:
            target: Path and query.
            headers: By name in lower case.
        """
        request = parse_request(target, headers)
        logged = LoggedRequest(time.monotonic(), request.endpoint, request.path, request.symbols, target)
        with self._lock:
            self._log.append(logged)
        reply = self.endpoints.answer(request, self._faults.hitting(request.endpoint, request.symbols))
        remaining = logged.time + self._latency - time.monotonic()
        if remaining > 0.0:
            self._closing.wait(remaining)
        if reply.delivery != "reset":
            logged.status = reply.status
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, simulator: MarketSimulator) -> None:
        self.simulator = simulator
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own, which looks up the host's name: that can take seconds without a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET_ON_CLOSE)) == _RESET_ON_CLOSE:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys  # noqa: PLC0415  only here

        # A client that has given up is nothing to report.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        with self._connections_lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm: ClassVar[bool] = True
    wbufsize: ClassVar[int] = -1

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.simulator.reply(self.path, headers)
        if reply.delivery == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if reply.delivery == "cut":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.close_connection = True
            return
        if reply.delivery == "drip":
            self._drip(reply.body, reply.released or threading.Event())
            return
        self.wfile.write(reply.body)

    def _drip(self, body: bytes, released: threading.Event) -> None:
        """Send byte after byte until `released` is set, or the client has had enough."""
        for position in range(len(body) - 1):
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            if released.wait(_BETWEEN_DROPS):
                self.wfile.write(body[position + 1 :])
                return
        self.wfile.flush()
        released.wait()
        self.wfile.write(body[-1:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that the base class gives
        """Say nothing: the log is `MarketSimulator.requests`."""
