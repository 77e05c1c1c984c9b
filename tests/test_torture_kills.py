"""A writer killed with SIGKILL at any moment loses nothing that it has acknowledged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quotewell.cache.sqlite import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.records import Quote

pytestmark = pytest.mark.torture

KILLS = 200
SYMBOLS = 50
LEASE_SECONDS = 0.2

WRITER = """
import sys
from pathlib import Path
from quotewell.cache.sqlite import SqliteLevel
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
    coordinator = SqliteCoordinator(tmp_path / "state.db", clock)
    time.sleep(2 * LEASE_SECONDS)
    assert coordinator.lease(["quote/S0"], "next", 1.0) == {"quote/S0"}
    coordinator.close()
    assert not list(tmp_path.glob("*.corrupt*"))
