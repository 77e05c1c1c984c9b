"""A hot ticker over HTTP beside an endpoint of FastAPI that does nothing; one worker each.

`python -m bench.serving ours FOLDER` and `python -m bench.serving empty` are the servers: they print their
port and answer until their input ends.
"""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from bench.measure import Row, interleaved, quotients

__all__ = ["Client", "serving"]

_ROUNDS = 15
_REQUESTS = 4_000
_CONNECTIONS = 16
_FLOOR = 0.6
_PATHS = {"ours": "/api/v1/tickers/AAPL", "empty": "/"}


def serving(folder: Path) -> Iterator[Row]:
    """The row about requests a second."""
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(_server(name, *more))
            for name, *more in (("ours", str(folder)), ("empty",))
        }
        clients = [stack.enter_context(Client(ports[name], path)) for name, path in _PATHS.items()]
        for client in clients:
            client.ask(_REQUESTS)
        ours, empty = interleaved(
            _ROUNDS, *(lambda client=client: client.ask(_REQUESTS) for client in clients)
        )
    best = [_REQUESTS / min(seconds) for seconds in (ours, empty)]
    yield Row(
        measure="requests a second for a hot `GET /api/v1/tickers/AAPL`",
        against="an endpoint of FastAPI that returns `{}`",
        values=quotients(empty, ours),  # the inverse of seconds: requests a second, ours beside theirs
        at_least=_FLOOR,
        note=f"{best[0]:,.0f} and {best[1]:,.0f} a second, {_CONNECTIONS} connections",
    )


class Client:
    """Asks for the same again and again over some connections, with as little work as can be.

    Args:
        port: On loopback.
        path: What it asks for.
    """

    def __init__(self, port: int, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(_CONNECTIONS)]
        for connection in self._connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def ask(self, requests: int) -> float:
        """Ask so often; return the seconds that it took.

        Raises:
            RuntimeError: An answer is not 200.
        """
        start = time.perf_counter()
        for _ in range(requests // _CONNECTIONS):
            for connection in self._connections:
                connection.sendall(self._request)
            for connection in self._connections:
                _answer(connection)
        return time.perf_counter() - start


def _answer(connection: socket.socket) -> None:
    answer = connection.recv(65_536)
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += connection.recv(65_536)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"answered: {answer[:200]!r}")
    length = int(answer[answer.index(b"content-length: ") + 16 :].partition(b"\r\n")[0])
    while len(answer) < end + 4 + length:
        answer += connection.recv(65_536)


@contextmanager
def _server(*arguments: str) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.serving", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the server has no pipes")
        yield int(server.stdout.readline())
        server.stdin.close()


def _ours(folder: Path, stack: ExitStack) -> Any:
    from quotewell.views.api.app import create_app  # noqa: PLC0415  not in the server beside it
    from quotewell.views.uploads import Uploads  # noqa: PLC0415
    from quotewell.wiring import open as open_service  # noqa: PLC0415

    (folder / "closes").mkdir()
    today = dt.datetime.now(dt.UTC).date()
    for symbol, swing in (("AAPL", 0.02), ("^GSPC", 0.01)):
        rows = "".join(
            f"{today - dt.timedelta(days=back)},{100.0 * (1 + swing * (back % 3))}\n"
            for back in range(900, 0, -1)
        )
        (folder / "closes" / f"{symbol}.csv").write_text(f"date,close\n{rows}", encoding="utf-8")
    (folder / "quotes.csv").write_text(
        "symbol,price,previous_close,currency,name\nAAPL,190.5,189.0,USD,Apple Inc.\n", encoding="utf-8"
    )
    tickers = stack.enter_context(
        open_service(cache_dir=folder / "serving", providers=["files"], files_dir=folder)
    )
    tickers.prefetch(["AAPL"])
    return create_app(tickers, Uploads(tickers))


def _empty() -> Any:
    from fastapi import FastAPI  # noqa: PLC0415  imported by `ours` itself

    app = FastAPI()

    @app.get("/")
    async def nothing() -> dict[str, str]:
        return {}

    return app


def main() -> None:
    """Serve one of the two."""
    import uvicorn  # noqa: PLC0415  the bench that starts this needs none

    with ExitStack() as stack:
        app = _ours(Path(sys.argv[2]), stack) if sys.argv[1] == "ours" else _empty()
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, lifespan="on")
        server = uvicorn.Server(config)

        def end() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=end, daemon=True).start()
        print(listening.getsockname()[1], flush=True)
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
