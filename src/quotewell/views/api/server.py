"""The server: a socket, a service, the application, and processes of them if one does not suffice."""

from __future__ import annotations

import functools
import importlib.util
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from quotewell.clock import SystemClock
from quotewell.errors import QuotewellError
from quotewell.portfolio.importers import read_files
from quotewell.refresh import Refresher
from quotewell.settings import load_settings
from quotewell.views.api.app import create_app
from quotewell.views.api.gate import LOOPBACK
from quotewell.views.api.logs import log_as_json
from quotewell.views.api.observing import json_lines
from quotewell.views.api.workers import Workers
from quotewell.views.uploads import Uploads
from quotewell.wiring import connect

__all__ = ["Serving", "listen", "run"]

_GRACEFUL = 10
"""Seconds that requests have to end when the server is stopped."""
_KEPT_ALIVE = 30
_BACKLOG = 2048


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What is served; goes to each worker process."""

    settings: Mapping[str, Any] = {}
    """Fields of `settings.Settings` given on the command line."""
    files: tuple[str, ...] = ()
    """Of one book."""
    mapping: Mapping[str, str] | None = None
    """Of the book's columns."""
    key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(16))
    """Of the book."""
    token: str | None = None
    """What clients have to carry."""
    is_loopback: bool = True
    """Whether only this machine can ask."""
    workers: int = 1
    peers: str | None = None
    """The folder in which several workers find each other; None where there is one."""
    page: bool = True
    """Whether the page is served, where it is installed."""
    json_log: bool = False

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Serving(files={self.files!r}, workers={self.workers})"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Args:
        host: A name or an address.
        port: 0 for any that is free.

    Raises:
        QuotewellError: It is in use, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise QuotewellError(
            f"cannot listen on {host} port {port}: {error.strerror or error}", hint="another --port?"
        ) from error


def run(serving: Serving, listening: socket.socket) -> None:
    """Answer until the process is told to end (SIGINT, SIGTERM); requests under way are answered first.

    Raises:
        QuotewellError: A file cannot be read, a setting is wrong, or workers end as soon as they have begun.
    """
    if serving.workers == 1:
        with _opened(serving) as app:
            uvicorn.Server(_config(app)).run(sockets=[listening])
        return
    with connect(load_settings(serving.settings)) as tickers:
        # What cannot be opened or read is told once, here, not by each worker again and again.
        _keep_book(serving, Uploads(tickers))
    with tempfile.TemporaryDirectory(prefix="quotewell-") as folder:
        peers = folder if hasattr(socket, "AF_UNIX") else None
        factory = functools.partial(_worker, msgspec.structs.replace(serving, peers=peers))
        config = _config(factory, factory=True, workers=serving.workers)
        Workers(config, [listening], SystemClock()).run()


def _config(app: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACEFUL,
        timeout_keep_alive=_KEPT_ALIVE,
        lifespan="on",
        **more,
    )


@contextmanager
def _opened(serving: Serving) -> Iterator[ASGIApp]:
    """The application, with all that it needs, for as long as it is needed."""
    if serving.json_log:
        log_as_json()
    with ExitStack() as stack:
        tickers = stack.enter_context(connect(load_settings(serving.settings)))
        uploads = Uploads(tickers)
        refresher = stack.enter_context(Refresher(tickers, _keep_book(serving, uploads)))
        app = create_app(
            tickers,
            uploads,
            token=serving.token,
            hosts=LOOPBACK if serving.is_loopback else None,
            keeps=serving.workers == 1,
            peers=None if serving.peers is None else Path(serving.peers),
            refresher=refresher,
            log=json_lines() if serving.json_log else None,
        )
        if serving.page and serving.workers == 1 and importlib.util.find_spec("quotewell.views.web"):
            importlib.import_module("quotewell.views.web").attach(app, tickers, uploads)
        yield app


def _keep_book(serving: Serving, uploads: Uploads) -> list[str]:
    """Keep the book of the command line; returns its stocks and underlyings, the largest holdings first."""
    if not serving.files:
        return []
    file = read_files(serving.files, serving.mapping)
    file.path = PurePath(file.path).name  # where it lies is no client's affair
    book = uploads.keep(file, serving.key).book
    return [symbol for symbol, facet in book.needs_by_size() if facet == "risk"]


class _Worker:
    """The application of one of several processes, which closes what it has opened."""

    def __init__(self, serving: Serving) -> None:
        self._stack = ExitStack()
        self._app = self._stack.enter_context(_opened(serving))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if scope["type"] == "lifespan":
            self._stack.close()


def _worker(serving: Serving) -> ASGIApp:
    try:
        return _Worker(serving)
    except QuotewellError as error:
        # All was well when the parent looked: perhaps it will be again.
        raise SystemExit(f"quotewell: worker {os.getpid()}: {error}") from error
