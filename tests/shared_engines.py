"""The shared caches that the tests of many processes and of faults are run over; a new one is a line here."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import valkey

import postgres_server
from postgres_server import PostgresServer, fresh_schema
from valkey_servers import PrivateServer, own_prefix, shared_server

__all__ = ["ENGINES", "PLACES", "Engine"]


class Engine(Protocol):
    """A server of one's own, to do harm to."""

    settings: Mapping[str, object]
    """What `Settings` need to use it."""

    def kill(self) -> None:
        """End it as `kill -9` does."""

    def start(self) -> None:
        """Start it again, where it was."""

    def suspend(self) -> None:
        """Let it answer nothing, and keep its connections."""

    def resume(self) -> None:
        """Let it go on."""

    def cut(self) -> None:
        """Cut all connections to it."""

    def close(self) -> None:
        """End it, in whatever state it is."""


class ValkeyEngine(PrivateServer):
    """A Valkey server."""

    def __init__(self, folder: Path, *options: tuple[str, str]) -> None:
        super().__init__(folder, *options)
        self.settings: Mapping[str, object] = {"cache_url": self.url, "cache_prefix": own_prefix()}

    def cut(self) -> None:
        """Cut all connections to it."""
        with valkey.Valkey(port=self.port) as client:
            client.execute_command("CLIENT", "KILL", "SKIPME", "yes")


class PostgresEngine(PostgresServer):
    """A PostgreSQL server; its data is not in `folder`, whose path is too long for a socket's."""

    def __init__(self, folder: Path, *options: tuple[str, str]) -> None:
        del folder
        super().__init__(Path(tempfile.mkdtemp(prefix="qwpg")), settings=dict(options), loopback=True)
        self.settings: Mapping[str, object] = {"cache_url": self.url(), "cache_schema": fresh_schema()}
        self.start()

    def close(self) -> None:
        """End it, in whatever state it is."""
        super().close()
        shutil.rmtree(self.folder)


ENGINES: dict[str, Callable[[Path], Engine]] = {"valkey": ValkeyEngine, "postgres": PostgresEngine}
PLACES: dict[str, Callable[[], Mapping[str, object]]] = {
    "valkey": lambda: {"cache_url": shared_server().url, "cache_prefix": own_prefix()},
    "postgres": lambda: {"cache_url": postgres_server.shared_server().url(), "cache_schema": fresh_schema()},
}
"""Settings for an empty store of one's own in a server that others use, too."""
