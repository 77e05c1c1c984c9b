"""The system's clock; everything that asks the time is given one of these.

Tests pass `quotewell.testing.ManualClock`, so that no test ever sleeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["ShiftedClock", "SystemClock"]


class SystemClock:
    """Wall time, monotonic time and waiting, as the operating system gives them.

    `now` and `monotonic` are the C functions themselves: a Python frame around them would cost as much as
    the look-up that asks.
    """

    now: Callable[[], float] = staticmethod(time.time)
    monotonic: Callable[[], float] = staticmethod(time.monotonic)
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    @staticmethod
    def wait(condition: threading.Condition, seconds: float | None) -> bool:
        """Wait on `condition`, which the caller holds, for at most `seconds`; False when they have passed."""
        return condition.wait(seconds)


class ShiftedClock:
    """A clock that runs like the system's, but started at another time: for the demo, and for tests of I/O.

    Args:
        start: Wall time at which it starts, epoch seconds.
    """

    def __init__(self, start: float) -> None:
        self._wall_shift = start - time.time()
        self._monotonic_shift = 0.0

    def now(self) -> float:
        """Shifted wall time in epoch seconds."""
        return time.time() + self._wall_shift

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic() + self._monotonic_shift

    def advance(self, seconds: float) -> None:
        """Jump ahead by `seconds`, as if they had passed."""
        self._wall_shift += seconds
        self._monotonic_shift += seconds

    def sleep(self, seconds: float, /) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        """As `SystemClock.wait`."""
        return condition.wait(seconds)
