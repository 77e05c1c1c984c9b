"""Workers that end: started anew, later and later, and not without end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import SIGNALS

from quotewell.errors import QuotewellError
from quotewell.testing import ManualClock
from quotewell.views.api import workers as module
from quotewell.views.api.workers import Restarts, Workers


class FakeProcess:
    """A process that ends when a test says so."""

    started: list[FakeProcess]

    def __init__(self, config: Config, sockets: list[Any]) -> None:
        del config, sockets
        self.exitcode: int | None = None

    def start(self) -> None:
        self.started.append(self)

    def is_alive(self, timeout: float) -> bool:
        del timeout
        return self.exitcode is None

    def kill(self) -> None:
        """It has ended."""

    terminate = join = kill


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_750_000_000.0)


@pytest.fixture
def workers(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Workers:
    FakeProcess.started = []
    monkeypatch.setattr(module, "Process", FakeProcess)
    monkeypatch.setattr("uvicorn.supervisors.multiprocess.Process", FakeProcess)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = Workers(Config("nothing:at_all", workers=2, log_config=None), [], clock)
    for number, handler in before.items():
        signal.signal(number, handler)
    made.init_processes()
    made.keep_subprocess_alive()
    return made


def test_one_that_has_worked_is_started_at_once_however_often() -> None:
    restarts = Restarts()
    assert [restarts.wait(30.0) for _ in range(10)] == [0.0] * 10


def test_one_that_ends_at_once_waits_longer_each_time_and_is_given_up() -> None:
    restarts = Restarts()
    assert [restarts.wait(29.0) for _ in range(4)] == [0.5, 1.0, 2.0, None]


def test_one_that_works_in_the_end_begins_anew() -> None:
    restarts = Restarts()
    assert [restarts.wait(lived) for lived in (1.0, 1.0, 60.0, 1.0)] == [0.5, 1.0, 0.0, 0.5]


def test_a_worker_that_ended_after_long_has_a_successor(workers: Workers, clock: ManualClock) -> None:
    first, second = FakeProcess.started
    clock.advance(3600.0)
    first.exitcode = -9
    workers.keep_subprocess_alive()
    (successor,) = FakeProcess.started[2:]
    assert workers.processes[0] is successor  # type: ignore[comparison-overlap]  # a fake
    assert workers.processes[1] is second  # type: ignore[comparison-overlap]  # a fake


def test_workers_that_never_start_are_given_up_with_an_error(workers: Workers, clock: ManualClock) -> None:
    waited = []
    for wait in (0.5, 1.0, 2.0):
        FakeProcess.started[-1].exitcode = 1
        workers.keep_subprocess_alive()
        count = len(FakeProcess.started)
        clock.advance(wait - 0.1)
        workers.keep_subprocess_alive()
        assert len(FakeProcess.started) == count  # not yet
        clock.advance(0.1)
        workers.keep_subprocess_alive()
        waited.append(len(FakeProcess.started) - count)
    assert waited == [1, 1, 1]
    FakeProcess.started[-1].exitcode = 1
    workers.keep_subprocess_alive()
    with pytest.raises(QuotewellError, match=r"4 times in a row .* exit code 1") as failure:
        workers.run()
    assert "--workers 1" in failure.value.hint


def test_one_whose_start_has_failed_for_good_is_given_up_at_once(workers: Workers) -> None:
    FakeProcess.started[0].exitcode = STARTUP_FAILURE
    workers.keep_subprocess_alive()
    with pytest.raises(QuotewellError, match="has ended soon after its start, with exit code 3"):
        workers.run()


def test_one_that_a_signal_has_replaced_is_looked_after_anew(workers: Workers, clock: ManualClock) -> None:
    FakeProcess.started[0].exitcode = 1
    workers.keep_subprocess_alive()
    made = FakeProcess(workers.config, [])
    workers.processes[0] = made  # type: ignore[call-overload]  # as SIGHUP does
    clock.advance(60.0)
    workers.keep_subprocess_alive()
    assert workers.processes[0] is made  # type: ignore[comparison-overlap]  # a fake


def test_serving_ends_where_workers_fail_in_their_own_process_alone(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    environment |= {
        "QUOTEWELL_CACHE_DIR": str(tmp_path / "cache"),
        "QUOTEWELL_PROVIDERS": "snapshot",
        "QUOTEWELL_CALENDARS": "plain",
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    script = Path(__file__).with_name("failing_worker.py")
    command = [sys.executable, str(script)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert 5 <= sum("the file has gone" in line for line in lines) <= 8
    assert "4 times in a row" in ended.stderr
    assert "Traceback" not in ended.stderr
