"""Processes that answer on one socket, started anew where one ends, but not without end."""

from __future__ import annotations

import msgspec
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from quotewell.errors import QuotewellError
from quotewell.protocols import Clock

__all__ = ["Restarts", "Workers"]

_STEADY = 30.0
"""Seconds after which a worker has shown that it can work."""
_WAITS = (0.5, 1.0, 2.0)
"""Seconds before each restart of one that has not; then the cause is not one that passes."""


class Restarts:
    """When the process in one place is started anew; decides, and does nothing."""

    def __init__(self) -> None:
        self.failures = 0
        """Processes in a row that have ended soon after their start."""

    def wait(self, lived: float) -> float | None:
        """Seconds until the next start; None to give up.

        Args:
            lived: Seconds from the start of the process that has ended to its end.
        """
        self.failures = 0 if lived >= _STEADY else self.failures + 1
        if self.failures > len(_WAITS):
            return None
        return _WAITS[self.failures - 1] if self.failures else 0.0


class _Place(msgspec.Struct):
    """One of the workers."""

    process: Process
    started: float
    restarts: Restarts
    due: float | None = None
    """When its successor is to be started; None while it runs."""


class Workers(Multiprocess):
    """uvicorn's supervisor, which gives up where a worker ends again and again.

    Args:
        config: With a factory and the number of workers.
        sockets: On which all answer.
        clock: The time.
    """

    def __init__(self, config: Config, sockets: list[object], clock: Clock) -> None:
        super().__init__(config, sockets)  # type: ignore[arg-type]  # sockets
        self._clock = clock
        self._places: dict[int, _Place] = {}
        self._failure: QuotewellError | None = None

    def run(self) -> None:
        """Supervise until a signal says to end.

        Raises:
            QuotewellError: The workers cannot work; all have been ended.
        """
        super().run()
        if self._failure is not None:
            raise self._failure

    def keep_subprocess_alive(self) -> None:
        """Look after each once; called twice a second."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            place = self._places.get(index)
            if place is None or place.process is not process:  # the first, or one that a signal has put there
                place = self._places[index] = _Place(process, self._clock.monotonic(), Restarts())
            self._look_after(index, place)

    def _look_after(self, index: int, place: _Place) -> None:
        now = self._clock.monotonic()
        if place.due is None:
            if place.process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                return
            place.process.kill()  # it may hang
            place.process.join()
            wait = place.restarts.wait(now - place.started)
            code = place.process.exitcode
            if code == STARTUP_FAILURE or wait is None:
                self._give_up(code, place.restarts.failures)
                return
            place.due = now + wait
        if now >= place.due:
            process = Process(self.config, self.sockets)
            process.start()
            self.processes[index] = process
            self._places[index] = _Place(process, now, place.restarts)

    def _give_up(self, code: int | None, failures: int) -> None:
        times = "" if failures < 2 else f" {failures} times in a row"
        self._failure = QuotewellError(
            f"a worker has ended{times} soon after its start, with exit code {code}",
            hint="what it said stands above; one worker says it at once: --workers 1",
        )
        self.should_exit.set()
