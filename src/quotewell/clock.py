"""The system's clock; everything that asks the time is given one of these.

Tests pass `quotewell.testing.ManualClock`, so that no test ever sleeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["SystemClock"]


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
