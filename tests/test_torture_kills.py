"""A writer killed with SIGKILL at any moment loses nothing that it has acknowledged."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine_parts import service_on, wait_until
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.protocols import Clock
from quotewell.records import Quote
from quotewell.testing import FakeProvider, ManualClock
from survival import integrity

KILLS = 200
SYMBOLS = 50
LEASE_SECONDS = 0.2
LONG_LEASE = 5.0
"""Seconds by a clock moved by hand."""

WRITER = """
import sys
from pathlib import Path
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.records import Quote

folder, start = Path(sys.argv[1]), int(sys.argv[2])
clock = SystemClock()
level = SqliteLevel(folder / "cache.db", clock)
coordinator = SqliteCoordinator(folder / "state.db", clock)
for n in range(start, start + 100_000):
    coordinator.lease(["quote/S0"], f"writer-{start}", %(lease)r)
    quotes = [
        Quote(symbol=f"S{i}", source="torture", fetched_at=float(n), last=float(n))
        for i in range(%(symbols)d)
    ]
    assert not level.put_many("quote", quotes, begun=level.rev())
    print(n, flush=True)
""" % {"lease": LEASE_SECONDS, "symbols": SYMBOLS}  # noqa: UP031  braces are Python's own in there


def run_until_killed(folder: Path, start: int, seconds: float) -> int:
    """Start a writer, kill it after its first commit plus `seconds`; return the last acknowledged number."""
    read_end, write_end = os.pipe()
    arguments = [sys.executable, "-c", WRITER, str(folder), str(start)]
    with subprocess.Popen(arguments, stdout=write_end) as writer, os.fdopen(read_end) as log:
        os.close(write_end)
        acknowledged = int(log.readline())
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        for line in log:
            if line.endswith("\n"):
                acknowledged = int(line)
    return acknowledged


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_acknowledged_commits_survive_kills(tmp_path: Path) -> None:
    clock = SystemClock()
    moment = random.Random(1)
    start = 1
    for _ in range(KILLS):
        acknowledged = run_until_killed(tmp_path, start, moment.uniform(0.0, 0.03))
        level = SqliteLevel(tmp_path / "cache.db", clock)
        records = level.get_many("quote", [f"S{i}" for i in range(SYMBOLS)])
        values = {record.last for record in records.values() if isinstance(record, Quote)}
        # One transaction a bulk write: all of the last one or nothing of it.
        assert len(values) == 1
        (value,) = values
        assert value is not None
        assert acknowledged <= value <= acknowledged + 1
        start = int(value) + 1
        level.close()
        for name in ("cache.db", "state.db"):
            assert integrity(tmp_path / name) == "ok"
    coordinator = SqliteCoordinator(tmp_path / "state.db", clock)
    wait_until(lambda: coordinator.lease(["quote/S0"], "next", 1.0) == {"quote/S0"})
    coordinator.close()
    assert not list(tmp_path.glob("*.corrupt*"))


# -------------------------------------------------------------------------------------------------- leases

FETCHER = """
import sys, threading
from pathlib import Path
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.settings import Settings
from quotewell.testing import FakeProvider
from quotewell.wiring import connect

class Hanging(FakeProvider):
    def fetch(self, call, *, lane, deadline):
        print("fetching", flush=True)
        threading.Event().wait()

folder, clock = Path(sys.argv[1]), SystemClock()
symbols = [f"S{n}" for n in range(int(sys.argv[2]))]
stores = SqliteLevel(folder / "cache.db", clock), SqliteCoordinator(folder / "state.db", clock)
settings = Settings(calendars="plain", lease_seconds=float(sys.argv[3]))
connect(settings, clock=clock, providers=[Hanging(clock)], stores=stores).quotes(symbols)
"""


def fetch_until_killed(folder: Path, symbols: int, lease_seconds: float) -> None:
    """Start a process that asks for prices, and kill it while its provider keeps it waiting."""
    arguments = [sys.executable, "-c", FETCHER, str(folder), str(symbols), str(lease_seconds)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as fetcher:
        assert fetcher.stdout is not None
        assert fetcher.stdout.readline().startswith("fetching")
        fetcher.kill()


def leases_held(folder: Path, clock: Clock) -> int:
    connection = sqlite3.connect(folder / "state.db")
    (count,) = connection.execute("select count(*) from lease where until > ?", (clock.now(),)).fetchone()
    connection.close()
    return int(count)


def asking(folder: Path, symbols: int, clock: ManualClock) -> tuple[float, int]:
    """Ask for what the killed process was fetching; seconds by our clock, and requests, that it took."""
    prices = {f"S{number}": 1.0 for number in range(symbols)}
    stores = SqliteLevel(folder / "cache.db", clock), SqliteCoordinator(folder / "state.db", clock)
    provider = FakeProvider(clock, prices)
    began = clock.monotonic()
    with service_on(stores, clock, provider, prefetch_timeout=40.0) as tickers:
        report = tickers.prefetch([(symbol, "quote") for symbol in prices])
    assert {outcome.status for outcome in report.outcomes.values()} == {"fetched"}
    return clock.monotonic() - began, provider.requests


@pytest.mark.parametrize(
    ("kills", "symbols"), [(1, 3), pytest.param(20, 120, marks=pytest.mark.torture)], ids=["once", "often"]
)
def test_leases_of_a_killed_process_end_with_their_time(tmp_path: Path, kills: int, symbols: int) -> None:
    for number in range(kills):
        folder = tmp_path / str(number)
        folder.mkdir()
        fetch_until_killed(folder, symbols, LONG_LEASE)
        clock = ManualClock(now=time.time(), patience=30.0)
        assert leases_held(folder, clock) > 0
        seconds, requests = asking(folder, symbols, clock)
        assert 0.0 < seconds <= LONG_LEASE + 1.0
        assert requests >= 1
        assert leases_held(folder, clock) == 0
        for name in ("cache.db", "state.db"):
            assert integrity(folder / name) == "ok"


def test_a_lease_that_never_ended_would_be_seen(tmp_path: Path) -> None:
    fetch_until_killed(tmp_path, 3, 1e9)
    clock = ManualClock(now=time.time(), patience=30.0)
    with pytest.raises(AssertionError):
        asking(tmp_path, 3, clock)
